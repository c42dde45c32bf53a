# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""The shape of provisioning steps: from the list a user writes to typed steps, with every mistake reported."""

from __future__ import annotations

import dataclasses
import typing as t
from difflib import get_close_matches

from ansible_collections.bakehouse.images.plugins.plugin_utils._image_actions import read_actions
from ansible_collections.bakehouse.images.plugins.plugin_utils._untemplated import NotATemplate

KINDS = ("role", "tasks", "shell", "copy", "playbook", "actions")
COMMON_KEYS = ("name", "when", "vars")

# What each kind takes beside the common keys.
EXTRA_KEYS: dict[str, tuple[str, ...]] = {
    "role": ("tasks_from", "vars_from", "defaults_from", "handlers_from"),
    "tasks": (),
    "shell": ("executable", "chdir", "creates", "removes", "environment"),
    "copy": (),
    "playbook": (
        "tags",
        "skip_tags",
        "environment",
        "vars_files",
        "roles_path",
        "collections_path",
        "group_vars",
        "host_vars",
        "known_as",
    ),
    "actions": (),
}


@dataclasses.dataclass(frozen=True)
class Step:
    """One provisioning step, as its author wrote it (nothing in it is templated).

    Attributes:
        number: its place in the list, from 1.
        kind: one of KINDS.
        value: what stands under that key.
        name: its title: the author's, or one made from the kind and the value.
        conditions: the expressions of C(when), in order.
        variables: the step's own variables.
        extra: the other keys that this kind takes.
    """

    number: int
    kind: str
    value: t.Any
    name: str
    conditions: tuple[t.Any, ...]
    variables: dict[str, t.Any]
    extra: dict[str, t.Any]


def parse_steps(raw: t.Any) -> tuple[list[Step], list[str]]:
    """Read the value of C(bake_provision), already made plain.

    Returns:
        The steps that are well formed, and one sentence for each mistake.
    """
    if raw is None:
        return [], []
    if not isinstance(raw, list):
        found = _article(raw)
        return [], [f"bake_provision must be a list of steps such as '- role: web', and is {found}."]
    steps, problems = [], []
    for number, item in enumerate(raw, start=1):
        step, mistakes = _parse_step(number, item)
        problems += mistakes
        if step:
            steps.append(step)
    return steps, problems


def _parse_step(number: int, item: t.Any) -> tuple[Step | None, list[str]]:
    where = f"bake_provision step {number}"
    if not isinstance(item, dict):
        return None, [f"{where} must be a mapping such as 'role: web', and is {_article(item)}."]
    kinds = [kind for kind in KINDS if kind in item]
    if len(kinds) != 1:
        return None, [_kind_problem(where, item, kinds)]
    kind = kinds[0]
    problems = _unknown_keys(where, kind, item)
    problems += _value_problems(where, kind, item[kind])
    problems += _extra_problems(where, kind, item) if kind == "playbook" else []
    variables = item.get("vars") or {}
    if not isinstance(variables, dict):
        problems.append(f"{where}: vars must be a mapping of names to values, and is {_article(variables)}.")
    conditions = _conditions(item.get("when"))
    problems += [
        f"{where}: when must be an expression or a list of expressions, and holds {_article(condition)}."
        for condition in conditions
        if not isinstance(condition, (str, bool))
    ]
    if problems:
        return None, problems
    step = Step(
        number=number,
        kind=kind,
        value=item[kind],
        name=str(item["name"]) if item.get("name") else _title(kind, item[kind]),
        conditions=conditions,
        variables=variables,
        extra={key: item[key] for key in EXTRA_KEYS[kind] if key in item},
    )
    return step, []


def _kind_problem(where: str, item: dict[str, t.Any], kinds: list[str]) -> str:
    one_of = ", ".join(KINDS)
    if kinds:
        return f"{where} has {' and '.join(kinds)}; a step is exactly one of {one_of}. Make them steps of their own."
    unknown = [str(key) for key in item if key not in COMMON_KEYS]
    near = [match for key in unknown for match in get_close_matches(key, KINDS, n=1)]
    hint = f" Did you mean {near[0]}?" if near else ""
    return f"{where} has none of {one_of} (it has: {', '.join(map(str, item)) or 'nothing'}).{hint}"


