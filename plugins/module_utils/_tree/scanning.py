# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""What is in a directory tree: a list of names that two machines can compare.

Names are bytes, as the file system has them; in JSON each byte is one character of Latin-1, so that no name is lost.
"""

from __future__ import annotations

import fnmatch
import hashlib
import os
import stat
import typing as t

from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError, NotFound

CHUNK_BYTES = 1 << 20

FILE, DIRECTORY, LINK = "file", "directory", "link"


class Entry(t.NamedTuple):
    """One name of a tree.

    Attributes:
        kind: C(file), C(directory) or C(link).
        mode: the permission bits; 0 for a link, which has none.
        size: of a file, in bytes.
        mtime: of a file, in nanoseconds.
        content: the SHA-256 of a file, if it was asked for; where a link points, as it is written.
        owner: user and group, as numbers.
    """

    kind: str
    mode: int
    size: int = 0
    mtime: int = 0
    content: str = ""
    owner: t.Tuple[int, int] = (0, 0)


# From the name below the tree's top, without a slash at its beginning, to what it is. Parents come before children.
Tree = t.Dict[bytes, Entry]


class Scanned(t.NamedTuple):
    """A tree that was read.

    Attributes:
        tree: what is in it; None when there is no such directory.
        mode: of the directory itself.
        skipped: names of devices, sockets and pipes, which are not transferred.
    """

    tree: t.Optional[Tree]
    mode: int = 0o755
    skipped: t.Tuple[bytes, ...] = ()


class Excludes:
    """The patterns of names that are left alone on both sides, as fnmatch(3) knows them.

    A pattern without a slash is for the last part of a name, one with a slash for the whole name below the top. One
    that ends with a slash is for directories only. What is in an excluded directory is excluded.
    """

    def __init__(self, patterns: t.Sequence[str]) -> None:
        self.patterns = [
            (os.fsencode(pattern.strip("/")), pattern.endswith("/"), "/" in pattern.rstrip("/"))
            for pattern in patterns
            if pattern.strip("/")
        ]

    def match(self, name: bytes, is_directory: bool) -> bool:
        """Whether the name is left alone."""
        base = name.rpartition(b"/")[2]
        return any(
            fnmatch.fnmatchcase(name if whole else base, pattern)
            for pattern, only_directories, whole in self.patterns
            if is_directory or not only_directories
        )


def scan(top: str, excludes: Excludes, *, digest: bool) -> Scanned:
    """Read the tree below a directory. Symbolic links are never followed, but for one at C(top) itself.

    Args:
        digest: read the files too.

    Raises:
        BuildError: C(top) is no directory, or something in it cannot be read.
    """
    path = os.fsencode(top)
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return Scanned(None)
    except OSError as exc:
        raise BuildError("Cannot look at %s: %s." % (top, exc.strerror)) from exc
    if not stat.S_ISDIR(status.st_mode):
        raise BuildError("%s is not a directory." % top)
    tree: Tree = {}
    skipped: t.List[bytes] = []
    try:
        _scan_into(tree, skipped, path, b"", excludes, digest)
    except OSError as exc:
        named = os.fsdecode(exc.filename) if exc.filename else top
        raise BuildError("Cannot read %s: %s." % (named, exc.strerror)) from exc
    return Scanned(tree, stat.S_IMODE(status.st_mode), tuple(skipped))


def require(scanned: Scanned, top: str) -> Tree:
    """The tree of a directory that must be there.

    Raises:
        NotFound: it is not.
    """
    if scanned.tree is None:
        raise NotFound("There is no directory %s." % top)
    return scanned.tree


def _scan_into(
    tree: Tree, skipped: t.List[bytes], path: bytes, prefix: bytes, excludes: Excludes, digest: bool
) -> None:
    with os.scandir(path) as listing:
        found = sorted(listing, key=lambda item: item.name)
    for item in found:
        name = prefix + item.name
        is_directory = item.is_dir(follow_symlinks=False)
        if excludes.match(name, is_directory):
            continue
        status = item.stat(follow_symlinks=False)
        owner = (status.st_uid, status.st_gid)
        mode = stat.S_IMODE(status.st_mode)
        if is_directory:
            tree[name] = Entry(DIRECTORY, mode, owner=owner)
            _scan_into(tree, skipped, item.path, name + b"/", excludes, digest)
        elif stat.S_ISLNK(status.st_mode):
            tree[name] = Entry(LINK, 0, content=to_text(os.readlink(item.path)), owner=owner)
        elif stat.S_ISREG(status.st_mode):
            content = _digest(item.path) if digest else ""
            tree[name] = Entry(FILE, mode, status.st_size, status.st_mtime_ns, content, owner)
        else:
            skipped.append(name)


def _digest(path: bytes) -> str:
    summed = hashlib.sha256()
    # Never waits and never follows, should the name be something else by now.
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with open(handle, "rb", buffering=0) as stream:
        for chunk in iter(lambda: stream.read(CHUNK_BYTES), b""):
            summed.update(chunk)
    return summed.hexdigest()


def to_text(name: bytes) -> str:
    """A name for JSON."""
    return name.decode("latin-1")


def to_bytes(name: str) -> bytes:
    """The name again."""
    return name.encode("latin-1")


def to_wire(scanned: Scanned) -> t.Dict[str, t.Any]:
    """A tree for JSON."""
    return {
        "tree": None if scanned.tree is None else [[to_text(name), *entry] for name, entry in scanned.tree.items()],
        "mode": scanned.mode,
        "skipped": [to_text(name) for name in scanned.skipped],
    }


def from_wire(value: t.Mapping[str, t.Any]) -> Scanned:
    """The tree again."""
    rows = value["tree"]
    tree = None
    if rows is not None:
        tree = {
            to_bytes(name): Entry(kind, mode, size, mtime, content, (owner[0], owner[1]))
            for name, kind, mode, size, mtime, content, owner in rows
        }
    return Scanned(tree, value["mode"], tuple(to_bytes(name) for name in value["skipped"]))


__all__ = (
    "DIRECTORY",
    "FILE",
    "LINK",
    "Entry",
    "Excludes",
    "Scanned",
    "Tree",
    "from_wire",
    "require",
    "scan",
    "to_bytes",
    "to_text",
    "to_wire",
)
