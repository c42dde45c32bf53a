# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""CreateVolume and its kin, where moto differs from EC2."""

from __future__ import annotations

import concurrent.futures
import typing as t

import pytest

from tests.lab.resources import Resources, refused
from tests.lab_fixture import RunningLab
from tests.waiting import eventually


def test_one_client_token_makes_one_volume(lab: RunningLab, made: Resources) -> None:
    """The same request with the same token is done once ("Ensuring idempotency", EC2 API Reference)."""

    def create(_: int) -> str:
        return str(made.ec2.create_volume(Size=1, AvailabilityZone=lab.zone, ClientToken="same")["VolumeId"])

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        ids = set(pool.map(create, range(16)))
    assert len(ids) == 1
    assert made.volume(ClientToken="same") in ids


def test_a_token_with_other_parameters_is_a_mistake(made: Resources) -> None:
    """Other parameters under a used token: IdempotentParameterMismatch ("Ensuring idempotency")."""
    made.volume(ClientToken="token-a", Size=1)
    with refused("IdempotentParameterMismatch"):
        made.volume(ClientToken="token-a", Size=2)


def test_a_failed_call_does_not_use_up_its_token(made: Resources) -> None:
    """Nothing was created, so the same token works afterwards."""
    with refused("UnknownVolumeType"):
        made.volume(ClientToken="token-b", VolumeType="floppy")
    assert made.volume(ClientToken="token-b", VolumeType="gp3")


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"VolumeType": "floppy"}, "UnknownVolumeType"),
        ({"VolumeType": "gp2", "Size": 20000}, "InvalidParameterValue"),
        ({"VolumeType": "gp3", "Size": 8, "Iops": 60000}, "InvalidParameterValue"),
        ({"VolumeType": "gp3", "Throughput": 5000}, "InvalidParameterValue"),
        ({"VolumeType": "io1", "Size": 4}, "MissingParameter"),
        ({"VolumeType": "gp2", "Iops": 3000}, "InvalidParameterCombination"),
        ({"VolumeType": "gp2", "Throughput": 200}, "InvalidParameterCombination"),
        ({"VolumeType": "st1", "Size": 1}, "InvalidParameterValue"),
        ({"VolumeType": "gp3", "MultiAttachEnabled": True}, "InvalidParameterCombination"),
        ({"KmsKeyId": "alias/aws/ebs"}, "InvalidParameterDependency"),
        ({"SnapshotId": "snap-0123456789abcdef0"}, "InvalidSnapshot.NotFound"),
    ],
)
def test_impossible_volumes_are_refused(made: Resources, options: dict[str, t.Any], code: str) -> None:
    """Types, sizes, IOPS and throughput have limits (CreateVolume reference; "Amazon EBS volume types")."""
    with refused(code):
        made.volume(**options)


def test_an_unknown_zone_is_refused(lab: RunningLab) -> None:
    """InvalidZone.NotFound: the zone does not exist ("Error codes for the Amazon EC2 API")."""
    with refused("InvalidZone.NotFound"):
        lab.client("ec2").create_volume(Size=1, AvailabilityZone="eu-west-1z")


def test_a_volume_is_not_smaller_than_its_snapshot(made: Resources) -> None:
    """ "The size of the volume must be equal to or larger than the snapshot size" (CreateVolume, Size)."""
    snapshot_id = made.snapshot(made.volume(Size=2))
    with refused("InvalidParameterValue", "smaller than snapshot"):
        made.volume(SnapshotId=snapshot_id, Size=1)
    volume_id = made.volume(SnapshotId=snapshot_id)
    assert made.ec2.describe_volumes(VolumeIds=[volume_id])["Volumes"][0]["Size"] == 2


def test_gp3_defaults(made: Resources) -> None:
    """gp3: 3000 IOPS and 125 MiB/s when nothing is asked for (CreateVolume, Iops and Throughput)."""
    volume = made.ec2.describe_volumes(VolumeIds=[made.volume(VolumeType="gp3")])["Volumes"][0]
    assert (volume["Iops"], volume["Throughput"]) == (3000, 125)


