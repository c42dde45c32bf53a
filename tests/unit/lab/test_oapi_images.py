# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Snapshots and images of the lab's Outscale, with their permissions and tags."""

from __future__ import annotations

import typing as t

import pytest

from lab.clock import CLOCK
from lab.config import OSC_ACCOUNT, OSC_REGION, OSC_VENDOR_ACCOUNT
from lab.oapi.state import ROOT_DEVICE
from lab.settings import Fault
from tests.unit.lab.osc import Osc, Refused

OTHER = "111111111111"


def refused(osc: Osc, code: str, action: str, /, **params: t.Any) -> str:
    """The text of the refusal of a call, which has to be with this code."""
    with pytest.raises(Refused) as caught:
        osc.call(action, **params)
    assert caught.value.codes == [code], caught.value
    return caught.value.text


def snapshot(osc: Osc, snapshot_id: str, account: str = OSC_ACCOUNT) -> dict[str, t.Any]:
    answer = osc.call("ReadSnapshots", account=account, Filters={"SnapshotIds": [snapshot_id]})
    return t.cast("dict[str, t.Any]", (answer["Snapshots"] or [{}])[0])


def image(osc: Osc, image_id: str, account: str = OSC_ACCOUNT) -> dict[str, t.Any]:
    answer = osc.call("ReadImages", account=account, Filters={"ImageIds": [image_id]})
    return t.cast("dict[str, t.Any]", (answer["Images"] or [{}])[0])


def test_a_snapshot_takes_time(osc: Osc) -> None:
    """in-queue, pending with a percentage, completed."""
    osc.settings.change({"snapshot_seconds": 1000})
    volume_id = osc.volume()
    snapshot_id = osc.snapshot(VolumeId=volume_id)
    assert snapshot(osc, snapshot_id)["State"] == "in-queue"
    refused(osc, "6003", "CreateVolume", SubregionName="eu-west-2a", SnapshotId=snapshot_id)
    CLOCK.forward(500)
    seen = snapshot(osc, snapshot_id)
    assert (seen["State"], 50 <= seen["Progress"] < 100) == ("pending", True)
    CLOCK.forward(500)
    seen = snapshot(osc, snapshot_id)
    assert (seen["State"], seen["Progress"]) == ("completed", 100)


def test_a_snapshot_can_fail(osc: Osc) -> None:
    osc.settings.change({"snapshot_seconds": 1000})
    fault = Fault("CreateSnapshot", "fail", at=80)
    made = osc.call("CreateSnapshot", VolumeId=osc.volume(), fault=fault)["Snapshot"]["SnapshotId"]
    CLOCK.forward(1000)
    seen = snapshot(osc, made)
    assert (seen["State"], seen["Progress"]) == ("error", 80)


def test_a_snapshot_is_frozen(osc: Osc) -> None:
    """It keeps the bytes and the size that the volume had."""
    files = osc.world.cloud.files
    volume_id = osc.volume()
    with files.volume(volume_id).open("r+b") as stream:
        stream.write(b"before")
    snapshot_id = osc.snapshot(VolumeId=volume_id)
    with files.volume(volume_id).open("r+b") as stream:
        stream.write(b"after!")
    osc.call("UpdateVolume", VolumeId=volume_id, Size=2)
    osc.call("DeleteVolume", VolumeId=volume_id)
    assert snapshot(osc, snapshot_id)["VolumeSize"] == 1
    again = osc.volume(SnapshotId=snapshot_id)
    assert files.volume(again).read_bytes()[:6] == b"before"


def test_one_source_of_a_snapshot(osc: Osc) -> None:
    refused(osc, "4046", "CreateSnapshot")
    refused(osc, "4046", "CreateSnapshot", VolumeId=osc.volume(), SourceSnapshotId="snap-00000000")
    refused(osc, "5064", "CreateSnapshot", VolumeId="vol-00000000")


