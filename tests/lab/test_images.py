# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""RegisterImage, CopyImage and what can be done to images, where moto differs from EC2."""

from __future__ import annotations

import base64
import datetime as dt
import typing as t

import pytest

from tests.lab.resources import Resources, refused
from tests.lab_fixture import RunningLab

OTHER_ACCOUNT = "210987654321"


@pytest.fixture
def snapshot_id(made: Resources) -> str:
    return made.snapshot(made.volume())


#: Attributes that DescribeImages shows as RegisterImage was given them.
SHOWN_AS_GIVEN = {
    "Description": "all of it",
    "Architecture": "arm64",
    "EnaSupport": True,
    "SriovNetSupport": "simple",
    "BootMode": "uefi",
    "TpmSupport": "v2.0",
    "ImdsSupport": "v2.0",
    "RootDeviceName": "/dev/sda1",
}


def test_every_attribute_survives(made: Resources, snapshot_id: str) -> None:
    """What RegisterImage is given, DescribeImages and DescribeImageAttribute show (their references)."""
    data = base64.b64encode(b"variables").decode()
    disk = {
        "SnapshotId": snapshot_id,
        "VolumeSize": 8,
        "VolumeType": "gp3",
        "Iops": 3500,
        "Throughput": 200,
        "DeleteOnTermination": False,
    }
    second = {"DeviceName": "/dev/sdb", "VirtualName": "ephemeral0"}
    tags = [{"Key": "bakehouse:build-id", "Value": "3f9c"}]
    image_id = made.image(
        snapshot_id,
        UefiData=data,
        BlockDeviceMappings=[{"DeviceName": "/dev/sda1", "Ebs": disk}, second],
        TagSpecifications=[{"ResourceType": "image", "Tags": tags}],
        **SHOWN_AS_GIVEN,
    )
    image = made.describe(image_id)
    expected = {
        **SHOWN_AS_GIVEN,
        "VirtualizationType": "hvm",
        "RootDeviceType": "ebs",
        "State": "available",
        "Public": False,
        "Tags": tags,
        "BlockDeviceMappings": [{"DeviceName": "/dev/sda1", "Ebs": {**disk, "Encrypted": False}}, second],
    }
    assert {key: image[key] for key in expected} == expected
    shown = made.ec2.describe_image_attribute(ImageId=image_id, Attribute="uefiData")
    assert shown["UefiData"] == {"Value": data}


def test_documented_defaults(made: Resources, snapshot_id: str) -> None:
    """Architecture i386 and paravirtual when nothing is said (RegisterImage reference)."""
    mapping = {"DeviceName": "/dev/sda1", "Ebs": {"SnapshotId": snapshot_id}}
    image_id = made.ec2.register_image(Name="defaults", RootDeviceName="/dev/sda1", BlockDeviceMappings=[mapping])
    image = made.describe(image_id["ImageId"])
    made.ec2.deregister_image(ImageId=image_id["ImageId"])
    assert (image["Architecture"], image["VirtualizationType"]) == ("i386", "paravirtual")
    assert image["BlockDeviceMappings"][0]["Ebs"]["VolumeSize"] == 1


def test_names_are_unique_in_a_region(lab: RunningLab, made: Resources, snapshot_id: str) -> None:
    """InvalidAMIName.Duplicate (error codes); the name is free again once the image is deregistered."""
    image_id = made.image(snapshot_id, Name="taken")
    with refused("InvalidAMIName.Duplicate", image_id):
        made.image(snapshot_id, Name="taken")
    with refused("InvalidAMIName.Duplicate"):
        made.ec2.copy_image(Name="taken", SourceImageId=image_id, SourceRegion=lab.region)
    made.ec2.deregister_image(ImageId=image_id)
    assert made.image(snapshot_id, Name="taken") != image_id


