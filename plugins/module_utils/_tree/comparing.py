# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""What makes one directory tree like another."""

from __future__ import annotations

import typing as t

from ansible_collections.bakehouse.images.plugins.module_utils._errors import Conflict
from ansible_collections.bakehouse.images.plugins.module_utils._tree.scanning import (
    DIRECTORY,
    FILE,
    LINK,
    Entry,
    Tree,
)


class Changes(t.NamedTuple):
    """What is to be done in the tree that is there.

    Attributes:
        added: names that are new.
        changed: names that are there and differ.
        removed: names to take away, children before parents.
        sent: of the first two, the files whose contents have to be transferred.
    """

    added: t.Tuple[bytes, ...]
    changed: t.Tuple[bytes, ...]
    removed: t.Tuple[bytes, ...]
    sent: t.FrozenSet[bytes]

    def __bool__(self) -> bool:
        """Whether there is anything to do."""
        return bool(self.added or self.changed or self.removed)

    def describe(self) -> t.Dict[str, t.List[str]]:
        """The names, for people."""
        groups = {"added": self.added, "changed": self.changed, "removed": sorted(self.removed)}
        return {key: [shown(name) for name in names] for key, names in groups.items()}


def compare(wanted: Tree, found: Tree, *, delete: bool, by_time: bool, owner: bool) -> Changes:
    """What makes the tree that was found like the one that is wanted.

    Args:
        delete: take away what is found and not wanted.
        by_time: files of the same size and time are the same.
        owner: users and groups count.

    Raises:
        Conflict: a directory is in the way of something else, and may not be taken away.
    """
    added, changed, sent = [], [], set()
    extra = [name for name in found if name not in wanted]
    for name, entry in wanted.items():
        other = found.get(name)
        if other is None:
            added.append(name)
        elif _differs(entry, other, by_time) or (owner and entry.owner != other.owner):
            changed.append(name)
            if other.kind == DIRECTORY and entry.kind != DIRECTORY and not delete:
                raise Conflict(
                    "%s is a %s at the source and a directory at the destination." % (shown(name), entry.kind),
                    hint="Remove the directory, or set delete.",
                )
        else:
            continue
        if entry.kind == FILE and (other is None or other.kind != FILE or _content_differs(entry, other, by_time)):
            sent.add(name)
    removed = tuple(reversed(extra)) if delete else ()
    return Changes(tuple(added), tuple(changed), removed, frozenset(sent))


def _differs(entry: Entry, other: Entry, by_time: bool) -> bool:
    if entry.kind != other.kind or entry.mode != other.mode:
        return True
    if entry.kind == LINK:
        return entry.content != other.content
    return entry.kind == FILE and _content_differs(entry, other, by_time)


def _content_differs(entry: Entry, other: Entry, by_time: bool) -> bool:
    if entry.size != other.size:
        return True
    return entry.mtime != other.mtime if by_time else entry.content != other.content


def shown(name: bytes) -> str:
    """A name as it can be printed."""
    return name.decode("utf-8", "backslashreplace")


__all__ = ("Changes", "compare", "shown")
