# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lab's Outscale with real devices: volumes that are linked appear, hold bytes, and go."""

from __future__ import annotations

import contextlib
import itertools
import stat
import sys
import typing as t
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.lab.resources import BY_ID, mounted, run
from tests.lab_fixture import RunningLab
from tests.osc_client import OscRefused
from tests.waiting import eventually

#: Places of this module's own: names are of the whole machine, where builds use those of one letter.
SLOTS = (f"{first}{second}" for first, second in itertools.product("yz", "abcdefghijklmnopqrstuvwxyz"))


class Machine:
    """The VM of the lab's Outscale, and the volumes that a test makes for it."""

    def __init__(self, lab: RunningLab) -> None:
        self.lab = lab
        self.client = lab.osc()
        self.vm_id = str(lab.api.status()["outscale"]["vm_id"])
        self.subregion = str(lab.api.status()["outscale"]["subregion"])
        self._volumes: list[str] = []

    def volume(self, **params: t.Any) -> str:
        if "SnapshotId" not in params:
            params.setdefault("Size", 1)
        answer = self.client.call("CreateVolume", **{"SubregionName": self.subregion, **params})
        self._volumes.append(str(answer["Volume"]["VolumeId"]))
        return self._volumes[-1]

    def link(self, volume_id: str, slot: str) -> None:
        self.client.call("LinkVolume", VolumeId=volume_id, VmId=self.vm_id, DeviceName=f"/dev/xvd{slot}")

    def shown(self, volume_id: str) -> dict[str, t.Any]:
        answer = self.client.call("ReadVolumes", Filters={"VolumeIds": [volume_id]})
        return t.cast("dict[str, t.Any]", answer["Volumes"][0])

    def link_state(self, volume_id: str) -> str:
        links = self.shown(volume_id)["LinkedVolumes"]
        return str(links[0]["State"]) if links else "none"

    def unlink(self, volume_id: str) -> None:
        self.client.call("UnlinkVolume", VolumeId=volume_id)
        eventually(lambda: self.shown(volume_id)["State"] == "available")

    def remove(self) -> None:
        for volume_id in self._volumes:
            with contextlib.suppress(OscRefused):
                self.client.call("UnlinkVolume", VolumeId=volume_id, ForceUnlink=True)
            eventually(lambda one=volume_id: self.link_state(one) == "none")  # type: ignore[misc]
            self.client.call("DeleteVolume", VolumeId=volume_id)


@pytest.fixture
def machine(lab: RunningLab) -> Iterator[Machine]:
    one = Machine(lab)
    yield one
    lab.api.reset()
    lab.api.release()
    one.remove()


def test_bytes_go_round(machine: Machine, tmp_path: Path) -> None:
    """A file on a partition of a linked volume is in the snapshot, the image and a volume made of it."""
    slot, again = next(SLOTS), next(SLOTS)
    first = machine.volume()
    machine.link(first, slot)
    disk = BY_ID / f"scsi-0QEMU_QEMU_HARDDISK_sd{slot}"
    part = BY_ID / f"{disk.name}-part1"
    eventually(disk.exists)
    run("sfdisk", "--quiet", "--no-reread", "--no-tell-kernel", str(disk), input="label: gpt\n,\n")
    run("partx", "--update", str(disk))
    eventually(part.exists)
    run("mkfs.ext4", "-q", str(part))
    with mounted(part, tmp_path / "one") as folder:
        (folder / "file").write_text("frozen")
        machine.client.call("UnlinkVolume", VolumeId=first)
        assert machine.link_state(first) == "detaching"
    eventually(lambda: machine.shown(first)["State"] == "available")
    assert not disk.is_symlink()
    assert not part.is_symlink()
    snapshot_id = machine.client.call("CreateSnapshot", VolumeId=first)["Snapshot"]["SnapshotId"]
    mapping = {"DeviceName": "/dev/sda1", "Bsu": {"SnapshotId": snapshot_id}}
    params = {"ImageName": "round trip", "RootDeviceName": "/dev/sda1", "BlockDeviceMappings": [mapping]}
    image_id = machine.client.call("CreateImage", **params)["Image"]["ImageId"]
    second = machine.volume(SnapshotId=snapshot_id)
    machine.link(second, again)
    copied = BY_ID / f"scsi-0QEMU_QEMU_HARDDISK_sd{again}-part1"
    eventually(copied.exists)
    with mounted(copied, tmp_path / "two") as folder:
        assert (folder / "file").read_text() == "frozen"
    machine.client.call("DeleteImage", ImageId=image_id)
    machine.client.call("DeleteSnapshot", SnapshotId=snapshot_id)