@pytest.mark.parametrize("name", ["x" * 129, "with:colon", "with*star"])
def test_impossible_names(made: Resources, snapshot_id: str, name: str) -> None:
    """3 to 128 characters of a given set (RegisterImage, Name)."""
    with refused("InvalidAMIName.Malformed"):
        made.image(snapshot_id, Name=name)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"RootDeviceName": "/dev/sdz"}, "InvalidBlockDeviceMapping"),
        ({"BlockDeviceMappings": []}, "InvalidBlockDeviceMapping"),
        ({"Architecture": "vax"}, "InvalidParameterValue"),
        ({"VirtualizationType": "paravirtual", "EnaSupport": True}, "InvalidParameterCombination"),
        ({"TpmSupport": "v2.0", "BootMode": "legacy-bios"}, "InvalidParameterCombination"),
    ],
)
def test_impossible_images(made: Resources, snapshot_id: str, change: dict[str, t.Any], code: str) -> None:
    """What RegisterImage refuses (its reference, and "Error codes for the Amazon EC2 API")."""
    with refused(code):
        made.image(snapshot_id, **change)


def test_mappings_are_checked(made: Resources, snapshot_id: str) -> None:
    """An unknown snapshot, a size below the snapshot's, one device twice (error codes)."""

    def register(*ebs: dict[str, t.Any]) -> None:
        made.image(snapshot_id, BlockDeviceMappings=[{"DeviceName": "/dev/xvda", "Ebs": one} for one in ebs])

    with refused("InvalidSnapshot.NotFound"):
        register({"SnapshotId": "snap-0123456789abcdef0"})
    with refused("InvalidBlockDeviceMapping", "more than one"):
        register({"SnapshotId": snapshot_id}, {"SnapshotId": snapshot_id})
    larger = made.snapshot(made.volume(Size=2))
    with refused("InvalidBlockDeviceMapping", "smaller than snapshot"):
        register({"SnapshotId": larger, "VolumeSize": 1})


def test_a_copy_keeps_what_the_image_is(lab: RunningLab, made: Resources, snapshot_id: str) -> None:
    """Attributes go along, launch permissions do not; tags only with CopyImageTags (CopyImage reference)."""
    tags = [{"ResourceType": "image", "Tags": [{"Key": "colour", "Value": "red"}]}]
    image_id = made.image(snapshot_id, BootMode="uefi", EnaSupport=True, TagSpecifications=tags)
    made.ec2.modify_image_attribute(ImageId=image_id, LaunchPermission={"Add": [{"UserId": OTHER_ACCOUNT}]})
    asked: dict[str, t.Any] = {
        "Name": "the-copy",
        "SourceImageId": image_id,
        "SourceRegion": lab.region,
        "Encrypted": True,
        "CopyImageTags": True,
        "ClientToken": "copy-once",
        "TagSpecifications": [{"ResourceType": "snapshot", "Tags": [{"Key": "of", "Value": "copy"}]}],
    }
    copy_id = made.ec2.copy_image(**asked)["ImageId"]
    assert made.ec2.copy_image(**asked)["ImageId"] == copy_id
    copy = made.describe(copy_id)
    copied = copy["BlockDeviceMappings"][0]["Ebs"]
    snapshot = made.ec2.describe_snapshots(SnapshotIds=[copied["SnapshotId"]])["Snapshots"][0]
    granted = made.ec2.describe_image_attribute(ImageId=copy_id, Attribute="launchPermission")["LaunchPermissions"]
    made.ec2.deregister_image(ImageId=copy_id, DeleteAssociatedSnapshots=True)

    assert (copy["BootMode"], copy["EnaSupport"], copy["Architecture"]) == ("uefi", True, "x86_64")
    assert copy["SourceImageId"] == image_id
    assert copy["Tags"] == [{"Key": "colour", "Value": "red"}]
    assert copied["Encrypted"] is True
    assert snapshot["KmsKeyId"].startswith("arn:aws:kms:")
    assert snapshot["Tags"] == [{"Key": "of", "Value": "copy"}]
    assert granted == []


def test_deregistering(made: Resources, snapshot_id: str) -> None:
    """A snapshot in use by an image cannot be deleted; both can go in one call (DeregisterImage reference)."""
    image_id = made.image(snapshot_id)
    with refused("InvalidSnapshot.InUse", image_id):
        made.ec2.delete_snapshot(SnapshotId=snapshot_id)
    gone = made.ec2.deregister_image(ImageId=image_id, DeleteAssociatedSnapshots=True)
    assert gone["DeleteSnapshotResults"] == [{"SnapshotId": snapshot_id, "ReturnCode": "success"}]
    with refused("InvalidSnapshot.NotFound"):
        made.ec2.describe_snapshots(SnapshotIds=[snapshot_id])
    with refused("InvalidAMIID.Unavailable"):
        made.ec2.deregister_image(ImageId=image_id)
    assert made.ec2.describe_images(ImageIds=[image_id])["Images"] == []


