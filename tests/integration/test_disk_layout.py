# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Laying out real disks: what is made is read back with other tools, and what holds data is not touched."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.bakehouse.images.plugins.module_utils._disk.layout import LaidOut, lay_out
from ansible_collections.bakehouse.images.plugins.module_utils._disk.layout_request import LayoutRequest
from ansible_collections.bakehouse.images.plugins.module_utils._errors import Busy, Refused
from ansible_collections.bakehouse.images.plugins.module_utils._run import LocalRunner

from tests.disks import MIB, LoopDevice, MakeDevice, mounted, run, table_of

BOOTABLE: list[dict[str, Any]] = [
    {"name": "bios", "size": "1MiB", "type": "bios_boot"},
    {"name": "esp", "size": "64MiB", "type": "esp", "filesystem": "vfat", "label": "ESP", "mount_point": "/boot/efi"},
    {"name": "swap", "size": "10%", "filesystem": "swap", "label": "swap"},
    {"name": "root", "filesystem": "ext4", "label": "root", "mount_point": "/", "mount_options": ["noatime"]},
]


def layout(
    device: LoopDevice, partitions: list[dict[str, Any]], *, check_mode: bool = False, **options: Any
) -> LaidOut:
    params = {"device": device.path, "table": "gpt", "architecture": "x86_64", "partitions": partitions, **options}
    return lay_out(LocalRunner(), LayoutRequest.from_params(params), check_mode=check_mode)


def blkid(path: str, tag: str) -> str:
    return run("blkid", "--probe", "--output", "value", "--match-tag", tag, path)