def test_encryption_is_inherited(made: Resources) -> None:
    """A volume made from an encrypted snapshot is encrypted, with its key (CreateVolume, Encrypted and KmsKeyId)."""
    encrypted = made.volume(Encrypted=True)
    before = made.ec2.describe_volumes(VolumeIds=[encrypted])["Volumes"][0]
    after = made.ec2.describe_volumes(VolumeIds=[made.volume(SnapshotId=made.snapshot(encrypted))])["Volumes"][0]
    assert after["Encrypted"] is True
    assert after["KmsKeyId"] == before["KmsKeyId"]


def test_encryption_by_default(made: Resources) -> None:
    """With encryption by default, new volumes are encrypted (EnableEbsEncryptionByDefault)."""
    made.ec2.enable_ebs_encryption_by_default()
    try:
        volume = made.ec2.describe_volumes(VolumeIds=[made.volume()])["Volumes"][0]
    finally:
        made.ec2.disable_ebs_encryption_by_default()
    assert volume["Encrypted"] is True
    assert volume["KmsKeyId"].startswith("arn:aws:kms:")


def test_attach_refusals(lab: RunningLab, made: Resources) -> None:
    """AttachVolume reference and error codes: VolumeInUse, device in use, zone, device name, NotFound."""
    ec2, here = made.ec2, lab.instance_id
    volume_id = made.volume()
    made.attached(volume_id, "/dev/sdf")
    other = made.volume()
    with refused("VolumeInUse", volume_id):
        ec2.attach_volume(VolumeId=volume_id, InstanceId=here, Device="/dev/sdg")
    with refused("InvalidParameterValue", "already in use"):
        ec2.attach_volume(VolumeId=other, InstanceId=here, Device="/dev/xvdf")
    with refused("InvalidParameterValue", "not a valid EBS device name"):
        ec2.attach_volume(VolumeId=other, InstanceId=here, Device="/dev/nvme1n1")
    with refused("InvalidInstanceID.NotFound"):
        ec2.attach_volume(VolumeId=other, InstanceId="i-0123456789abcdef0", Device="/dev/sdg")
    with refused("InvalidVolume.NotFound"):
        ec2.attach_volume(VolumeId="vol-0123456789abcdef0", InstanceId=here, Device="/dev/sdg")
    elsewhere = ec2.create_volume(Size=1, AvailabilityZone=lab.zone[:-1] + "b")["VolumeId"]
    with refused("InvalidVolume.ZoneMismatch"):
        ec2.attach_volume(VolumeId=elsewhere, InstanceId=here, Device="/dev/sdg")
    ec2.delete_volume(VolumeId=elsewhere)


def test_detach_without_naming_the_instance(made: Resources) -> None:
    """InstanceId is optional (DetachVolume reference); detaching twice is IncorrectState (error codes)."""
    volume_id = made.volume()
    made.attached(volume_id)
    assert made.ec2.detach_volume(VolumeId=volume_id)["State"] == "detaching"
    eventually(lambda: made.state(volume_id) == "available")
    with refused("IncorrectState", "'available' state"):
        made.ec2.detach_volume(VolumeId=volume_id)


def test_an_attached_volume_cannot_be_deleted(made: Resources) -> None:
    """ "The volume must be in the available state" (DeleteVolume)."""
    volume_id = made.volume()
    made.attached(volume_id)
    with refused("VolumeInUse"):
        made.ec2.delete_volume(VolumeId=volume_id)


