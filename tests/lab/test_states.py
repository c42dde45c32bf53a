# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""States that take time, and things that go wrong when asked to."""

from __future__ import annotations

import contextlib
import typing as t
import urllib.error
import urllib.request

import botocore.exceptions
import pytest

from tests.lab.resources import Resources, link_of, refused
from tests.lab_fixture import RunningLab
from tests.osc_client import OscRefused
from tests.waiting import eventually

FAST: dict[str, t.Any] = {"WaiterConfig": {"Delay": 0.05, "MaxAttempts": 200}}


def test_a_policy_refuses_what_is_created_without_its_tags(lab: RunningLab, made: Resources) -> None:
    """UnauthorizedOperation, as with a condition on aws:RequestTag; tags added by a later call do not help."""
    lab.api.set(required_tags=["Owner"])
    with refused("UnauthorizedOperation"):
        made.volume()
    tags = [{"ResourceType": "volume", "Tags": [{"Key": "Owner", "Value": "tests"}]}]
    volume_id = made.volume(TagSpecifications=tags)
    with refused("UnauthorizedOperation"):
        made.ec2.create_snapshot(
            VolumeId=volume_id, TagSpecifications=[{**tags[0], "ResourceType": "snapshot", "Tags": []}]
        )


def test_calls_over_the_limit_are_refused_and_are_in_the_log(lab: RunningLab, made: Resources) -> None:
    """RequestLimitExceeded with status 503 ("Request throttling for the Amazon EC2 API"); time brings tokens back."""
    lab.api.set(describes_per_second=1e-4, describes_burst=2)
    for _ in range(2):
        made.ec2.describe_volumes()
    with refused("RequestLimitExceeded"):
        made.ec2.describe_volumes()
    assert [call["status"] for call in lab.api.calls("DescribeVolumes")] == [200, 200, 503]
    lab.api.forward(10000)
    made.ec2.describe_volumes()
    with pytest.raises(OscRefused) as caught:
        lab.osc().call("ReadVolumes")
    assert (caught.value.status, caught.value.codes) == (503, ["6"])
    lab.api.reset()
    made.ec2.describe_volumes()


def test_a_volume_is_created_in_time(lab: RunningLab, made: Resources) -> None:
    """creating, then available; attaching before that is IncorrectState ("Amazon EBS volume lifecycle")."""
    lab.api.set(volume_seconds=600)
    volume_id = made.volume()
    assert made.state(volume_id) == "creating"
    with refused("IncorrectState"):
        made.ec2.attach_volume(VolumeId=volume_id, InstanceId=lab.instance_id, Device="/dev/sdf")
    lab.api.forward(600)
    made.ec2.get_waiter("volume_available").wait(VolumeIds=[volume_id], **FAST)
    assert made.state(volume_id) == "available"


def test_attaching_takes_time(lab: RunningLab, made: Resources) -> None:
    """The volume is in use at once, the attachment is attaching, and the device comes later."""
    volume_id = made.volume()
    lab.api.set(attach_seconds=600, detach_seconds=600)

    def attachment() -> str:
        attachments = made.ec2.describe_volumes(VolumeIds=[volume_id])["Volumes"][0]["Attachments"]
        return str(attachments[0]["State"]) if attachments else "none"

    made.ec2.attach_volume(VolumeId=volume_id, InstanceId=lab.instance_id, Device="/dev/sdf")
    assert (made.state(volume_id), attachment()) == ("in-use", "attaching")
    assert not link_of(volume_id).is_symlink()
    lab.api.forward(600)
    eventually(lambda: attachment() == "attached")
    assert link_of(volume_id).exists()
    made.ec2.detach_volume(VolumeId=volume_id)
    assert attachment() == "detaching"
    lab.api.forward(600)
    eventually(lambda: attachment() == "none")


def test_progress_grows(lab: RunningLab, made: Resources) -> None:
    """pending with growing Progress, then completed with 100% (Snapshot data type)."""
    volume_id = made.volume()
    lab.api.set(snapshot_seconds=6000)
    snapshot_id = made.snapshot(volume_id)
    seen: list[tuple[str, int]] = []
    for _quarter in range(5):
        snapshot = made.ec2.describe_snapshots(SnapshotIds=[snapshot_id])["Snapshots"][0]
        seen.append((snapshot["State"], int(snapshot["Progress"].rstrip("%"))))
        lab.api.forward(1500)
    assert [state for state, _ in seen] == ["pending"] * 4 + ["completed"]
    percents = [percent for _, percent in seen]
    assert percents == sorted(set(percents))
    assert percents[-1] == 100


