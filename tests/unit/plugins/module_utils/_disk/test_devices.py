# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading devices from recorded output, and waiting for their partitions."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from ansible_collections.bakehouse.images.plugins.module_utils._disk import devices, nodes
from ansible_collections.bakehouse.images.plugins.module_utils._disk.devices import (
    AMBIVALENT,
    Device,
    Filesystem,
    Partition,
    device_node,
    device_result,
    filesystem_of,
    partition_number,
    partition_path,
    probe,
    read_device,
)
from ansible_collections.bakehouse.images.plugins.module_utils._disk.nodes import stale_partitions, with_partition_nodes
from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError, Invalid, NotFound, WaitTimeout

from tests.replay import ReplayRunner, StillClock

# util-linux 2.38.1
DISK = "DEVNAME=/dev/nvme1n1\nPTUUID=f0a76709-a248-ed4a-bb96-8b9f0b8cce91\nPTTYPE=gpt\n"
TABLE = """{
   "partitiontable": {
      "label": "gpt",
      "id": "F0A76709-A248-ED4A-BB96-8B9F0B8CCE91",
      "device": "/dev/nvme1n1",
      "unit": "sectors",
      "firstlba": 2048,
      "lastlba": 524254,
      "sectorsize": 512,
      "partitions": [
         {
            "node": "/dev/nvme1n1p2",
            "start": 4096,
            "size": 204800,
            "type": "C12A7328-F81F-11D2-BA4B-00A0C93EC93B",
            "uuid": "0064AE0F-C99A-0A4B-BDA4-3AFA2F8EEA92",
            "name": "esp"
         }
      ]
   }
}
"""
ESP = (
    "DEVNAME=/dev/nvme1n1p2\nSEC_TYPE=msdos\nLABEL_FATBOOT=EFI\\ PART\nLABEL=EFI\\ PART\nUUID=AF56-BD8C\n"
    "VERSION=FAT16\nBLOCK_SIZE=512\nTYPE=vfat\nUSAGE=filesystem\nPART_ENTRY_SCHEME=gpt\nPART_ENTRY_NAME=esp\n"
)


@pytest.fixture
def sysfs(tmp_path: Path) -> Path:
    """A sysfs with one NVMe disk of 256 MiB, whose partitions the kernel does not know."""
    folder = tmp_path / "devices" / "nvme1n1"
    for name, text in {
        "size": "524288",
        "ro": "0",
        "queue/logical_block_size": "512",
        "device/serial": "vol0a1b2c3d4e5f60718",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text + "\n")
    (tmp_path / "dev" / "block").mkdir(parents=True)
    (tmp_path / "dev" / "block" / "259:1").symlink_to(folder)
    (tmp_path / "class" / "block").mkdir(parents=True)
    (tmp_path / "class" / "block" / "nvme1n1").symlink_to(folder)
    return tmp_path


@pytest.fixture(autouse=True)
def _node(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "device_node", lambda path: ("/dev/nvme1n1", "259:1"))
    monkeypatch.setattr(devices, "has_node", lambda path: True)
    monkeypatch.setattr(nodes, "has_node", lambda path: True)


def recorded(**more: t.Any) -> ReplayRunner:
    return ReplayRunner(
        dict(
            {
                "blkid -p -o export /dev/nvme1n1": DISK,
                "blkid -p -o export /dev/nvme1n1p2": ESP,
                "sfdisk --json /dev/nvme1n1": TABLE,
                "partx --update --nr 2 /dev/nvme1n1": ("", 1, "partx: /dev/nvme1n1: error updating partition 2"),
            },
            **more,
        )
    )


def test_a_device_is_put_together_from_its_sources(sysfs: Path) -> None:
    device = read_device(recorded(), "/dev/sdf", sys_root=str(sysfs), dev_root=str(sysfs))
    assert device.usable_end_bytes == 524255 * 512
    assert device_result(device) == {
        "path": "/dev/nvme1n1",
        "kernel_name": "nvme1n1",
        "serial": "vol0a1b2c3d4e5f60718",
        "links": [],
        "size_bytes": 256 * 1024**2,
        "sector_size": 512,
        "read_only": False,
        "partition_table": "gpt",
        "firmware": ["uefi"],
        "filesystem": None,
        "partitions": [
            {
                "number": 2,
                "path": "/dev/nvme1n1p2",
                "start_bytes": 2 * 1024**2,
                "size_bytes": 100 * 1024**2,
                "type": "c12a7328-f81f-11d2-ba4b-00a0c93ec93b",
                "name": "esp",
                "uuid": "0064ae0f-c99a-0a4b-bda4-3afa2f8eea92",
                "filesystem": {"type": "vfat", "label": "EFI PART", "uuid": "AF56-BD8C"},
            }
        ],
    }