def test_a_shared_snapshot_outlives_one_of_its_images(made: Resources, snapshot_id: str) -> None:
    """Snapshots that other images use are skipped (DeregisterImage, DeleteSnapshotResults)."""
    first, second = made.image(snapshot_id), made.image(snapshot_id)
    results = made.ec2.deregister_image(ImageId=first, DeleteAssociatedSnapshots=True)["DeleteSnapshotResults"]
    assert results == [{"SnapshotId": snapshot_id, "ReturnCode": "skipped"}]
    assert made.describe(second)["State"] == "available"


def test_deregistration_protection(made: Resources, snapshot_id: str) -> None:
    """A protected image cannot be deregistered (EnableImageDeregistrationProtection)."""
    image_id = made.image(snapshot_id)
    made.ec2.enable_image_deregistration_protection(ImageId=image_id)
    assert made.describe(image_id)["DeregistrationProtection"] == "enabled-without-cooldown"
    with refused("OperationNotPermitted"):
        made.ec2.deregister_image(ImageId=image_id)
    made.ec2.disable_image_deregistration_protection(ImageId=image_id)
    made.ec2.deregister_image(ImageId=image_id)


def test_a_protection_with_a_cooldown_outlives_its_end_by_a_day(
    lab: RunningLab, made: Resources, snapshot_id: str
) -> None:
    """The image cannot be deregistered for 24 hours (DisableImageDeregistrationProtection)."""
    image_id = made.image(snapshot_id)
    made.ec2.enable_image_deregistration_protection(ImageId=image_id, WithCooldown=True)
    made.ec2.disable_image_deregistration_protection(ImageId=image_id)
    with refused("OperationNotPermitted"):
        made.ec2.deregister_image(ImageId=image_id)
    lab.api.forward(24 * 3600)
    assert made.describe(image_id)["DeregistrationProtection"] == "disabled"
    made.ec2.deregister_image(ImageId=image_id)


def test_a_copy_has_a_time_in_steps_of_a_quarter(lab: RunningLab, made: Resources, snapshot_id: str) -> None:
    """15 minute increments, up to 48 hours (CopyImage, SnapshotCopyCompletionDurationMinutes)."""
    image_id = made.image(snapshot_id)
    for minutes in (20, 0, 2895):
        with refused("InvalidParameterValue"):
            made.ec2.copy_image(
                Name="timed",
                SourceRegion=lab.region,
                SourceImageId=image_id,
                SnapshotCopyCompletionDurationMinutes=minutes,
            )


def test_deprecation(made: Resources, snapshot_id: str) -> None:
    """Rounded to the minute, not in the past, shown and taken back (EnableImageDeprecation)."""
    image_id = made.image(snapshot_id)
    made.ec2.enable_image_deprecation(ImageId=image_id, DeprecateAt=dt.datetime(2099, 1, 1, 12, 30, 20))
    assert made.describe(image_id)["DeprecationTime"] == "2099-01-01T12:30:00.000Z"
    with refused("InvalidParameterValue"):
        made.ec2.enable_image_deprecation(ImageId=image_id, DeprecateAt=dt.datetime(2001, 1, 1))
    made.ec2.disable_image_deprecation(ImageId=image_id)
    assert "DeprecationTime" not in made.describe(image_id)


