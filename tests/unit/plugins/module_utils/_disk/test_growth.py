# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What growing does, by where the root lies. Nothing is executed."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.bakehouse.images.plugins.module_utils._disk.devices import Device, Filesystem, Partition
from ansible_collections.bakehouse.images.plugins.module_utils._disk.growth import (
    GrowPartition,
    Sizes,
    Target,
    move_gpt_backup,
    plan_growth,
)
from ansible_collections.bakehouse.images.plugins.module_utils._disk.resize import (
    Extents,
    filesystem_extents,
    grow_filesystem,
)
from ansible_collections.bakehouse.images.plugins.module_utils._disk.sizes import GIB, MIB
from ansible_collections.bakehouse.images.plugins.module_utils._errors import CommandFailed, Refused

from tests.replay import ReplayRunner

Piece = t.Tuple[int, int, int, str]


def disk(table: str | None, size: int, *pieces: Piece, read_only: bool = False) -> Device:
    """A disk with partitions given by number, start, end and type."""
    partitions = tuple(
        Partition(number, "/dev/nvme1n1p%d" % number, start, end - start, kind, filesystem=Filesystem("ext4"))
        for number, start, end, kind in pieces
    )
    return Device("/dev/nvme1n1", "nvme1n1", size, 512, read_only, partition_table=table, partitions=partitions)


def plan(device: Device, number: int | None, filesystem_bytes: int) -> tuple[list[str], Sizes]:
    partition = device.partition(number) if number else None
    before = Sizes(device.size_bytes, partition.size_bytes if partition else None, filesystem_bytes)
    path = partition.path if partition else device.path
    operations, after = plan_growth(ReplayRunner({}), Target(device, path, "ext4", number, 4096, before))
    return [one.describe() for one in operations], after


def test_the_partition_then_the_file_system() -> None:
    # Debian's cloud images: the root is number 1, and the last on the disk.
    device = disk("gpt", 12 * GIB, (14, MIB, 4 * MIB, "x"), (15, 4 * MIB, 128 * MIB, "x"), (1, 128 * MIB, 8 * GIB, "x"))
    steps, after = plan(device, 1, 8 * GIB - 128 * MIB)
    assert steps == [
        "grow partition 1 of /dev/nvme1n1 to 11.9 GiB",
        "grow the ext4 on /dev/nvme1n1p1 to 11.9 GiB",
    ]
    assert after == Sizes(12 * GIB, 12 * GIB - 129 * MIB, 12 * GIB - 129 * MIB)


def test_a_file_system_without_partitions() -> None:
    steps, after = plan(disk(None, 12 * GIB), None, 8 * GIB)
    assert steps == ["grow the ext4 on /dev/nvme1n1 to 12 GiB"]
    assert after == Sizes(12 * GIB, None, 12 * GIB)


def test_an_interrupted_run_is_finished() -> None:
    steps, _after = plan(disk("dos", 12 * GIB, (1, MIB, 12 * GIB, "83")), 1, 8 * GIB)
    assert steps == ["grow the ext4 on /dev/nvme1n1p1 to 12 GiB"]


@pytest.mark.parametrize(
    "end", [8 * GIB - MIB, 8 * GIB - 17408, 8 * GIB - 16 * MIB], ids=["aligned", "to the last sector", "with slack"]
)
def test_a_volume_of_the_source_size_is_left_alone(end: int) -> None:
    device = disk("gpt", 8 * GIB, (1, 128 * MIB, end, "x"))
    assert plan(device, 1, end - 128 * MIB) == ([], Sizes(8 * GIB, end - 128 * MIB, end - 128 * MIB))


@pytest.mark.parametrize(
    ("device", "number", "reason"),
    [
        (
            disk("gpt", 12 * GIB, (1, MIB, 7 * GIB, "x"), (2, 7 * GIB, 8 * GIB, "x")),
            1,
            r"the 4 GiB free at the end of the device come after partition 2 \(ext4, 1 GiB\)",
        ),
        (
            disk("dos", 12 * GIB, (1, MIB, GIB, "83"), (2, GIB, 8 * GIB, "5"), (5, GIB + MIB, 8 * GIB, "83")),
            5,
            "its MBR has an extended partition",
        ),
        (
            disk("dos", 12 * GIB, (1, MIB, GIB, "83"), (2, GIB, 8 * GIB, "f")),
            1,
            "its MBR has an extended partition",
        ),
    ],
    ids=["not the last", "logical", "before an extended one"],
)
def test_space_that_the_root_cannot_have(device: Device, number: int, reason: str) -> None:
    with pytest.raises(Refused, match=reason):
        plan(device, number, GIB)


