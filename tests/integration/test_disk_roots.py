# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finding the root file system on real disks of the kinds that images have, with no setting at all."""

from __future__ import annotations

import json
import os
import signal
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.bakehouse.images.plugins.module_utils._disk.devices import is_busy
from ansible_collections.bakehouse.images.plugins.module_utils._disk.fstab import find_source
from ansible_collections.bakehouse.images.plugins.module_utils._disk.roots import RootFilesystem, find_root
from ansible_collections.bakehouse.images.plugins.module_utils._errors import Busy, Conflict, NotFound, Refused
from ansible_collections.bakehouse.images.plugins.module_utils._run import LocalRunner

from tests.disks import MIB, LoopDevice, MakeDevice, mounted, plant_root, run, write_partitions
from tests.waiting import eventually

BIOS_BOOT = "21686148-6449-6E6F-744E-656564454649"
ESP = "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"
LINUX = "0FC63DAF-8483-4772-8E79-3D69D8477DE4"
ROOT = "4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709"

Plant = Callable[[LoopDevice, Path], None]


def root_of(device: LoopDevice, partition: int | None = None) -> RootFilesystem:
    return find_root(LocalRunner(), device.path, partition)


def make_root(path: str, kind: str, place: Path, fstab: str = "") -> None:
    run(f"mkfs.{kind}", "-q", path)
    with mounted(path, place) as top:
        plant_root(top, fstab=fstab)


def bare(device: LoopDevice, place: Path) -> None:
    make_root(device.path, "ext4", place)


def mbr(device: LoopDevice, place: Path) -> None:
    write_partitions(device, "dos", ["type=83, bootable"])
    make_root(device.partition(1), "xfs", place)


def gpt_bios(device: LoopDevice, place: Path) -> None:
    # Debian's cloud images: the root is the first by number and the last on the disk.
    lines = [f"{device.partition(14)} : start=2048, size=6144, type={BIOS_BOOT}"]
    lines += [f"{device.partition(1)} : start=8192, type={ROOT}"]
    write_partitions(device, "gpt", lines)
    make_root(device.partition(1), "ext4", place)


def gpt_boot(device: LoopDevice, place: Path) -> None:
    write_partitions(device, "gpt", [f"size=10MiB, type={ESP}", f"size=20MiB, type={LINUX}", f"type={LINUX}"])
    run("mkfs.vfat", "-n", "ESP", device.partition(1))
    run("mkfs.ext4", "-q", "-L", "boot", device.partition(2))
    with mounted(device.partition(2), place) as boot:
        (boot / "vmlinuz").touch()
    fstab = "LABEL=boot /boot ext4 defaults 0 2\nLABEL=ESP /boot/efi vfat umask=0077 0 1\n"
    make_root(device.partition(3), "xfs", place, fstab)


def btrfs_subvolumes(device: LoopDevice, place: Path) -> None:
    run("mkfs.btrfs", "-q", device.path)
    with mounted(device.path, place) as top:
        for name in ("@", "@home"):
            run("btrfs", "subvolume", "create", top / name)
        plant_root(top / "@", fstab="LABEL=x / btrfs subvol=@ 0 0\n")
        (top / "@/.snapshots").mkdir()
        run("btrfs", "subvolume", "snapshot", top / "@", top / "@/.snapshots/snapshot")


def btrfs_default(device: LoopDevice, place: Path) -> None:
    write_partitions(device, "gpt", [f"type={LINUX}"])
    run("mkfs.btrfs", "-q", device.partition(1))
    with mounted(device.partition(1), place) as top:
        run("btrfs", "subvolume", "create", top / "system")
        plant_root(top / "system")
        run("btrfs", "subvolume", "set-default", top / "system")


def second(device: LoopDevice, place: Path) -> None:
    write_partitions(device, "gpt", [f"size=100MiB, type={ROOT}", f"type={LINUX}"])
    run("mkfs.ext4", "-q", device.partition(1))
    make_root(device.partition(2), "ext4", place)


@pytest.mark.parametrize(
    ("plant", "number", "kind", "subvolume"),
    [
        (bare, None, "ext4", None),
        (mbr, 1, "xfs", None),
        (gpt_bios, 1, "ext4", None),
        (gpt_boot, 3, "xfs", None),
        (btrfs_subvolumes, None, "btrfs", "@"),
        (btrfs_default, 1, "btrfs", None),
        (second, 2, "ext4", None),
    ],
)
def test_the_root_is_found_and_nothing_is_written(
    loop_device: MakeDevice, tmp_path: Path, plant: Plant, number: int | None, kind: str, subvolume: str | None
) -> None:
    device = loop_device(400 * MIB)
    plant(device, tmp_path)
    before = device.digest()
    root = root_of(device)
    assert (root.partition_number, root.filesystem, root.subvolume) == (number, kind, subvolume)
    assert root.os_release == {"ID": "tiny", "PRETTY_NAME": "Tiny 1"}
    assert root.path == (device.partition(number) if number else device.path)
    assert device.digest() == before
    assert device.path not in Path("/proc/self/mountinfo").read_text()


def test_the_other_file_systems_are_found_by_the_fstab(loop_device: MakeDevice, tmp_path: Path) -> None:
    device = loop_device(400 * MIB)
    gpt_boot(device, tmp_path)
    root = root_of(device)
    found = {entry.mount_point: find_source(root.device, entry.source) for entry in root.fstab}
    assert found == {"/boot": device.partition(2), "/boot/efi": device.partition(1)}


def test_partitions_need_not_be_known_to_the_kernel_yet(loop_device: MakeDevice, tmp_path: Path) -> None:
    device = loop_device(400 * MIB)
    mbr(device, tmp_path)
    run("partx", "--delete", device.path)
    assert device.holders() == 0
    assert root_of(device).partition_number == 1


