# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Throttled answers are counted, each of them, whatever becomes of the call."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.bakehouse.images.plugins.module_utils._cloud.errors import Throttled
from ansible_collections.bakehouse.images.plugins.module_utils._cloud.throttling import ThrottledCalls
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.errors import THROTTLED
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.retries import (
    THROTTLED_ATTEMPTS,
    count_throttled,
    throttled_delay,
)
from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError, Refused
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders


class Raw:
    """What comes over the wire."""

    def __init__(self, text: str) -> None:
        self.text = text.encode()

    def stream(self, **_settings: t.Any) -> list[bytes]:
        return [self.text]


def answer(ec2: t.Any, action: str, code: str, *, times: int, status: int = 503) -> None:
    """Let the next requests be answered so: unlike with the fixture's own answers, botocore sends them again."""
    left = [times]

    def send(**_event: t.Any) -> AWSResponse | None:
        if not left[0]:
            return None
        left[0] -= 1
        body = f"<Response><Errors><Error><Code>{code}</Code><Message>No.</Message></Error></Errors></Response>"
        return AWSResponse("http://test", status, HTTPHeaders(), t.cast(t.Any, Raw(body)))

    ec2.on(f"before-send.ec2.{action}", send)


@pytest.fixture(name="calls")
def _calls(ec2: t.Any, monkeypatch: pytest.MonkeyPatch) -> ThrottledCalls:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    calls = ThrottledCalls()
    count_throttled(ec2.client, calls)
    return calls


def test_answers_are_counted_until_the_call_succeeds(ec2: t.Any, calls: ThrottledCalls) -> None:
    answer(ec2, "DescribeVolumes", "RequestLimitExceeded", times=2)
    assert ec2.api.find("describe_volumes", "Volumes", "list volumes") == []
    assert calls.count == 2
    ec2.api.find("describe_volumes", "Volumes", "list volumes")
    assert calls.count == 2


@pytest.mark.parametrize("code", sorted(THROTTLED))
def test_so_are_those_of_a_call_that_fails(ec2: t.Any, calls: ThrottledCalls, code: str) -> None:
    answer(ec2, "DescribeSnapshots", code, times=99)
    with pytest.raises(Throttled):
        ec2.api.find("describe_snapshots", "Snapshots", "list snapshots")
    assert calls.count > 1


@pytest.mark.parametrize("code", sorted(THROTTLED))
def test_a_throttled_snapshot_was_not_begun_and_is_sent_again(ec2: t.Any, calls: ThrottledCalls, code: str) -> None:
    answer(ec2, "CreateSnapshot", code, times=1)
    assert ec2.api.call("create_snapshot", "take a snapshot", VolumeId=ec2.volume())["SnapshotId"]
    assert calls.count == 1


def test_other_errors_are_not_counted(ec2: t.Any, calls: ThrottledCalls) -> None:
    answer(ec2, "DescribeVolumes", "UnauthorizedOperation", times=1, status=403)
    with pytest.raises(Refused):
        ec2.api.find("describe_volumes", "Volumes", "list volumes")
    answer(ec2, "DescribeImages", "InternalError", times=99, status=500)
    with pytest.raises(BuildError):
        ec2.api.find("describe_images", "Images", "list images")
    assert calls.count == 0


class TestPatience:
    """Throttled calls are made again for longer than others that fail."""

    def test_many_times(self, ec2: t.Any, calls: ThrottledCalls) -> None:
        ec2.on("needs-retry", throttled_delay)
        answer(ec2, "DescribeVolumes", "RequestLimitExceeded", times=THROTTLED_ATTEMPTS - 1)
        assert ec2.api.find("describe_volumes", "Volumes", "list volumes") == []
        assert calls.count == THROTTLED_ATTEMPTS - 1

    def test_not_for_ever(self, ec2: t.Any, calls: ThrottledCalls) -> None:
        ec2.on("needs-retry", throttled_delay)
        answer(ec2, "DescribeVolumes", "RequestLimitExceeded", times=99)
        with pytest.raises(Throttled):
            ec2.api.find("describe_volumes", "Volumes", "list volumes")
        assert calls.count == THROTTLED_ATTEMPTS

    def test_pauses_grow_and_differ(self) -> None:
        throttled = (None, {"Error": {"Code": "RequestLimitExceeded"}})
        pauses = [[throttled_delay(number, throttled) or 0.0 for _time in range(50)] for number in (1, 3, 30)]
        assert [max(some) <= most for some, most in zip(pauses, (2, 8, 20), strict=True)] == [True] * 3
        assert all(len(set(some)) > 40 for some in pauses)
        assert max(pauses[0]) < max(pauses[2])

    @pytest.mark.parametrize("response", [None, (None, {}), (None, {"Error": {"Code": "InternalError"}})])
    def test_other_errors_are_botocores(self, response: t.Any) -> None:
        assert throttled_delay(1, response) is None