def test_a_root_that_is_not_last_is_fine_where_there_is_no_space() -> None:
    device = disk("gpt", 8 * GIB, (1, MIB, 7 * GIB, "x"), (2, 7 * GIB, 8 * GIB - 2 * MIB, "x"))
    assert plan(device, 1, 7 * GIB - MIB)[0] == []


def test_a_read_only_device() -> None:
    with pytest.raises(Refused, match="read-only"):
        plan(disk("gpt", 12 * GIB, (1, MIB, 8 * GIB, "x"), read_only=True), 1, GIB)


def test_an_mbr_counts_no_further_than_two_tib() -> None:
    steps, after = plan(disk("dos", 3000 * GIB, (1, MIB, 8 * GIB, "83")), 1, 8 * GIB - MIB)
    assert len(steps) == 2
    assert after.partition_bytes == 2048 * GIB - 2 * MIB


def test_the_backup_of_a_gpt_is_moved_before_the_partition() -> None:
    relocate = "sfdisk --quiet --no-tell-kernel --relocate gpt-bak-std /dev/nvme1n1"
    resize = "sfdisk --quiet --no-tell-kernel --no-reread -N 1 /dev/nvme1n1"
    runner = ReplayRunner({relocate: "", resize: ("", 1, "sfdisk: Failed to resize partition #1.")})
    operation = GrowPartition(runner, disk("gpt", 12 * GIB, (1, MIB, 8 * GIB, "x")), 1, 12 * GIB - 2 * MIB)
    with pytest.raises(CommandFailed, match="Failed to resize partition #1"):
        operation.execute()
    assert runner.calls == [relocate, resize]
    assert runner.inputs[resize] == "size=25161728\n"


# e2fsprogs 1.47.0, xfsprogs 6.1.0, btrfs-progs 6.2
RECORDED = {
    "dumpe2fs -h /dev/a": "Filesystem state:         clean\nBlock count:              524288\n"
    "Reserved block count:     26214\nFirst block:              0\nBlock size:               4096\n",
    "xfs_db -r -c 'sb 0' -c 'print dblocks blocksize' /dev/b": "dblocks = 153600\nblocksize = 4096\n",
    "btrfs inspect-internal dump-super /dev/c": "total_bytes\t\t209715200\nsectorsize\t\t4096\nnum_devices\t\t1\n"
    "dev_item.total_bytes\t209715200\ndev_item.devid\t\t1\n",
    "btrfs inspect-internal dump-super /dev/d": "num_devices\t\t2\n",
}


def test_sizes_are_read_from_superblocks() -> None:
    runner = ReplayRunner(RECORDED)
    assert filesystem_extents(runner, "ext4", "/dev/a") == Extents(524288 * 4096, 4096)
    assert filesystem_extents(runner, "xfs", "/dev/b") == Extents(153600 * 4096, 4096)
    assert filesystem_extents(runner, "btrfs", "/dev/c") == Extents(209715200, 4096)
    with pytest.raises(Refused, match="spans several devices"):
        filesystem_extents(runner, "btrfs", "/dev/d")
    with pytest.raises(Refused, match="squashfs, which cannot be grown here"):
        filesystem_extents(runner, "squashfs", "/dev/e")


@pytest.mark.parametrize("rc", [0, 1, 2])
def test_a_checked_ext4_is_resized(rc: int) -> None:
    runner = ReplayRunner({"e2fsck -f -p /dev/a": ("", rc), "resize2fs /dev/a": ""})
    grow_filesystem(runner, "ext4", "/dev/a")
    assert runner.calls == ["e2fsck -f -p /dev/a", "resize2fs /dev/a"]


def test_a_broken_ext4_is_not() -> None:
    said = "/dev/a: UNEXPECTED INCONSISTENCY; RUN fsck MANUALLY."
    runner = ReplayRunner({"e2fsck -f -p /dev/a": (said, 4)})
    with pytest.raises(Refused, match="RUN fsck MANUALLY"):
        grow_filesystem(runner, "ext4", "/dev/a")


def test_the_backup_of_a_gpt_is_moved_by_sgdisk_where_sfdisk_cannot() -> None:
    runner = ReplayRunner(
        {
            "sfdisk --quiet --no-tell-kernel --relocate gpt-bak-std /dev/a": (
                "",
                1,
                "sfdisk: unrecognized option '--relocate'",
            ),
            "sgdisk --move-second-header /dev/a": "",
        }
    )
    move_gpt_backup(runner, "/dev/a")
    assert runner.calls[-1] == "sgdisk --move-second-header /dev/a"
