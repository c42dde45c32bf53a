# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Packer's provisioners as steps of the role, and its post-processors as what follows."""

from __future__ import annotations

import typing as t

from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_file import FILE, file_steps
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_model import Component
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_options import Row
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_playbook import (
    ANSIBLE,
    ANSIBLE_LOCAL,
    playbook_steps,
)
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_provisioner import (
    Found,
    Provisioner,
    Surroundings,
)
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_shell import (
    LATER,
    SHELL,
    SHELL_LOCAL,
    local_tasks,
    shell_steps,
)

BREAKPOINT: dict[str, Row] = {"disable": Row("bool"), "note": Row()}

TABLES: dict[str, t.Mapping[str, Row]] = {
    "ansible": ANSIBLE,
    "ansible-local": ANSIBLE_LOCAL,
    "breakpoint": BREAKPOINT,
    "file": FILE,
    "shell": SHELL,
    "shell-local": SHELL_LOCAL,
}
HOLD_TEMPLATES = {"shell": LATER, "shell-local": LATER}


def provisioner_steps(components: t.Iterable[Component], surroundings: Surroundings) -> Found:
    """The steps that provisioners become, in order."""
    found = Found()
    for number, component in enumerate(components, start=1):
        table = TABLES.get(component.kind)
        if table is None:
            known = ", ".join(TABLES)
            found.problems.append(
                component.place.says(
                    f"provisioners of the type {component.kind} are not supported. There are: {known}."
                )
            )
            continue
        later = HOLD_TEMPLATES.get(component.kind, ())
        it = Provisioner(component, number, table, surroundings, later)
        found.steps += _steps(it, found.groups)
        found.problems += it.problems
        found.warnings += it.warnings
    return found


def _steps(it: Provisioner, groups: set[str]) -> list[dict[str, t.Any]]:
    kind = it.component.kind
    if kind == "shell":
        return shell_steps(it)
    if kind == "file":
        return file_steps(it)
    if kind == "shell-local":
        tasks = local_tasks(it)
        return [{"name": it.title("on this machine"), "tasks": tasks}] if tasks else []
    if kind == "breakpoint":
        return _pause(it)
    return playbook_steps(it, groups)


def _pause(it: Provisioner) -> list[dict[str, t.Any]]:
    if it.values.get("disable"):
        return []
    note = it.values.get("note") or "A breakpoint of the template"
    task = {"name": it.title(note), "ansible.builtin.pause": {"prompt": f"{note}. Press Enter to go on"}}
    return [{"name": it.title(note), "tasks": [*it.pause(), task]}]


__all__ = ("TABLES", "provisioner_steps")