def test_what_a_vm_may_call_a_volume(machine: Machine) -> None:
    """Links by the serial number of a virtio disk, and nodes of the kernel's."""
    for kind in ("virtio", "xvd", "sd", "vd"):
        machine.lab.api.set(osc_devices=kind)
        slot, volume_id = next(SLOTS), machine.volume()
        machine.link(volume_id, slot)
        name = BY_ID / f"virtio-{volume_id}" if kind == "virtio" else Path(f"/dev/{kind}{slot}")
        eventually(name.exists)
        assert stat.S_ISBLK(name.stat().st_mode)
        machine.unlink(volume_id)
        assert not name.exists()


def test_a_name_that_the_machine_has_already(machine: Machine) -> None:
    """9004, and the volume can be linked elsewhere."""
    slot, volume_id = next(SLOTS), machine.volume()
    machine.lab.api.set(osc_devices="vd")
    foreign = Path(f"/dev/vd{slot}")
    foreign.touch(exist_ok=False)
    try:
        with pytest.raises(OscRefused) as caught:
            machine.link(volume_id, slot)
    finally:
        foreign.unlink()
    assert caught.value.codes == ["9004"]
    machine.link(volume_id, slot)


def test_linking_takes_time(machine: Machine) -> None:
    """The volume is in use at once, the link is attaching, and the device comes later; the same the other way."""
    machine.lab.api.set(attach_seconds=600, detach_seconds=600)
    slot, volume_id = next(SLOTS), machine.volume()
    disk = BY_ID / f"scsi-0QEMU_QEMU_HARDDISK_sd{slot}"
    machine.link(volume_id, slot)
    assert (machine.shown(volume_id)["State"], machine.link_state(volume_id)) == ("in-use", "attaching")
    assert not disk.is_symlink()
    machine.lab.api.forward(600)
    eventually(lambda: machine.link_state(volume_id) == "attached")
    assert disk.exists()
    machine.client.call("UnlinkVolume", VolumeId=volume_id)
    assert machine.link_state(volume_id) == "detaching"
    machine.lab.api.forward(600)
    eventually(lambda: machine.shown(volume_id)["State"] == "available")
    assert not disk.is_symlink()


def test_a_linked_volume_may_have_no_device(machine: Machine) -> None:
    """A fault: the API says attached, and the VM sees nothing."""
    machine.lab.api.fault("LinkVolume", "no-device")
    slot, volume_id = next(SLOTS), machine.volume()
    machine.link(volume_id, slot)
    assert machine.link_state(volume_id) == "attached"
    assert not (BY_ID / f"scsi-0QEMU_QEMU_HARDDISK_sd{slot}").is_symlink()


def test_a_call_whose_answer_got_lost(machine: Machine) -> None:
    """Asked again with the same token it makes no second volume; throttled calls say so by their status."""
    machine.lab.api.fault("CreateVolume", "disconnect")
    with pytest.raises(requests.ConnectionError):
        machine.volume(ClientToken="lost")
    volume_id = machine.volume(ClientToken="lost")
    assert [one["VolumeId"] for one in machine.client.call("ReadVolumes")["Volumes"]] == [volume_id]
    machine.lab.api.fault("ReadVolumes", code="Throttling")
    with pytest.raises(OscRefused) as caught:
        machine.client.call("ReadVolumes")
    assert caught.value.status == 429
    statuses = [(call["action"], call["status"]) for call in machine.lab.api.calls() if call["service"] == "oapi"]
    assert statuses[:2] == [("CreateVolume", 0), ("CreateVolume", 200)]


def test_metadata_of_the_vm(machine: Machine) -> None:
    """What Outscale's user guide lists, without a token; nothing when the service is off."""

    def read(path: str) -> str:
        url = f"{machine.lab.env['OSC_METADATA_ENDPOINT']}/latest/meta-data/{path}"
        with urllib.request.urlopen(url, timeout=60) as answer:
            return str(answer.read().decode())

    assert read("instance-id") == machine.vm_id
    assert read("placement/availability-zone") == machine.subregion
    assert "block-device-mapping/" in read("").splitlines()
    machine.lab.api.set(imds="off")
    with pytest.raises(urllib.error.HTTPError, match="403"):
        read("instance-id")


def test_the_sdk_as_it_is(machine: Machine) -> None:
    """It needs nothing but the variables of the lab."""
    code = "from osc_sdk_python import Gateway; print(Gateway().ReadVms()['Vms'][0]['VmId'])"
    assert run(sys.executable, "-c", code, env=machine.lab.environ()).strip() == machine.vm_id
