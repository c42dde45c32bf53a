# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lab's own endpoint, /lab/: settings, faults, the log of calls, and what is there."""

from __future__ import annotations

import json
import typing as t
from collections.abc import Callable, Mapping

from lab.answers import Reply, json_reply
from lab.calls import CallLog
from lab.clock import CLOCK
from lab.settings import SettingError, SettingsStore, check_seconds


class Admin:
    """Serves what tests and people change while the lab runs.

    Args:
        facts: what C(GET /lab/status) tells, read at each call.
        release: lets what is stuck come to its end.
    """

    def __init__(
        self,
        settings: SettingsStore,
        log: CallLog,
        facts: Callable[[], Mapping[str, t.Any]],
        release: Callable[[], None],
    ) -> None:
        self._settings = settings
        self._log = log
        self._release_stuck = release
        self._routes: dict[tuple[str, str], Callable[[t.Any], t.Any]] = {
            ("GET", "/lab/status"): lambda _: facts(),
            ("GET", "/lab/settings"): lambda _: settings.to_json(),
            ("POST", "/lab/settings"): self._change,
            ("POST", "/lab/settings/reset"): self._reset,
            ("POST", "/lab/clock"): self._forward,
            ("POST", "/lab/release"): self._release,
            ("GET", "/lab/calls"): lambda _: log.to_json(),
            ("POST", "/lab/calls/clear"): self._clear,
        }

    def serve(self, environ: Mapping[str, t.Any], body: bytes) -> Reply:
        route = self._routes.get((environ["REQUEST_METHOD"], environ["PATH_INFO"].rstrip("/")))
        if route is None:
            known = [f"{method} {path}" for method, path in self._routes]
            return json_reply({"error": "There is no such page here.", "known": known}, 404)
        try:
            return json_reply(route(json.loads(body or b"{}")))
        except (SettingError, ValueError, TypeError) as exc:
            return json_reply({"error": str(exc)}, 400)

    def _change(self, values: t.Any) -> t.Any:
        if not isinstance(values, dict):
            raise SettingError("Settings are a JSON object.")
        self._settings.change(values)
        return self._settings.to_json()

    def _reset(self, _: t.Any) -> t.Any:
        self._settings.reset()
        return self._settings.to_json()

    def _forward(self, values: t.Any) -> t.Any:
        if not isinstance(values, dict) or set(values) != {"forward"}:
            raise SettingError('What the clock can do is {"forward": seconds}.')
        CLOCK.forward(check_seconds("forward", values["forward"]))
        return {}

    def _release(self, _: t.Any) -> t.Any:
        self._release_stuck()
        return {}

    def _clear(self, _: t.Any) -> t.Any:
        self._log.clear()
        return {}
