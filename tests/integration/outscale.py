# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lab's Outscale for tests of whole builds: its images, what is in them, and what builds leave there."""

from __future__ import annotations

import contextlib
import dataclasses
import typing as t
from collections.abc import Iterator
from pathlib import Path

import pytest
from osc_sdk_python.call import Call
from osc_sdk_python.credentials import Endpoint

from lab.config import OSC_ACCOUNT, OSC_REGION, OSC_VENDOR_ACCOUNT, osc_access_key
from tests.disks import mounted, run
from tests.integration.project import Project
from tests.integration.source_image import EXT4, _fill
from tests.lab_fixture import RunningLab
from tests.waiting import eventually

Resource = dict[str, t.Any]

SOURCE = "Debian-12-test"
LINKS = Path("/dev/disk/by-id")
BUILD_TAG = "bakehouse:build-id"


@dataclasses.dataclass
class Outscale:
    """An account at the lab's Outscale, through its own SDK."""

    lab: RunningLab
    account: str = OSC_ACCOUNT

    def __post_init__(self) -> None:
        make: t.Any = Call
        endpoint: t.Any = Endpoint
        self._call = make(
            access_key=osc_access_key(self.account),
            secret_key=self.lab.env["OSC_SECRET_KEY"],
            region=OSC_REGION,
            protocol="http",
            endpoints=endpoint(api=self.lab.env["OSC_ENDPOINT_API"]),
            max_retries=0,
        )

    def __call__(self, action: str, **params: t.Any) -> Resource:
        """Call the API."""
        answer: Resource = self._call.api(action, **params)
        return answer

    def image(self, name: str) -> Resource | None:
        """The account's own image of this name."""
        found = self("ReadImages", Filters={"ImageNames": [name], "AccountIds": [self.account]})["Images"]
        assert len(found) <= 1
        return found[0] if found else None

    def forget(self, name: str) -> None:
        """Remove an image and its snapshots."""
        image = self.image(name)
        if image:
            self("DeleteImage", ImageId=image["ImageId"])
            for snapshot_id in snapshots_of(image):
                self("DeleteSnapshot", SnapshotId=snapshot_id)

    def leftovers(self) -> list[str]:
        """What no finished build leaves: volumes, and snapshots that no image uses."""
        images = self("ReadImages", Filters={"AccountIds": [self.account]})["Images"]
        used = {snapshot for image in images for snapshot in snapshots_of(image)}
        snapshots = self("ReadSnapshots", Filters={"AccountIds": [self.account]})["Snapshots"]
        left = [volume["VolumeId"] for volume in self("ReadVolumes")["Volumes"]]
        left += [one["ImageId"] for one in images if one["ImageName"].startswith("bakehouse source")]
        return left + [one["SnapshotId"] for one in snapshots if one["SnapshotId"] not in used]

    @property
    def vm(self) -> Resource:
        """The VM that this machine is."""
        found: Resource = self("ReadVms")["Vms"][0]
        return found

    @contextlib.contextmanager
    def attached(self, *, snapshot_id: str | None = None, size_gib: int | None = None) -> Iterator[tuple[str, Path]]:
        """A volume of its own, attached to this machine: its id, and its device."""
        origin: Resource = {"SnapshotId": snapshot_id} if snapshot_id else {"Size": size_gib}
        vm = self.vm
        made = self("CreateVolume", SubregionName=vm["Placement"]["SubregionName"], **origin)["Volume"]
        volume_id = made["VolumeId"]
        try:
            eventually(lambda: self._volume(volume_id)["State"] == "available")
            name = self._link(volume_id, vm["VmId"])
            link = LINKS / f"scsi-0QEMU_QEMU_HARDDISK_sd{name}"
            eventually(link.exists)
            yield volume_id, link
        finally:
            with contextlib.suppress(Exception):  # the link itself may have failed
                self("UnlinkVolume", VolumeId=volume_id)
            eventually(lambda: self._volume(volume_id)["State"] == "available")
            self("DeleteVolume", VolumeId=volume_id)

    def _volume(self, volume_id: str) -> Resource:
        found: Resource = self("ReadVolumes", Filters={"VolumeIds": [volume_id]})["Volumes"][0]
        return found

    def _link(self, volume_id: str, vm_id: str) -> str:
        """Labs of other runs on this machine may have a name already."""
        for first in "zyx":
            for second in "zyxwvuts":
                with contextlib.suppress(Exception):
                    self("LinkVolume", VolumeId=volume_id, VmId=vm_id, DeviceName=f"/dev/xvd{first}{second}")
                    return first + second
        raise AssertionError("no name is free")

    @contextlib.contextmanager
    def mounted(self, image: Resource, place: Path, partition: int = 1) -> Iterator[Path]:
        """The root file system of an image, mounted read-only below a place, from a volume made from it."""
        with self.attached(snapshot_id=snapshots_of(image)[0]) as (_volume_id, link):
            path = Path(f"{link}-part{partition}")
            eventually(path.exists)
            place.mkdir(exist_ok=True)
            with mounted(str(path.resolve()), place, "ro", "noload") as root:
                yield root


