# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""What an image has to show when it is booted, before it counts as built."""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible_collections.bakehouse.images.plugins.module_utils._qemu.boot import LOGIN_PROMPT
from ansible_collections.bakehouse.images.plugins.module_utils._qemu.machine import DISK_DEVICES
from ansible_collections.bakehouse.images.plugins.plugin_utils._image_actions import described, known_keys, suggestion
from ansible_collections.bakehouse.images.plugins.plugin_utils._untemplated import has_template


@dataclasses.dataclass(frozen=True)
class Key:
    """One key of a check.

    Attributes:
        kind: the Python type of its value.
        wanted: what it must be, in words.
        choices: the values it can have.
        least: the smallest number it can be.
        is_regex: whether its texts are regular expressions.
    """

    kind: type
    wanted: str
    choices: tuple[str, ...] = ()
    least: int = 0
    is_regex: bool = False


KEYS: dict[str, Key] = {
    "wait_for": Key(str, "a regular expression", is_regex=True),
    "expect": Key(list, "a list of regular expressions", is_regex=True),
    "fail_on": Key(list, "a list of regular expressions", is_regex=True),
    "timeout": Key(int, "a number of seconds", least=1),
    "firmware": Key(str, "a text", choices=("bios", "uefi")),
    "disk_interface": Key(str, "a text", choices=tuple(sorted(DISK_DEVICES))),
    "accelerator": Key(str, "a text", choices=("auto", "kvm", "tcg")),
    "memory_mib": Key(int, "a number of MiB", least=64),
    "cpus": Key(int, "a number", least=1),
}

# How carefully an image is tried says nothing of what is in it, nor of what it has shown.
NOT_SHOWN = ("timeout", "accelerator", "memory_mib", "cpus")

LOGIN = {"wait_for": LOGIN_PROMPT}


def boot_check(value: t.Any) -> dict[str, t.Any]:
    """The check that C(true), C(false) or a mapping stands for; empty when the image is not booted."""
    if isinstance(value, dict):
        return {**LOGIN, **value}
    return dict(LOGIN) if value else {}


def boot_check_problems(value: t.Any) -> list[str]:
    """What is wrong with a check, each as the end of a sentence that begins with its name."""
    if value is None or isinstance(value, bool):
        return []
    if not isinstance(value, dict):
        return [f"must be true, false or a mapping, and is {described(value)}"]
    _given, unknown = known_keys(value, tuple(KEYS), any_case=False)
    problems = [f"does not take {key}. {suggestion(key, tuple(KEYS), 'It takes')}" for key in unknown]
    for name, key in KEYS.items():
        problem = _problem(value[name], key) if value.get(name) is not None else ""
        if problem:
            problems.append(f"{name} {problem}")
    return problems


def _problem(value: t.Any, key: Key) -> str:
    if has_template(value):
        return ""
    right = isinstance(value, key.kind) and not isinstance(value, bool)
    texts: list[t.Any] = value if isinstance(value, list) else [value]
    if not right or (key.is_regex and not all(isinstance(text, str) and text for text in texts)):
        return f"must be {key.wanted}, and is {described(value)}"
    if key.choices and value not in key.choices:
        return f"must be one of {', '.join(key.choices)}, and is {value}"
    if key.least and value < key.least:
        return f"must be at least {key.least}, and is {value}"
    for text in texts if key.is_regex else ():
        try:
            re.compile(text)
        except re.error as exc:
            return f"holds {text!r}, which is not a regular expression: {exc}"
    return ""


__all__ = ("KEYS", "NOT_SHOWN", "boot_check", "boot_check_problems")
