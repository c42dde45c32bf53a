# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What several processes wait for is asked for in one call."""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
import typing as t
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.bakehouse.images.plugins.module_utils._cloud.errors import Throttled
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.api import Ec2Api
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.volumes import Volume, describe_volume
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.watching import VOLUMES, watching
from ansible_collections.bakehouse.images.plugins.module_utils._errors import NotFound

from tests.unit.plugins.module_utils._ec2.conftest import ZONE

Look = Callable[[], Volume]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where processes of this user find each other."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


class Waiters:
    """Processes that wait for a volume each, with the same settings and one clock."""

    def __init__(self, ec2: t.Any, stack: contextlib.ExitStack) -> None:
        self.ec2 = ec2
        self.stack = stack

    def start(self, volume_id: str, caller: str = "us") -> Look:
        api = Ec2Api(self.ec2.client, clock=self.ec2.clock, caller=[caller])

        def describe() -> Volume:
            return describe_volume(api, volume_id)

        return self.stack.enter_context(watching(api, VOLUMES, volume_id, Volume.from_api, describe))

    def make(self, count: int) -> list[str]:
        return [
            str(self.ec2.client.create_volume(AvailabilityZone=ZONE, Size=1)["VolumeId"]) for _number in range(count)
        ]


@pytest.fixture
def waiters(ec2: t.Any, place: Path) -> t.Iterator[Waiters]:
    with contextlib.ExitStack() as stack:
        yield Waiters(ec2, stack)


def test_after_the_first_look_one_asks_for_all(ec2: t.Any, waiters: Waiters) -> None:
    volumes = waiters.make(5)
    looks = [waiters.start(volume) for volume in volumes]
    for _round in range(4):
        assert [look().volume_id for look in looks] == volumes
        ec2.clock.sleep(10)
    assert ec2.count("DescribeVolumes") == 5 + 3


def test_an_answer_is_newer_than_the_look_before(ec2: t.Any, waiters: Waiters) -> None:
    mine, other = (waiters.start(volume) for volume in waiters.make(2))
    for _round in range(2):
        for look in (mine, other):
            look()
        ec2.clock.sleep(10)
    before = ec2.count("DescribeVolumes")
    mine()
    ec2.clock.sleep(7)
    other()
    assert ec2.count("DescribeVolumes") == before + 1
    ec2.clock.sleep(4)
    mine()
    assert ec2.count("DescribeVolumes") == before + 2, "the answer is its own one, which it has seen"


def test_a_volume_that_has_gone_is_asked_for_alone_and_the_error_is_the_usual_one(ec2: t.Any, waiters: Waiters) -> None:
    (volume,) = waiters.make(1)
    look = waiters.start(volume)
    look()
    ec2.client.delete_volume(VolumeId=volume)
    ec2.clock.sleep(10)
    with pytest.raises(NotFound, match=f"Cannot find volume {volume}"):
        look()


def test_others_settings_are_another_place(ec2: t.Any, waiters: Waiters) -> None:
    ours, theirs = waiters.make(2)
    looks = [waiters.start(ours), waiters.start(theirs, caller="them")]
    for _round in range(3):
        for look in looks:
            look()
        ec2.clock.sleep(10)
    assert ec2.count("DescribeVolumes") == 6


def test_what_nobody_waits_for_any_more_is_not_asked_for(ec2: t.Any, waiters: Waiters, place: Path) -> None:
    first, second = waiters.make(2)
    look = waiters.start(first)
    with contextlib.ExitStack() as stack:
        short = Waiters(ec2, stack).start(second)
        for one in (look, short, look, short):
            one()
            ec2.clock.sleep(1)
    (folder,) = place.glob("bakehouse-*/looks-*")
    assert sorted(path.name for path in folder.iterdir()) == ["answer", "lock", first]


def test_throttling_is_the_waits_to_survive(ec2: t.Any, waiters: Waiters) -> None:
    (volume,) = waiters.make(1)
    look = waiters.start(volume)
    look()
    ec2.refuse("DescribeVolumes", "RequestLimitExceeded", times=20)
    with pytest.raises(Throttled):
        look()


class TestNobodyDependsOnAnybody:
    """Whatever is wrong with the place, everyone is answered."""

    @pytest.fixture
    def look(self, ec2: t.Any, waiters: Waiters, place: Path) -> Look:
        (volume,) = waiters.make(1)
        look = waiters.start(volume)
        for _round in range(2):
            look()
            ec2.clock.sleep(10)
        return look

    @pytest.fixture
    def folder(self, look: Look, place: Path) -> Path:
        (folder,) = place.glob("bakehouse-*/looks-*")
        return folder

    @pytest.mark.parametrize("text", ["", "{", "[]", '{"time": 1}', '{"time": "now", "found": 1}'])
    def test_an_answer_that_was_written_by_halves(self, look: Look, folder: Path, text: str) -> None:
        (folder / "answer").write_text(text)
        assert look().state == "available"

    def test_somebody_who_asks_and_asks(self, look: Look, folder: Path) -> None:
        with (folder / "lock").open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            assert look().state == "available"

    def test_a_place_that_has_gone(self, look: Look, folder: Path) -> None:
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()
        assert look().state == "available"

    def test_a_place_that_cannot_be_used(self, look: Look, folder: Path) -> None:
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()
        folder.write_text("in the way")
        assert look().state == "available"

    def test_a_folder_that_others_may_write_to_is_not_used(self, ec2: t.Any, place: Path) -> None:
        for folder in place.glob("bakehouse-*"):
            folder.chmod(0o777)
        (place / f"bakehouse-{os.geteuid()}").mkdir(exist_ok=True)
        (place / f"bakehouse-{os.geteuid()}").chmod(0o777)
        assert Ec2Api(ec2.client, caller=["us"]).shared_looks("describe_volumes") is None
