# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Volumes of the lab's Outscale: what the user guide and the description of the calls say of them."""

from __future__ import annotations

import typing as t

import pytest

from lab.clock import CLOCK
from lab.settings import Fault
from tests.unit.lab.osc import ZONE, Osc, Refused


def refused(osc: Osc, code: str, action: str, **params: t.Any) -> str:
    """The text of the refusal of a call, which has to be with this code."""
    with pytest.raises(Refused) as caught:
        osc.call(action, **params)
    assert caught.value.codes == [code], caught.value
    return caught.value.text


def shown(osc: Osc, volume_id: str) -> dict[str, t.Any]:
    """The volume as ReadVolumes shows it."""
    return t.cast("dict[str, t.Any]", osc.call("ReadVolumes", Filters={"VolumeIds": [volume_id]})["Volumes"][0])


def link(osc: Osc, volume_id: str, device: str = "/dev/sdb", **more: t.Any) -> None:
    osc.call("LinkVolume", VolumeId=volume_id, VmId=osc.vm.id, DeviceName=device, **more)


def test_a_volume_of_nothing(osc: Osc) -> None:
    """A standard one, unless another type is asked for; the answer says creating."""
    answer = osc.call("CreateVolume", SubregionName=ZONE, Size=2)["Volume"]
    assert (answer["State"], answer["VolumeType"], answer["Size"]) == ("creating", "standard", 2)
    assert "Iops" not in answer
    assert shown(osc, answer["VolumeId"])["State"] == "available"


def test_a_volume_of_a_snapshot(osc: Osc) -> None:
    """As large as the snapshot, or larger."""
    snapshot_id = osc.snapshot(VolumeId=osc.volume(Size=2))
    assert shown(osc, osc.volume(SnapshotId=snapshot_id))["Size"] == 2
    assert shown(osc, osc.volume(SnapshotId=snapshot_id, Size=3))["Size"] == 3
    refused(osc, "4078", "CreateVolume", SubregionName=ZONE, SnapshotId=snapshot_id, Size=1)


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({}, "7007"),
        ({"Size": 14902}, "4078"),
        ({"Size": 1, "VolumeType": "gp3"}, "4073"),
        ({"Size": 1, "VolumeType": "gp2", "Iops": 100}, "4046"),
        ({"Size": 10, "VolumeType": "io1"}, "7007"),
        ({"Size": 10, "VolumeType": "io1", "Iops": 3001}, "4029"),
        ({"Size": 100, "VolumeType": "io1", "Iops": 13001}, "4029"),
        ({"Size": 1, "SubregionName": "eu-west-2z"}, "5009"),
        ({"SnapshotId": "snap-00000000"}, "5054"),
        ({"SnapshotId": "vol-00000000"}, "4104"),
        ({"SnapshotId": "snap-1"}, "4105"),
    ],
)
def test_volumes_that_there_cannot_be(osc: Osc, params: dict[str, t.Any], code: str) -> None:
    refused(osc, code, "CreateVolume", **{"SubregionName": ZONE, **params})


def test_a_client_token_is_for_one_volume(osc: Osc) -> None:
    """The same call again has the same answer; with other parameters it is refused."""
    first = osc.volume(ClientToken="once")
    assert osc.volume(ClientToken="once") == first
    assert len(osc.call("ReadVolumes", Filters={"ClientTokens": ["once"]})["Volumes"]) == 1
    refused(osc, "4091", "CreateVolume", SubregionName=ZONE, Size=2, ClientToken="once")


def test_states_take_time(osc: Osc) -> None:
    """creating, then available; a volume that is being made cannot be linked, frozen or deleted."""
    osc.settings.change({"volume_seconds": 600})
    volume_id = osc.volume()
    assert shown(osc, volume_id)["State"] == "creating"
    refused(osc, "6007", "LinkVolume", VolumeId=volume_id, VmId=osc.vm.id, DeviceName="/dev/sdb")
    refused(osc, "6007", "CreateSnapshot", VolumeId=volume_id)
    refused(osc, "6007", "DeleteVolume", VolumeId=volume_id)
    CLOCK.forward(600)
    assert shown(osc, volume_id)["State"] == "available"


def test_ids_may_take_time_to_be_found(osc: Osc) -> None:
    osc.settings.change({"consistency_seconds": 600})
    volume_id = osc.volume()
    assert osc.call("ReadVolumes")["Volumes"] == []
    refused(osc, "5064", "DeleteVolume", VolumeId=volume_id)
    CLOCK.forward(600)
    osc.call("DeleteVolume", VolumeId=volume_id)


def test_a_volume_can_fail(osc: Osc) -> None:
    volume_id = osc.call("CreateVolume", SubregionName=ZONE, Size=1, fault=Fault("CreateVolume", "fail"))["Volume"]
    assert shown(osc, volume_id["VolumeId"])["State"] == "error"
    osc.call("DeleteVolume", VolumeId=volume_id["VolumeId"])


def test_linking(osc: Osc) -> None:
    """Shown on both sides; a linked volume is in use and is not deleted."""
    volume_id = osc.volume()
    link(osc, volume_id, "/dev/xvdf")
    volume = shown(osc, volume_id)
    assert volume["State"] == "in-use"
    assert volume["LinkedVolumes"] == [
        {
            "DeleteOnVmDeletion": False,
            "DeviceName": "/dev/xvdf",
            "State": "attached",
            "VmId": osc.vm.id,
            "VolumeId": volume_id,
        }
    ]
    (vm,) = osc.call("ReadVms", Filters={"BlockDeviceMappingVolumeIds": [volume_id]})["Vms"]
    assert vm["BlockDeviceMappings"][0]["DeviceName"] == "/dev/xvdf"
    assert vm["BlockDeviceMappings"][0]["Bsu"]["State"] == "attached"
    refused(osc, "6007", "DeleteVolume", VolumeId=volume_id)
    osc.call("UnlinkVolume", VolumeId=volume_id)
    assert shown(osc, volume_id)["LinkedVolumes"] == []
    refused(osc, "9063", "UnlinkVolume", VolumeId=volume_id)


