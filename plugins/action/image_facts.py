# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Gathers facts that describe the image, and not the machine it is built on."""

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase

# What a chroot shows of the machine around it: true there, and false on every machine that boots the image.
OF_BUILD_HOST = (
    "bios_",
    "board_",
    "chassis_",
    "cmdline",
    "default_ipv",
    "device_links",
    "devices",
    "form_factor",
    "hostnqn",
    "interfaces",
    "iscsi_iqn",
    "loadavg",
    "locally_reachable_ips",
    "memfree_mb",
    "memory_mb",
    "proc_cmdline",
    "product_",
    "swapfree_mb",
    "system_vendor",
    "uptime_seconds",
    "virtualization_",
)

# "all" is said because a list that only takes out means "min" to setup: there would be no processors, devices, mounts.
GATHERED = ["all", "!facter", "!ohai", "!network"]


class ActionModule(ActionBase):
    """See the module of the same name."""

    _supports_check_mode = True

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Run M(ansible.builtin.setup) in the image and correct what it cannot know there."""
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        _validation, given = self.validate_argument_spec(
            argument_spec={
                "gather_subset": {"type": "list", "elements": "str", "default": GATHERED},
                "kernels": {"type": "list", "elements": "str", "default": []},
            }
        )
        gathered = self._execute_module(
            module_name="ansible.legacy.setup",
            module_args={"gather_subset": given["gather_subset"]},
            task_vars=task_vars,
        )
        if gathered.get("failed"):
            return {**result, **gathered}
        facts = image_facts(gathered.get("ansible_facts", {}), given["kernels"])
        return {**result, "changed": False, "ansible_facts": facts, "_ansible_verbose_override": True}


def image_facts(gathered: dict[str, t.Any], kernels: list[str]) -> dict[str, t.Any]:
    """The facts of an image, from what C(setup) found in its chroot.

    Args:
        gathered: the facts, with the prefix C(ansible_).
        kernels: versions of the kernels installed in the image, oldest first.
    """
    interfaces = {f"ansible_{name.replace('-', '_')}" for name in gathered.get("ansible_interfaces") or []}
    kept = {
        name: value
        for name, value in gathered.items()
        if not name.removeprefix("ansible_").startswith(OF_BUILD_HOST) and name not in interfaces
    }
    kept.update(
        ansible_is_chroot=True,
        ansible_kernel=kernels[-1] if kernels else "",
        ansible_kernel_version="",
        ansible_virtualization_role="NA",
        ansible_virtualization_type="NA",
    )
    return kept