def test_partitions_that_the_kernel_does_not_show_in_time(sysfs: Path) -> None:
    with pytest.raises(WaitTimeout) as caught:
        with_partition_nodes(recorded(), "/dev/sdf", sys_root=str(sysfs), clock=StillClock())
    assert "After 30 seconds the kernel still does not show /dev/nvme1n1p2" in str(caught.value)
    assert "error updating partition 2" in str(caught.value)


def test_partitions_that_the_kernel_shows_late(sysfs: Path) -> None:
    class Kernel(StillClock):
        def sleep(self, seconds: float) -> None:
            super().sleep(seconds)
            folder = sysfs / "devices" / "nvme1n1" / "nvme1n1p2"
            folder.mkdir(exist_ok=True)
            (folder / "partition").write_text("2\n")
            (folder / "start").write_text("4096\n")
            # At first with its size before the table was changed.
            (folder / "size").write_text("2048\n" if self.seconds < 1 else "204800\n")

    clock = Kernel()
    device = with_partition_nodes(recorded(), "/dev/sdf", sys_root=str(sysfs), clock=clock)
    assert stale_partitions(device, str(sysfs)) == []
    assert clock.seconds >= 1


@pytest.mark.parametrize(("number", "stale"), [("1:3", False), ("259:7", True)])
def test_a_node_that_leads_to_another_device_is_not_taken_for_the_partitions(
    sysfs: Path, number: str, stale: bool
) -> None:
    folder = sysfs / "devices" / "nvme1n1" / "nvme1n1p1"
    folder.mkdir()
    for name, text in (("partition", "1"), ("start", "8"), ("size", "8"), ("dev", number)):
        (folder / name).write_text(text + "\n")
    # The one node with a number that is known on every machine.
    partition = Partition(1, "/dev/null", 8 * 512, 8 * 512, "x")
    device = Device("/dev/nvme1n1", "nvme1n1", 2**28, 512, False, partition_table="gpt", partitions=(partition,))
    assert stale_partitions(device, str(sysfs)) == ([partition] if stale else [])


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        (("", 2), None),
        (("", 8, "blkid: ambivalent result"), Filesystem(AMBIVALENT, usage=AMBIVALENT)),
        ("TYPE=LVM2_member\nUSAGE=raid\nUUID=abc\n", Filesystem("LVM2_member", None, "abc", "raid")),
        ("PTTYPE=dos\n", None),
    ],
)
def test_what_blkid_says(answer: t.Any, found: Filesystem | None) -> None:
    runner = ReplayRunner({"blkid -p -o export /dev/x": answer})
    assert filesystem_of(probe(runner, "/dev/x")) == found


def test_blkid_fails() -> None:
    runner = ReplayRunner({"blkid -p -o export /dev/x": ("", 4, "blkid: error: /dev/x: Input/output error")})
    with pytest.raises(BuildError, match="Input/output error"):
        probe(runner, "/dev/x")


@pytest.mark.parametrize(
    ("disk", "node", "number"),
    [("/dev/sda", "/dev/sda1", 1), ("/dev/xvdf", "/dev/xvdf12", 12), ("/dev/nvme0n1", "/dev/nvme0n1p3", 3)],
)
def test_names_of_partitions(disk: str, node: str, number: int) -> None:
    assert partition_path(disk, number) == node
    assert partition_number(disk, node) == number


def test_an_unknown_partition_is_an_error_that_lists_the_known_ones() -> None:
    device = Device("/dev/x", "x", 1, 512, False)
    with pytest.raises(NotFound, match="no partition 3; its partitions: none"):
        device.partition(3)


def test_paths_that_are_no_devices(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="There is no device"):
        device_node(str(tmp_path / "none"))
    with pytest.raises(Invalid, match="is not a block device"):
        device_node(str(tmp_path))


def test_the_kernel_is_told_partition_by_partition(sysfs: Path) -> None:
    for number, start in ((1, "2048"), (3, "999999")):
        folder = sysfs / "devices" / "nvme1n1" / ("nvme1n1p%d" % number)
        folder.mkdir()
        for name, text in (("partition", str(number)), ("start", start), ("size", "2048")):
            (folder / name).write_text(text)
    table = (
        Partition(1, "/dev/nvme1n1p1", 2048 * 512, 4096 * 512, "x"),
        Partition(3, "/dev/nvme1n1p3", 8192 * 512, 2048 * 512, "x"),
        Partition(15, "/dev/nvme1n1p15", 16384 * 512, 2048 * 512, "x"),
    )
    runner = ReplayRunner(
        {
            "partx --delete --nr 3 /dev/nvme1n1": "",
            "partx --update --nr 1 /dev/nvme1n1": "",
            "partx --update --nr 3 /dev/nvme1n1": ("", 1, "partx: busy"),
            "partx --update --nr 15 /dev/nvme1n1": "",
        }
    )
    device = Device("/dev/nvme1n1", "nvme1n1", 2**28, 512, False, partition_table="gpt", partitions=table)
    assert nodes.update_partitions(runner, device, str(sysfs)) == "partx: busy"
    assert sorted(runner.calls) == sorted(runner.answers)
    assert "delete" in runner.calls[0]
