# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The snapshot of a build's volume: taken once, waited for long enough."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.bakehouse.images.plugins.module_utils._cloud.waiting import Waiting
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.snapshot_plans import (
    SnapshotRequest,
    apply_present,
    plan_absent,
    plan_present,
)
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.snapshots import (
    DeleteSnapshot,
    Snapshot,
    await_completed,
)
from ansible_collections.bakehouse.images.plugins.module_utils._errors import (
    Busy,
    Conflict,
    Invalid,
    Refused,
    WaitTimeout,
)
from ansible_collections.bakehouse.images.plugins.module_utils._plan import apply_plan
from botocore.exceptions import ConnectionClosedError

BUILD = "3f9c0a71d2b84e65"
HOUR = 3600
PENDING = {"SnapshotId": "snap-1", "State": "pending", "Progress": "37%", "VolumeId": "vol-1", "VolumeSize": 8}


def take(ec2: t.Any, request: SnapshotRequest) -> Snapshot:
    return apply_present(plan_present(ec2.api, request), ec2.api, request)


def test_a_snapshot_is_tagged_in_the_call_that_creates_it(ec2: t.Any) -> None:
    snapshot = take(ec2, SnapshotRequest(BUILD, volume_id=ec2.volume(), tags={"Team": "web"}))
    assert snapshot.state == "completed"
    assert snapshot.tags == {"Team": "web", "bakehouse:build-id": BUILD}
    assert ec2.count("CreateTags") == 0


def test_a_build_has_one_snapshot_of_its_volume_however_often_it_asks(ec2: t.Any) -> None:
    request = SnapshotRequest(BUILD, volume_id=ec2.volume())
    first = take(ec2, request)
    assert plan_present(ec2.api, request).operations == []
    assert take(ec2, request).snapshot_id == first.snapshot_id
    assert ec2.count("CreateSnapshot") == 1


def test_a_build_id_is_needed_to_take_a_snapshot(ec2: t.Any) -> None:
    with pytest.raises(Invalid, match="build_id is required"):
        plan_present(ec2.api, SnapshotRequest(volume_id=ec2.volume()))


def test_an_answer_that_was_lost_does_not_make_a_second_snapshot(ec2: t.Any) -> None:
    request = SnapshotRequest(BUILD, volume_id=ec2.volume())
    plan = plan_present(ec2.api, request)
    specification = {"ResourceType": "snapshot", "Tags": [{"Key": "bakehouse:build-id", "Value": BUILD}]}
    made = ec2.client.create_snapshot(VolumeId=request.volume_id, TagSpecifications=[specification])
    lose_answer(ec2)
    assert apply_present(plan, ec2.api, request).snapshot_id == made["SnapshotId"]
    assert len(ec2.client.describe_snapshots(OwnerIds=["self"])["Snapshots"]) == 1


def test_a_call_that_was_lost_is_sent_again(ec2: t.Any) -> None:
    lose_answer(ec2)
    request = SnapshotRequest(BUILD, volume_id=ec2.volume())
    assert take(ec2, request).state == "completed"
    assert len(ec2.client.describe_snapshots(OwnerIds=["self"])["Snapshots"]) == 1


def lose_answer(ec2: t.Any) -> None:
    """Let the next CreateSnapshot end as if the connection had broken."""
    left = [1]

    def break_connection(**_event: t.Any) -> None:
        if left[0]:
            left[0] -= 1
            raise ConnectionClosedError(endpoint_url="http://ec2")

    ec2.on("before-send.ec2.CreateSnapshot", break_connection)


def test_the_default_wait_is_enough_for_three_hours(ec2: t.Any) -> None:
    def found() -> dict[str, t.Any]:
        return {"Snapshots": [{**PENDING, "State": "completed" if ec2.clock.time > 3 * HOUR else "pending"}]}

    ec2.answer_by("DescribeSnapshots", found, times=10000)
    waiting = Waiting(timeout_seconds=6 * HOUR)
    assert await_completed(ec2.api, "snap-1", waiting).state == "completed"
    assert ec2.count("DescribeSnapshots") < 3 * HOUR / 25


def test_a_wait_that_ends_names_snapshot_age_and_progress(ec2: t.Any) -> None:
    ec2.answer("DescribeSnapshots", {"Snapshots": [{**PENDING, "StartTime": "2020-01-01T00:00:00Z"}]}, times=1000)
    with pytest.raises(
        WaitTimeout, match=r"snap-1 is still pending after 1800 seconds: 37% done, started \d+ minutes ago"
    ):
        await_completed(ec2.api, "snap-1", Waiting(timeout_seconds=1800))


def test_a_snapshot_that_failed_is_reported_at_once_with_the_reason(ec2: t.Any) -> None:
    failed = {**PENDING, "State": "error", "StateMessage": "The key is disabled."}
    ec2.answer("DescribeSnapshots", {"Snapshots": [failed]})
    with pytest.raises(Conflict, match=r"snap-1 has failed: The key is disabled\."):
        await_completed(ec2.api, "snap-1", Waiting())
    assert ec2.clock.time == 0


def test_absent_deletes_what_a_build_made_and_refuses_what_it_did_not(ec2: t.Any) -> None:
    take(ec2, SnapshotRequest(BUILD, volume_id=ec2.volume()))
    foreign = ec2.client.create_snapshot(VolumeId=ec2.volume())["SnapshotId"]
    apply_plan(plan_absent(ec2.api, SnapshotRequest(BUILD)).operations)
    assert plan_absent(ec2.api, SnapshotRequest(BUILD)).operations == []
    with pytest.raises(Refused, match="does not belong to the build"):
        plan_absent(ec2.api, SnapshotRequest(BUILD, snapshot_id=foreign))
    assert plan_absent(ec2.api, SnapshotRequest(snapshot_id=foreign)).operations != []


def test_a_snapshot_in_use_names_the_images_that_use_it(ec2: t.Any) -> None:
    ec2.refuse("DeleteSnapshot", "InvalidSnapshot.InUse", "The snapshot snap-1 is currently in use by ami-1", times=100)
    ec2.answer("DescribeImages", {"Images": [{"ImageId": "ami-1"}]})
    with pytest.raises(Busy, match=r"snap-1 cannot be deleted: image ami-1 uses it\."):
        DeleteSnapshot(ec2.api, "snap-1").execute()


def test_a_snapshot_that_a_deregistered_image_still_holds_is_tried_again(ec2: t.Any) -> None:
    snapshot_id = ec2.client.create_snapshot(VolumeId=ec2.volume())["SnapshotId"]
    ec2.refuse("DeleteSnapshot", "InvalidSnapshot.InUse", times=3)
    DeleteSnapshot(ec2.api, snapshot_id, release_seconds=60).execute()
    assert ec2.client.describe_snapshots(OwnerIds=["self"])["Snapshots"] == []
