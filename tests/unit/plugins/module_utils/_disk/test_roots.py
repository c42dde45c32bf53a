# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of the file systems seen is the root, and what is said when it cannot be told."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from ansible_collections.bakehouse.images.plugins.module_utils._disk.devices import Device, Filesystem, Partition
from ansible_collections.bakehouse.images.plugins.module_utils._disk.roots import (
    Candidate,
    Seen,
    candidates,
    choose,
    choose_subvolume,
    refuse_twin,
)
from ansible_collections.bakehouse.images.plugins.module_utils._disk.tables import ROOT_TYPES, TYPES
from ansible_collections.bakehouse.images.plugins.module_utils._disk.trees import Tree
from ansible_collections.bakehouse.images.plugins.module_utils._errors import Conflict, NotFound, Refused

LINUX = TYPES["linux"][0]
SYSTEM = Tree({"ID": "tiny", "PRETTY_NAME": "Tiny 1"}, True, "", ("bin", "etc"))
BOOT = Tree(None, False, "", ("grub", "vmlinuz"))


def disk(*filesystems: str | None) -> Device:
    partitions = tuple(
        Partition(number, "/dev/xvdf%d" % number, 0, 1, LINUX, filesystem=Filesystem(kind) if kind else None)
        for number, kind in enumerate(filesystems, start=1)
    )
    return Device("/dev/xvdf", "xvdf", 1, 512, False, partition_table="gpt", partitions=partitions)


def seen(number: int, tree: Tree | None, *, type: str = LINUX, **more: t.Any) -> Seen:  # noqa: A002
    return Seen(Candidate("/dev/xvdf%d" % number, Filesystem("ext4"), number, type), tree, **more)


def test_content_decides() -> None:
    found = choose(disk("ext4", "ext4"), [seen(1, BOOT, type=ROOT_TYPES["x86_64"]), seen(2, SYSTEM)], [], None)
    assert found.candidate.number == 2


def test_between_two_systems_the_type_of_the_partition_decides() -> None:
    found = choose(disk("ext4", "ext4"), [seen(1, SYSTEM), seen(2, SYSTEM, type=ROOT_TYPES["aarch64"])], [], None)
    assert found.candidate.number == 2


def test_two_systems_alike_are_an_error_that_says_how_to_choose() -> None:
    with pytest.raises(Conflict) as caught:
        choose(disk("ext4", "ext4"), [seen(1, SYSTEM), seen(2, SYSTEM)], [], None)
    assert str(caught.value) == (
        "/dev/xvdf holds several root file systems: partition 1 (ext4): a root file system (Tiny 1); "
        "partition 2 (ext4): a root file system (Tiny 1). Name one with 'partition'."
    )


def test_two_systems_in_one_btrfs() -> None:
    both = [seen(1, SYSTEM, subvolume="a"), seen(1, SYSTEM, subvolume="b")]
    with pytest.raises(Conflict, match=r"subvolume a: .* subvolume b: .* default subvolume"):
        choose(disk("btrfs"), both, [], None)


def test_what_was_seen_instead_of_a_root() -> None:
    device = disk("ext4", "xfs", "LVM2_member")
    _wanted, lines = candidates(device, None)
    looked = [seen(1, BOOT), seen(2, None, trouble="cannot be mounted: bad superblock")]
    with pytest.raises(NotFound) as caught:
        choose(device, looked, lines, None)
    message = str(caught.value)
    assert "partition 1 (ext4): has no os-release file (it holds: grub, vmlinuz)" in message
    assert "partition 2 (ext4): cannot be mounted: bad superblock" in message
    assert "partition 3 (LVM2_member): an LVM physical volume" in message


@pytest.mark.parametrize(
    ("device", "words"),
    [
        (disk(None, None), "None of its 2 partitions holds a file system."),
        (Device("/dev/xvdf", "xvdf", 1, 512, False), "It has neither a partition table nor a file system."),
        (Device("/dev/xvdf", "xvdf", 1, 512, False, partition_table="gpt"), "It has an empty partition table."),
    ],
)
def test_an_empty_device(device: Device, words: str) -> None:
    with pytest.raises(NotFound, match=words):
        choose(device, [], [], None)


@pytest.mark.parametrize(
    ("device", "partition", "numbers"),
    [
        (disk(None, "vfat", "ext4", "swap", "xfs"), None, [3, 5]),
        (disk("ext4", "ext4"), 2, [2]),
        (Device("/dev/xvdf", "xvdf", 1, 512, False, filesystem=Filesystem("xfs")), None, [None]),
        (Device("/dev/xvdf", "xvdf", 1, 512, False, filesystem=Filesystem("xfs")), 0, [None]),
        (disk("ext4"), 0, []),
    ],
)
def test_what_is_looked_at(device: Device, partition: int | None, numbers: list[int | None]) -> None:
    wanted, _lines = candidates(device, partition)
    assert [one.number for one in wanted] == numbers


def test_a_partition_that_is_not_there() -> None:
    with pytest.raises(NotFound, match="no partition 7; its partitions: 1, 2"):
        candidates(disk("ext4", "ext4"), 7)


def fstab(subvolume: str) -> Tree:
    return Tree({}, True, "UUID=1 / btrfs subvol=/%s,noatime 0 0\n" % subvolume)


@pytest.mark.parametrize(
    ("roots", "names"),
    [
        ({"@": SYSTEM}, ["@"]),
        ({"@": SYSTEM, "@/.snapshots/1/snapshot": SYSTEM}, ["@"]),
        ({"root": SYSTEM, "root-old": SYSTEM}, ["root"]),
        # Snapshots carry the same fstab as what they were taken of.
        ({"system": fstab("system"), "before": fstab("system")}, ["system"]),
        ({"a": SYSTEM, "b": SYSTEM}, ["a", "b"]),
        ({}, []),
    ],
)
def test_subvolumes(roots: dict[str, Tree], names: list[str]) -> None:
    assert choose_subvolume(roots) == names


def test_a_btrfs_mounted_from_another_device_is_refused_where_the_kernel_mixes_them_up(tmp_path: Path) -> None:
    ours = Candidate("/dev/xvdf1", Filesystem("btrfs", None, "e460bdba"), 1)
    refuse_twin(ours, sys_root=str(tmp_path))
    (tmp_path / "fs/btrfs/e460bdba/devices/xvda1").mkdir(parents=True)
    with pytest.raises(Refused, match="has a file system with the same id mounted from xvda1"):
        refuse_twin(ours, sys_root=str(tmp_path))
    refuse_twin(Candidate("/dev/xvdf1", Filesystem("ext4", None, "e460bdba"), 1), sys_root=str(tmp_path))
    (tmp_path / "fs/btrfs/features/temp_fsid").mkdir(parents=True)
    refuse_twin(ours, sys_root=str(tmp_path))
