# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads and checks an image's whole definition on the controller."""

from __future__ import annotations

import typing as t
from pathlib import Path

from ansible import constants as C
from ansible.plugins.action import ActionBase
from ansible.plugins.loader import become_loader, connection_loader
from ansible_collections.bakehouse.images.plugins.module_utils._errors import Invalid
from ansible_collections.bakehouse.images.plugins.plugin_utils._build_host_choice import CHROOT, choose, place_problems
from ansible_collections.bakehouse.images.plugins.plugin_utils._build_host_variables import problems_of
from ansible_collections.bakehouse.images.plugins.plugin_utils._definition import (
    Definition,
    OptionSpecs,
    read_definition,
)
from ansible_collections.bakehouse.images.plugins.plugin_utils._definition_digest import collection_version
from ansible_collections.bakehouse.images.plugins.plugin_utils._fingerprint import chosen_tags, definition_digest
from ansible_collections.bakehouse.images.plugins.plugin_utils._provision_files import StepFileReader
from ansible_collections.bakehouse.images.plugins.plugin_utils._provision_search import SearchPath
from ansible_collections.bakehouse.images.plugins.plugin_utils._provision_steps import parse_steps
from ansible_collections.bakehouse.images.plugins.plugin_utils._untemplated import plain

# Ansible's settings are attributes made when it starts, which no type checker sees.
SETTINGS: t.Any = C

# Ansible's main process loads an action too. What it has loaded is there in the worker of each later task; each
# would else take longer to load the connection than to run in an image.
connection_loader.get(CHROOT, class_only=True)
become_loader.get("bakehouse.images.chroot_user", class_only=True)

COLLECTION = Path(__file__).resolve().parents[2]


class ActionModule(ActionBase):
    """See the module of the same name."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Check everything that can be known now, and digest it."""
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        specs = OptionSpecs(str(COLLECTION / "roles" / "bake"))
        definition = read_definition(variables, specs, self._templar.template)
        steps, problems = parse_steps(definition.raw.get("bake_provision"))
        search = SearchPath.of_definition(variables.get("bake_provision"), variables, SETTINGS.DEFAULT_ROLES_PATH or ())
        files = StepFileReader(search).read(steps)
        machine_problems = _connection_problems(variables) + _build_host_problems(variables, definition)
        problems = definition.problems + problems + files.problems + machine_problems
        if problems:
            host = variables.get("inventory_hostname")
            error = Invalid(problems, subject=f"The definition of the image {host} cannot be built")
            return {**result, "failed": True, **error.to_result()}
        listed = definition.values.get("bake_fingerprint_vars") or []
        digest = definition_digest(
            definition=definition.raw,
            files=files.digests,
            variables={**{name: plain(variables.get(name)) for name in listed}, **chosen_tags(variables)},
            version=collection_version(),
        )
        return {
            **result,
            "build_host": str(definition.values.get("bake_build_host", "localhost")),
            "changed": False,
            "digest": digest,
            "files": sorted(files.digests),
            "steps": [f"{step.number}. {step.name}" for step in steps],
            "unknown_yet": definition.unknown_yet,
        }


def _connection_problems(variables: t.Mapping[str, t.Any]) -> list[str]:
    connection = variables.get("ansible_connection")
    if connection == CHROOT:
        return []
    found = f"is {connection}" if connection else "is not set"
    return [
        f"ansible_connection {found} for this host. Set it to {CHROOT} as a variable of the"
        " host, not with the play keyword 'connection', which would also reach tasks delegated to other machines."
    ]


def _build_host_problems(variables: t.Mapping[str, t.Any], definition: Definition) -> list[str]:
    """What is wrong with the machine to build on, and with how the image's own tasks would get there."""
    problems = []
    if "ansible_chroot_build_host" in variables["hostvars"].raw_get(variables["inventory_hostname"]):
        problems.append(
            "ansible_chroot_build_host is set for this image, and the role sets it itself, from the variables of the"
            " build host. Leave it out, and give ansible_host, ansible_user, ansible_become_password and the like to"
            " the build host."
        )
    image = str(variables["inventory_hostname"])
    variables = {**variables, **{name: definition.values.get(name) for name in ("bake_provider", "bake_source")}}
    if "bake_build_host" in definition.values:
        build_host = str(definition.values["bake_build_host"])
        return problems + problems_of(build_host, variables) + place_problems(image, build_host, variables)
    try:
        # The choice among them was not possible, which has been said in the words of the templating engine.
        choose(image, definition.values.get("bake_build_hosts") or [], variables)
    except Invalid as exc:
        definition.problems[:] = [text for text in definition.problems if not text.startswith("bake_build_host cannot")]
        problems += exc.problems
    return problems
