# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Growing real file systems: the content stays, the tables and file systems are clean, a second run does nothing."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.bakehouse.images.plugins.module_utils._disk.growth import SLACK_BYTES, Grown, grow
from ansible_collections.bakehouse.images.plugins.module_utils._disk.layout import lay_out
from ansible_collections.bakehouse.images.plugins.module_utils._disk.layout_request import LayoutRequest
from ansible_collections.bakehouse.images.plugins.module_utils._errors import Busy, Refused
from ansible_collections.bakehouse.images.plugins.module_utils._run import LocalRunner

from tests.disks import GIB, MIB, LoopDevice, MakeDevice, mounted, plant_root, run, table_of, write_partitions

ESP = {"size": "64MiB", "type": "esp", "filesystem": "vfat"}


def grown(device: LoopDevice, partition: int | None = None, *, check_mode: bool = False) -> Grown:
    return grow(LocalRunner(), device.path, partition, check_mode=check_mode)


def lay(device: LoopDevice, place: Path, table: str, *partitions: dict[str, Any], root: int = -1) -> str:
    """Lay out the device, put a root with some content in one of its file systems, and return that one's path."""
    params = {"device": device.path, "table": table, "architecture": "x86_64", "partitions": list(partitions)}
    made = lay_out(LocalRunner(), LayoutRequest.from_params(params))
    path = device.path if table == "none" else made.device.partitions[root].path
    with mounted(path, place) as top:
        plant_root(top)
        (top / "content").write_bytes(bytes(range(256)) * 4096)
    return path


def check(kind: str, path: str) -> None:
    """The check of the file system's own tool, without repairs."""
    argv = {
        "ext4": ["e2fsck", "-f", "-n", path],
        "xfs": ["xfs_repair", "-n", path],
        "btrfs": ["btrfs", "check", "--readonly", path],
    }
    run(*argv[kind])


@pytest.mark.parametrize("kind", ["ext4", "xfs", "btrfs"])
@pytest.mark.parametrize("table", ["gpt", "mbr", "none"])
def test_a_root_grows_from_one_gib_to_two(loop_device: MakeDevice, tmp_path: Path, table: str, kind: str) -> None:
    device = loop_device(GIB)
    root = {"filesystem": kind, "label": "root", "mount_point": "/"}
    path = lay(device, tmp_path, table, *([root] if table == "none" else [ESP, root]))
    assert not grown(device).grown, "a volume of the source's size has nothing to grow"
    before = [] if table == "none" else table_of(device)
    device.grow(2 * GIB)

    digest = device.digest()
    predicted = grown(device, check_mode=True)
    assert predicted.grown
    assert device.digest() == digest, "check mode writes nothing"
    done = grown(device)
    assert (done.before, done.after, done.diff) == (predicted.before, predicted.after, predicted.diff)
    assert done.after.device_bytes == 2 * GIB
    assert done.after.filesystem_bytes - done.before.filesystem_bytes == pytest.approx(GIB, abs=SLACK_BYTES)

    check(kind, path)
    with mounted(path, tmp_path) as top:
        assert (top / "content").read_bytes() == bytes(range(256)) * 4096
    if table != "none":
        after = table_of(device)
        assert after[0] == before[0]
        assert {**after[1], "size": 0} == {**before[1], "size": 0}, "type, name and UUID stay"
    if table == "gpt":
        assert "No errors detected" in run("sfdisk", "--verify", device.path)
    digest = device.digest()
    again = grown(device)
    assert (again.grown, again.before) == (False, done.after)
    assert device.digest() == digest


def test_debian_numbers_its_root_first_and_has_it_last(loop_device: MakeDevice, tmp_path: Path) -> None:
    device = loop_device(256 * MIB)
    lines = [f"{device.partition(14)} : start=2048, size=6144", f"{device.partition(1)} : start=8192"]
    write_partitions(device, "gpt", lines)
    run("mkfs.ext4", "-q", device.partition(1))
    with mounted(device.partition(1), tmp_path) as top:
        plant_root(top)
    device.grow(512 * MIB)
    done = grown(device)
    assert (done.partition_number, done.after.partition_bytes) == (1, 507 * MIB)
    check("ext4", device.partition(1))