@pytest.mark.parametrize("device", ["/dev/sda1", "/dev/sdb", "/dev/sdzz", "/dev/xvdb", "/dev/xvdba"])
def test_device_names_that_there_are(osc: Osc, device: str) -> None:
    """As the description of LinkVolume has them."""
    link(osc, osc.volume(), device)


@pytest.mark.parametrize(
    "device", ["/dev/sda", "/dev/xvda1", "/dev/vdb", "/dev/nvme1n1", "sdb", "/dev/sdb1", "/dev/sdbbb"]
)
def test_device_names_that_there_are_not(osc: Osc, device: str) -> None:
    refused(osc, "4019", "LinkVolume", VolumeId=osc.volume(), VmId=osc.vm.id, DeviceName=device)


def test_what_cannot_be_linked(osc: Osc) -> None:
    """A volume elsewhere or linked already, a place that is taken, a VM that is not there or in an unfit state."""
    elsewhere = osc.volume(SubregionName="eu-west-2b")
    here = osc.volume()
    link(osc, here, "/dev/sdb")
    target = {"VmId": osc.vm.id, "DeviceName": "/dev/sdc"}
    refused(osc, "9071", "LinkVolume", VolumeId=elsewhere, **target)
    refused(osc, "9004", "LinkVolume", VolumeId=here, **target)
    refused(osc, "9003", "LinkVolume", VolumeId=osc.volume(), VmId=osc.vm.id, DeviceName="/dev/xvdb")
    refused(osc, "5063", "LinkVolume", VolumeId=osc.volume(), VmId="i-00000000", DeviceName="/dev/sdc")
    osc.vm.state = "terminated"
    refused(osc, "6006", "LinkVolume", VolumeId=osc.volume(), **target)


def test_the_root_device_of_a_running_vm_stays(osc: Osc) -> None:
    """ "To detach the root device of a VM, this VM must be stopped." """
    volume_id = osc.volume()
    link(osc, volume_id, "/dev/sda1")
    refused(osc, "6006", "UnlinkVolume", VolumeId=volume_id)
    osc.vm.state = "stopped"
    osc.call("UnlinkVolume", VolumeId=volume_id)


def test_linking_and_unlinking_can_be_stuck(osc: Osc) -> None:
    """attaching and detaching until the lab is told to let go."""
    volume_id = osc.volume()
    link(osc, volume_id, fault=Fault("LinkVolume", "stuck"))
    assert shown(osc, volume_id)["LinkedVolumes"][0]["State"] == "attaching"
    osc.call("UnlinkVolume", VolumeId=volume_id, fault=Fault("UnlinkVolume", "stuck"))
    assert shown(osc, volume_id)["LinkedVolumes"][0]["State"] == "detaching"
    refused(osc, "6007", "UnlinkVolume", VolumeId=volume_id)
    osc.world.release()
    osc.call("UnlinkVolume", VolumeId=volume_id, ForceUnlink=True)
    assert shown(osc, volume_id)["State"] == "available"


def test_updating(osc: Osc) -> None:
    """Larger, never smaller; another type with its rate."""
    volume_id = osc.volume(Size=10)
    osc.call("UpdateVolume", VolumeId=volume_id, Size=20)
    assert shown(osc, volume_id)["Size"] == 20
    refused(osc, "4078", "UpdateVolume", VolumeId=volume_id, Size=10)
    refused(osc, "7007", "UpdateVolume", VolumeId=volume_id, VolumeType="io1")
    osc.call("UpdateVolume", VolumeId=volume_id, VolumeType="io1", Iops=200)
    osc.call("UpdateVolume", VolumeId=volume_id, Size=30)
    volume = shown(osc, volume_id)
    assert (volume["VolumeType"], volume["Iops"], volume["Size"]) == ("io1", 200, 30)


def test_filters_and_pages(osc: Osc) -> None:
    """All filters match, one value each; an unknown id is no error; pages go on by a token."""
    ids = [osc.volume(Size=size) for size in (1, 2, 3)]
    osc.call("CreateTags", ResourceIds=ids[:2], Tags=[{"Key": "color", "Value": "red"}])

    def found(**filters: t.Any) -> list[str]:
        return [volume["VolumeId"] for volume in osc.call("ReadVolumes", Filters=filters)["Volumes"]]

    assert found(VolumeSizes=[2, 3]) == ids[1:]
    assert found(VolumeSizes=[2, 3], Tags=["color=red"]) == [ids[1]]
    assert found(TagKeys=["color"], TagValues=["red"]) == ids[:2]
    assert found(VolumeIds=["vol-00000000"]) == []
    first = osc.call("ReadVolumes", ResultsPerPage=2)
    second = osc.call("ReadVolumes", ResultsPerPage=2, NextPageToken=first["NextPageToken"])
    assert [len(answer["Volumes"]) for answer in (first, second)] == [2, 1]
    assert "NextPageToken" not in second
    refused(osc, "4047", "ReadVolumes", ResultsPerPage=0)
    refused(osc, "4047", "ReadVolumes", NextPageToken="bm8=")
