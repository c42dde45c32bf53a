# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sandboxes on disks: which file systems are mounted, and what is on them afterwards."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.bakehouse.images.plugins.module_utils._disk.devices import is_busy
from ansible_collections.bakehouse.images.plugins.module_utils._errors import (
    NotFound,
)

from tests.integration.disks import Disk, loop_disk, mounted
from tests.integration.sandbox.sandboxes import Host, said


def test_root_and_boot_of_a_disk_are_mounted(host: Host, ext4_disk: Disk) -> None:
    record = host.open(device=ext4_disk.path)

    assert [(mount.source, mount.target, mount.options) for mount in record.mounts[:2]] == [
        (ext4_disk.partition(3), "/", ""),
        (ext4_disk.partition(2), "/boot", ""),
    ]
    assert record.partition == 3
    assert record.os_release["ID"] == "debian"
    assert said(record, "touch /boot/written && hostname") == "image"
    said(record, "rm /boot/written")


def test_the_images_own_devices_are_there_and_no_others(host: Host, ext4_disk: Disk) -> None:
    record = host.open(device=ext4_disk.path)
    name = os.path.basename(ext4_disk.path)

    blocks = said(record, "find /dev -type b -printf '%f\\n' | sort").split()
    assert blocks == [name, f"{name}p1", f"{name}p2", f"{name}p3"]
    assert said(record, f"readlink -f /dev/disk/by-uuid/{ext4_disk.uuid(3)}") == f"/dev/{name}p3"
    # What a boot loader does: find the disk below the root, and write to it.
    assert said(record, "findmnt -no SOURCE / || sed -n 's, / .*,,p' /proc/self/mounts") == ext4_disk.partition(3)
    assert said(record, f"dd if=/dev/{name}p1 of=/dev/{name}p1 bs=512 count=1 2>/dev/null && echo ok") == "ok"


@pytest.mark.parametrize("kind", ["ext4_disk", "xfs_disk", "btrfs_disk"])
def test_what_is_written_is_on_a_sound_file_system_afterwards(
    host: Host, kind: str, request: pytest.FixtureRequest, scratch: Path
) -> None:
    disk: Disk = request.getfixturevalue(kind)
    record = host.open(device=disk.path)
    said(record, f"echo kept > /root/{kind}; echo lost > /tmp/x; echo lost > /run/x; echo lost > /dev/shm/x")
    report = host.close()

    assert report.changed
    assert report.problems == ()
    assert [(one.device, one.ok) for one in report.checked] == [(device, True) for device in record.devices]
    assert report.trimmed_bytes > 0
    assert not is_busy(disk.path)
    root = record.mounts[0]
    with mounted(scratch / "look", (root.source, "/", "ro," + root.options)) as place:
        assert (place / "root" / kind).read_text() == "kept\n"
        assert [list((place / name).iterdir()) for name in ("proc", "sys", "tmp")] == [[], [], []]
        assert not (place / "run" / "bakehouse").exists()
        assert not list(place.glob("etc/*bakehouse*"))


def test_subvolumes_are_mounted_as_the_fstab_says(host: Host, btrfs_disk: Disk) -> None:
    record = host.open(device=btrfs_disk.path)
    assert [(mount.target, mount.options) for mount in record.mounts[:2]] == [
        ("/", "subvol=@,compress=zstd"),
        ("/home", "subvol=@home"),
    ]


def test_a_twin_of_a_mounted_xfs_opens_with_its_uuid(host: Host, xfs_disk: Disk, scratch: Path) -> None:
    with loop_disk(scratch / "twin.img", copy_of=scratch / "xfs.img") as twin:
        assert twin.uuid() == xfs_disk.uuid()
        first = host.open("first", device=xfs_disk.path)
        second = host.open("second", device=twin.path)
        said(first, "echo first > /root/which")
        said(second, "echo second > /root/which")
        assert said(first, "cat /root/which") == "first"
        host.close("second")
        assert twin.uuid() == xfs_disk.uuid()


def test_a_part_of_the_image_that_is_missing_is_an_error(host: Host, xfs_disk: Disk, scratch: Path) -> None:
    with mounted(scratch / "edit", (xfs_disk.path, "/", "")) as place:
        (place / "etc/fstab").write_text("LABEL=variable /var xfs defaults 0 2\n")
    with pytest.raises(NotFound, match=r"LABEL=variable on /var, and /dev/loop\d+ has no such file system"):
        host.open(device=xfs_disk.path)
    with mounted(scratch / "edit", (xfs_disk.path, "/", "")) as place:
        (place / "etc/fstab").write_text("LABEL=variable /var xfs nofail 0 2\n")
    assert host.open(device=xfs_disk.path).devices == (xfs_disk.path,)
