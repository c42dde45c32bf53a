# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Under which name a volume is attached, and what stands in the way."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.bakehouse.images.plugins.module_utils._cloud.waiting import Waiting
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.attachments import (
    DEVICE_NAMES,
    AttachmentRequest,
    apply_present,
    choose_device_name,
    device_slot,
    plan_absent,
    plan_present,
)
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.volumes import Attachment
from ansible_collections.bakehouse.images.plugins.module_utils._errors import (
    Busy,
    Conflict,
    Invalid,
    NotFound,
    Refused,
    WaitTimeout,
)
from ansible_collections.bakehouse.images.plugins.module_utils._plan import apply_plan

TAKEN = "Invalid value '/dev/sdf' for unixDevice. Attachment point /dev/sdf is already in use"


def attach(ec2: t.Any, request: AttachmentRequest) -> Attachment:
    return apply_present(plan_present(ec2.api, request), ec2.api, request)


@pytest.mark.parametrize(
    ("taken", "chosen"),
    [
        ([], "/dev/sdf"),
        (["/dev/sda1", "/dev/xvda"], "/dev/sdf"),
        (["/dev/sdf"], "/dev/sdg"),
        (["/dev/xvdf", "/dev/sdg1"], "/dev/sdh"),
        (["/dev/sd" + letter for letter in "fghijklmnop"], "/dev/xvdba"),
        (DEVICE_NAMES[:-1], "/dev/xvdcz"),
    ],
)
def test_the_first_free_name_is_chosen(taken: list[str], chosen: str) -> None:
    assert choose_device_name(taken) == chosen


def test_no_free_name_is_an_error() -> None:
    with pytest.raises(Busy, match="All 63 device names"):
        choose_device_name(DEVICE_NAMES)


@pytest.mark.parametrize(
    ("name", "slot"),
    [("/dev/sdf", "f"), ("/dev/xvdf", "f"), ("/dev/sda1", "a"), ("/dev/xvdba", "ba"), ("/dev/nvme1n1", "/dev/nvme1n1")],
)
def test_two_names_of_one_device_have_one_slot(name: str, slot: str) -> None:
    assert device_slot(name) == slot


def test_present_attaches_once(ec2: t.Any) -> None:
    request = AttachmentRequest(ec2.volume(), ec2.instance())
    assert attach(ec2, request).device_name == "/dev/sdf"
    plan = plan_present(ec2.api, request)
    assert plan.operations == []
    assert plan.attachment == Attachment(request.volume_id, str(request.instance_id), "/dev/sdf", "attached")


def test_two_volumes_get_two_names(ec2: t.Any) -> None:
    instance_id = ec2.instance()
    names = [attach(ec2, AttachmentRequest(ec2.volume(), instance_id)).device_name for _ in range(2)]
    assert names == ["/dev/sdf", "/dev/sdg"]


def test_a_name_that_another_build_took_meanwhile_is_followed_by_the_next(ec2: t.Any) -> None:
    ec2.refuse("AttachVolume", "InvalidParameterValue", TAKEN, times=3)
    assert attach(ec2, AttachmentRequest(ec2.volume(), ec2.instance())).device_name == "/dev/sdi"


def test_a_name_that_the_user_chose_is_not_replaced_by_another(ec2: t.Any) -> None:
    ec2.refuse("AttachVolume", "InvalidParameterValue", TAKEN)
    with pytest.raises(Invalid, match="already in use"):
        attach(ec2, AttachmentRequest(ec2.volume(), ec2.instance(), device_name="/dev/sdf"))


def test_a_chosen_name_that_is_taken_is_reported_with_what_holds_it(ec2: t.Any) -> None:
    instance_id, first = ec2.instance(), ec2.volume()
    attach(ec2, AttachmentRequest(first, instance_id))
    with pytest.raises(Invalid, match=f"/dev/xvdf is taken on instance {instance_id} by {first}"):
        plan_present(ec2.api, AttachmentRequest(ec2.volume(), instance_id, device_name="/dev/xvdf"))


def test_an_answer_that_was_lost_leaves_the_volume_attached(ec2: t.Any) -> None:
    request = AttachmentRequest(ec2.volume(), ec2.instance())
    plan = plan_present(ec2.api, request)
    ec2.client.attach_volume(VolumeId=request.volume_id, InstanceId=request.instance_id, Device="/dev/sdf")
    ec2.refuse("AttachVolume", "VolumeInUse", "vol-1 is already attached to an instance")
    assert apply_present(plan, ec2.api, request).state == "attached"


