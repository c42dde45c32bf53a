# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Short names for folders, because the name of a socket has no more than 107 characters (unix(7)).

A short name is a symbolic link in a folder for this user alone. What is made by it is in the folder itself, and goes
with that; the link goes when another one is made.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
import typing as t

from ansible_collections.bakehouse.images.plugins.module_utils._own_folder import own_folder

# sun_path of unix(7), without its null byte.
MAX_SOCKET_PATH = 107

# Where a folder of the system's own is too deep as well.
TEMPORARY = "/tmp"  # noqa: S108 - see own_folder


def short_path(path: str, spare: int = 0) -> str | None:
    """The path, or another one to the same place, that can be a socket's; None when there is none.

    Args:
        spare: so many characters are added to it.
    """
    if _fits(path, spare):
        return path
    folder, name = os.path.split(path)
    for place in _places():
        link = _link(place, folder)
        if link and _fits(f"{link}/{name}", spare):
            return f"{link}/{name}"
    return None


def _fits(path: str, spare: int) -> bool:
    return len(os.fsencode(path)) + spare <= MAX_SOCKET_PATH


def _places() -> t.Iterator[str]:
    for parent in (os.environ.get("XDG_RUNTIME_DIR", ""), tempfile.gettempdir(), TEMPORARY):
        if os.path.isabs(parent):
            place = own_folder(parent)
            if place:
                yield place


def _link(place: str, folder: str) -> str | None:
    """A link to the folder; None when it cannot be made."""
    link = os.path.join(place, hashlib.sha256(os.fsencode(folder)).hexdigest()[:10])
    try:
        _forget_dead(place)
        with contextlib.suppress(FileExistsError):
            os.symlink(folder, link)
        return link if os.readlink(link) == folder else None
    except OSError:
        return None


def _forget_dead(place: str) -> None:
    """Remove the links of runs that have ended: their folders are gone."""
    for entry in os.scandir(place):
        if entry.is_symlink() and not os.path.exists(entry.path):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(entry.path)


__all__ = ("MAX_SOCKET_PATH", "short_path")
