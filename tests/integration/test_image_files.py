# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Disk image files on file systems that share blocks, and on one without attributes; and as loop devices."""

from __future__ import annotations

import typing as t
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.bakehouse.images.plugins.module_utils._errors import Busy
from ansible_collections.bakehouse.images.plugins.module_utils._image_file import loops
from ansible_collections.bakehouse.images.plugins.module_utils._image_file.file_tags import read_tags
from ansible_collections.bakehouse.images.plugins.module_utils._image_file.looking import require
from ansible_collections.bakehouse.images.plugins.module_utils._image_file.removal import plan_removal, remove
from ansible_collections.bakehouse.images.plugins.module_utils._image_file.sparse import copy_file
from ansible_collections.bakehouse.images.plugins.module_utils._image_file.writing import FileRequest, plan_present
from ansible_collections.bakehouse.images.plugins.module_utils._plan import apply_plan
from ansible_collections.bakehouse.images.plugins.module_utils._run import LocalRunner

from tests.disks import MIB, LoopDevice, MakeDevice, mounted, run, table_of, write_partitions

BUILD = "3f9c2a7d51e84b60"
RUNNER = LocalRunner()


def have(path: Path, **options: t.Any) -> bool:
    """Have a file, and say whether that changed anything."""
    plan = plan_present(RUNNER, FileRequest(path=str(path), **options))
    apply_plan(plan.operations)
    return bool(plan.operations)


def free_bytes(folder: Path) -> int:
    return int(run("stat", "--file-system", "--format", "%f", folder)) * int(
        run("stat", "--file-system", "--format", "%S", folder)
    )


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A disk with 64 MiB of data and as much of nothing."""
    path = tmp_path / "data.raw"
    path.write_bytes(bytes(range(1, 129)) * (64 * MIB // 128))
    with path.open("r+b") as stream:
        stream.truncate(128 * MIB)
    return path


@pytest.fixture(params=["btrfs", "xfs"])
def sharing(request: pytest.FixtureRequest, loop_device: MakeDevice, tmp_path: Path) -> Iterator[Path]:
    """A file system whose files can share blocks."""
    device: LoopDevice = loop_device(512 * MIB)
    run(f"mkfs.{request.param}", "-q", device.path)
    with mounted(device.path, tmp_path) as root:
        yield root


def test_a_child_shares_its_parents_blocks_where_the_file_system_can(sharing: Path, data: Path) -> None:
    run("cp", "--sparse=always", data, sharing / "parent.raw")
    run("sync", "--file-system", sharing / "parent.raw")
    before = free_bytes(sharing)
    assert copy_file(str(sharing / "parent.raw"), str(sharing / "child.raw")) == "reflink"
    run("sync", "--file-system", sharing / "child.raw")
    assert before - free_bytes(sharing) < 4 * MIB
    run("cmp", sharing / "parent.raw", sharing / "child.raw")


def test_a_copy_across_file_systems_is_sparse(sharing: Path, data: Path) -> None:
    assert copy_file(str(data), str(sharing / "child.raw")) == "copy"
    run("cmp", data, sharing / "child.raw")
    assert (sharing / "child.raw").stat().st_blocks * 512 <= 65 * MIB


def test_formats_are_converted_and_differences_kept(data: Path, tmp_path: Path) -> None:
    child, overlay, whole, back = (tmp_path / name for name in ("child.raw", "o.qcow2", "w.qcow2", "back.raw"))
    have(child, source=str(data), size_bytes=256 * MIB)
    with child.open("r+b") as stream:
        stream.seek(100 * MIB)
        stream.write(b"the difference")
    have(overlay, format="qcow2", source=str(child), backing_file=str(data))
    assert overlay.stat().st_size < MIB
    have(whole, format="qcow2", source=str(overlay), compress=True)
    have(back, source=str(whole))
    run("cmp", child, back)
    found = require(RUNNER, str(overlay))
    assert (found.size_bytes, found.backing_file) == (256 * MIB, "data.raw")
    assert not have(whole, format="qcow2", source=str(overlay), compress=True)


def test_tags_lie_beside_a_file_where_the_file_system_has_no_attributes(tmp_path: Path) -> None:
    place = tmp_path / "ramfs"
    place.mkdir()
    run("mount", "-t", "ramfs", "ramfs", place)
    try:
        image = place / "web.raw"
        tags = {"bakehouse:build-id": BUILD, "bakehouse:fingerprint": "f1"}
        disk = place / f".web.raw.{BUILD}.disk"
        assert have(disk, size_bytes=MIB, tags={"bakehouse:build-id": BUILD})
        assert have(image, source=str(disk), remove_source=True, tags=tags)
        assert sorted(it.name for it in place.iterdir()) == [".web.raw.bakehouse.json", "web.raw"]
        assert read_tags(str(image)).items() >= tags.items()
        assert not have(image, size_bytes=MIB, tags=tags)
        remove(plan_removal(RUNNER, str(place), BUILD, keep=None, timeout_seconds=1))
        assert list(place.iterdir()) == []
    finally:
        run("umount", place)


@pytest.fixture
def partitioned(tmp_path: Path, loop_device: MakeDevice) -> Path:
    """An image file with partitions numbered 1 and 14, not attached."""
    device = loop_device(64 * MIB)
    write_partitions(device, "gpt", ["size=8MiB", f"{device.path}p14 : size=8MiB, type=U"])
    assert len(table_of(device)) == 2
    run("blockdev", "--flushbufs", device.path)
    path = tmp_path / "partitioned.raw"
    run("cp", "--sparse=always", device.file, path)
    return path


def test_a_file_is_attached_with_all_its_partitions_and_really_detached(partitioned: Path) -> None:
    device = loops.attach(RUNNER, str(partitioned))
    try:
        assert all(Path(one.path).is_block_device() for one in device.partitions)
        assert len(device.partitions) == 2
        assert loops.attach(RUNNER, str(partitioned)).path == device.path, "it keeps its device"
    finally:
        assert loops.detach(RUNNER, str(partitioned), timeout_seconds=10) == [device.path]
    assert loops.loops_of(str(partitioned)) == []
    assert loops.detach(RUNNER, str(partitioned), timeout_seconds=10) == []


def test_a_device_in_use_is_not_detached_behind_ones_back(data: Path, tmp_path: Path) -> None:
    device = loops.attach(RUNNER, str(data))
    run("mkfs.ext4", "-q", "-F", device.path)
    with mounted(device.path, tmp_path), pytest.raises(Busy, match="is still in use"):
        loops.detach(RUNNER, str(data), timeout_seconds=0)
    assert loops.detach(RUNNER, str(data), timeout_seconds=10) == [device.path]
