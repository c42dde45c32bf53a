# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The volume of a build: one, tagged from the start, and gone at the end."""

from __future__ import annotations

import datetime
import typing as t

import pytest
from ansible_collections.bakehouse.images.plugins.module_utils._cloud.waiting import Waiting
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.volume_plans import (
    VolumeRequest,
    apply_present,
    is_gone,
    plan_absent,
    plan_present,
)
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.volumes import Volume, await_available
from ansible_collections.bakehouse.images.plugins.module_utils._errors import (
    Busy,
    Conflict,
    Invalid,
    NotFound,
    Refused,
    WaitTimeout,
)
from ansible_collections.bakehouse.images.plugins.module_utils._plan import apply_plan

ZONE = "us-east-1a"
BUILD = "3f9c0a71d2b84e65"
OTHER_BUILD = "0000000000000000"
NOON = datetime.datetime(2026, 3, 1, 12, tzinfo=datetime.UTC)


def wanted(**values: t.Any) -> VolumeRequest:
    usual = {"build_id": BUILD, "size_gib": 2, "availability_zone": ZONE, "volume_type": "gp3"}
    return VolumeRequest(**{**usual, **values})


def make(ec2: t.Any, **values: t.Any) -> Volume:
    request = wanted(**values)
    return apply_present(plan_present(ec2.api, request), ec2.api, request)


def test_a_volume_is_tagged_in_the_call_that_creates_it(ec2: t.Any) -> None:
    volume = make(ec2, tags={"Team": "web"})
    assert volume.state == "available"
    assert volume.tags == {"Team": "web", "bakehouse:build-id": BUILD}
    assert ec2.count("CreateTags") == 0


def test_planning_creates_nothing_and_predicts_the_volume(ec2: t.Any) -> None:
    plan = plan_present(ec2.api, wanted())
    assert [operation.describe() for operation in plan.operations] == [
        "create a volume: 2 GiB, gp3, blank, in us-east-1a"
    ]
    assert plan.volume is not None
    assert (plan.volume.volume_id, plan.volume.size_gib) == (None, 2)
    assert ec2.count("CreateVolume") == 0


def test_a_build_has_one_volume_however_often_it_asks(ec2: t.Any) -> None:
    first = make(ec2)
    assert plan_present(ec2.api, wanted()).operations == []
    assert make(ec2).volume_id == first.volume_id
    assert ec2.count("CreateVolume") == 1


def test_a_missing_tag_is_added_and_others_stay(ec2: t.Any) -> None:
    make(ec2, tags={"Team": "web"})
    assert make(ec2, tags={"Stage": "test"}).volume_id
    volume = plan_present(ec2.api, wanted()).volume
    assert volume is not None
    assert volume.tags == {"Team": "web", "Stage": "test", "bakehouse:build-id": BUILD}


@pytest.mark.parametrize(
    ("answer", "gone"),
    [
        ({"State": "creating", "CreateTime": NOON}, False),
        ({"State": "deleting", "CreateTime": NOON}, True),
        ({"State": "creating", "CreateTime": NOON - datetime.timedelta(seconds=170)}, False),
        ({"State": "creating", "CreateTime": NOON - datetime.timedelta(seconds=190)}, True),
        ({"State": "creating"}, False),
    ],
)
def test_an_answer_that_ec2_remembers_may_be_of_a_volume_that_is_gone(answer: dict[str, t.Any], gone: bool) -> None:
    headers = {"date": "Sun, 01 Mar 2026 12:00:00 GMT"}
    assert is_gone({**answer, "ResponseMetadata": {"HTTPHeaders": headers}}) is gone


def test_a_volume_that_is_gone_is_made_again_with_the_next_token(ec2: t.Any) -> None:
    tokens: list[str] = []
    ec2.on("provide-client-params.ec2.CreateVolume", lambda params, **_event: tokens.append(params["ClientToken"]))
    ec2.answer("CreateVolume", {"VolumeId": "vol-gone", "State": "deleted"})
    assert make(ec2).volume_id != "vol-gone"
    assert len(set(tokens)) == 2


def test_a_volume_that_differs_from_the_one_asked_for_is_a_conflict(ec2: t.Any) -> None:
    make(ec2)
    with pytest.raises(Conflict, match=r"size_gib is 2, asked for is 3; volume_type is gp3, asked for is gp2"):
        plan_present(ec2.api, wanted(size_gib=3, volume_type="gp2"))


def test_a_volume_smaller_than_its_snapshot_is_refused_before_it_is_created(ec2: t.Any) -> None:
    snapshot = ec2.client.create_snapshot(VolumeId=ec2.volume(size_gib=5))["SnapshotId"]
    calls = ec2.count("CreateVolume")
    with pytest.raises(Invalid, match=rf"size_gib 4 is smaller than snapshot {snapshot}, which has 5 GiB"):
        plan_present(ec2.api, wanted(snapshot_id=snapshot, size_gib=4))
    assert ec2.count("CreateVolume") == calls
    assert make(ec2, snapshot_id=snapshot, size_gib=None).size_gib == 5


