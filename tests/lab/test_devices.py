# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Volumes as the build host sees them."""

from __future__ import annotations

import os
import typing as t
from pathlib import Path

import pytest

from lab.plane.names import is_nitro
from tests.lab.resources import Resources, link_of, mounted, refused, run
from tests.lab_fixture import RunningLab, running_lab
from tests.waiting import eventually


def test_links_follow_the_partition_table(made: Resources) -> None:
    """udev links every partition of an NVMe disk as -partN, and takes the link away with the partition."""
    volume_id = made.volume()
    device = made.attached(volume_id)
    assert os.path.realpath(device).startswith("/dev/loop")
    run("sfdisk", "--quiet", "--no-reread", "--label", "gpt", str(device), input="size=16MiB\nsize=16MiB\n")
    run("partx", "--update", str(device))
    eventually(lambda: link_of(volume_id, 1).exists() and link_of(volume_id, 2).exists())
    run("partx", "--delete", "--nr", "2", str(device))
    eventually(lambda: not link_of(volume_id, 2).is_symlink())
    assert link_of(volume_id, 1).exists()


def test_partitions_are_there_after_attaching(made: Resources) -> None:
    """The kernel of an instance reads the partition table of a volume that is attached."""
    volume_id = made.volume()
    device = made.attached(volume_id)
    run("sfdisk", "--quiet", "--no-reread", "--label", "gpt", str(device), input="size=16MiB\n")
    made.ec2.detach_volume(VolumeId=volume_id)
    # Whoever looks at all disks just then keeps it for a moment.
    eventually(lambda: made.state(volume_id) == "available")
    assert not device.is_symlink()
    made.attached(volume_id)
    assert link_of(volume_id, 1).exists()


def test_a_blank_volume_has_no_partitions_of_its_predecessor(made: Resources) -> None:
    """A new volume is blank (CreateVolume), whatever its loop device was before."""
    first = made.volume()
    device = made.attached(first)
    run("sfdisk", "--quiet", "--no-reread", "--label", "gpt", str(device), input="size=16MiB\n")
    run("partx", "--update", str(device))
    loop = os.path.realpath(device)
    # Detached by someone else, its partition nodes stay.
    run("losetup", "--detach", loop)
    second = made.volume()
    made.attached(second, "/dev/sdg")
    assert not link_of(second, 1).exists()
    with open(link_of(second), "rb") as stream:
        assert stream.read(1024 * 1024) == bytes(1024 * 1024)


def test_detaching_waits_for_the_mount(made: Resources, tmp_path: Path) -> None:
    """A mounted volume stays busy until it is unmounted, then detaches by itself ("Detach an EBS volume")."""
    volume_id = made.volume()
    device = made.attached(volume_id)
    run("mkfs.ext4", "-q", str(device))
    with mounted(device, tmp_path / "mnt") as root:
        (root / "file").write_text("x")
        made.ec2.detach_volume(VolumeId=volume_id)
        volume = made.ec2.describe_volumes(VolumeIds=[volume_id])["Volumes"][0]
        assert volume["State"] == "in-use"
        assert volume["Attachments"][0]["State"] == "busy"
        assert device.exists()
    eventually(lambda: made.state(volume_id) == "available")
    assert not device.is_symlink()


def test_a_busy_partition_keeps_the_disk(made: Resources, tmp_path: Path) -> None:
    """A mount of a partition counts as one of the disk."""
    volume_id = made.volume()
    device = made.attached(volume_id)
    run("sfdisk", "--quiet", "--no-reread", "--label", "gpt", str(device), input="size=64MiB\n")
    run("partx", "--update", str(device))
    eventually(link_of(volume_id, 1).exists)
    run("mkfs.ext4", "-q", str(link_of(volume_id, 1)))
    with mounted(link_of(volume_id, 1), tmp_path / "mnt"):
        made.ec2.detach_volume(VolumeId=volume_id)
        assert made.state(volume_id) == "in-use"
    eventually(lambda: made.state(volume_id) == "available")


def test_a_snapshot_is_frozen(made: Resources) -> None:
    """A snapshot has what was on the volume when it was asked for; the volume can be used on (CreateSnapshot)."""
    volume_id = made.volume()
    device = made.attached(volume_id)
    for text in (b"before", b"after!"):
        with open(device, "r+b") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        if text == b"before":
            snapshot_id = made.snapshot(volume_id)
    copy = made.attached(made.volume(SnapshotId=snapshot_id), "/dev/sdg")
    with open(copy, "rb") as stream:
        assert stream.read(6) == b"before"


@pytest.mark.parametrize(
    ("instance_type", "nitro"),
    [("m5.large", True), ("c7g.metal", True), ("t3.micro", True), ("t2.micro", False), ("m4.large", False)],
)
def test_which_types_are_nitro(instance_type: str, nitro: bool) -> None:
    """ "Instances built on the AWS Nitro System" (EC2 User Guide)."""
    assert is_nitro(instance_type) is nitro


@pytest.fixture
def xen_lab(tmp_path: Path) -> t.Iterator[RunningLab]:
    """A lab whose build host has Xen disks."""
    with running_lab(tmp_path / "xen", "--instance-type", "t2.micro") as lab:
        yield lab


def test_xen_names(xen_lab: RunningLab, tmp_path: Path) -> None:
    """Xen guests call /dev/sdf /dev/xvdf ("Device names for volumes on Amazon EC2 instances")."""
    made, disk, partition = Resources(xen_lab), Path("/dev/xvdm"), Path("/dev/xvdm1")
    volume_id = made.volume()
    made.ec2.attach_volume(VolumeId=volume_id, InstanceId=xen_lab.instance_id, Device="/dev/sdm")
    assert disk.is_block_device()
    run("sfdisk", "--quiet", "--no-reread", "--label", "dos", str(disk), input="size=64MiB\n")
    run("partx", "--update", os.fspath(_loop_of(disk)))
    eventually(partition.exists)
    run("mkfs.ext4", "-q", str(partition))
    with mounted(partition, tmp_path / "mnt") as root:
        (root / "file").write_text("x")

    other = made.volume()
    with running_lab(tmp_path / "second", "--instance-type", "t2.micro") as second:
        there = Resources(second)
        with refused("InvalidParameterValue", "/dev/xvdm exists on this machine already"):
            there.ec2.attach_volume(VolumeId=there.volume(), InstanceId=second.instance_id, Device="/dev/sdm")
    made.ec2.attach_volume(VolumeId=other, InstanceId=xen_lab.instance_id, Device="xvdn")
    assert Path("/dev/xvdn").is_block_device()

    made.remove()
    assert not [path for path in (disk, partition, Path("/dev/xvdn")) if path.exists()]


def _loop_of(disk: Path) -> Path:
    number = disk.stat().st_rdev
    return Path("/dev") / Path(os.readlink(f"/sys/dev/block/{os.major(number)}:{os.minor(number)}")).name
