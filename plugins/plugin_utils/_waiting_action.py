# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Runs a module that waits for long, in pieces, and says between them how far it has come.

A module cannot show anything before it ends, and a snapshot can take hours. The modules that this is
for find what they have begun by its build id, so running one again goes on waiting for the same thing.
"""

from __future__ import annotations

import time
import typing as t

from ansible.utils.display import Display
from ansible_collections.bakehouse.images.plugins.plugin_utils._module_action import ModuleAction
from ansible_collections.bakehouse.images.plugins.plugin_utils._throttling import throttled_calls, with_throttled

display = Display()

# How often there is a line, in seconds: at first, and after a while. Each costs a start of the module, and some calls.
SHORTEST_PIECE_SECONDS = 30
LONGEST_PIECE_SECONDS = 120
# What has not come in the first piece is not looked at as often in those that follow.
LATER_DELAY_SECONDS = 5.0


def next_piece(waited: float, limit: float) -> float:
    """How many seconds to wait before the next line: as many as were waited so far, within bounds."""
    return min(max(SHORTEST_PIECE_SECONDS, waited), LONGEST_PIECE_SECONDS, max(1.0, limit - waited))


class WaitingAction(ModuleAction):
    """The action of a module with C(wait_timeout), whose result says C(timed_out) when that was too short."""

    # As the module's own default, in seconds.
    default_timeout: t.ClassVar[int]

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Run the module until it no longer times out, or its whole time is up."""
        given = dict(self._task.args)
        limit = float(given.get("wait_timeout") or self.default_timeout)
        waited, changed, throttled = 0.0, False, 0
        try:
            while True:
                piece = next_piece(waited, limit)
                self._task.args = {**given, "wait_timeout": int(piece)}
                if waited:
                    self._task.args["wait_delay"] = max(float(given.get("wait_delay") or 0), LATER_DELAY_SECONDS)
                began = time.monotonic()
                result = super().run(tmp, task_vars)
                # Calls that are throttled may take longer than they are waited for.
                waited += max(piece, time.monotonic() - began)
                throttled += throttled_calls(result)
                if not result.get("timed_out") or waited >= limit:
                    whole = {**result, "changed": bool(result.get("changed")) or changed}
                    return with_throttled(whole, throttled)
                # The piece that timed out has made what is waited for, or found it.
                changed = True
                display.display(f"[{(task_vars or {}).get('inventory_hostname', '')}] {result.get('msg')}")
        finally:
            self._task.args = given


__all__ = ("WaitingAction", "next_piece")