def test_a_client_token_is_for_one_snapshot(osc: Osc) -> None:
    volume_id = osc.volume()
    first = osc.snapshot(VolumeId=volume_id, ClientToken="once")
    assert osc.snapshot(VolumeId=volume_id, ClientToken="once") == first
    assert len(osc.call("ReadSnapshots", Filters={"ClientTokens": ["once"]})["Snapshots"]) == 1


def test_sharing_a_snapshot(osc: Osc) -> None:
    """The others see it, may make volumes and copies of it, and may not delete or share it."""
    snapshot_id = osc.snapshot()
    assert snapshot(osc, snapshot_id, OTHER) == {}
    share = {"Additions": {"AccountIds": [OTHER]}}
    osc.call("UpdateSnapshot", SnapshotId=snapshot_id, PermissionsToCreateVolume=share)
    assert snapshot(osc, snapshot_id, OTHER)["AccountId"] == OSC_ACCOUNT
    osc.call("CreateVolume", account=OTHER, SubregionName="eu-west-2a", SnapshotId=snapshot_id)
    copying: dict[str, t.Any] = {"SourceSnapshotId": snapshot_id, "SourceRegionName": OSC_REGION}
    copy = osc.call("CreateSnapshot", account=OTHER, **copying)["Snapshot"]
    assert (copy["AccountId"], copy["State"], copy["Progress"]) == (OTHER, "completed", 100)
    refused(osc, "5054", "DeleteSnapshot", account=OTHER, SnapshotId=snapshot_id)
    refused(osc, "5043", "CreateSnapshot", SourceSnapshotId=snapshot_id, SourceRegionName="us-east-2")
    osc.call("UpdateSnapshot", SnapshotId=snapshot_id, PermissionsToCreateVolume={"Removals": {"AccountIds": [OTHER]}})
    assert snapshot(osc, snapshot_id, OTHER) == {}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({}, "4046"),
        ({"Additions": {}}, "4046"),
        ({"Additions": {"AccountIds": []}}, "4046"),
        ({"Additions": {"AccountIds": [OTHER]}, "Removals": {"AccountIds": [OTHER]}}, "4046"),
        ({"Additions": {"AccountIds": ["1"]}}, "4025"),
    ],
)
def test_permissions_that_cannot_be_given(osc: Osc, change: dict[str, t.Any], code: str) -> None:
    refused(osc, code, "UpdateSnapshot", SnapshotId=osc.snapshot(), PermissionsToCreateVolume=change)
    refused(osc, code, "UpdateImage", ImageId=osc.image(), PermissionsToLaunch=change)


def test_registering_an_image(osc: Osc) -> None:
    """What was left out gets its default; nothing that was given is lost."""
    osc.settings.change({"image_seconds": 600})
    snapshot_id = osc.snapshot(VolumeId=osc.volume(Size=2))
    image_id = osc.image(
        "web (1.0)",
        **osc.registering(snapshot_id, VolumeSize=4, VolumeType="io1", Iops=150, DeleteOnVmDeletion=False),
        Description="a web server",
        BootModes=["uefi", "legacy"],
        ProductCodes=["0001", "0002"],
        TpmMandatory=True,
    )
    assert image(osc, image_id)["State"] == "pending"
    CLOCK.forward(600)
    seen = image(osc, image_id)
    bsu = {"SnapshotId": snapshot_id, "VolumeSize": 4, "VolumeType": "io1", "Iops": 150, "DeleteOnVmDeletion": False}
    assert seen["State"] == "available"
    assert seen["BlockDeviceMappings"] == [{"DeviceName": ROOT_DEVICE, "Bsu": bsu}]
    assert (seen["BootModes"], seen["ProductCodes"]) == (["uefi", "legacy"], ["0001", "0002"])
    assert (seen["Architecture"], seen["TpmMandatory"], seen["RootDeviceType"]) == ("x86_64", True, "bsu")
    plain = image(osc, osc.image("plain", **osc.registering(snapshot_id)))["BlockDeviceMappings"][0]["Bsu"]
    assert plain == {
        "SnapshotId": snapshot_id,
        "VolumeSize": 2,
        "VolumeType": "standard",
        "DeleteOnVmDeletion": True,
    }


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"ImageName": None}, "7007"),
        ({"ImageName": "ab"}, "4026"),
        ({"ImageName": "a:b:c"}, "4026"),
        ({"ImageName": "taken"}, "9015"),
        ({"RootDeviceName": None}, "7007"),
        ({"RootDeviceName": "/dev/sdb"}, "4057"),
        ({"BlockDeviceMappings": None}, "4046"),
        ({"VmId": "i-12345678"}, "4046"),
        ({"Architecture": "arm64"}, "4047"),
        ({"BlockDeviceMappings": [{"DeviceName": ROOT_DEVICE, "Bsu": {"VolumeSize": 1}}]}, "4057"),
        ({"BlockDeviceMappings": [{"DeviceName": "/dev/vdb", "Bsu": {"VolumeSize": 1}}]}, "4019"),
        ({"BlockDeviceMappings": [{"DeviceName": ROOT_DEVICE, "Bsu": {"SnapshotId": "snap-00000000"}}]}, "5054"),
        ({"BlockDeviceMappings": [{"DeviceName": "/dev/sdb", "Bsu": {"VolumeType": "gp2"}}]}, "7007"),
    ],
)
def test_images_that_there_cannot_be(osc: Osc, change: dict[str, t.Any], code: str) -> None:
    osc.image("taken")
    params = {"ImageName": "a name", **osc.registering(osc.snapshot()), **change}
    refused(osc, code, "CreateImage", **{name: value for name, value in params.items() if value is not None})


