# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a layout does to a device, by what the device holds. Nothing is executed."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest
from ansible_collections.bakehouse.images.plugins.module_utils._disk import layout
from ansible_collections.bakehouse.images.plugins.module_utils._disk.devices import Device, Filesystem, Partition
from ansible_collections.bakehouse.images.plugins.module_utils._disk.layout import (
    MakeFilesystem,
    describe_device,
    mounts_of,
    plan_extents,
    plan_layout,
)
from ansible_collections.bakehouse.images.plugins.module_utils._disk.layout_request import LayoutRequest
from ansible_collections.bakehouse.images.plugins.module_utils._disk.sizes import GIB, MIB
from ansible_collections.bakehouse.images.plugins.module_utils._errors import Busy, Refused

from tests.replay import ReplayRunner

BLANK = Device("/dev/nvme1n1", "nvme1n1", 8 * GIB, 512, False)
PARAMS: dict[str, t.Any] = {
    "device": BLANK.path,
    "table": "gpt",
    "architecture": "x86_64",
    "partitions": [
        {"name": "esp", "size": "64MiB", "type": "esp", "filesystem": "vfat", "label": "ESP", "mount_point": "/efi"},
        {"name": "swap", "size": "1GiB", "filesystem": "swap"},
        {"name": "root", "filesystem": "ext4", "label": "root", "mount_point": "/", "mount_options": ["rw", "noatime"]},
    ],
}
MADE = (Filesystem("vfat", "ESP", "AF56-BD8C"), Filesystem("swap", None, "11"), Filesystem("ext4", "root", "22"))


@pytest.fixture(autouse=True)
def _idle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "require_idle", lambda path, purpose: None)


def asked(**options: t.Any) -> LayoutRequest:
    return LayoutRequest.from_params(dict(PARAMS, **options))


def laid_out(*filesystems: Filesystem | None) -> Device:
    """The device after the layout, with these file systems."""
    extents = plan_extents(asked(), BLANK.size_bytes, BLANK.sector_size)
    partitions = tuple(
        Partition(
            one.number,
            "/dev/nvme1n1p%d" % one.number,
            one.start_bytes,
            one.size_bytes,
            one.type,
            one.name,
            "u",
            False,
            fs,
        )
        for one, fs in zip(extents, filesystems)
    )
    return dataclasses.replace(BLANK, partition_table="gpt", partitions=partitions)


def plan(device: Device, **options: t.Any) -> list[str]:
    return [one.describe() for one in plan_layout(ReplayRunner({}), device, asked(**options))]


def test_a_blank_device_gets_everything() -> None:
    table, *filesystems = plan(BLANK)
    assert table.splitlines() == [
        "write a GPT partition table on /dev/nvme1n1",
        "partition 1: 64 MiB at 1 MiB, esp, name esp",
        "partition 2: 1 GiB at 65 MiB, swap, name swap",
        "partition 3: 6.9 GiB at 1.1 GiB, root-x86_64, name root",
    ]
    assert filesystems == [
        "make vfat on /dev/nvme1n1p1 (label ESP)",
        "make swap on /dev/nvme1n1p2",
        "make ext4 on /dev/nvme1n1p3 (label root)",
    ]


def test_what_is_right_is_left_alone() -> None:
    assert plan(laid_out(*MADE)) == []


def test_force_does_not_remake_what_is_right() -> None:
    assert plan(laid_out(*MADE), force=True) == []


def test_an_interrupted_run_is_continued() -> None:
    assert plan(laid_out(MADE[0], MADE[1], None)) == ["make ext4 on /dev/nvme1n1p3 (label root)"]


def test_a_rest_that_has_grown_with_its_volume_is_left_alone() -> None:
    grown = laid_out(*MADE)
    assert plan(dataclasses.replace(grown, size_bytes=16 * GIB)) == []


@pytest.mark.parametrize(
    "device",
    [
        dataclasses.replace(BLANK, filesystem=Filesystem("xfs", None, "1")),
        dataclasses.replace(BLANK, filesystem=Filesystem("LVM2_member", None, "1", "raid")),
        dataclasses.replace(BLANK, partition_table="dos"),
        dataclasses.replace(BLANK, partition_table="gpt"),
        laid_out(MADE[0], MADE[1], Filesystem("xfs", "root", "22")),
        laid_out(MADE[0], MADE[1], Filesystem("ext4", "data", "22")),
        dataclasses.replace(laid_out(*MADE), partitions=laid_out(*MADE).partitions[:2]),
    ],
    ids=["file system", "LVM", "empty MBR", "empty GPT", "another type", "another label", "a partition less"],
)
def test_data_is_refused_unless_forced(device: Device) -> None:
    with pytest.raises(Refused, match="would destroy that") as caught:
        plan(device)
    for line in describe_device(device):
        assert line in str(caught.value)
    assert plan(device, force=True)


