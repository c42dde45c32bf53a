# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lab's limit to calls is a token bucket: so many at once, and then so many in a second.

https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html
"""

from __future__ import annotations

import threading
import typing as t

import pytest

from lab.clock import CLOCK
from lab.limits import TokenBucket
from lab.settings import SettingError, Settings, SettingsStore

#: Of the real time that a test takes, no token comes back.
SLOW = 1e-6


def refused(settings: SettingsStore, times: int, action: str = "DescribeVolumes", service: str = "ec2") -> int:
    """Of so many calls."""
    return sum(settings.over_limit(service, action) is not None for _ in range(times))


@pytest.fixture(name="settings")
def _settings() -> SettingsStore:
    return SettingsStore(Settings())


def test_a_bucket_holds_so_many_tokens_and_gets_some_back_each_second() -> None:
    bucket = TokenBucket()

    def taken(now: float, times: int) -> int:
        return sum(bucket.take(now, per_second=2, burst=5) for _ in range(times))

    assert taken(100, 10) == 5
    assert taken(100.4, 10) == 0
    assert taken(100.5, 10) == 1
    assert taken(103, 10) == 5
    assert taken(1000, 10) == 5


def test_there_is_no_limit_before_one_is_set(settings: SettingsStore) -> None:
    assert refused(settings, 1000) == 0


def test_calls_are_refused_when_there_are_no_tokens_until_some_come_back(settings: SettingsStore) -> None:
    settings.change({"describes_per_second": SLOW, "describes_burst": 3})
    assert refused(settings, 5) == 2
    CLOCK.forward(2 / SLOW)
    assert refused(settings, 5) == 3


def test_the_answer_is_that_of_a_fault(settings: SettingsStore) -> None:
    settings.change({"describes_per_second": SLOW, "describes_burst": 1})
    assert settings.over_limit("ec2", "DescribeVolumes") is None
    answer = settings.over_limit("ec2", "DescribeImages")
    assert answer
    assert (answer.effect, answer.code, answer.status) == ("error", "RequestLimitExceeded", 503)


def test_only_calls_that_look_take_tokens_and_all_of_them_the_same(settings: SettingsStore) -> None:
    settings.change({"describes_per_second": SLOW, "describes_burst": 2})
    assert refused(settings, 5, "CreateVolume") == 0
    assert refused(settings, 5, "DescribeParameters", service="ssm") == 0
    assert refused(settings, 5, "LinkVolume", service="oapi") == 0
    assert refused(settings, 1, "ReadVolumes", service="oapi") == 0
    assert refused(settings, 1, "DescribeImages") == 0
    assert refused(settings, 1, "ReadVolumes", service="oapi") == 1
    assert refused(settings, 1, "DescribeVolumes") == 1


def test_the_bucket_is_full_when_the_limit_is_set_and_gone_after_a_reset(settings: SettingsStore) -> None:
    settings.change({"describes_per_second": SLOW, "describes_burst": 2})
    assert refused(settings, 3) == 1
    settings.change({"volume_seconds": 1})
    assert refused(settings, 1) == 1
    settings.change({"describes_burst": 4})
    assert refused(settings, 5) == 1
    settings.reset()
    assert refused(settings, 1000) == 0


def test_threads_share_the_tokens(settings: SettingsStore) -> None:
    settings.change({"describes_per_second": SLOW, "describes_burst": 100})
    found: list[int] = []
    threads = [threading.Thread(target=lambda: found.append(refused(settings, 50))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(found) == 8 * 50 - 100


@pytest.mark.parametrize(
    "values",
    [
        {"describes_per_second": -1},
        {"describes_per_second": True},
        {"describes_per_second": "5"},
        {"describes_burst": 0},
        {"describes_burst": float("nan")},
    ],
)
def test_a_limit_that_is_none_is_refused(settings: SettingsStore, values: dict[str, t.Any]) -> None:
    with pytest.raises(SettingError, match="is a number of calls"):
        settings.change(values)