def test_mistakes_are_reported_together_without_asking_ec2(ec2: t.Any) -> None:
    with pytest.raises(Invalid) as caught:
        plan_present(
            ec2.api, wanted(build_id="x", volume_type="gp2", iops=1, tags={"aws:x": "", "bakehouse:build-id": "y"})
        )
    assert len(caught.value.problems) == 4
    assert ec2.calls == []


def test_an_id_that_is_not_visible_yet_is_looked_for_until_it_is(ec2: t.Any) -> None:
    plan = plan_present(ec2.api, wanted())
    ec2.refuse("DescribeVolumes", "InvalidVolume.NotFound", times=12)
    assert apply_present(plan, ec2.api, wanted()).state == "available"
    assert 100 < ec2.clock.time < 180
    assert ec2.count("CreateVolume") == 1


def test_an_id_that_never_existed_is_an_error_after_seconds(ec2: t.Any) -> None:
    with pytest.raises(NotFound, match="vol-00000000000000000"):
        plan_present(ec2.api, wanted(build_id=None, volume_id="vol-00000000000000000"))
    assert ec2.clock.time < 10


def test_a_new_id_that_never_appears_is_an_error_within_minutes(ec2: t.Any) -> None:
    plan = plan_present(ec2.api, wanted())
    ec2.refuse("DescribeVolumes", "InvalidVolume.NotFound", times=1000)
    with pytest.raises(NotFound, match="removes a volume whose key it may not use") as caught:
        apply_present(plan, ec2.api, wanted())
    assert caught.value.facts["volume_id"].startswith("vol-")
    assert ec2.clock.time < 200


def test_a_volume_in_state_error_is_reported_at_once(ec2: t.Any) -> None:
    volume_id = ec2.volume()
    ec2.answer("DescribeVolumes", {"Volumes": [{"VolumeId": volume_id, "State": "error"}]})
    with pytest.raises(Conflict, match="in state error"):
        await_available(ec2.api, volume_id, Waiting(), new=True)
    assert ec2.clock.time == 0


def test_a_volume_that_stays_creating_ends_the_wait_with_its_state(ec2: t.Any) -> None:
    volume_id = ec2.volume()
    ec2.answer("DescribeVolumes", {"Volumes": [{"VolumeId": volume_id, "State": "creating"}]}, times=1000)
    with pytest.raises(WaitTimeout, match="still in state creating after 60 seconds"):
        await_available(ec2.api, volume_id, Waiting(timeout_seconds=60), new=True)


def test_absent_deletes_all_volumes_of_a_build_and_nothing_else(ec2: t.Any) -> None:
    make(ec2)
    other = make(ec2, build_id=OTHER_BUILD)
    plan = plan_absent(ec2.api, VolumeRequest(build_id=BUILD))
    apply_plan(plan.operations)
    assert len(plan.operations) == 1
    assert [volume["VolumeId"] for volume in ec2.client.describe_volumes()["Volumes"]] == [other.volume_id]
    assert plan_absent(ec2.api, VolumeRequest(build_id=BUILD)).operations == []


def test_absent_of_an_id_that_is_gone_changes_nothing(ec2: t.Any) -> None:
    assert plan_absent(ec2.api, VolumeRequest(volume_id="vol-00000000000000000")).operations == []


def test_a_volume_of_another_build_is_never_deleted(ec2: t.Any) -> None:
    other = make(ec2, build_id=OTHER_BUILD)
    with pytest.raises(Refused, match=f"does not belong to the build {BUILD}"):
        plan_absent(ec2.api, VolumeRequest(build_id=BUILD, volume_id=other.volume_id))


def test_an_attached_volume_is_detached_before_it_is_deleted(ec2: t.Any) -> None:
    volume = make(ec2)
    instance_id = ec2.instance()
    ec2.client.attach_volume(VolumeId=volume.volume_id, InstanceId=instance_id, Device="/dev/sdf")
    plan = plan_absent(ec2.api, VolumeRequest(build_id=BUILD))
    assert [operation.describe() for operation in plan.operations] == [f"detach and delete volume {volume.volume_id}"]
    apply_plan(plan.operations)
    assert plan_absent(ec2.api, VolumeRequest(build_id=BUILD)).operations == []


def test_a_volume_that_the_instance_does_not_let_go_of_is_not_deleted(ec2: t.Any) -> None:
    volume = make(ec2)
    ec2.client.attach_volume(VolumeId=volume.volume_id, InstanceId=ec2.instance(), Device="/dev/sdf")
    plan = plan_absent(ec2.api, VolumeRequest(build_id=BUILD, waiting=Waiting(timeout_seconds=30)))
    attachment = {"VolumeId": volume.volume_id, "InstanceId": "i-1", "Device": "/dev/sdf", "State": "busy"}
    busy = {"VolumeId": volume.volume_id, "State": "in-use", "Attachments": [attachment]}
    ec2.answer("DescribeVolumes", {"Volumes": [busy]}, times=1000)
    with pytest.raises(Busy, match=r"still attached to i-1 as /dev/sdf \(state busy\) after 30 seconds"):
        apply_plan(plan.operations)
    assert ec2.count("DeleteVolume") == 0