def test_force_makes_no_more_than_needed() -> None:
    assert plan(laid_out(MADE[0], MADE[1], Filesystem("xfs", "root", "22")), force=True) == [
        "make ext4 on /dev/nvme1n1p3 (label root)"
    ]


def test_a_read_only_device_is_refused() -> None:
    with pytest.raises(Refused, match="read-only"):
        plan(dataclasses.replace(BLANK, read_only=True))


def test_a_busy_device_is_refused_even_with_force(monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(path: str, purpose: str) -> None:
        raise Busy("%s is in use." % path)

    monkeypatch.setattr(layout, "require_idle", busy)
    with pytest.raises(Busy):
        plan(BLANK, force=True)
    assert plan(laid_out(*MADE)) == [], "nothing to do is no reason to complain"


def test_mounts_come_in_the_order_of_mounting() -> None:
    assert [vars(one) for one in mounts_of(laid_out(*MADE), asked())] == [
        {
            "device": "/dev/nvme1n1p3",
            "mount_point": "/",
            "filesystem": "ext4",
            "options": "rw,noatime",
            "uuid": "22",
        },
        {
            "device": "/dev/nvme1n1p1",
            "mount_point": "/efi",
            "filesystem": "vfat",
            "options": None,
            "uuid": "AF56-BD8C",
        },
        {"device": "/dev/nvme1n1p2", "mount_point": None, "filesystem": "swap", "options": None, "uuid": "11"},
    ]
    assert [one.uuid for one in mounts_of(BLANK, asked())] == [None, None, None]


def test_one_file_system_on_the_whole_device() -> None:
    whole = {"table": "none", "partitions": [{"filesystem": "xfs", "mount_point": "/srv"}]}
    assert plan(BLANK, **whole) == ["make xfs on /dev/nvme1n1"]
    there = dataclasses.replace(BLANK, filesystem=Filesystem("xfs", None, "1"))
    assert plan(there, **whole) == []
    with pytest.raises(Refused, match="something else than the xfs"):
        plan(dataclasses.replace(BLANK, filesystem=Filesystem("ext4", None, "1")), **whole)


@pytest.mark.parametrize(
    ("filesystem", "versions", "command"),
    [
        (
            "ext4",
            {"mke2fs -V": ("", 0, "mke2fs 1.47.0 (5-Feb-2023)\n\tUsing EXT2FS Library version 1.47.0\n")},
            "mke2fs -q -F -t ext4 -O '^metadata_csum_seed,^orphan_file' -L root /dev/x",
        ),
        (
            "ext4",
            {"mke2fs -V": ("", 0, "mke2fs 1.46.5 (30-Dec-2021)\n\tUsing EXT2FS Library version 1.46.5\n")},
            "mke2fs -q -F -t ext4 -O '^metadata_csum_seed' -L root /dev/x",
        ),
        ("xfs", {"mkfs.xfs -V": "mkfs.xfs version 6.1.0\n"}, "mkfs.xfs -q -f -i nrext64=0 -L root /dev/x"),
        ("xfs", {"mkfs.xfs -V": "mkfs.xfs version 5.10.0\n"}, "mkfs.xfs -q -f -L root /dev/x"),
        ("btrfs", {}, "mkfs.btrfs -q -f -L root /dev/x"),
        ("vfat", {}, "mkfs.vfat -I -F 32 -n root /dev/x"),
        ("swap", {}, "mkswap --force --label root /dev/x"),
    ],
)
def test_file_systems_are_made_for_older_boot_loaders(
    filesystem: str, versions: dict[str, t.Any], command: str
) -> None:
    runner = ReplayRunner(dict(versions, **{"wipefs --quiet --all /dev/x": "", command: ""}))
    MakeFilesystem(runner, "/dev/x", filesystem, "root", 64 * MIB).execute()
    assert runner.calls[0] == "wipefs --quiet --all /dev/x"
    assert runner.calls[-1] == command
