# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The EBS direct APIs, where moto differs from them. Quotes are from the API reference."""

from __future__ import annotations

import base64
import hashlib
import typing as t

import pytest

from lab.plane.blocks import BLOCK_SIZE
from tests.lab.resources import Resources, refused
from tests.lab_fixture import RunningLab


def _digest(content: bytes) -> str:
    return base64.b64encode(hashlib.sha256(content).digest()).decode()


class Upload:
    """A snapshot that is being written."""

    def __init__(self, lab: RunningLab, made: Resources, **options: t.Any) -> None:
        self.ebs = lab.client("ebs")
        self.answer = self.ebs.start_snapshot(**{"VolumeSize": 1, **options})
        self.id = made.keep(self.answer["SnapshotId"])
        self.digests: dict[int, bytes] = {}

    def put(self, index: int, letter: bytes, **wrong: t.Any) -> None:
        content = letter * BLOCK_SIZE
        right = {
            "BlockData": content,
            "DataLength": BLOCK_SIZE,
            "Checksum": _digest(content),
            "ChecksumAlgorithm": "SHA256",
        }
        self.ebs.put_snapshot_block(SnapshotId=self.id, BlockIndex=index, **{**right, **wrong})
        self.digests[index] = hashlib.sha256(content).digest()

    def complete(self, **wrong: t.Any) -> str:
        joined = b"".join(self.digests[index] for index in sorted(self.digests))
        right = {
            "ChangedBlocksCount": len(self.digests),
            "Checksum": _digest(joined),
            "ChecksumAlgorithm": "SHA256",
            "ChecksumAggregationMethod": "LINEAR",
        }
        return str(self.ebs.complete_snapshot(SnapshotId=self.id, **{**right, **wrong})["Status"])

    def blocks(self, **options: t.Any) -> list[int]:
        return [one["BlockIndex"] for one in self.ebs.list_snapshot_blocks(SnapshotId=self.id, **options)["Blocks"]]


def test_a_snapshot_from_blocks(lab: RunningLab, made: Resources) -> None:
    """pending until it is completed, in EC2 too; then its blocks are listed in order (StartSnapshot)."""
    tags = [{"Key": "bakehouse:build-id", "Value": "3f9c"}]
    upload = Upload(lab, made, Description="from blocks", Tags=tags)
    assert upload.answer["BlockSize"] == BLOCK_SIZE
    for index, letter in ((7, b"c"), (0, b"a"), (2047, b"d"), (3, b"b")):
        upload.put(index, letter)
    shown = made.ec2.describe_snapshots(SnapshotIds=[upload.id])["Snapshots"][0]
    assert (shown["State"], shown["Tags"], shown["Description"]) == ("pending", tags, "from blocks")
    with refused("ValidationException"):
        upload.blocks()
    assert upload.complete() == "completed"
    assert upload.blocks() == [0, 3, 7, 2047]
    assert made.ec2.describe_snapshots(SnapshotIds=[upload.id])["Snapshots"][0]["State"] == "completed"
    with refused("ValidationException"):
        upload.put(1, b"x")


@pytest.mark.parametrize(
    ("index", "wrong"),
    [
        (2048, {}),
        (0, {"Checksum": _digest(b"something else")}),
        (0, {"BlockData": b"short", "DataLength": 5}),
        (0, {"Progress": 101}),
    ],
)
def test_bad_blocks(lab: RunningLab, made: Resources, index: int, wrong: dict[str, t.Any]) -> None:
    """ValidationException: outside of the volume, checksum, length, progress (PutSnapshotBlock)."""
    upload = Upload(lab, made)
    with refused("ValidationException"):
        upload.put(index, b"a", **wrong)


def test_bad_completion(lab: RunningLab, made: Resources) -> None:
    """The count and the checksum over the blocks' checksums must be right (CompleteSnapshot)."""
    upload = Upload(lab, made)
    upload.put(0, b"a")
    upload.put(1, b"b")
    with refused("ValidationException", "ChangedBlocksCount"):
        upload.complete(ChangedBlocksCount=3)
    with refused("ValidationException", "checksum"):
        upload.complete(Checksum=_digest(b"a" * BLOCK_SIZE + b"b" * BLOCK_SIZE))
    assert upload.complete() == "completed"


