# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Copying files that are mostly holes: as a reflink where the file system can, else only what is data."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import typing as t

from ansible_collections.bakehouse.images.plugins.module_utils._disk.sizes import MIB
from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError

# linux/fs.h: _IOW(0x94, 9, int). Both files then share their blocks, until one of them is written to.
FICLONE = 0x40049409

# What file systems say that cannot share blocks, or not between these two files (ioctl_ficlone(2)).
NOT_CLONED = (errno.EOPNOTSUPP, errno.EXDEV, errno.EINVAL, errno.ENOTTY, errno.EPERM, errno.EBADF, errno.ENOSYS)

# copy_file_range(2) across file systems, and on kernels that do not have it.
NOT_RANGED = (errno.EXDEV, errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP, errno.EBADF)

CHUNK_BYTES = 4 * MIB


def copy_file(source: str, target: str) -> str:
    """Copy a file to one that is not there, or empty. What was a hole stays one.

    Returns:
        C(reflink) or C(copy): whether the two share their blocks.
    """
    try:
        with open(source, "rb") as reader, open_new(target) as writer:
            if _clone(reader.fileno(), writer.fileno()):
                return "reflink"
            size = os.fstat(reader.fileno()).st_size
            os.truncate(writer.fileno(), size)
            for start, end in data_extents(reader.fileno()):
                _copy_range(reader.fileno(), writer.fileno(), start, end)
            return "copy"
    except OSError as exc:
        raise BuildError("Cannot copy %s to %s: %s." % (source, target, exc.strerror), path=target) from exc


def open_new(path: str) -> t.IO[bytes]:
    """Open a file for writing that must not be there, but for an empty one: that has been claimed.

    Raises:
        FileExistsError: there is one with contents.
    """
    try:
        return open(path, "xb")
    except FileExistsError:
        if os.stat(path).st_size:
            raise
        return open(path, "r+b")


def _clone(reader: int, writer: int) -> bool:
    try:
        fcntl.ioctl(writer, FICLONE, reader)
    except OSError as exc:
        if exc.errno in NOT_CLONED:
            return False
        raise
    return True


def data_extents(descriptor: int) -> t.Iterator[t.Tuple[int, int]]:
    """Where a file has data: start and end of each stretch. One that cannot tell is data throughout."""
    size = os.fstat(descriptor).st_size
    position = 0
    with contextlib.suppress(OSError):  # ENXIO: there is no data after this position
        while position < size:
            start = os.lseek(descriptor, position, os.SEEK_DATA)
            position = os.lseek(descriptor, start, os.SEEK_HOLE)
            yield start, position


def _copy_range(reader: int, writer: int, start: int, end: int) -> None:
    ranged = True
    while start < end:
        count = min(CHUNK_BYTES, end - start)
        if ranged:
            try:
                done = os.copy_file_range(reader, writer, count, start, start)
            except OSError as exc:
                if exc.errno not in NOT_RANGED:
                    raise
                ranged = False
                continue
        else:
            done = os.pwrite(writer, os.pread(reader, count, start), start)
        if done == 0:
            raise BuildError("The file became shorter while it was copied.")
        start += done


def sync(path: str) -> None:
    """Wait until a file, or a directory's entries, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


__all__ = ("CHUNK_BYTES", "copy_file", "data_extents", "open_new", "sync")