def test_an_image_can_fail(osc: Osc) -> None:
    params = osc.registering(osc.snapshot())
    made = osc.call("CreateImage", ImageName="a name", fault=Fault("CreateImage", "fail"), **params)["Image"]["ImageId"]
    seen = image(osc, made)
    assert (seen["State"], bool(seen["StateComment"]["StateMessage"])) == ("failed", True)


def test_a_snapshot_of_an_image_stays(osc: Osc) -> None:
    """ "You cannot delete a snapshot that is currently used by an OUTSCALE machine image (OMI)." """
    image_id = osc.image()
    snapshot_id = image(osc, image_id)["BlockDeviceMappings"][0]["Bsu"]["SnapshotId"]
    refused(osc, "9029", "DeleteSnapshot", SnapshotId=snapshot_id)
    osc.call("DeleteImage", ImageId=image_id)
    osc.call("DeleteSnapshot", SnapshotId=snapshot_id)
    refused(osc, "5023", "DeleteImage", ImageId=image_id)


def test_sharing_and_copying_an_image(osc: Osc) -> None:
    """Who may launch it may copy it: the copy has snapshots of its own, which belong to the copy's account."""
    image_id = osc.image()
    refused(
        osc, "5023", "CreateImage", account=OTHER, ImageName="mine", SourceImageId=image_id, SourceRegionName=OSC_REGION
    )
    osc.call("UpdateImage", ImageId=image_id, PermissionsToLaunch={"Additions": {"AccountIds": [OTHER]}})
    copying: dict[str, t.Any] = {"ImageName": "mine", "SourceImageId": image_id, "SourceRegionName": OSC_REGION}
    copy = osc.call("CreateImage", account=OTHER, **copying)["Image"]
    source = image(osc, image_id)
    assert copy["PermissionsToLaunch"] == {"AccountIds": [], "GlobalPermission": False}
    own, theirs = (one["BlockDeviceMappings"][0]["Bsu"]["SnapshotId"] for one in (copy, source))
    assert own != theirs
    assert snapshot(osc, own, OTHER)["AccountId"] == OTHER
    assert not snapshot(osc, theirs, OTHER)
    refused(osc, "5023", "DeleteImage", account=OTHER, ImageId=image_id)
    refused(osc, "9015", "CreateImage", account=OTHER, **copying)
    assert len(osc.call("ReadSnapshots", account=OTHER)["Snapshots"]) == 1


