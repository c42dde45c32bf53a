# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Images on LVM: found, mounted and let go of, with nothing activated and no device mapper."""

from __future__ import annotations

import contextlib
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.bakehouse.images.plugins.module_utils._disk.devices import is_busy
from ansible_collections.bakehouse.images.plugins.module_utils._errors import NotFound

from tests.integration.disks import Disk, loop_disk, mounted, run, unpack
from tests.integration.sandbox.sandboxes import Host, said
from tests.waiting import eventually

MIB = 1 << 20
# LVM's defaults: where the first extent begins, and how large each is.
BEGIN, EXTENT = MIB, 4 * MIB
GPT = "label: gpt\nsize=100MiB\ntype=E6D6D379-F507-44C2-A23C-238F2A3DF928\n"
# First extent and number of extents of each piece.
VOLUMES = {"root": [(0, 120)], "var-log": [(120, 10)], "split": [(130, 2), (135, 2)]}
FSTAB = (
    "/dev/mapper/image-root / ext4 defaults 0 1\n"
    "/dev/mapper/image-var--log /var/log ext4 defaults 0 2\n"
    "LABEL=boot /boot ext4 defaults 0 2\n"
    "/dev/image/swap none swap sw 0 0\n"
)


def described(name: str, number: int, pieces: list[tuple[int, int]]) -> str:
    """A volume as LVM's metadata has it."""
    lines, begin = [], 0
    for index, (first, count) in enumerate(pieces, start=1):
        where = f'type = "striped" stripe_count = 1 stripes = ["pv0", {first}]'
        lines.append(f"segment{index} {{ start_extent = {begin} extent_count = {count} {where} }}")
        begin += count
    head = f'id = "aaaaaa-aaaa-aaaa-aaaa-aaaa-aaaa-aaaaa{number}" status = ["READ", "WRITE", "VISIBLE"]'
    return f"{name} {{ {head} segment_count = {len(pieces)} {' '.join(lines)} }}\n"


def make_group(physical: str, scratch: Path) -> None:
    """A volume group with the volumes. lvcreate wants the device mapper; restoring a backup does not."""
    common = ("--config", f'devices {{ use_devicesfile=0 filter=["a|^{physical}$|", "r|.*|"] }}')
    run("lvm", "pvcreate", *common, "--quiet", physical)
    run("lvm", "vgcreate", *common, "--quiet", "image", physical)
    backup = scratch / "backup"
    run("lvm", "vgcfgbackup", *common, "--file", backup, "image")
    text = backup.read_text()
    volumes = "".join(described(name, number, pieces) for number, (name, pieces) in enumerate(VOLUMES.items()))
    end = text.rindex("}")
    backup.write_text(f"{text[:end]}logical_volumes {{\n{volumes}}}\n{text[end:]}")
    run("lvm", "vgcfgrestore", *common, "--file", backup, "--yes", "image")


@contextlib.contextmanager
def volume(physical: str, name: str) -> Iterator[str]:
    """A volume as a device, by LVM's own arithmetic."""
    ((first, count),) = VOLUMES[name]
    place = ("--offset", str(BEGIN + first * EXTENT), "--sizelimit", str(count * EXTENT))
    device = run("losetup", "--find", "--show", *place, physical)
    try:
        yield device
    finally:
        run("losetup", "--detach", device)


def mapped() -> set[str]:
    """The image's volumes that the device mapper has; not every machine has a device mapper."""
    folder = Path("/dev/mapper")
    return {one.name for one in folder.glob("image-*")} if folder.exists() else set()


@pytest.fixture(scope="module")
def lvm_disk(scratch: Path, debian_tarball: Path) -> Iterator[Disk]:
    """/boot on a partition, the root and /var/log on logical volumes of another."""
    with loop_disk(scratch / "lvm.img", 720, GPT) as disk:
        run("mkfs.ext4", "-q", "-L", "boot", disk.partition(1))
        make_group(disk.partition(2), scratch)
        with volume(disk.partition(2), "root") as root, volume(disk.partition(2), "var-log") as log:
            for device in (root, log):
                run("mkfs.ext4", "-q", device)
            with mounted(scratch / "mnt", (root, "/", "")) as place:
                unpack(debian_tarball, place, FSTAB)
        eventually(lambda: not is_busy(disk.path))
        yield disk


def test_root_and_parts_on_logical_volumes_are_mounted_and_let_go_of(host: Host, lvm_disk: Disk, scratch: Path) -> None:
    before = mapped()
    record = host.open(device=lvm_disk.path)
    assert [mount.target for mount in record.mounts[:3]] == ["/", "/boot", "/var/log"]
    assert (record.partition, record.os_release["ID"]) == (2, "debian")
    said(record, "echo kept > /var/log/kept; echo kept > /root/kept; test -b /dev/mapper/image-var--log")
    assert said(record, "readlink -f /dev/image/root") == record.mounts[0].source
    assert is_busy(lvm_disk.path)

    report = host.close()
    assert report.problems == ()
    assert [one.ok for one in report.checked] == [True, True, True]
    assert not is_busy(lvm_disk.path)
    assert mapped() == before, "nothing was activated"
    with (
        volume(lvm_disk.partition(2), "root") as root,
        volume(lvm_disk.partition(2), "var-log") as log,
        mounted(scratch / "look", (root, "/", "ro"), (log, "/var/log", "ro")) as place,
    ):
        assert (place / "root/kept").read_text() == (place / "var/log/kept").read_text() == "kept\n"
    eventually(lambda: not is_busy(lvm_disk.path))


def test_a_twin_is_no_trouble_and_a_killed_sandbox_leaves_no_device(host: Host, lvm_disk: Disk, scratch: Path) -> None:
    eventually(lambda: not is_busy(lvm_disk.path))
    with loop_disk(scratch / "twin.img", copy_of=scratch / "lvm.img") as twin:
        run("partx", "--update", twin.path)
        first = host.open("first", device=lvm_disk.path)
        second = host.open("second", device=twin.path)
        said(first, "echo first > /root/who")
        said(second, "echo second > /root/who")
        assert said(first, "cat /root/who") == "first"
        os.kill(second.pid, signal.SIGKILL)
        eventually(lambda: not is_busy(twin.path), seconds=60)
        assert host.close("second").problems == ()
        assert host.close("first").problems == ()


def test_a_volume_in_pieces_is_named_in_the_error(host: Host, lvm_disk: Disk, scratch: Path) -> None:
    eventually(lambda: not is_busy(lvm_disk.path))
    with loop_disk(scratch / "empty.img", copy_of=scratch / "lvm.img") as other:
        run("partx", "--update", other.path)
        with volume(other.partition(2), "root") as root:
            run("mkfs.ext4", "-q", "-F", root)
        eventually(lambda: not is_busy(other.path))
        with pytest.raises(NotFound) as caught:
            host.open(device=other.path)
        said_of_it = str(caught.value)
        assert re.search(r"logical volume image/root \(ext4\): ", said_of_it)
        assert "logical volume image/split (linear): it is not in one piece on one disk" in said_of_it
        eventually(lambda: not is_busy(other.path))
