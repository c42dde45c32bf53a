# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""All that is in a tree of files, in a form that can be compared."""

from __future__ import annotations

import hashlib
import os
import stat
import typing as t
from pathlib import Path


class Entry(t.NamedTuple):
    """One file, folder, link or node."""

    mode: str
    owner: tuple[int, int]
    content: str
    attributes: dict[str, bytes]
    links: int
    modified: int | None


def entries(root: Path, *, now: float) -> dict[str, Entry]:
    """Every entry by its path.

    Args:
        now: times from here on are not told, since they say only when the tree was written.
    """
    found = {}
    for folder, folders, files in os.walk(root):
        for name in [*folders, *files]:
            path = Path(folder, name)
            found[str(path.relative_to(root))] = _entry(path, now)
    return found


def _entry(path: Path, now: float) -> Entry:
    status = path.lstat()
    return Entry(
        mode=stat.filemode(status.st_mode),
        owner=(status.st_uid, status.st_gid),
        content=_content(path, status),
        attributes={name: os.getxattr(path, name, follow_symlinks=False) for name in _attributes(path)},
        links=1 if stat.S_ISDIR(status.st_mode) else status.st_nlink,
        modified=status.st_mtime_ns if status.st_mtime < now else None,
    )


def _content(path: Path, status: os.stat_result) -> str:
    if stat.S_ISREG(status.st_mode):
        return hashlib.sha256(path.read_bytes()).hexdigest()
    if stat.S_ISLNK(status.st_mode):
        return str(path.readlink())
    return str(status.st_rdev)


def _attributes(path: Path) -> list[str]:
    return sorted(os.listxattr(path, follow_symlinks=False))


__all__ = ("Entry", "entries")