def test_public_images_and_aliases(osc: Osc) -> None:
    """An image of the account that has a name is found by the name."""
    volume = osc.call("CreateVolume", account=OSC_VENDOR_ACCOUNT, SubregionName="eu-west-2a", Size=1)["Volume"][
        "VolumeId"
    ]
    frozen = osc.call("CreateSnapshot", account=OSC_VENDOR_ACCOUNT, VolumeId=volume)["Snapshot"]["SnapshotId"]
    params = {"ImageName": "Debian-12-2026.01.01-0", **osc.registering(frozen)}
    made = osc.call("CreateImage", account=OSC_VENDOR_ACCOUNT, **params)["Image"]["ImageId"]
    public = {"Additions": {"GlobalPermission": True}}
    osc.call("UpdateImage", account=OSC_VENDOR_ACCOUNT, ImageId=made, PermissionsToLaunch=public)
    (found,) = osc.call("ReadImages", Filters={"AccountAliases": ["Outscale"], "ImageNames": ["Debian-12-*"]})["Images"]
    assert (found["ImageId"], found["AccountAlias"]) == (made, "Outscale")
    private = {"Removals": {"GlobalPermission": True}}
    osc.call("UpdateImage", account=OSC_VENDOR_ACCOUNT, ImageId=made, PermissionsToLaunch=private)
    assert image(osc, made) == {}


def test_an_image_of_a_vm(osc: Osc) -> None:
    """Of all its volumes, each with a snapshot; a VM of the lab without volumes cannot be one."""
    refused(osc, "4057", "CreateImage", ImageName="of a vm", VmId=osc.vm.id)
    for device in (ROOT_DEVICE, "/dev/sdb"):
        osc.call("LinkVolume", VolumeId=osc.volume(), VmId=osc.vm.id, DeviceName=device)
    made = image(osc, osc.image("of a vm", VmId=osc.vm.id))
    assert [mapping["DeviceName"] for mapping in made["BlockDeviceMappings"]] == [ROOT_DEVICE, "/dev/sdb"]
    assert len(osc.call("ReadSnapshots")["Snapshots"]) == 2


def test_changing_an_image(osc: Osc) -> None:
    image_id = osc.image()
    osc.call("UpdateImage", ImageId=image_id, Description="newer", ProductCodes=["0002"])
    assert (image(osc, image_id)["Description"], image(osc, image_id)["ProductCodes"]) == ("newer", ["0002"])
    refused(osc, "7007", "UpdateImage", ImageId=image_id)


def test_tags(osc: Osc) -> None:
    """Of several resources at once; the same key again replaces; all or nothing; they go with the resource."""
    volume_id, snapshot_id = osc.volume(), osc.snapshot()
    both = [volume_id, snapshot_id]
    osc.call("CreateTags", ResourceIds=both, Tags=[{"Key": "Name", "Value": "a"}, {"Key": "empty", "Value": ""}])
    osc.call("CreateTags", ResourceIds=[volume_id], Tags=[{"Key": "Name", "Value": "b"}])
    tags = osc.call("ReadTags", Filters={"ResourceTypes": ["volume"], "Keys": ["Name"]})["Tags"]
    assert tags == [{"ResourceId": volume_id, "ResourceType": "volume", "Key": "Name", "Value": "b"}]
    refused(osc, "5064", "CreateTags", ResourceIds=[snapshot_id, "vol-00000000"], Tags=[{"Key": "x", "Value": "y"}])
    assert len(snapshot(osc, snapshot_id)["Tags"]) == 2
    osc.call("DeleteTags", ResourceIds=both, Tags=[{"Key": "Name", "Value": "a"}, {"Key": "empty", "Value": ""}])
    assert osc.call("ReadTags", Filters={"ResourceIds": both})["Tags"] == [tags[0]]
    osc.call("DeleteVolume", VolumeId=volume_id)
    assert osc.call("ReadTags", Filters={"ResourceIds": both})["Tags"] == []


