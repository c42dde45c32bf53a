# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Files and folders of the controller that go into an image: their digest, and their archive.

In the image they belong to root, whoever owns them on the controller; modes and symbolic links are kept.
"""

from __future__ import annotations

import hashlib
import os
import stat
import tarfile
from pathlib import Path

from ansible_collections.bakehouse.images.plugins.module_utils._errors import NotFound


def tree_digest(path: Path) -> str:
    """SHA-256 of all that C(write_archive) would put into an archive of the file or folder."""
    digest = hashlib.sha256()
    _add(digest, "", path.resolve())
    return digest.hexdigest()


def _add(digest: hashlib._Hash, name: str, path: Path) -> None:
    status = path.lstat()
    mode = status.st_mode
    digest.update(f"{name}\0{stat.filemode(mode)}\0".encode("utf-8", "surrogateescape"))
    if stat.S_ISLNK(mode):
        digest.update(os.fsencode(path.readlink()))
    elif stat.S_ISREG(mode):
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    elif stat.S_ISDIR(mode):
        for entry in sorted(path.iterdir()):
            _add(digest, f"{name}/{entry.name}", entry)


def write_archive(path: Path, target: Path, *, name: str | None = None) -> None:
    """Write the file or folder as a tar archive.

    Args:
        path: what to put into it; a symbolic link is followed here, but not below.
        target: the archive to write.
        name: what it is called in the archive; by default its own name.

    Raises:
        NotFound: it is not there (any more).
    """
    if not path.exists():
        raise NotFound(f"{path} is not there.")
    with tarfile.open(target, "w", format=tarfile.GNU_FORMAT) as archive:
        archive.add(path.resolve(), arcname=name or path.name, filter=_of_root)


def _of_root(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    if member.isfile() or member.isdir() or member.issym() or member.islnk():
        member.uid = member.gid = 0
        member.uname = member.gname = "root"
        return member
    return None  # sockets, devices: what a folder holds by chance


__all__ = ("tree_digest", "write_archive")
