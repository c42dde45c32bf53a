# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Copies of sparse files that take as little time and space as the file system allows."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

#: The ioctl that shares all extents of one file with another (linux/fs.h).
FICLONE = 0x40049409


def data_extents(fd: int, size: int) -> Iterator[tuple[int, int]]:
    """The parts of a file that are not holes, as (start, end) in bytes, in order."""
    position = 0
    while position < size:
        try:
            start = os.lseek(fd, position, os.SEEK_DATA)
        except OSError as exc:
            if exc.errno == errno.ENXIO:  # nothing but a hole from here to the end
                return
            raise
        end = min(os.lseek(fd, start, os.SEEK_HOLE), size)
        if start >= size:
            return
        yield start, end
        position = end


def copy_sparse(source: Path, target: Path) -> None:
    """Write a new file with the bytes of another, sharing extents where the file system can.

    Raises:
        FileExistsError: the target is there already.
    """
    with open(source, "rb") as reader, open(target, "xb") as writer:
        if not _share_extents(reader.fileno(), writer.fileno()):
            _copy_extents(reader.fileno(), writer.fileno())


def can_share_extents(folder: Path) -> bool:
    """Whether the file system of a folder knows FICLONE (btrfs, XFS made with reflink=1)."""
    probe, clone = folder / ".probe", folder / ".probe-clone"
    try:
        probe.write_bytes(b"x" * 4096)
        with open(probe, "rb") as reader, open(clone, "wb") as writer:
            return _share_extents(reader.fileno(), writer.fileno())
    finally:
        probe.unlink(missing_ok=True)
        clone.unlink(missing_ok=True)


def _share_extents(source: int, target: int) -> bool:
    try:
        fcntl.ioctl(target, FICLONE, source)
    except OSError as exc:
        if exc.errno in (errno.EOPNOTSUPP, errno.ENOTTY, errno.EINVAL, errno.EXDEV):
            return False
        raise
    return True


def _copy_extents(source: int, target: int) -> None:
    size = os.fstat(source).st_size
    os.ftruncate(target, size)
    for start, end in data_extents(source, size):
        position = start
        while position < end:
            copied = os.copy_file_range(source, target, end - position, position, position)
            if copied == 0:  # the source has been cut short meanwhile
                return
            position += copied
