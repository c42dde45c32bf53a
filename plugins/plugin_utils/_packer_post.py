# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Packer's post-processors, which run when the image is there: as tasks on the machine that runs Ansible.

The manifest is Packer's own, so that what reads it goes on doing so.
"""

from __future__ import annotations

import os
import typing as t

from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_late import late, quoted
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_model import Component
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_options import Row
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_provisioner import Provisioner, Surroundings
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_shell import (
    HERE,
    LATER,
    SHELL_LOCAL,
    local_tasks,
)

MANIFEST = {
    "output": Row(),
    "strip_path": Row("bool", note="the manifest of an AMI has no path in it"),
    "strip_time": Row("bool"),
    "custom_data": Row("map"),
    "keep_input_artifact": Row("bool", note="an image is always kept"),
}
TABLES: dict[str, t.Mapping[str, Row]] = {"manifest": MANIFEST, "shell-local": SHELL_LOCAL}
DEFAULT_MANIFEST = "packer-manifest.json"
RUN = "__bake_build_id"
# As Packer writes it: region and id of each image, with commas between.
ARTIFACT = (
    "dict(__bake_images.keys() | zip(__bake_images.values() | map(attribute='image_id')))"
    " | dictsort | map('join', ':') | join(',')"
    " if __bake_images else (__bake_host.region | default('')) ~ ':' ~ __bake_image.image_id"
)


def after_steps(
    sequences: t.Iterable[t.Sequence[Component]],
    surroundings: Surroundings,
    problems: list[str],
    warnings: list[str],
) -> list[dict[str, t.Any]]:
    """The steps that post-processors become, in order."""
    steps = []
    components = [component for sequence in sequences for component in sequence]
    for number, component in enumerate(components, start=1):
        table = TABLES.get(component.kind)
        if table is None:
            known = ", ".join(TABLES)
            problems.append(
                component.place.says(
                    f"post-processors of the type {component.kind} are not supported. There are: {known}."
                )
            )
            continue
        later = LATER if component.kind == "shell-local" else ()
        it = Provisioner(component, number, table, surroundings, later)
        tasks = [_manifest(it)] if component.kind == "manifest" else local_tasks(it)
        if tasks:
            steps.append({"name": it.title("after the build"), "tasks": tasks})
        problems += it.problems
        warnings += it.warnings
    return steps


def _manifest(it: Provisioner) -> dict[str, t.Any]:
    """The task that adds the image to the manifest. Images that end together take turns."""
    output = os.path.join(os.getcwd(), it.values.get("output") or DEFAULT_MANIFEST)
    entry = {
        "name": it.surroundings.build_name,
        "builder_type": it.surroundings.builder_type,
        "build_time": 0 if it.values.get("strip_time") else late("now().timestamp() | int"),
        "files": None,
        "artifact_id": late(ARTIFACT),
        "packer_run_uuid": late(RUN),
        "custom_data": it.values.get("custom_data") or None,
    }
    read = f"lookup('ansible.builtin.file', {quoted(output)}, errors='ignore')"
    before = f"({read} or '{{}}' | string) | from_json"
    content = f"{{'builds': ({before}).builds | default([]) + [packer_entry], 'last_run_uuid': {RUN}}}"
    return {
        "name": it.title(f"add the image to {os.path.basename(output)}"),
        "ansible.builtin.copy": {"content": late(f"{content} | to_nice_json"), "dest": output, "mode": "0644"},
        "throttle": 1,
        **HERE,
        "vars": {**HERE["vars"], "packer_entry": entry},
    }


__all__ = ("after_steps",)
