# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Provisioning steps become a task file.

Steps are written as literal tasks, so that each is templated when it runs and may use facts and results
of the steps before it. A loop over the list would template all of it first, and C(include_role) does
not take templated variables.
"""

from __future__ import annotations

import os
import typing as t
from pathlib import Path

from ansible_collections.bakehouse.images.plugins.plugin_utils._image_actions import read_actions
from ansible_collections.bakehouse.images.plugins.plugin_utils._provision_search import SearchPath
from ansible_collections.bakehouse.images.plugins.plugin_utils._provision_steps import Step
from ansible_collections.bakehouse.images.plugins.plugin_utils._untemplated import has_template, to_yaml


def compile_steps(steps: t.Iterable[Step], search: SearchPath) -> list[dict[str, t.Any]]:
    """The tasks that carry out the steps, in order."""
    compilers = {
        "role": _role_task,
        "tasks": _tasks_task,
        "shell": _shell_task,
        "copy": _copy_task,
        "playbook": _playbook_task,
        "actions": _actions_task,
    }
    return [_with_conditions(step, compilers[step.kind](step, search)) for step in steps]


def write_task_file(tasks: list[dict[str, t.Any]], folder: Path, search: SearchPath) -> Path:
    """Write the tasks into a new file in C(folder) and return its path.

    Ansible looks for the files that a task names beside the task's own file, so what lies beside the
    image's definition is linked into the folder.
    """
    for source in search.folders[:1]:
        for entry in source.iterdir():
            link = folder / entry.name
            if not os.path.lexists(link):
                link.symlink_to(entry)
    path = folder / ".bakehouse-steps.yml"
    path.write_text("---\n" + to_yaml(tasks), encoding="utf-8")
    path.chmod(0o600)
    return path


def _with_conditions(step: Step, task: dict[str, t.Any]) -> dict[str, t.Any]:
    task = {"name": step.name, **task}
    if step.variables:
        task["vars"] = step.variables
    if step.conditions:
        task["when"] = list(step.conditions)
    return task


def _role_task(step: Step, search: SearchPath) -> dict[str, t.Any]:
    found = None if has_template(step.value) else search.role(step.value)
    by_name = found is None or "." in str(step.value)
    return {"ansible.builtin.include_role": {"name": step.value if by_name else str(found), **step.extra}}


def _tasks_task(step: Step, search: SearchPath) -> dict[str, t.Any]:
    if isinstance(step.value, list):
        return {"block": step.value}
    found = None if has_template(step.value) else search.file(step.value, subfolder="tasks")
    return {"ansible.builtin.include_tasks": {"file": str(found or step.value)}}


def _shell_task(step: Step, search: SearchPath) -> dict[str, t.Any]:
    commands = step.value if isinstance(step.value, list) else [step.value]
    arguments = {key: value for key, value in step.extra.items() if key != "environment"}
    keywords = {"environment": step.extra["environment"]} if "environment" in step.extra else {}
    tasks = [
        {"name": command.strip().splitlines()[0][:80], "ansible.builtin.shell": {"cmd": command, **arguments}}
        for command in commands
    ]
    return {"block": tasks, **keywords}


def _copy_task(step: Step, search: SearchPath) -> dict[str, t.Any]:
    arguments = dict(step.value)
    source = arguments.get("src")
    if isinstance(source, str) and not has_template(source) and not arguments.get("remote_src"):
        found = search.file(source, subfolder="files")
        # copy reads a trailing slash as "what is in this folder", which Path would drop.
        arguments["src"] = str(found or source) + ("/" if found and source.endswith("/") else "")
    return {"ansible.builtin.copy": arguments}


def _playbook_task(step: Step, search: SearchPath) -> dict[str, t.Any]:
    found = None if has_template(step.value) else search.file(step.value)
    arguments = {"playbook": str(found or step.value), **step.extra}
    for key in ("vars_files", "roles_path", "collections_path"):
        if key in step.extra:
            arguments[key] = [_found(search, name) for name in step.extra[key]]
    for key in ("group_vars", "host_vars"):
        if key in step.extra:
            arguments[key] = _found(search, step.extra[key])
    if step.variables:
        arguments["variables"] = dict(step.variables)
    return {"bakehouse.images.image_playbook": arguments}


def _found(search: SearchPath, name: str) -> str:
    found = None if has_template(name) else search.file(name)
    return str(found or name)


def _actions_task(step: Step, search: SearchPath) -> dict[str, t.Any]:
    actions = []
    for action in read_actions(step.value, "").actions:
        found = None if action.local is None or has_template(action.local) else search.file(action.local)
        actions.append((action.with_local(str(found)) if found else action).to_dict())
    # The option is looked up when the step runs: whether actions are merged changes nothing in the image.
    merge = "{{ bake_merge_actions | default(true) }}"
    return {"bakehouse.images.image_actions": {"actions": actions, "merge": merge}}


__all__ = ("compile_steps", "write_task_file")
