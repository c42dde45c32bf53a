# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How often something is looked at while it is waited for, and what does not end a wait."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.bakehouse.images.plugins.module_utils._cloud.errors import Throttled
from ansible_collections.bakehouse.images.plugins.module_utils._cloud.waiting import Waiting
from ansible_collections.bakehouse.images.plugins.module_utils._errors import Busy, WaitTimeout

PARAMS: dict[str, t.Any] = {"wait": True, "wait_timeout": 120, "wait_delay": 0.25}


def naps(ec2: t.Any, access: dict[str, t.Any] | None, *, most: float = 15) -> list[float]:
    """The pauses of a wait that is in vain."""
    waiting = Waiting.from_params({**PARAMS, "access": access})
    with pytest.raises(WaitTimeout):
        waiting.until(lambda: None, on_timeout=lambda _: WaitTimeout("Late."), clock=ec2.clock, max_delay_seconds=most)
    return [float(nap) for nap in ec2.clock.naps]


def test_looks_begin_often_and_get_rarer(ec2: t.Any) -> None:
    found = naps(ec2, None)
    assert found[0] <= 0.25
    assert 13 <= max(found) <= 15
    assert sum(found) == pytest.approx(120)


@pytest.mark.parametrize("seconds", [0.1, 2, 40])
def test_the_longest_pause_can_be_set(ec2: t.Any, seconds: float) -> None:
    found = naps(ec2, {"poll_delay": seconds}, most=5)
    assert found[0] <= min(0.25, seconds)
    assert 0.9 * seconds <= max(found) <= seconds


def test_a_wait_that_was_never_answered_says_so(ec2: t.Any) -> None:
    def probe() -> None:
        raise Throttled("Cannot find volume vol-1: Request limit exceeded.", error_code="RequestLimitExceeded")

    def late(waited: float) -> WaitTimeout:
        raise AssertionError("nothing was seen that could be told")

    waiting = Waiting.from_params({**PARAMS, "access": {}})
    with pytest.raises(WaitTimeout, match="exceeded. For 12. seconds there was no other answer") as caught:
        waiting.until(probe, on_timeout=late, clock=ec2.clock)
    assert caught.value.to_result()["timed_out"] is True
    assert caught.value.facts["error_code"] == "RequestLimitExceeded"


def test_being_asked_too_often_ends_no_wait(ec2: t.Any) -> None:
    answers: list[Busy | None] = [Throttled("Slow down."), Throttled("Slow down."), None]

    def probe() -> str | None:
        answer = answers.pop(0) if answers else "there"
        if isinstance(answer, Busy):
            raise answer
        return answer

    waiting = Waiting.from_params({**PARAMS, "access": {}})
    assert waiting.until(probe, on_timeout=lambda _: WaitTimeout("Late."), clock=ec2.clock) == "there"
    answers[:] = [Busy("In use.", error_code="VolumeInUse")]
    with pytest.raises(Busy, match="In use"):
        waiting.until(probe, on_timeout=lambda _: WaitTimeout("Late."), clock=ec2.clock)
