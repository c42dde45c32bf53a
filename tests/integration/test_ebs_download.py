# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Downloading snapshots of the lab through the EBS direct APIs."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.module_runs import run_module
from tests.lab_fixture import RunningLab

BLOCK = 512 * 1024
WRITTEN = {0: os.urandom(BLOCK), 3: os.urandom(BLOCK), 2047: os.urandom(BLOCK)}


@pytest.fixture
def snapshot_id(lab: RunningLab) -> Iterator[str]:
    """A snapshot of 1 GiB with three blocks written."""
    ebs = lab.client("ebs")
    snapshot: str = ebs.start_snapshot(VolumeSize=1)["SnapshotId"]
    for index, data in WRITTEN.items():
        ebs.put_snapshot_block(
            SnapshotId=snapshot,
            BlockIndex=index,
            BlockData=data,
            DataLength=BLOCK,
            Checksum=base64.b64encode(hashlib.sha256(data).digest()).decode(),
            ChecksumAlgorithm="SHA256",
        )
    ebs.complete_snapshot(SnapshotId=snapshot, ChangedBlocksCount=len(WRITTEN))
    ec2 = lab.client("ec2")
    ec2.get_waiter("snapshot_completed").wait(SnapshotIds=[snapshot], WaiterConfig={"Delay": 1})
    yield snapshot
    ec2.delete_snapshot(SnapshotId=snapshot)


def read(path: Path, index: int) -> bytes:
    """One block of a disk image."""
    with path.open("rb") as stream:
        stream.seek(index * BLOCK)
        return stream.read(BLOCK)


def test_the_file_is_the_snapshot_and_is_made_once(snapshot_id: str, lab: RunningLab, tmp_path: Path) -> None:
    path = tmp_path / "disk.raw"
    options = {"snapshot_id": snapshot_id, "path": str(path)}

    planned = run_module(tmp_path, "ebs_snapshot_download", options, check=True, env=lab.env)
    assert planned["changed"]
    assert not path.exists()

    made = run_module(tmp_path, "ebs_snapshot_download", options, env=lab.env)
    assert (made["changed"], made["size_bytes"], made["blocks"]) == (True, 1024**3, 3)
    assert {index: read(path, index) for index in WRITTEN} == WRITTEN
    assert read(path, 1) == bytes(BLOCK)
    assert path.stat().st_blocks * 512 == made["bytes_downloaded"] == 3 * BLOCK
    assert os.getxattr(path, "user.bakehouse.snapshot-id").decode() == snapshot_id

    again = run_module(tmp_path, "ebs_snapshot_download", options, env=lab.env)
    assert (again["changed"], again["bytes_downloaded"]) == (False, 0)


def test_a_snapshot_that_is_not_there_is_an_error_that_names_it(lab: RunningLab, tmp_path: Path) -> None:
    missing = "snap-0123456789abcdef0"

    result = run_module(
        tmp_path,
        "ebs_snapshot_download",
        {"snapshot_id": missing, "path": str(tmp_path / "disk.raw")},
        env=lab.env,
    )

    assert result["failed"]
    assert f"Cannot list the blocks of {missing}" in result["msg"]
    assert not list(tmp_path.glob("disk.raw*"))