def _unknown_keys(where: str, kind: str, item: dict[str, t.Any]) -> list[str]:
    known = (kind, *COMMON_KEYS, *EXTRA_KEYS[kind])
    problems = []
    for key in item:
        if key in known:
            continue
        near = get_close_matches(str(key), known, n=1)
        hint = f" Did you mean {near[0]}?" if near else f" It takes: {', '.join(known)}."
        problems.append(f"{where} ({kind}) does not take {key}.{hint}")
    return problems


def _is_text(value: t.Any) -> bool:
    return isinstance(value, str) and bool(value)


def _is_tasks(value: t.Any) -> bool:
    return _is_text(value) or (isinstance(value, list) and bool(value) and all(isinstance(i, dict) for i in value))


def _is_shell(value: t.Any) -> bool:
    return _is_text(value) or (isinstance(value, list) and bool(value) and all(map(_is_text, value)))


def _is_copy(value: t.Any) -> bool:
    return isinstance(value, dict) and bool(value.get("dest")) and ("src" in value) != ("content" in value)


def _is_actions(value: t.Any) -> bool:
    return isinstance(value, list) and bool(value)


VALUE_RULES: dict[str, tuple[t.Callable[[t.Any], bool], str]] = {
    "role": (_is_text, "the name of a role"),
    "tasks": (_is_tasks, "the path of a task file or a list of tasks"),
    "shell": (_is_shell, "a command or a list of commands"),
    "copy": (_is_copy, "a mapping with dest, and one of src and content"),
    "playbook": (_is_text, "the path of a playbook"),
    "actions": (_is_actions, "a list of actions"),
}


def _value_problems(where: str, kind: str, value: t.Any) -> list[str]:
    is_right, wanted = VALUE_RULES[kind]
    if not is_right(value):
        return [f"{where}: {kind} must be {wanted}, and is {_article(value)}."]
    return read_actions(value, where).problems if kind == "actions" else []


def _is_texts(value: t.Any) -> bool:
    return isinstance(value, list) and all(map(_is_text, value))


def _is_environment(value: t.Any) -> bool:
    return isinstance(value, dict) and all(isinstance(it, (str, int, float)) for it in value.values())


PLAYBOOK_RULES: dict[str, tuple[t.Callable[[t.Any], bool], str]] = {
    "environment": (_is_environment, "a mapping of variables to texts"),
    "vars_files": (_is_texts, "a list of files"),
    "roles_path": (_is_texts, "a list of folders"),
    "collections_path": (_is_texts, "a list of folders"),
    "group_vars": (_is_text, "a folder"),
    "host_vars": (_is_text, "a folder"),
    "known_as": (_is_text, "a name"),
}


def _extra_problems(where: str, kind: str, item: dict[str, t.Any]) -> list[str]:
    return [
        f"{where}: {key} must be {wanted}, and is {_article(item[key])}."
        for key, (is_right, wanted) in PLAYBOOK_RULES.items()
        if key in item and not is_right(item[key])
    ]


def _conditions(when: t.Any) -> tuple[t.Any, ...]:
    if when is None:
        return ()
    return tuple(when) if isinstance(when, list) else (when,)


def _title(kind: str, value: t.Any) -> str:
    if kind in ("role", "playbook") or (kind == "tasks" and isinstance(value, str)):
        return f"{kind} {value}"
    if kind == "copy":
        return f"copy to {value['dest']}"
    if kind == "shell":
        first = value[0] if isinstance(value, list) else value
        line = str(first).strip().splitlines()[0]
        return f"shell {line[:60]}"
    if kind == "actions":
        titles = [action.title for action in read_actions(value, "").actions]
        # Ansible renders names of tasks, and what comes from little-vm-helper's file is no template.
        return NotATemplate(titles[0]) if len(titles) == 1 else f"{len(titles)} actions"
    return kind


def _article(value: t.Any) -> str:
    """What a value is, in words for an error."""
    if value is None:
        return "empty"
    if isinstance(value, str):
        return f"the text {value!r}" if value else "an empty text"
    if isinstance(value, list):
        return "an empty list" if not value else "a list of other things"
    if isinstance(value, dict):
        return f"a mapping with {', '.join(map(str, value)) or 'nothing in it'}"
    return f"{value!r}"


__all__ = ("EXTRA_KEYS", "KINDS", "Step", "parse_steps")
