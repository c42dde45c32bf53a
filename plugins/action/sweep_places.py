# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Finds out where builds may have left something."""

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase
from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError
from ansible_collections.bakehouse.images.plugins.plugin_utils._module_action import ACCESS_VARIABLE
from ansible_collections.bakehouse.images.plugins.plugin_utils._outscale_action import (
    ACCESS_VARIABLE as OUTSCALE_ACCESS,
)
from ansible_collections.bakehouse.images.plugins.plugin_utils._sweep_places import Places, places_of, usual_calls

# The options that say that the user says how an API is called, with the variable of an image that else does.
OWN_ACCESS = {"own_access": ACCESS_VARIABLE, "own_outscale_access": OUTSCALE_ACCESS}

NOWHERE = (
    "There is nowhere to look: the inventory has no image (a host with ansible_connection: bakehouse.images.chroot),"
    " and none of sweep_build_hosts, sweep_directories and sweep_regions is given. Give the inventory that builds are"
    " run with, or one of these."
)


class ActionModule(ActionBase):
    """See the module of the same name."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Take what is given, and for the rest the inventory's."""
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        names = ("build_hosts", "directories", "regions")
        spec: dict[str, t.Any] = {name: {"type": "list", "elements": "str"} for name in names}
        _validation, given = self.validate_argument_spec(
            argument_spec={**spec, **{name: {"type": "bool", "default": False} for name in OWN_ACCESS}}
        )
        own = [variable for name, variable in OWN_ACCESS.items() if given[name]]
        try:
            places = places_of(task_vars or {}, given["regions"], own_access=own)._asdict()
        except BuildError as exc:
            if any(given[name] is None for name in names):
                return {**result, "failed": True, **exc.to_result()}
            places = Places([], [], given["regions"], usual_calls(given["regions"]))._asdict()
        found = {name: places[name] if given[name] is None or name == "regions" else given[name] for name in names}
        if found["directories"] and not found["build_hosts"]:
            found["build_hosts"] = ["localhost"]
        if not found["build_hosts"] and not found["regions"]:
            return {**result, "failed": True, "msg": NOWHERE}
        return {**result, "changed": False, **found, "calls": places["calls"]}
