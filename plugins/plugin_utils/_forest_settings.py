# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""The settings of an image that become options of the role, and that little-vm-helper has no counterpart for.

They stand in a file of our own with an image, or at its top level for all images, or are options of the plugin.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.bakehouse.images.plugins.plugin_utils._boot_check import boot_check_problems
from ansible_collections.bakehouse.images.plugins.plugin_utils._image_actions import described


@dataclasses.dataclass(frozen=True)
class Setting:
    """One setting.

    Attributes:
        kind: the Python type of its value.
        wanted: what it must be, in words.
        variable: the option of the role that it becomes; empty for one of C(bake_source.scratch), of its own name.
        choices: the values it can have.
    """

    kind: type
    wanted: str
    variable: str = ""
    choices: tuple[str, ...] = ()


SETTINGS: dict[str, Setting] = {
    "suite": Setting(str, "a text"),
    "mirrors": Setting(list, "a list of texts"),
    "components": Setting(list, "a list of texts"),
    "keyring": Setting(str, "a text"),
    "variant": Setting(str, "a text"),
    "architecture": Setting(str, "a text"),
    "layout": Setting(dict, "a mapping"),
    "backing_file": Setting(bool, "true or false", "bake_output_backing_file"),
    "cache": Setting(str, "a text", "bake_cache", ("fingerprint", "exists")),
    "force": Setting(bool, "true or false", "bake_force"),
    "gather_facts": Setting(bool, "true or false", "bake_gather_facts"),
    "merge_actions": Setting(bool, "true or false", "bake_merge_actions"),
    "boot": Setting(object, "true, false or a mapping", "bake_boot"),
    "build_host": Setting(str, "a text", "bake_build_host"),
    "build_hosts": Setting(list, "a list of texts", "bake_build_hosts"),
}

OF_SCRATCH = tuple(name for name, setting in SETTINGS.items() if not setting.variable)


def setting_problem(name: str, value: t.Any) -> str:
    """What is wrong with the value, as the end of a sentence; empty if nothing."""
    setting = SETTINGS[name]
    if name == "boot":
        return "; ".join(boot_check_problems(value))
    right = isinstance(value, setting.kind)
    if right and setting.kind is list:
        right = all(isinstance(item, str) for item in value)
    if not right:
        return f"must be {setting.wanted}, and is {described(value)}"
    if setting.choices and value not in setting.choices:
        return f"must be one of {', '.join(setting.choices)}, and is {value}"
    return ""


__all__ = ("OF_SCRATCH", "SETTINGS", "Setting", "setting_problem")