def test_what_is_pending_cannot_be_used(lab: RunningLab, made: Resources) -> None:
    """A pending snapshot gives neither volume nor image (IncorrectState, error codes)."""
    volume_id = made.volume()
    lab.api.set(snapshot_seconds=600)
    snapshot_id = made.snapshot(volume_id)
    with refused("IncorrectState", "pending"):
        made.volume(SnapshotId=snapshot_id)
    with refused("IncorrectState", "pending"):
        made.image(snapshot_id)


def test_image_waiter(lab: RunningLab, made: Resources) -> None:
    """pending, then available ("AMI lifecycle")."""
    snapshot_id = made.snapshot(made.volume())
    lab.api.set(image_seconds=600)
    image_id = made.image(snapshot_id)
    assert made.describe(image_id)["State"] == "pending"
    lab.api.forward(600)
    made.ec2.get_waiter("image_available").wait(ImageIds=[image_id], **FAST)


def test_a_new_id_is_not_found_at_first(lab: RunningLab, made: Resources) -> None:
    """Ids exist before they can be found ("Eventual consistency in the Amazon EC2 API")."""
    lab.api.set(consistency_seconds=600)
    volume_id = made.volume()
    with refused("InvalidVolume.NotFound"):
        made.state(volume_id)
    with refused("InvalidVolume.NotFound"):
        made.ec2.create_tags(Resources=[volume_id], Tags=[{"Key": "a", "Value": "b"}])
    listed = [volume["VolumeId"] for volume in made.ec2.describe_volumes()["Volumes"]]
    assert volume_id not in listed
    lab.api.forward(600)
    assert made.state(volume_id) == "available"


@pytest.mark.parametrize(
    ("code", "status"), [("RequestLimitExceeded", 503), ("InternalError", 500), ("UnauthorizedOperation", 403)]
)
def test_errors_as_often_as_asked(lab: RunningLab, code: str, status: int) -> None:
    """The codes and statuses of "Error codes for the Amazon EC2 API"."""
    lab.api.fault("DescribeVolumes", code=code, message="on purpose", times=2)
    ec2 = lab.client("ec2")
    for _ in range(2):
        with pytest.raises(botocore.exceptions.ClientError) as caught:
            ec2.describe_volumes()
        assert caught.value.response["Error"] == {"Code": code, "Message": "on purpose"}
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == status
    ec2.describe_volumes()


def test_the_other_services_fail_too(lab: RunningLab) -> None:
    """Each in its own protocol, so that clients can read it."""
    calls: tuple[tuple[str, t.Callable[[], object]], ...] = (
        ("GetCallerIdentity", lambda: lab.client("sts").get_caller_identity()),
        ("GetParameter", lambda: lab.client("ssm").get_parameter(Name="x")),
        ("ListSnapshotBlocks", lambda: lab.client("ebs").list_snapshot_blocks(SnapshotId="snap-1")),
    )
    for action, call in calls:
        lab.api.fault(action, code="ThrottlingException", message="slow down")
        with refused("ThrottlingException", "slow down"):
            call()


def test_skip_and_match(lab: RunningLab, made: Resources) -> None:
    """A fault can leave the first calls alone, and hit only those with certain parameters."""
    volume_id = made.volume()
    lab.api.fault("DeleteVolume", code="InternalError", match={"VolumeId": volume_id})
    other = made.volume()
    made.ec2.delete_volume(VolumeId=other)
    with refused("InternalError"):
        made.ec2.delete_volume(VolumeId=volume_id)
    lab.api.fault("DescribeVolumes", code="InternalError", skip=1)
    assert made.state(volume_id) == "available"
    with refused("InternalError"):
        made.state(volume_id)


def test_a_share_of_the_calls_by_chance(lab: RunningLab, ec2: t.Any) -> None:
    """The same calls for the same seed."""

    def hit() -> list[bool]:
        lab.api.reset()
        lab.api.fault("Describe*", code="RequestLimitExceeded", rate=0.3, seed=7, times=0)
        for _ in range(40):
            with contextlib.suppress(botocore.exceptions.ClientError):
                ec2.describe_volumes()
        return [call["status"] == 503 for call in lab.api.calls("DescribeVolumes")]

    first = hit()
    assert 0 < sum(first) < 40
    assert hit() == first


@pytest.mark.parametrize("effect", ["error-after-work", "disconnect"])
def test_done_but_not_said(lab: RunningLab, made: Resources, effect: str) -> None:
    """The answer is lost; asking again with the same token gives what was made."""
    lab.api.fault("CreateVolume", effect)
    with pytest.raises((botocore.exceptions.ClientError, botocore.exceptions.HTTPClientError)):
        made.volume(ClientToken=f"lost-{effect}")
    before = len(made.ec2.describe_volumes()["Volumes"])
    made.volume(ClientToken=f"lost-{effect}")
    assert len(made.ec2.describe_volumes()["Volumes"]) == before