def test_a_child_has_its_parents_blocks(lab: RunningLab, made: Resources) -> None:
    """ParentSnapshotId: blocks that are not written are the parent's (StartSnapshot)."""
    parent = Upload(lab, made)
    parent.put(1, b"a")
    parent.put(2, b"b")
    parent.complete()
    child = Upload(lab, made, ParentSnapshotId=parent.id)
    child.put(2, b"B")
    child.put(5, b"e")
    child.complete()
    assert child.blocks() == [1, 2, 5]

    changed = child.ebs.list_changed_blocks(FirstSnapshotId=parent.id, SecondSnapshotId=child.id)["ChangedBlocks"]
    assert [block["BlockIndex"] for block in changed] == [2, 5]
    assert "FirstBlockToken" in changed[0]
    assert "FirstBlockToken" not in changed[1]
    alone = child.ebs.list_changed_blocks(SecondSnapshotId=child.id)["ChangedBlocks"]
    assert [block["BlockIndex"] for block in alone] == [1, 2, 5]


def test_pages(lab: RunningLab, made: Resources) -> None:
    """MaxResults 100 to 10000, NextToken, StartingBlockIndex (ListSnapshotBlocks)."""
    upload = Upload(lab, made)
    for index in range(0, 240, 2):
        upload.put(index, b"x")
    upload.complete()
    first = upload.ebs.list_snapshot_blocks(SnapshotId=upload.id, MaxResults=100)
    second = upload.ebs.list_snapshot_blocks(SnapshotId=upload.id, MaxResults=100, NextToken=first["NextToken"])
    assert "NextToken" not in second
    seen = [block["BlockIndex"] for block in first["Blocks"] + second["Blocks"]]
    assert seen == list(range(0, 240, 2))
    assert upload.blocks(StartingBlockIndex=235) == [236, 238]
    with refused("ValidationException"):
        upload.blocks(NextToken="nonsense")


def test_reading_needs_the_blocks_token(lab: RunningLab, made: Resources) -> None:
    """The token of another block is no good (GetSnapshotBlock, BlockToken)."""
    upload = Upload(lab, made)
    upload.put(0, b"a")
    upload.put(1, b"b")
    upload.complete()
    first, second = upload.ebs.list_snapshot_blocks(SnapshotId=upload.id)["Blocks"]
    answer = upload.ebs.get_snapshot_block(SnapshotId=upload.id, BlockIndex=1, BlockToken=second["BlockToken"])
    assert answer["BlockData"].read() == b"b" * BLOCK_SIZE
    assert answer["Checksum"] == _digest(b"b" * BLOCK_SIZE)
    with refused("ValidationException", "token"):
        upload.ebs.get_snapshot_block(SnapshotId=upload.id, BlockIndex=1, BlockToken=first["BlockToken"])


def test_client_token(lab: RunningLab, made: Resources) -> None:
    """One snapshot for one token; ConflictException with other parameters (StartSnapshot, ClientToken)."""
    first, second = Upload(lab, made, ClientToken="t"), Upload(lab, made, ClientToken="t")
    assert first.id == second.id
    with refused("ConflictException"):
        Upload(lab, made, ClientToken="t", VolumeSize=2)


def test_unknown_snapshots(lab: RunningLab) -> None:
    """ResourceNotFoundException, status 404."""
    ebs = lab.client("ebs")
    with refused("ResourceNotFoundException"):
        ebs.list_snapshot_blocks(SnapshotId="snap-0123456789abcdef0")
    with refused("ResourceNotFoundException"):
        ebs.start_snapshot(VolumeSize=1, ParentSnapshotId="snap-0123456789abcdef0")


def test_what_ec2_made_is_readable(lab: RunningLab, made: Resources) -> None:
    """Snapshots of CreateSnapshot are the same objects ("Access the contents of an EBS snapshot")."""
    device = made.attached(made.volume())
    with open(device, "r+b") as stream:
        stream.seek(3 * BLOCK_SIZE)
        stream.write(b"x" * 4096)
    snapshot_id = made.snapshot(made.ec2.describe_volumes()["Volumes"][-1]["VolumeId"])
    ebs = lab.client("ebs")
    (block,) = ebs.list_snapshot_blocks(SnapshotId=snapshot_id)["Blocks"]
    assert block["BlockIndex"] == 3
    content = ebs.get_snapshot_block(SnapshotId=snapshot_id, BlockIndex=3, BlockToken=block["BlockToken"])
    assert content["BlockData"].read() == (b"x" * 4096).ljust(BLOCK_SIZE, b"\0")
