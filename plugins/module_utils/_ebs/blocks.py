# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""The blocks of a snapshot, as the EBS direct APIs list and give them.

https://docs.aws.amazon.com/ebs/latest/userguide/ebs-accessing-snapshot.html
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import typing as t

from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError

GIB = 1024**3

# The most that ListSnapshotBlocks gives at once.
PAGE_BLOCKS = 10000

# A damaged answer is asked for again; when it stays damaged, the network is not the cause.
CHECKSUM_ATTEMPTS = 3


class EbsApi(t.Protocol):
    """What is needed of the API: a call that raises our own errors, and retries what may be retried."""

    def call(self, method: str, doing: str, **params: t.Any) -> t.Dict[str, t.Any]:
        """See Ec2Api.call."""
        raise NotImplementedError


@dataclasses.dataclass(frozen=True)
class Block:
    """One block that was ever written. The others read as zeros."""

    index: int
    token: str


@dataclasses.dataclass(frozen=True)
class BlockList:
    """All written blocks of a snapshot.

    Args:
        snapshot_id: the snapshot.
        volume_bytes: the size of its volume, in bytes.
        block_bytes: the size of a block, in bytes.
    """

    snapshot_id: str
    volume_bytes: int
    block_bytes: int
    blocks: t.Tuple[Block, ...]

    def offset(self, block: Block) -> int:
        """Where a block begins in the volume, in bytes."""
        return block.index * self.block_bytes

    def length(self, block: Block) -> int:
        """How much of a block lies in the volume, in bytes: all of it, but for the last of an odd volume."""
        return min(self.block_bytes, self.volume_bytes - self.offset(block))


def list_blocks(api: EbsApi, snapshot_id: str) -> BlockList:
    """List the written blocks of a snapshot, all pages of them.

    Raises:
        BuildError: the snapshot cannot be read, or what came is not a list of blocks.
    """
    blocks: t.List[Block] = []
    token: t.Optional[str] = None
    while True:
        page = api.call(
            "list_snapshot_blocks",
            "list the blocks of %s" % snapshot_id,
            SnapshotId=snapshot_id,
            MaxResults=PAGE_BLOCKS,
            NextToken=token,
        )
        blocks += [Block(item["BlockIndex"], item["BlockToken"]) for item in page.get("Blocks") or []]
        token = page.get("NextToken")
        if not token:
            break
    found = BlockList(snapshot_id, page["VolumeSize"] * GIB, page["BlockSize"], tuple(blocks))
    beyond = [block.index for block in blocks if found.length(block) <= 0]
    if beyond:
        raise BuildError(
            "The API lists block %d of %s, which lies beyond its %d GiB." % (beyond[0], snapshot_id, page["VolumeSize"])
        )
    return found


def read_block(api: EbsApi, blocks: BlockList, block: Block) -> bytes:
    """Get one block and check it against its SHA-256.

    Raises:
        BuildError: it cannot be read, or was damaged again and again.
    """
    for _attempt in range(CHECKSUM_ATTEMPTS):
        answer = api.call(
            "get_snapshot_block",
            "read block %d of %s" % (block.index, blocks.snapshot_id),
            SnapshotId=blocks.snapshot_id,
            BlockIndex=block.index,
            BlockToken=block.token,
        )
        data = answer["BlockData"].read()
        if is_intact(data, answer, blocks.block_bytes):
            return bytes(data[: blocks.length(block)])
    raise BuildError(
        "Block %d of %s was received %d times, each time with another SHA-256 or length than the API gave for it."
        % (block.index, blocks.snapshot_id, CHECKSUM_ATTEMPTS),
        hint="Something between this host and the API changes the data: a proxy, or a broken endpoint.",
        block_index=block.index,
        snapshot_id=blocks.snapshot_id,
    )


def is_intact(data: bytes, answer: t.Mapping[str, t.Any], block_bytes: int) -> bool:
    """Whether data has the length and the checksum that came with it."""
    return len(data) == block_bytes and answer.get("Checksum") == checksum(data)


def checksum(data: bytes) -> str:
    """A block's checksum as the API writes it: SHA-256 in base 64."""
    return base64.b64encode(hashlib.sha256(data).digest()).decode("ascii")


__all__ = ("GIB", "Block", "BlockList", "EbsApi", "checksum", "list_blocks", "read_block")