def snapshots_of(image: Resource) -> list[str]:
    """Of an image's volumes, the root's first; one that is made empty has none."""
    root = image["RootDeviceName"]
    mappings = sorted(image["BlockDeviceMappings"], key=lambda one: bool(one["DeviceName"] != root))
    return list(dict.fromkeys(one["Bsu"]["SnapshotId"] for one in mappings if "SnapshotId" in one.get("Bsu", {})))


def tags_of(resource: Resource) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in resource["Tags"]}


def _make_source(ours: Outscale, tarball: Path, place: Path) -> str:
    """An image of another account, with a real Debian and a second volume, that everyone may use."""
    with ours.attached(size_gib=1) as (volume_id, link):
        disk = str(link.resolve())
        run("sfdisk", "--quiet", "--no-reread", "--no-tell-kernel", disk, stdin="label: gpt\n, +, L\n")
        run("partx", "--update", disk)
        partition = Path(f"{link}-part1")
        eventually(partition.exists)
        run(*EXT4, str(partition.resolve()))
        with mounted(str(partition.resolve()), place) as point:
            _fill(point, tarball)
        taken = ours("CreateSnapshot", VolumeId=volume_id)["Snapshot"]["SnapshotId"]
        eventually(
            lambda: ours("ReadSnapshots", Filters={"SnapshotIds": [taken]})["Snapshots"][0]["State"] == "completed"
        )
    root = {"DeviceName": "/dev/sda1", "Bsu": {"SnapshotId": taken, "VolumeType": "gp2", "DeleteOnVmDeletion": True}}
    data = {"DeviceName": "/dev/xvdb", "Bsu": {"SnapshotId": taken, "VolumeType": "gp2", "DeleteOnVmDeletion": True}}
    made = ours("CreateImage", ImageName=SOURCE, RootDeviceName="/dev/sda1", BlockDeviceMappings=[root, data])["Image"]
    vendor = Outscale(ours.lab, OSC_VENDOR_ACCOUNT)
    ours(
        "UpdateImage",
        ImageId=made["ImageId"],
        PermissionsToLaunch={"Additions": {"AccountIds": [vendor.account]}},
    )
    eventually(lambda: bool(ours.image(SOURCE)) and t.cast(Resource, ours.image(SOURCE))["State"] == "available")
    copy = vendor("CreateImage", SourceImageId=made["ImageId"], SourceRegionName=OSC_REGION, ImageName=SOURCE)["Image"]
    vendor("UpdateImage", ImageId=copy["ImageId"], PermissionsToLaunch={"Additions": {"GlobalPermission": True}})
    eventually(lambda: t.cast(Resource, vendor.image(SOURCE))["State"] == "available")
    ours.forget(SOURCE)
    return str(copy["ImageId"])


def write_image(project: Project, command: str, **more: t.Any) -> None:
    """A project whose one image builds from another account's, as long as nothing is broken."""
    source = {"filters": {"image-name": SOURCE}, "owners": [OSC_VENDOR_ACCOUNT]}
    usual = {"bake_provider": "outscale", "bake_image_name": "web", "bake_source": source, "bake_gather_facts": False}
    project.images(web={**usual, "bake_provision": [{"shell": command}], **more})


@pytest.fixture(scope="session")
def source_omi(session_lab: RunningLab, debian_tarball: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The id of another account's image, named SOURCE, with a Debian (1 GiB, GPT, ext4) and a second volume."""
    return _make_source(Outscale(session_lab), debian_tarball, tmp_path_factory.mktemp("omi"))


@pytest.fixture
def outscale(lab: RunningLab) -> Iterator[Outscale]:
    """The lab's Outscale; nothing may be left in it when the test ends."""
    ours = Outscale(lab)
    yield ours
    lab.api.reset()
    for image in ours("ReadImages", Filters={"AccountIds": [ours.account], "TagKeys": [BUILD_TAG]})["Images"]:
        ours.forget(image["ImageName"])  # a test that went wrong must not spoil the next one
    left = ours.leftovers()
    assert left == [], f"the build left {left}"


__all__ = ("SOURCE", "Outscale", "Resource", "outscale", "snapshots_of", "source_omi", "tags_of", "write_image")