def test_an_interrupted_run_is_finished(loop_device: MakeDevice, tmp_path: Path) -> None:
    device = loop_device(128 * MIB)
    path = lay(device, tmp_path, "mbr", {"filesystem": "ext4", "mount_point": "/"})
    device.grow(256 * MIB)
    run("sfdisk", "--quiet", "--no-tell-kernel", "-N", "1", device.path, stdin=", +\n")
    done = grown(device)
    assert done.before.partition_bytes == done.after.partition_bytes == 255 * MIB
    assert done.after.filesystem_bytes == 255 * MIB
    check("ext4", path)


def test_a_snapshot_of_a_running_system_grows(loop_device: MakeDevice, tmp_path: Path) -> None:
    running = loop_device(128 * MIB)
    path = lay(running, tmp_path, "gpt", {"filesystem": "ext4", "mount_point": "/"})
    with mounted(path, tmp_path) as top:
        (top / "late").write_text("in the journal only")
        run("sync", "--file-system", top)
        snapshot = loop_device(copy_of=running)
    snapshot.grow(256 * MIB)
    assert grown(snapshot).grown
    check("ext4", snapshot.partition(1))
    with mounted(snapshot.partition(1), tmp_path) as top:
        assert (top / "late").read_text() == "in the journal only"


def test_an_xfs_grows_beside_its_mounted_twin(loop_device: MakeDevice, tmp_path: Path) -> None:
    host = loop_device(320 * MIB)
    path = lay(host, tmp_path, "none", {"filesystem": "xfs", "mount_point": "/"})
    image = loop_device(copy_of=host)
    image.grow(640 * MIB)
    with mounted(path, tmp_path) as top:
        assert grown(image).after.filesystem_bytes == 640 * MIB
        assert (top / "content").exists()
    uuids = {run("blkid", "-p", "-o", "value", "-s", "UUID", one.path) for one in (host, image)}
    assert len(uuids) == 1, "the image keeps its UUID"


def test_a_root_that_is_not_last_is_refused(loop_device: MakeDevice, tmp_path: Path) -> None:
    device = loop_device(256 * MIB)
    root = {"size": "128MiB", "filesystem": "ext4", "mount_point": "/"}
    lay(device, tmp_path, "gpt", root, {"filesystem": "ext4", "label": "data"}, root=0)
    assert not grown(device).grown
    device.grow(512 * MIB)
    digest = device.digest()
    for check_mode in (True, False):
        with pytest.raises(Refused, match=r"come after partition 2 \(ext4 \(label data\)"):
            grown(device, check_mode=check_mode)
    assert device.digest() == digest
    assert grown(device, 2).after.partition_bytes == 382 * MIB


def test_a_logical_partition_is_refused(loop_device: MakeDevice, tmp_path: Path) -> None:
    device = loop_device(256 * MIB)
    write_partitions(device, "dos", ["size=50MiB, type=83", "type=5", "type=83"])
    run("mkfs.ext4", "-q", device.partition(5))
    with mounted(device.partition(5), tmp_path) as top:
        plant_root(top)
    assert not grown(device).grown
    device.grow(512 * MIB)
    with pytest.raises(Refused, match="its MBR has an extended partition"):
        grown(device)


def test_a_broken_file_system_is_not_grown(loop_device: MakeDevice, tmp_path: Path) -> None:
    device = loop_device(128 * MIB)
    path = lay(device, tmp_path, "none", {"filesystem": "ext4", "mount_point": "/"})
    subprocess.run(["debugfs", "-w", "-R", "clri /content", path], check=True, capture_output=True)
    subprocess.run(["debugfs", "-w", "-R", "clri /etc", path], check=True, capture_output=True)
    device.grow(256 * MIB)
    with pytest.raises(Refused, match=r"errors that e2fsck does not correct"):
        grown(device, 0)


def test_a_device_in_use_is_refused(loop_device: MakeDevice, tmp_path: Path) -> None:
    device = loop_device(128 * MIB)
    path = lay(device, tmp_path, "gpt", {"filesystem": "ext4", "mount_point": "/"})
    device.grow(256 * MIB)
    for partition in (None, 1):
        with mounted(path, tmp_path), pytest.raises(Busy, match="is in use"):
            grown(device, partition)


def test_swap_cannot_be_grown(loop_device: MakeDevice) -> None:
    device = loop_device(64 * MIB)
    run("mkswap", device.path)
    with pytest.raises(Refused, match="holds swap, which cannot be grown here"):
        grown(device, 0)