def test_stuck_attaching(lab: RunningLab, made: Resources) -> None:
    """A volume may stay in attaching ("attaching" state, "Troubleshoot stuck attachments"); it can be detached."""
    volume_id = made.volume()
    lab.api.fault("AttachVolume", "stuck")
    made.ec2.attach_volume(VolumeId=volume_id, InstanceId=lab.instance_id, Device="/dev/sdf")
    lab.api.forward(600)
    attachment = made.ec2.describe_volumes(VolumeIds=[volume_id])["Volumes"][0]["Attachments"][0]
    assert attachment["State"] == "attaching"
    assert not link_of(volume_id).is_symlink()
    made.ec2.detach_volume(VolumeId=volume_id)
    eventually(lambda: made.state(volume_id) == "available")


def test_attached_without_a_device(lab: RunningLab, made: Resources) -> None:
    """What a guest without the driver shows: the API says attached, and nothing is there."""
    volume_id = made.volume()
    lab.api.fault("AttachVolume", "no-device")
    made.ec2.attach_volume(VolumeId=volume_id, InstanceId=lab.instance_id, Device="/dev/sdf")
    assert made.state(volume_id) == "in-use"
    lab.api.forward(600)
    assert not link_of(volume_id).is_symlink()


def test_ending_in_error(lab: RunningLab, made: Resources) -> None:
    """error for volumes and snapshots, failed for images; botocore's waiters end at once."""
    volume_id = made.volume()
    good = made.snapshot(volume_id)
    for action in ("CreateVolume", "CreateSnapshot", "RegisterImage"):
        lab.api.fault(action, "fail")
    assert made.state(made.volume()) == "error"
    bad = made.snapshot(volume_id)
    with pytest.raises(botocore.exceptions.WaiterError, match="terminal failure"):
        made.ec2.get_waiter("snapshot_completed").wait(SnapshotIds=[bad], **FAST)
    image_id = made.image(good)
    with pytest.raises(botocore.exceptions.WaiterError, match="terminal failure"):
        made.ec2.get_waiter("image_available").wait(ImageIds=[image_id], **FAST)


def test_a_snapshot_fails_in_the_middle(lab: RunningLab, made: Resources) -> None:
    """error, with the progress that it came to."""
    volume_id = made.volume()
    lab.api.set(snapshot_seconds=6000)
    lab.api.fault("CreateSnapshot", "fail", at=80)
    snapshot_id = made.snapshot(volume_id)

    def look() -> tuple[str, str]:
        snapshot = made.ec2.describe_snapshots(SnapshotIds=[snapshot_id])["Snapshots"][0]
        return snapshot["State"], snapshot["Progress"]

    lab.api.forward(3000)
    assert look() == ("pending", "50%")
    lab.api.forward(2000)
    assert look() == ("error", "80%")


def test_what_is_stuck_can_be_released(lab: RunningLab, made: Resources) -> None:
    """As Amazon's support does it."""
    volume_id = made.volume()
    made.ec2.attach_volume(VolumeId=volume_id, InstanceId=lab.instance_id, Device="/dev/sdf")
    eventually(link_of(volume_id).exists)
    lab.api.fault("DetachVolume", "stuck")
    made.ec2.detach_volume(VolumeId=volume_id)
    lab.api.forward(600)
    assert made.state(volume_id) == "in-use"
    lab.api.release()
    eventually(lambda: made.state(volume_id) == "available")


def test_the_metadata_service_fails_too(lab: RunningLab) -> None:
    """Only when it is named: no pattern means it."""
    token = urllib.request.Request(  # noqa: S310
        f"{lab.api.endpoint}/latest/api/token", method="PUT", headers={"X-aws-ec2-metadata-token-ttl-seconds": "60"}
    )
    lab.api.fault("*", times=0)
    with urllib.request.urlopen(token) as answer:  # noqa: S310
        assert answer.status == 200
    lab.api.fault("InstanceMetadata", code="ServiceUnavailable")
    with pytest.raises(urllib.error.HTTPError, match="503"):
        urllib.request.urlopen(token)  # noqa: S310


def test_calls_are_counted(lab: RunningLab, made: Resources) -> None:
    """The log has action, parameters, status and error; never a secret."""
    volume_id = made.volume(ClientToken="counted")
    lab.client("ssm").put_parameter(Name="p", Value="hush-hush", Type="SecureString", Overwrite=True)
    with refused("InvalidVolume.NotFound"):
        made.state("vol-0123456789abcdef0")
    (create,) = lab.api.calls("CreateVolume")
    assert create["parameters"]["ClientToken"] == "counted"
    assert (create["service"], create["region"], create["status"]) == ("ec2", lab.region, 200)
    assert lab.api.calls("DescribeVolumes")[0]["error"] == "InvalidVolume.NotFound"
    assert "hush-hush" not in str(lab.api.calls())
    lab.api.clear_calls()
    assert lab.api.calls() == []
    assert volume_id
