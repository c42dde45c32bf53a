# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Decides what a sweep removes."""

from __future__ import annotations

import time
import typing as t

from ansible.plugins.action import ActionBase
from ansible_collections.bakehouse.images.plugins.plugin_utils._sweep_plan import (
    Decision,
    Item,
    Wish,
    decide,
    monthly_cost,
    table,
)

HOUR = 3600.0

SPEC: dict[str, t.Any] = {
    "build_hosts": {"type": "list", "elements": "dict", "default": []},
    "regions": {"type": "list", "elements": "dict", "default": []},
    "lives": {"type": "list", "elements": "dict", "default": []},
    "build_ids": {"type": "list", "elements": "str", "default": []},
    "older_than_hours": {"type": "float", "default": 0},
    "unknown_older_than_hours": {"type": "float"},
    "prices": {"type": "dict", "default": {}},
}


class ActionModule(ActionBase):
    """See the module of the same name."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Decide for each build."""
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        _validation, given = self.validate_argument_spec(argument_spec=SPEC)
        unknown = given["unknown_older_than_hours"]
        wish = Wish(
            older_than=given["older_than_hours"] * HOUR,
            unknown_older_than=None if unknown is None else unknown * HOUR,
            build_ids=frozenset(given["build_ids"]),
            prices={str(name): float(price) for name, price in given["prices"].items()},
            now=time.time(),
        )
        places = {kind: _items(given[kind]) for kind in ("build_hosts", "regions")}
        decisions = decide([item for items in places.values() for item in items], given["lives"], wish)
        going = [one for one in decisions if one.remove]
        return {
            **result,
            "changed": False,
            "lines": table(decisions, wish.prices),
            "monthly_cost": monthly_cost((item for one in going for item in one.items), wish.prices),
            "removals": {kind: _removals(items, going) for kind, items in places.items()},
            "builds": [
                {"build_id": one.build_id, "remove": one.remove, "life": one.life, "reason": one.reason}
                for one in decisions
            ],
        }


def _items(looked: list[dict[str, t.Any]]) -> list[Item]:
    """What was found, by the results of a task in a loop; a place that could not be looked at has no leftovers."""
    return [Item(str(place["item"]), leftover) for place in looked for leftover in place.get("leftovers") or ()]


def _removals(items: list[Item], going: list[Decision]) -> list[dict[str, t.Any]]:
    builds = {one.build_id for one in going}
    removals: dict[str, set[str]] = {}
    for item in items:
        if item.facts["build_id"] in builds:
            removals.setdefault(item.where, set()).add(item.facts["build_id"])
    return [{"where": where, "build_ids": sorted(found)} for where, found in removals.items()]