def test_launch_permissions_in_both_forms(made: Resources, snapshot_id: str) -> None:
    """LaunchPermission, or OperationType with lists, all of each (ModifyImageAttribute)."""
    organizations = [f"arn:aws:organizations::{OTHER_ACCOUNT}:organization/o-{name}" for name in ("one", "two")]
    image_id = made.image(snapshot_id)

    def granted() -> list[dict[str, str]]:
        answer = made.ec2.describe_image_attribute(ImageId=image_id, Attribute="launchPermission")
        return t.cast("list[dict[str, str]]", answer["LaunchPermissions"])

    # Both at once, as Packer does: without OperationType the list does not count.
    both = {"LaunchPermission": {"Add": [{"UserId": OTHER_ACCOUNT}]}, "UserIds": [OTHER_ACCOUNT]}
    made.ec2.modify_image_attribute(ImageId=image_id, **both)
    made.ec2.modify_image_attribute(ImageId=image_id, OperationType="add", OrganizationArns=organizations)
    assert granted() == [{"UserId": OTHER_ACCOUNT}, *({"OrganizationArn": arn} for arn in organizations)]
    made.ec2.modify_image_attribute(ImageId=image_id, OperationType="remove", OrganizationArns=organizations)
    assert granted() == [{"UserId": OTHER_ACCOUNT}]
    made.ec2.reset_image_attribute(ImageId=image_id, Attribute="launchPermission")
    assert granted() == []
    with refused("InvalidAMIAttributeItemValue"):
        made.ec2.modify_image_attribute(ImageId=image_id, LaunchPermission={"Add": [{"UserId": "12345"}]})


def test_other_attributes(made: Resources, snapshot_id: str) -> None:
    """Description and IMDS support can be changed on a registered image (ModifyImageAttribute)."""
    image_id = made.image(snapshot_id)
    made.ec2.modify_image_attribute(ImageId=image_id, Description={"Value": "new"})
    made.ec2.modify_image_attribute(ImageId=image_id, ImdsSupport={"Value": "v2.0"})
    image = made.describe(image_id)
    assert (image["Description"], image["ImdsSupport"]) == ("new", "v2.0")


def test_who_sees_an_image(lab: RunningLab, made: Resources, snapshot_id: str) -> None:
    """Others see an image that is shared with them, or public ("Share an AMI")."""
    image_id = made.image(snapshot_id)
    others = lab.client("ec2", account=OTHER_ACCOUNT)
    with refused("InvalidAMIID.NotFound"):
        others.describe_images(ImageIds=[image_id])
    made.ec2.modify_image_attribute(ImageId=image_id, LaunchPermission={"Add": [{"UserId": OTHER_ACCOUNT}]})
    seen = others.describe_images(ImageIds=[image_id])["Images"][0]
    assert seen["OwnerId"] == lab.account
    assert others.describe_images(Owners=["self"])["Images"] == []


def test_searching(made: Resources, snapshot_id: str) -> None:
    """Filters that moto has not, and an error for one that nobody has (DescribeImages, Filters)."""
    image_id = made.image(snapshot_id, Name="find-me-1", EnaSupport=True)
    made.image(made.snapshot(made.volume()), Name="find-me-2")

    def found(name: str, value: str) -> list[str]:
        filters = [{"Name": "name", "Values": ["find-me-*"]}, {"Name": name, "Values": [value]}]
        return [image["ImageId"] for image in made.ec2.describe_images(Owners=["self"], Filters=filters)["Images"]]

    assert found("ena-support", "true") == [image_id]
    assert found("block-device-mapping.snapshot-id", snapshot_id) == [image_id]
    assert len(found("creation-date", "20*")) == 2
    with refused("InvalidParameterValue", "The filter 'colour' is invalid"):
        found("colour", "red")


def test_launching_uses_the_mappings(made: Resources, snapshot_id: str) -> None:
    """An instance's volumes come from its image's mappings, overridden by those of the call (RunInstances)."""
    image_id = made.image(snapshot_id)
    override = [{"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 4}}]
    instance = made.ec2.run_instances(ImageId=image_id, MinCount=1, MaxCount=1, BlockDeviceMappings=override)
    instance_id = instance["Instances"][0]["InstanceId"]
    shown = made.ec2.describe_instances(InstanceIds=[instance_id])["Reservations"][0]["Instances"][0]
    volume_id = shown["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]
    volume = made.ec2.describe_volumes(VolumeIds=[volume_id])["Volumes"][0]
    assert (volume["SnapshotId"], volume["Size"]) == (snapshot_id, 4)
    made.ec2.terminate_instances(InstanceIds=[instance_id])
    with refused("InvalidVolume.NotFound"):
        made.ec2.describe_volumes(VolumeIds=[volume_id])
