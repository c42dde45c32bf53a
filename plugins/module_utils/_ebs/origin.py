# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Which snapshot a local file came from, kept with the file itself."""

from __future__ import annotations

import contextlib
import json
import os
import typing as t

ATTRIBUTE = "user.bakehouse.snapshot-id"

# Beside the file, where its file system keeps no extended attributes.
SIDECAR_SUFFIX = ".bakehouse.json"


def read_origin(path: str) -> t.Optional[str]:
    """The id of the snapshot that a file holds; None where there is no file, or it is not known."""
    if not os.path.isfile(path):
        return None
    with contextlib.suppress(OSError):
        return os.getxattr(path, ATTRIBUTE).decode("ascii", "replace")
    return read_sidecar(path)


def read_sidecar(path: str) -> t.Optional[str]:
    """The same from the file beside it, as long as that speaks of the file that is there."""
    try:
        with open(path + SIDECAR_SUFFIX, encoding="utf-8") as stream:
            noted = json.load(stream)
        state = os.stat(path)
    except (OSError, ValueError):
        return None
    if not isinstance(noted, dict) or (noted.get("size_bytes"), noted.get("inode")) != (state.st_size, state.st_ino):
        return None
    return t.cast("t.Optional[str]", noted.get("snapshot_id"))


def write_origin(path: str, snapshot_id: str, *, final: str) -> None:
    """Keep the snapshot's id with a file that will be renamed to C(final)."""
    try:
        os.setxattr(path, ATTRIBUTE, snapshot_id.encode("ascii"))
    except OSError:
        state = os.stat(path)
        noted = {"snapshot_id": snapshot_id, "size_bytes": state.st_size, "inode": state.st_ino}
        with open(final + SIDECAR_SUFFIX, "w", encoding="utf-8") as stream:
            json.dump(noted, stream)
    else:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(final + SIDECAR_SUFFIX)


__all__ = ("ATTRIBUTE", "SIDECAR_SUFFIX", "read_origin", "write_origin")
