# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A small client of a running lab, for tests."""

from __future__ import annotations

import contextlib
import json
import typing as t
import urllib.error
import urllib.request
from collections.abc import Iterator


class LabError(Exception):
    """The lab refused a request."""


class LabClient:
    """Talks to the /lab/ endpoint.

    Args:
        endpoint: the lab's URL, as in AWS_ENDPOINT_URL.
    """

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint.rstrip("/")

    def status(self) -> dict[str, t.Any]:
        return t.cast("dict[str, t.Any]", self._request("GET", "status"))

    def settings(self) -> dict[str, t.Any]:
        return t.cast("dict[str, t.Any]", self._request("GET", "settings"))

    def set(self, **values: t.Any) -> None:
        """Change settings, such as C(snapshot_seconds=2). They stay until C(reset)."""
        self._request("POST", "settings", values)

    def forward(self, seconds: float) -> None:
        """Have time pass at once, for what takes time by the settings."""
        self._request("POST", "clock", {"forward": seconds})

    def release(self) -> None:
        """Let what is stuck come to its end."""
        self._request("POST", "release", {})

    def reset(self) -> None:
        """Settings as at the start, no faults, an empty log of calls."""
        self._request("POST", "settings/reset", {})
        self._request("POST", "calls/clear", {})

    def fault(self, action: str, effect: str = "error", **values: t.Any) -> None:
        """Make calls of an action go wrong: see C(lab.settings.Fault) for the values."""
        self.set(faults=[{"action": action, "effect": effect, **values}])

    def calls(self, action: str | None = None) -> list[dict[str, t.Any]]:
        """The calls made since the log was cleared, oldest first."""
        found = t.cast("list[dict[str, t.Any]]", self._request("GET", "calls"))
        return [call for call in found if action is None or call["action"] == action]

    def clear_calls(self) -> None:
        self._request("POST", "calls/clear", {})

    @contextlib.contextmanager
    def changed(self, **values: t.Any) -> Iterator[None]:
        """Settings for a C(with) block; afterwards they are as at the lab's start, and faults are gone."""
        self.set(**values)
        try:
            yield
        finally:
            self._request("POST", "settings/reset", {})

    def _request(self, method: str, path: str, value: t.Any = None) -> t.Any:
        body = None if value is None else json.dumps(value).encode()
        request = urllib.request.Request(f"{self.endpoint}/lab/{path}", data=body, method=method)  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
                return json.load(answer)
        except urllib.error.HTTPError as exc:
            raise LabError(f"{method} {path}: {exc.read().decode(errors='replace')}") from exc