def lvm_label() -> bytes:
    """The label of an LVM physical volume, as lvm2 writes it into its second sector."""
    body = struct.pack("<I8s32s", 32, b"LVM2 001", b"a" * 32).ljust(512 - 20, b"\0")
    # lvm2's sum is a CRC-32 with a start value of its own and without the last inversion.
    checksum = zlib.crc32(body, 0xF597A6CF ^ 0xFFFFFFFF) ^ 0xFFFFFFFF
    return b"LABELONE" + struct.pack("<QI", 1, checksum) + body


def test_lvm_is_named_in_the_error(loop_device: MakeDevice) -> None:
    device = loop_device(400 * MIB)
    write_partitions(device, "gpt", [f"size=100MiB, type={ESP}", "type=E6D6D379-F507-44C2-A23C-238F2A3DF928"])
    with open(device.partition(2), "r+b") as partition:
        partition.seek(512)
        partition.write(lvm_label())
    with pytest.raises(NotFound, match=r"partition 2 \(LVM2_member\): an LVM physical volume, and logical"):
        root_of(device)


def test_two_roots_are_an_error_until_one_is_named(loop_device: MakeDevice, tmp_path: Path) -> None:
    device = loop_device(400 * MIB)
    write_partitions(device, "gpt", [f"size=100MiB, type={LINUX}", f"type={LINUX}"])
    for number in (1, 2):
        make_root(device.partition(number), "ext4", tmp_path)
    with pytest.raises(Conflict, match=r"partition 1 .* partition 2 .* Name one with 'partition'"):
        root_of(device)
    assert root_of(device, 2).partition_number == 2


def test_a_root_without_a_shell(loop_device: MakeDevice, tmp_path: Path) -> None:
    device = loop_device(400 * MIB)
    bare(device, tmp_path)
    with mounted(device.path, tmp_path) as top:
        (top / "usr/bin/sh").unlink()
    with pytest.raises(NotFound, match="has an os-release file, but no /bin/sh"):
        root_of(device)


@pytest.mark.parametrize("kind", ["ext4", "xfs", "btrfs"])
def test_a_snapshot_of_a_running_system_is_looked_at_without_replaying_its_journal(
    loop_device: MakeDevice, tmp_path: Path, kind: str
) -> None:
    running = loop_device(400 * MIB)
    make_root(running.path, kind, tmp_path)
    with mounted(running.path, tmp_path) as top:
        (top / "var").mkdir()
        # btrfs keeps this in its log tree, the others in their journal.
        with (top / "var/late").open("wb") as late:
            late.write(b"x" * 4096)
            os.fsync(late.fileno())
        snapshot = loop_device(copy_of=running)
    before = snapshot.digest()
    assert root_of(snapshot).filesystem == kind
    assert snapshot.digest() == before


def test_an_xfs_whose_twin_is_mounted(loop_device: MakeDevice, tmp_path: Path) -> None:
    host = loop_device(400 * MIB)
    make_root(host.path, "xfs", tmp_path)
    image = loop_device(copy_of=host)
    with mounted(host.path, tmp_path):
        assert root_of(image).uuid == root_of(image).uuid
        assert root_of(image).path == image.path


def test_a_btrfs_whose_twin_is_mounted_is_kept_apart_or_refused(loop_device: MakeDevice, tmp_path: Path) -> None:
    host = loop_device(400 * MIB)
    make_root(host.path, "btrfs", tmp_path)
    image = loop_device(copy_of=host)
    with mounted(image.path, tmp_path) as top:
        (top / "usr/lib/os-release").write_text("ID=image\n")
    with mounted(host.path, tmp_path):
        if Path("/sys/fs/btrfs/features/temp_fsid").exists():
            assert root_of(image).os_release == {"ID": "image"}
        else:
            with pytest.raises(Refused, match="same id mounted"):
                root_of(image)


def test_a_device_in_use_is_refused(loop_device: MakeDevice, tmp_path: Path) -> None:
    device = loop_device(400 * MIB)
    mbr(device, tmp_path)
    with mounted(device.partition(1), tmp_path), pytest.raises(Busy, match="is in use"):
        root_of(device)


LOOKING = """
import os, sys, time
from pathlib import Path
for folder in {path!r}:
    sys.path.insert(0, folder)
from ansible_collections.bakehouse.images.plugins.module_utils._disk import private_mounts
from ansible_collections.bakehouse.images.plugins.module_utils._run import LocalRunner

def work(place):
    trouble = private_mounts.mount_to_look(LocalRunner(), "ext4", {device!r}, place)
    Path({report!r}).write_text(trouble or str(os.getpid()))
    time.sleep(600)

private_mounts.in_private_mounts(work)
"""


def test_nothing_is_left_when_it_is_killed(loop_device: MakeDevice, tmp_path: Path) -> None:
    device = loop_device(400 * MIB)
    bare(device, tmp_path)
    report = tmp_path / "report"
    script = LOOKING.format(path=sys.path, device=device.path, report=str(report))
    looking = subprocess.Popen([sys.executable, "-c", script])
    try:
        eventually(lambda: looking.poll() is not None or (report.exists() and report.read_text()))
        assert report.read_text().isdigit(), report.read_text()
        assert is_busy(device.path)
        assert device.path not in Path("/proc/self/mountinfo").read_text()
    finally:
        looking.send_signal(signal.SIGKILL)
        looking.wait()
    eventually(lambda: not is_busy(device.path))
    assert json.loads(run("lsblk", "--json", device.path))["blockdevices"][0]["mountpoints"] == [None]