def test_delete_on_termination_shows_everywhere(lab: RunningLab, made: Resources) -> None:
    """ModifyInstanceAttribute changes it; DescribeVolumes shows it (VolumeAttachment, DeleteOnTermination)."""
    volume_id = made.volume()
    made.attached(volume_id, "/dev/sdh")

    def shown() -> bool:
        attachment = made.ec2.describe_volumes(VolumeIds=[volume_id])["Volumes"][0]["Attachments"][0]
        return bool(attachment["DeleteOnTermination"])

    assert shown() is False
    mapping = {"DeviceName": "/dev/sdh", "Ebs": {"DeleteOnTermination": True}}
    made.ec2.modify_instance_attribute(InstanceId=lab.instance_id, BlockDeviceMappings=[mapping])
    assert shown() is True


def test_growing_a_volume(made: Resources) -> None:
    """ModifyVolume enlarges an attached volume in place; shrinking is refused (ModifyVolume reference)."""
    volume_id = made.volume(VolumeType="gp3", Size=1)
    device = made.attached(volume_id)
    with open(device, "rb") as stream:
        assert stream.seek(0, 2) == 1024**3
    made.ec2.modify_volume(VolumeId=volume_id, Size=2)
    with open(device, "rb") as stream:
        assert stream.seek(0, 2) == 2 * 1024**3
    changes = made.ec2.describe_volumes_modifications(VolumeIds=[volume_id])["VolumesModifications"]
    assert [(one["OriginalSize"], one["TargetSize"]) for one in changes] == [(1, 2)]
    with refused("InvalidParameterValue", "smaller"):
        made.ec2.modify_volume(VolumeId=volume_id, Size=1)


def test_pages(made: Resources) -> None:
    """MaxResults and NextToken give every volume once ("Pagination", EC2 API Reference)."""
    mine = {made.volume() for _ in range(7)}
    pages = made.ec2.get_paginator("describe_volumes").paginate(PaginationConfig={"PageSize": 5})
    seen = [volume["VolumeId"] for page in pages for volume in page["Volumes"]]
    assert len(seen) == len(set(seen))
    assert mine <= set(seen)


def test_filters(made: Resources) -> None:
    """Values may hold wildcards, all filters must match; an unknown one is an error (DescribeVolumes, Filters)."""
    tags = [{"ResourceType": "volume", "Tags": [{"Key": "bakehouse:build-id", "Value": "3f9c"}]}]
    tagged, other = made.volume(TagSpecifications=tags), made.volume()

    def found(**filters: str) -> list[str]:
        named = [
            {"Name": key.replace("__", ":").replace("_", "-"), "Values": [value]} for key, value in filters.items()
        ]
        return [volume["VolumeId"] for volume in made.ec2.describe_volumes(Filters=named)["Volumes"]]

    assert found(tag__bakehouse__build_id="3f*") == [tagged]
    assert found(tag_key="bakehouse:*", volume_id="vol-*") == [tagged]
    assert found(volume_id=other, status="available", encrypted="false") == [other]
    assert found(volume_id=other, status="in-use") == []
    with refused("InvalidParameterValue", "The filter 'colour' is invalid"):
        found(colour="red")


def test_tags_that_ec2_does_not_take(made: Resources) -> None:
    """Keys up to 128 characters, not beginning with aws: ("Tag restrictions", EC2 User Guide)."""
    volume_id = made.volume()
    for key in ("aws:mine", "k" * 129):
        with refused("InvalidParameterValue"):
            made.ec2.create_tags(Resources=[volume_id], Tags=[{"Key": key, "Value": "x"}])
    with refused("InvalidParameterValue"):
        made.volume(TagSpecifications=[{"ResourceType": "snapshot", "Tags": [{"Key": "a", "Value": "b"}]}])


def test_dry_run(lab: RunningLab) -> None:
    """DryRunOperation, status 412, and nothing is made (Common query parameters, DryRun)."""
    ec2 = lab.client("ec2")
    before = len(ec2.describe_volumes()["Volumes"])
    with refused("DryRunOperation"):
        ec2.create_volume(Size=1, AvailabilityZone=lab.zone, DryRun=True)
    assert len(ec2.describe_volumes()["Volumes"]) == before