def test_a_disk_for_bios_and_uefi(loop_device: MakeDevice, tmp_path: Path) -> None:
    device = loop_device(400 * MIB)
    before = device.digest()
    predicted = layout(device, BOOTABLE, check_mode=True)
    assert predicted.changed
    assert device.digest() == before, "check mode writes nothing"

    made = layout(device, BOOTABLE)
    assert made.changed
    assert made.diff == predicted.diff
    assert [one["name"] for one in table_of(device)] == ["bios", "esp", "swap", "root"]
    assert [int(str(one["start"])) * 512 // MIB for one in table_of(device)] == [1, 2, 66, 105]
    assert [blkid(device.partition(number), "TYPE") for number in (2, 3, 4)] == ["vfat", "swap", "ext4"]
    assert [blkid(device.partition(number), "LABEL") for number in (2, 3, 4)] == ["ESP", "swap", "root"]
    assert blkid(device.partition(2), "VERSION") == "FAT32"
    assert "No errors detected" in run("sfdisk", "--verify", device.path)
    assert [(one.mount_point, one.uuid, one.options) for one in made.mounts] == [
        ("/", blkid(device.partition(4), "UUID"), "noatime"),
        ("/boot/efi", blkid(device.partition(2), "UUID"), None),
        (None, blkid(device.partition(3), "UUID"), None),
    ]
    with mounted(made.mounts[0].device, tmp_path) as top:
        (top / "etc").mkdir()

    after = device.digest()
    again = layout(device, BOOTABLE)
    assert not again.changed
    assert again.mounts == made.mounts
    assert again.diff["after"] == again.diff["before"]
    assert device.digest() == after, "a second run writes nothing"
    assert not layout(device, BOOTABLE, check_mode=True).changed


def test_old_grub_can_read_the_root(loop_device: MakeDevice) -> None:
    device = loop_device(64 * MIB)
    layout(device, [{"filesystem": "ext4"}], table="none")
    features = run("dumpe2fs", "-h", device.path).split("Filesystem features:")[1].splitlines()[0].split()
    assert "metadata_csum" in features
    assert not {"metadata_csum_seed", "orphan_file"} & set(features)


CHECKS = {
    "ext4": ("e2fsck", "-f", "-n"),
    "xfs": ("xfs_repair", "-n"),
    "btrfs": ("btrfs", "check", "--readonly"),
    "vfat": ("fsck.vfat", "-n"),
}


@pytest.mark.parametrize(
    ("kind", "mib", "label"), [("ext4", 64, "data"), ("xfs", 320, "data"), ("btrfs", 128, "data"), ("vfat", 64, "DATA")]
)
@pytest.mark.parametrize("table", ["mbr", "none"])
def test_each_file_system(loop_device: MakeDevice, kind: str, mib: int, label: str, table: str) -> None:
    device = loop_device(mib * MIB)
    asked = [{"filesystem": kind, "label": label, "mount_point": "/srv"}]
    (mount,) = layout(device, asked, table=table).mounts
    assert mount.device == (device.path if table == "none" else device.partition(1))
    assert (blkid(mount.device, "TYPE"), blkid(mount.device, "LABEL")) == (kind, label)
    run(*CHECKS[kind], mount.device)
    assert not layout(device, asked, table=table).changed


@pytest.mark.parametrize(
    "prepare",
    [
        ("mke2fs", "-q"),
        ("mkswap",),
        ("sfdisk", "--quiet", "--no-tell-kernel"),
    ],
    ids=["file system", "swap", "table"],
)
def test_data_is_refused_until_forced(loop_device: MakeDevice, prepare: tuple[str, ...]) -> None:
    device = loop_device(64 * MIB)
    run(*prepare, device.path, stdin="label: dos\nsize=10MiB\n" if prepare[0] == "sfdisk" else None)
    before = device.digest()
    asked = [{"name": "root", "filesystem": "ext4", "label": "root", "mount_point": "/"}]
    for check_mode in (True, False):
        with pytest.raises(Refused, match="Set 'force' to overwrite it"):
            layout(device, asked, check_mode=check_mode)
    assert device.digest() == before
    assert layout(device, asked, force=True).changed
    assert blkid(device.partition(1), "LABEL") == "root"
    assert run("wipefs", "--noheadings", "--output", "TYPE", device.path).split() == ["gpt", "gpt", "PMBR"]
    assert not layout(device, asked, force=True).changed


def test_signatures_of_several_file_systems_are_data(loop_device: MakeDevice) -> None:
    device = loop_device(320 * MIB)
    run("mkfs.xfs", "-q", device.path)
    with open(device.path, "r+b") as disk:
        magic = disk.read(4096)
    run("mkfs.ext4", "-q", "-F", device.path)
    with open(device.path, "r+b") as disk:
        disk.write(magic[:512])
    with pytest.raises(Refused, match="ambivalent"):
        layout(device, BOOTABLE)
    assert layout(device, BOOTABLE, force=True).changed


def test_a_forced_layout_leaves_nothing_of_the_old_one(loop_device: MakeDevice) -> None:
    device = loop_device(200 * MIB)
    layout(device, [{"size": "50MiB", "filesystem": "ext4"}, {"size": "50MiB", "filesystem": "ext4"}, {"size": "rest"}])
    assert device.holders() == 3
    # The second partition begins where it began, and is asked to hold nothing.
    made = layout(device, [{"size": "50MiB", "filesystem": "vfat"}, {"size": "rest"}], table="mbr", force=True)
    assert device.holders() == 2
    assert [one.filesystem and one.filesystem.type for one in made.device.partitions] == ["vfat", None]


def test_an_interrupted_run_is_continued(loop_device: MakeDevice) -> None:
    device = loop_device(400 * MIB)
    layout(device, BOOTABLE)
    esp = blkid(device.partition(2), "UUID")
    run("wipefs", "--quiet", "--all", device.partition(4))
    assert layout(device, BOOTABLE).changed
    assert blkid(device.partition(2), "UUID") == esp
    assert blkid(device.partition(4), "LABEL") == "root"


def test_a_device_in_use_is_refused_even_with_force(loop_device: MakeDevice, tmp_path: Path) -> None:
    device = loop_device(64 * MIB)
    asked = [{"filesystem": "ext4", "mount_point": "/"}]
    layout(device, asked)
    with mounted(device.partition(1), tmp_path):
        assert not layout(device, asked).changed, "what is right is right, also while it is mounted"
        with pytest.raises(Busy, match="is in use"):
            layout(device, asked, table="mbr", force=True)
    assert blkid(device.path, "PTTYPE") == "gpt"


def test_the_kernel_learns_of_a_table_that_another_tool_wrote(loop_device: MakeDevice) -> None:
    device = loop_device(64 * MIB)
    asked = [{"size": "10MiB", "filesystem": "ext4"}, {"filesystem": "ext4"}]
    layout(device, asked)
    run("partx", "--delete", device.path)
    assert device.holders() == 0
    assert not layout(device, asked).changed
    assert device.holders() == 2
