# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""A forest: images, each of which may be made from another one."""

from __future__ import annotations

import dataclasses
import re
import typing as t
from pathlib import Path

from ansible_collections.bakehouse.images.plugins.plugin_utils._image_actions import Action

# bakehouse.images.build has this many plays, one for each depth.
LEVELS = 16

NOT_IN_GROUP_NAMES = re.compile(r"[^A-Za-z0-9_]")


@dataclasses.dataclass(frozen=True)
class Image:
    """One image, as its author described it.

    Attributes:
        name: its name and the name of its file.
        parent: what it is made from: an image of the forest or a file in the images directory. None for from nothing.
        path: the disk image file it is made from, where it has no parent.
        size: of its disk, in bytes.
        bootable: whether it gets a kernel and a boot loader; None where the architecture decides.
        packages: what is installed in it.
        actions: what is done in it then.
        settings: the author's settings for this image that stand for a variable of the role.
        provision: the author's provisioning steps, as read, which come last.
        variables: the author's variables, as read.
    """

    name: str
    parent: str | None = None
    path: str | None = None
    size: int | None = None
    bootable: bool | None = None
    packages: tuple[str, ...] = ()
    actions: tuple[Action, ...] = ()
    settings: t.Mapping[str, t.Any] = dataclasses.field(default_factory=dict)
    provision: t.Any = None
    variables: t.Mapping[str, t.Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Described:
    """What a file says.

    Attributes:
        path: the file.
        base: the folder that relative paths begin in.
        images_directory: where the images' files are, where the file says so.
        images: the images that could be read.
        problems: a sentence for each mistake.
        warnings: a sentence for each oddity.
    """

    path: Path
    base: Path
    images: tuple[Image, ...]
    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    images_directory: str | None = None


class Forest:
    """Images by name, and how they depend on one another. Names are unique here and chains have an end."""

    def __init__(self, images: t.Iterable[Image]) -> None:
        self.images = {image.name: image for image in images}

    def parent(self, name: str) -> str | None:
        """The image of this forest that it is made from."""
        parent = self.images[name].parent
        return parent if parent in self.images else None

    def is_external(self, name: str) -> bool:
        """Whether it is made from an image that this forest does not have."""
        return self.images[name].parent is not None and self.parent(name) is None

    def children(self, name: str) -> list[str]:
        """The images made from it."""
        return [image.name for image in self.images.values() if image.parent == name]

    def ancestors(self, name: str) -> list[str]:
        """What it depends on within this forest, topmost first."""
        found: list[str] = []
        parent = self.parent(name)
        while parent is not None:
            found.insert(0, parent)
            parent = self.parent(parent)
        return found

    def root(self, name: str) -> Image:
        """The topmost image of this forest that it is made from, or itself."""
        return self.images[[*self.ancestors(name), name][0]]

    def depth(self, name: str) -> int:
        """How many ancestors it has."""
        return len(self.ancestors(name))

    def roots(self) -> list[str]:
        """Images without a parent in this forest."""
        return [name for name in self.images if self.parent(name) is None]

    def leaves(self) -> list[str]:
        """Images that no other is made from."""
        parents = {image.parent for image in self.images.values()}
        return [name for name in self.images if name not in parents]


def group_word(name: str) -> str:
    """A name as part of a group's name: Ansible takes letters, digits and underscores."""
    return NOT_IN_GROUP_NAMES.sub("_", name)


def with_parents_group(name: str) -> str:
    """The group of an image and all it depends on, for C(--limit)."""
    return f"with_parents_{group_word(name)}"


def cycles(parents: t.Mapping[str, str | None]) -> list[list[str]]:
    """The circles in a mapping of names to parents, each once, and beginning with the name that comes first."""
    found: list[list[str]] = []
    settled: set[str] = set()
    for name in parents:
        chain: list[str] = []
        at: str | None = name
        while at is not None and at in parents and at not in settled and at not in chain:
            chain.append(at)
            at = parents[at]
        if at in chain:
            circle = chain[chain.index(at) :]
            first = min(circle, key=list(parents).index)
            turn = circle.index(first)
            found.append(circle[turn:] + circle[:turn])
        settled.update(chain)
    return found


__all__ = ("LEVELS", "Described", "Forest", "Image", "cycles", "group_word", "with_parents_group")