def test_a_volume_attached_elsewhere_names_the_other_instance(ec2: t.Any) -> None:
    volume_id, here, there = ec2.volume(), ec2.instance(), ec2.instance()
    attach(ec2, AttachmentRequest(volume_id, there))
    with pytest.raises(Conflict, match=f"attached to instance {there} as /dev/sdf, not to {here}"):
        plan_present(ec2.api, AttachmentRequest(volume_id, here))


def test_another_zone_is_reported_with_both_zones(ec2: t.Any) -> None:
    volume_id, instance_id = ec2.volume(zone="us-east-1b"), ec2.instance()
    with pytest.raises(Invalid, match=f"in availability zone us-east-1b, instance {instance_id} in us-east-1a"):
        plan_present(ec2.api, AttachmentRequest(volume_id, instance_id))


def test_too_many_volumes_are_explained(ec2: t.Any) -> None:
    ec2.refuse("AttachVolume", "AttachmentLimitExceeded", "Limit exceeded")
    with pytest.raises(Refused, match=r"\(m5.large\) takes no further volume: 1 are attached.*Build fewer images"):
        attach(ec2, AttachmentRequest(ec2.volume(), ec2.instance()))


def test_an_instance_that_is_not_there_is_an_error(ec2: t.Any) -> None:
    with pytest.raises(NotFound, match="no instance i-00000000000000000 in region us-east-1 of this account"):
        plan_present(ec2.api, AttachmentRequest(ec2.volume(), "i-00000000000000000"))


def test_a_new_volume_may_be_unknown_for_minutes(ec2: t.Any) -> None:
    request = AttachmentRequest(ec2.volume(), ec2.instance(), build_id="3f9c0a71d2b84e65")
    ec2.refuse("DescribeVolumes", "InvalidVolume.NotFound", times=11)
    ec2.refuse("AttachVolume", "InvalidVolume.NotFound", times=11)
    assert attach(ec2, request).state == "attached"
    assert ec2.count("AttachVolume") == 12


def test_an_attachment_that_does_not_come_ends_the_wait_with_its_state(ec2: t.Any) -> None:
    request = AttachmentRequest(ec2.volume(), ec2.instance(), waiting=Waiting(timeout_seconds=20))
    plan = plan_present(ec2.api, request)
    here = {
        "VolumeId": request.volume_id,
        "InstanceId": request.instance_id,
        "Device": "/dev/sdf",
        "State": "attaching",
    }
    ec2.answer("AttachVolume", here)
    stuck = {"VolumeId": request.volume_id, "State": "in-use", "Attachments": [here]}
    ec2.answer("DescribeVolumes", {"Volumes": [stuck]}, times=1000)
    with pytest.raises(WaitTimeout, match="still in attachment state attaching"):
        apply_present(plan, ec2.api, request)


def test_absent_detaches_once(ec2: t.Any) -> None:
    request = AttachmentRequest(ec2.volume(), ec2.instance())
    attach(ec2, request)
    apply_plan(plan_absent(ec2.api, AttachmentRequest(request.volume_id)).operations)
    assert plan_absent(ec2.api, AttachmentRequest(request.volume_id)).operations == []
    assert plan_absent(ec2.api, AttachmentRequest("vol-00000000000000000")).operations == []


def test_absent_from_one_instance_leaves_the_attachment_to_another(ec2: t.Any) -> None:
    volume_id, there = ec2.volume(), ec2.instance()
    attach(ec2, AttachmentRequest(volume_id, there))
    assert plan_absent(ec2.api, AttachmentRequest(volume_id, "i-00000000000000000")).operations == []


def test_detaching_is_not_forced_unless_asked_for(ec2: t.Any) -> None:
    sent: list[t.Any] = []
    ec2.on("provide-client-params.ec2.DetachVolume", lambda params, **_event: sent.append(params.get("Force")))
    instance_id = ec2.instance()
    for force in (False, True):
        request = AttachmentRequest(ec2.volume(), instance_id, force=force)
        attach(ec2, request)
        apply_plan(plan_absent(ec2.api, request).operations)
    assert sent == [None, True]
