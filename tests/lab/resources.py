# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Shorthands for what tests of the lab make, and for what they look at."""

from __future__ import annotations

import contextlib
import itertools
import os
import subprocess
import typing as t
from collections.abc import Iterator
from pathlib import Path

import botocore.exceptions
import pytest

from tests.lab_fixture import RunningLab
from tests.waiting import eventually

BY_ID = Path("/dev/disk/by-id")
_NAMES = itertools.count()


@contextlib.contextmanager
def refused(code: str, text: str = "") -> Iterator[None]:
    """The call inside is answered with this error code, and a message that contains the text."""
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        yield
    error = caught.value.response["Error"]
    assert error["Code"] == code, error
    assert text in error["Message"]


def run(*argv: str, **options: t.Any) -> str:
    """A command that must succeed; its output."""
    return str(subprocess.run(argv, check=True, capture_output=True, text=True, **options).stdout)


def link_of(volume_id: str, partition: int | None = None) -> Path:
    """The link that udev makes for an NVMe volume on a Nitro instance."""
    name = f"nvme-Amazon_Elastic_Block_Store_{volume_id.replace('-', '')}"
    return BY_ID / (name if partition is None else f"{name}-part{partition}")


@contextlib.contextmanager
def mounted(device: Path, folder: Path) -> Iterator[Path]:
    """A file system mounted for a C(with) block."""
    folder.mkdir(exist_ok=True)
    run("mount", str(device), str(folder))
    try:
        yield folder
    finally:
        unmount(folder)


def unmount(folder: Path) -> None:
    # Another thread's fork may hold a file of the mount open for a moment.
    eventually(lambda: subprocess.run(["umount", str(folder)], check=False, capture_output=True).returncode == 0)


class Resources:
    """Makes things in a lab and remembers them."""

    def __init__(self, lab: RunningLab) -> None:
        self._lab = lab
        self.ec2 = lab.client("ec2")
        self._volumes: list[str] = []
        self._snapshots: list[str] = []
        self._images: list[str] = []

    def volume(self, **options: t.Any) -> str:
        if "SnapshotId" not in options:
            options.setdefault("Size", 1)
        volume = self.ec2.create_volume(AvailabilityZone=self._lab.zone, **options)
        self._volumes.append(volume["VolumeId"])
        return str(volume["VolumeId"])

    def attached(self, volume_id: str, device: str = "/dev/sdf") -> Path:
        """Attach to the build host; the device's link."""
        self.ec2.attach_volume(VolumeId=volume_id, InstanceId=self._lab.instance_id, Device=device)
        eventually(link_of(volume_id).exists)
        return link_of(volume_id)

    def state(self, volume_id: str) -> str:
        return str(self.ec2.describe_volumes(VolumeIds=[volume_id])["Volumes"][0]["State"])

    def snapshot(self, volume_id: str, **options: t.Any) -> str:
        snapshot = self.ec2.create_snapshot(VolumeId=volume_id, **options)
        self._snapshots.append(snapshot["SnapshotId"])
        return str(snapshot["SnapshotId"])

    def image(self, snapshot_id: str, **options: t.Any) -> str:
        """An image with values that are all unlike their defaults, where the test gives no others."""
        mapping = {"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": snapshot_id, "VolumeType": "gp3"}}
        usual = {
            "Name": f"image-{os.getpid()}-{next(_NAMES)}",
            "Architecture": "x86_64",
            "VirtualizationType": "hvm",
            "RootDeviceName": "/dev/xvda",
            "BlockDeviceMappings": [mapping],
        }
        image = self.ec2.register_image(**{**usual, **options})
        self._images.append(image["ImageId"])
        return str(image["ImageId"])

    def keep(self, snapshot_id: str) -> str:
        """Remember a snapshot made in another way."""
        self._snapshots.append(snapshot_id)
        return snapshot_id

    def describe(self, image_id: str) -> dict[str, t.Any]:
        return t.cast("dict[str, t.Any]", self.ec2.describe_images(ImageIds=[image_id])["Images"][0])

    def remove(self) -> None:
        for image_id in self._images:
            with contextlib.suppress(botocore.exceptions.ClientError):
                self.ec2.disable_image_deregistration_protection(ImageId=image_id)
                self.ec2.deregister_image(ImageId=image_id)
        for snapshot_id in self._snapshots:
            with contextlib.suppress(botocore.exceptions.ClientError):
                self.ec2.delete_snapshot(SnapshotId=snapshot_id)
        for volume_id in self._volumes:
            self._remove_volume(volume_id)

    def _remove_volume(self, volume_id: str) -> None:
        try:
            volume = self.ec2.describe_volumes(VolumeIds=[volume_id])["Volumes"][0]
        except botocore.exceptions.ClientError:
            return
        if volume["Attachments"] and volume["Attachments"][0]["State"] in ("attached", "attaching"):
            self.ec2.detach_volume(VolumeId=volume_id)
        if volume["State"] in ("in-use", "available"):
            eventually(lambda: self.state(volume_id) == "available")
        self.ec2.delete_volume(VolumeId=volume_id)
