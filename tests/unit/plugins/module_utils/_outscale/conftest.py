# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Outscale for tests of the cores: the lab's, which checks calls and answers against the API's own description."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from ansible_collections.bakehouse.images.plugins.module_utils._cloud.waiting import Waiting
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.api import OutscaleApi
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.transport import Answer, Lost

from lab.clock import CLOCK
from lab.config import OSC_ACCOUNT, OSC_REGION
from tests.unit.lab.osc import Osc, Refused

BUILD = "3f9c0a71d2b84e65"
ZONE = "eu-west-2a"
WAIT = Waiting(True, 60, 0.01)


class LabClock:
    """Time that passes when somebody sleeps, here and in the lab."""

    def __init__(self) -> None:
        self.time = 0.0

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds
        CLOCK.forward(seconds)


class OscTransport:
    """Calls straight to the lab's Outscale, counted; a test can have some of them go wrong."""

    def __init__(self, osc: Osc, account: str) -> None:
        self.osc = osc
        self.account = account
        self.calls: list[tuple[str, dict[str, t.Any]]] = []
        self.troubles: list[tuple[str, t.Callable[[], Answer], bool]] = []

    def send(self, action: str, params: t.Mapping[str, t.Any]) -> Answer:
        self.calls.append((action, dict(params)))
        trouble = next((one for one in self.troubles if one[0] == action), None)
        if trouble:
            self.troubles.remove(trouble)
            if trouble[2]:
                self._serve(action, params)
            return trouble[1]()
        return self._serve(action, params)

    def _serve(self, action: str, params: t.Mapping[str, t.Any]) -> Answer:
        try:
            return Answer(200, self.osc.call(action, account=self.account, **params))
        except Refused as exc:
            errors = [{"Code": exc.codes[0], "Type": exc.types[0], "Details": exc.text}]
            return Answer(exc.status, {"Errors": errors})

    def count(self, action: str) -> int:
        return [name for name, _params in self.calls].count(action)

    def params(self, action: str) -> dict[str, t.Any]:
        """Of the last call of an action."""
        return [given for name, given in self.calls if name == action][-1]


class World:
    """An account at Outscale, and the API as a core has it."""

    def __init__(self, osc: Osc, account: str = OSC_ACCOUNT) -> None:
        self.osc = osc
        self.transport = OscTransport(osc, account)
        self.clock = LabClock()
        self.api = OutscaleApi(self.transport, OSC_REGION, clock=self.clock)

    def refuse(self, action: str, status: int, code: str = "", kind: str = "", *, times: int = 1) -> None:
        """Let the next calls of an action fail without being carried out."""
        body = {"Errors": [{"Code": code, "Type": kind, "Details": "No"}]}
        self.transport.troubles += [(action, lambda: Answer(status, body), False)] * times

    def lose(self, action: str) -> None:
        """Let the answer to the next call of an action get lost; the call is carried out."""

        def lost() -> Answer:
            raise Lost("the connection was closed")

        self.transport.troubles.append((action, lost, True))

    def never_send(self, action: str) -> None:
        """Let the next call of an action break off without being carried out, in a way that cannot be told from it."""

        def lost() -> Answer:
            raise Lost("the connection was closed")

        self.transport.troubles.append((action, lost, False))

    def count(self, action: str) -> int:
        return self.transport.count(action)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(Osc(tmp_path))


__all__ = ("BUILD", "WAIT", "ZONE", "World", "world")
