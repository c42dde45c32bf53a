# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Shows how far the copies of an image have come, region by region.

The module is run in pieces, as those of WaitingAction are. A region that has failed in one of them is left alone in the
next ones, so that it is not tried again for as long as the others take.
"""

from __future__ import annotations

import time
import typing as t

from ansible.utils.display import Display
from ansible_collections.bakehouse.images.plugins.plugin_utils._module_action import ModuleAction
from ansible_collections.bakehouse.images.plugins.plugin_utils._throttling import throttled_calls, with_throttled
from ansible_collections.bakehouse.images.plugins.plugin_utils._waiting_action import next_piece

display = Display()

# As the module's own default.
DEFAULT_TIMEOUT = 21600
# Copies that are not there by the first piece's end are not looked at as often.
LATER_DELAY_SECONDS = 5.0


class ActionModule(ModuleAction):
    """See the module of the same name."""

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Run the module until it no longer times out, or its whole time is up."""
        given = dict(self._task.args)
        limit = float(given.get("wait_timeout") or DEFAULT_TIMEOUT)
        waited, throttled = 0.0, 0
        failed: dict[str, str] = {}
        actions: list[str] = []
        try:
            while True:
                piece = next_piece(waited, limit)
                is_last = waited + piece >= limit
                self._task.args = {
                    **given,
                    "wait_timeout": int(piece),
                    "on_timeout": given.get("on_timeout", "keep") if is_last else "keep",
                    "exclude_regions": [*given.get("exclude_regions", []), *failed],
                }
                if waited:
                    self._task.args["wait_delay"] = max(float(given.get("wait_delay") or 0), LATER_DELAY_SECONDS)
                began = time.monotonic()
                result = super().run(tmp, task_vars)
                waited += max(piece, time.monotonic() - began)
                throttled += throttled_calls(result)
                if not result.get("timed_out") or is_last:
                    return with_throttled(_whole(result, failed, actions), throttled)
                failed.update(result.get("failed_regions") or {})
                actions += result.get("actions") or []
                name = (task_vars or {}).get("inventory_hostname", "")
                display.display(f"[{name}] {_progress(result, waited)}")
        finally:
            self._task.args = given


def _progress(result: dict[str, t.Any], waited: float) -> str:
    progress = result.get("progress") or {}
    return f"After {waited:.0f} seconds: " + ", ".join(f"{region} {how}" for region, how in progress.items())


def _whole(result: dict[str, t.Any], failed: dict[str, str], actions: list[str]) -> dict[str, t.Any]:
    """The last piece's result, with what the ones before it have done, and where they have failed."""
    whole = {**result, "changed": bool(result.get("changed")) or bool(actions)}
    if "actions" in result or actions:
        whole["actions"] = list(dict.fromkeys([*actions, *result.get("actions", [])]))
    if failed:
        whole["failed_regions"] = {**failed, **(result.get("failed_regions") or {})}
        lines = [f"- {region}: {message}" for region, message in failed.items()]
        head = str(result.get("msg") or "The image is not as it shall be in all regions.")
        whole.update(failed=True, msg="\n".join([head, *lines]))
    return whole


__all__ = ("ActionModule",)
