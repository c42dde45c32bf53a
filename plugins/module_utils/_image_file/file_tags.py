# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""What a disk image file says of itself: whose it is, from which build, with which fingerprint.

The same as a cloud's tags, in extended attributes (C(user.bakehouse.*), shown by C(getfattr -d)), so that it goes with
the file when that is renamed. Where the file system has none, a small file beside the image holds it, and the image's
inode, so that it counts for no other file of that name.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import typing as t

from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError
from ansible_collections.bakehouse.images.plugins.module_utils._tags import is_ours

PREFIX = "user."
SIDECAR_ENDING = ".bakehouse.json"

# When the file was last written by us, in nanoseconds: whether someone has written to it since.
WRITTEN_TAG = "bakehouse:written"
CHECKSUM_TAG = "bakehouse:sha256"

# xattr(7): the file system has no extended attributes, or none for users.
UNSUPPORTED = (errno.ENOTSUP, errno.EOPNOTSUPP)


def read_tags(path: str) -> t.Dict[str, str]:
    """The tags of a file; empty for one that is not ours."""
    try:
        names = os.listxattr(path)
    except OSError as exc:
        if exc.errno in UNSUPPORTED:
            return read_sidecar(path)
        raise BuildError("Cannot read the attributes of %s: %s." % (path, exc.strerror), path=path) from exc
    keys = {name: attribute_tag(name) for name in names if name.startswith(PREFIX)}
    found = {key: os.getxattr(path, name).decode("utf-8", "replace") for name, key in keys.items() if is_ours(key)}
    return found or read_sidecar(path)


def write_tags(path: str, tags: t.Mapping[str, str]) -> None:
    """Give a file these tags beside those it has."""
    try:
        for key, value in tags.items():
            os.setxattr(path, tag_attribute(key), value.encode("utf-8"))
    except OSError as exc:
        if exc.errno not in UNSUPPORTED:
            raise BuildError("Cannot write the attributes of %s: %s." % (path, exc.strerror), path=path) from exc
        write_sidecar(path, dict(read_sidecar(path), **tags))


def drop_tag(path: str, key: str) -> None:
    """Take one tag from a file, if it has it."""
    try:
        os.removexattr(path, tag_attribute(key))
    except OSError as exc:
        if exc.errno == errno.ENODATA:
            return
        if exc.errno not in UNSUPPORTED:
            raise BuildError("Cannot write the attributes of %s: %s." % (path, exc.strerror), path=path) from exc
        held = read_sidecar(path)
        if key in held:
            write_sidecar(path, {name: value for name, value in held.items() if name != key})


def move_tags(path: str, target: str) -> None:
    """Before C(path) is renamed to C(target): let a sidecar be there when the file is."""
    held = read_sidecar(path)
    if held:
        write_sidecar(target, held, inode=os.stat(path).st_ino)


def forget_tags(path: str) -> None:
    """After a file was removed or renamed: its sidecar goes too."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(sidecar(path))


def tag_attribute(key: str) -> str:
    """The attribute's name of a tag: user.bakehouse.build-id of bakehouse:build-id."""
    return PREFIX + key.replace(":", ".", 1)


def attribute_tag(name: str) -> str:
    """The tag of an attribute's name."""
    return name[len(PREFIX) :].replace(".", ":", 1)


def sidecar(path: str) -> str:
    """The file that holds the tags of a file: hidden, beside it."""
    folder, name = os.path.split(path)
    return os.path.join(folder, "." + name.lstrip(".") + SIDECAR_ENDING)


def read_sidecar(path: str) -> t.Dict[str, str]:
    """The tags in the sidecar, if it is this file's."""
    try:
        with open(sidecar(path), encoding="utf-8") as stream:
            held = json.load(stream)
        found = os.stat(path)
        tags = {str(key): str(value) for key, value in held["tags"].items()}
        # A number of an inode is used again: a finished file must also not have been written to.
        if held["inode"] == found.st_ino and tags.get(WRITTEN_TAG, str(found.st_mtime_ns)) == str(found.st_mtime_ns):
            return tags
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError, KeyError, AttributeError) as exc:
        raise BuildError(
            "%s cannot be read: %s." % (sidecar(path), exc), hint="It says whose %s is. Remove both, or neither." % path
        ) from exc
    return {}


def write_sidecar(path: str, tags: t.Mapping[str, str], *, inode: t.Optional[int] = None) -> None:
    """Write the sidecar of a file, whole or not at all."""
    unfinished = sidecar(path) + ".part"
    content = {"inode": os.stat(path).st_ino if inode is None else inode, "tags": dict(tags)}
    with open(unfinished, "w", encoding="utf-8") as stream:
        json.dump(content, stream, indent=2, sort_keys=True)
    os.rename(unfinished, sidecar(path))


__all__ = (
    "CHECKSUM_TAG",
    "WRITTEN_TAG",
    "drop_tag",
    "forget_tags",
    "move_tags",
    "read_tags",
    "sidecar",
    "write_tags",
)
