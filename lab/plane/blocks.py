# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files seen as the numbered blocks of the EBS direct APIs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lab.plane.copying import data_extents

#: Bytes in a block. The only size the EBS direct APIs know.
BLOCK_SIZE = 524288


@dataclass(frozen=True)
class ChangedBlock:
    """A block whose bytes differ between two snapshots, and on which sides it exists."""

    index: int
    in_first: bool
    in_second: bool


def written_blocks(path: Path) -> list[int]:
    """Indexes, in order, of the blocks that have been written; a hole was never written."""
    indexes: list[int] = []
    with open(path, "rb") as stream:
        size = os.fstat(stream.fileno()).st_size
        for start, end in data_extents(stream.fileno(), size):
            first = start // BLOCK_SIZE
            if indexes and first <= indexes[-1]:
                first = indexes[-1] + 1
            indexes.extend(range(first, (end - 1) // BLOCK_SIZE + 1))
    return indexes


def read_block(path: Path, index: int) -> bytes:
    """The bytes of one block; zeros where the file has a hole."""
    with open(path, "rb") as stream:
        return os.pread(stream.fileno(), BLOCK_SIZE, index * BLOCK_SIZE).ljust(BLOCK_SIZE, b"\0")


def write_block(path: Path, index: int, content: bytes) -> None:
    """Put one block into an existing file."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        written = 0
        while written < len(content):
            written += os.pwrite(descriptor, content[written:], index * BLOCK_SIZE + written)
    finally:
        os.close(descriptor)


def changed_blocks(first: Path, second: Path) -> list[ChangedBlock]:
    """Blocks that only one file has, or whose bytes differ, in order of their index."""
    return list(_compare(first, second))


def _compare(first: Path, second: Path) -> Iterator[ChangedBlock]:
    in_first, in_second = set(written_blocks(first)), set(written_blocks(second))
    for index in sorted(in_first | in_second):
        both = index in in_first and index in in_second
        if not both or read_block(first, index) != read_block(second, index):
            yield ChangedBlock(index, index in in_first, index in in_second)