@pytest.mark.parametrize(
    ("tags", "code"),
    [
        ([], "7007"),
        ([{"Key": "", "Value": "x"}], "4069"),
        ([{"Key": "k" * 256, "Value": "x"}], "4069"),
        ([{"Key": "k", "Value": "x" * 256}], "4071"),
        ([{"Key": f"k{number}", "Value": "x"} for number in range(51)], "10041"),
    ],
)
def test_tags_that_there_cannot_be(osc: Osc, tags: list[dict[str, str]], code: str) -> None:
    refused(osc, code, "CreateTags", ResourceIds=[osc.volume()], Tags=tags)


def test_resources_that_cannot_be_tagged(osc: Osc) -> None:
    tags = [{"Key": "k", "Value": "v"}]
    refused(osc, "7007", "CreateTags", ResourceIds=[], Tags=tags)
    refused(osc, "5044", "CreateTags", ResourceIds=["vpc-12345678"], Tags=tags)
    refused(osc, "5063", "CreateTags", ResourceIds=["i-00000000"], Tags=tags)
    assert osc.call("CreateTags", ResourceIds=[osc.vm.id], Tags=tags)


def test_nothing_is_left_of_a_copy_that_is_refused(osc: Osc) -> None:
    """Neither for a name that is taken nor for a snapshot that is not there yet."""
    osc.settings.change({"snapshot_seconds": 600})
    source = osc.image()
    copying = {"SourceImageId": source, "SourceRegionName": OSC_REGION}
    refused(osc, "6001", "CreateImage", ImageName="a copy", **copying)
    CLOCK.forward(600)
    refused(osc, "9015", "CreateImage", ImageName="an image", **copying)
    assert len(osc.call("ReadSnapshots")["Snapshots"]) == 1
    osc.image("a copy", **copying)
    assert len(osc.call("ReadSnapshots")["Snapshots"]) == 2


def test_a_full_disk_leaves_nothing(osc: Osc, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the lab cannot hold is not there, and the answer is an error of the service."""
    volume_id = osc.volume()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    files = osc.world.cloud.files
    monkeypatch.setattr(files, "freeze_volume", full)
    refused(osc, "2000", "CreateSnapshot", VolumeId=volume_id)
    monkeypatch.setattr(files, "make_volume", full)
    refused(osc, "2000", "CreateVolume", SubregionName="eu-west-2a", Size=1)
    assert osc.call("ReadSnapshots")["Snapshots"] == []
    assert [one["VolumeId"] for one in osc.call("ReadVolumes")["Volumes"]] == [volume_id]


def test_deletions_take_time(osc: Osc) -> None:
    """deleting, then gone; what is being deleted cannot be used or deleted again."""
    osc.settings.change({"osc_delete_seconds": 600})
    volume_id = osc.volume()
    snapshot_id = osc.snapshot(VolumeId=volume_id)
    osc.call("DeleteVolume", VolumeId=volume_id)
    osc.call("DeleteSnapshot", SnapshotId=snapshot_id)
    assert [one["State"] for one in osc.call("ReadVolumes")["Volumes"]] == ["deleting"]
    assert [one["State"] for one in osc.call("ReadSnapshots")["Snapshots"]] == ["deleting"]
    assert osc.call("ReadVolumes", Filters={"VolumeStates": ["available", "in-use"]})["Volumes"] == []
    refused(osc, "6007", "DeleteVolume", VolumeId=volume_id)
    refused(osc, "6007", "LinkVolume", VolumeId=volume_id, VmId=osc.vm.id, DeviceName="/dev/sdb")
    refused(osc, "6003", "DeleteSnapshot", SnapshotId=snapshot_id)
    refused(osc, "6003", "CreateVolume", SubregionName="eu-west-2a", SnapshotId=snapshot_id)
    CLOCK.forward(600)
    assert osc.call("ReadVolumes")["Volumes"] == osc.call("ReadSnapshots")["Snapshots"] == []
    refused(osc, "5064", "DeleteVolume", VolumeId=volume_id)
    assert not list(osc.world.cloud.files.volume(volume_id).parent.iterdir())
