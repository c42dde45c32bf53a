# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Mistakes that only show when all images of a forest are looked at together."""

from __future__ import annotations

import typing as t
from collections import Counter
from pathlib import Path

from ansible_collections.bakehouse.images.plugins.plugin_utils._forest_model import (
    LEVELS,
    Forest,
    Image,
    cycles,
    group_word,
)


def forest_problems(images: t.Sequence[Image], base: Path, images_directory: Path | None) -> list[str]:
    """One sentence for each mistake.

    Args:
        images: what the file describes.
        base: the folder that relative paths begin in.
        images_directory: where files of images are, the parents that the file does not describe among them; None
            when that is on another machine.
    """
    problems = _duplicates(images)
    parents = {image.name: image.parent for image in images}
    circles = cycles(parents)
    problems += [
        f"image {circle[0]}: its parents lead back to it: {' -> '.join([*circle, circle[0]])}." for circle in circles
    ]
    if images_directory:
        problems += _missing_parents(images, base, images_directory)
    # What hangs on a circle has no depth.
    return problems if circles else problems + _too_deep(images) + _no_boot_loader(images)


def forest_warnings(images: t.Sequence[Image]) -> list[str]:
    """One sentence for each pair of images that cannot have groups of their own."""
    words: dict[str, list[str]] = {}
    for image in images:
        words.setdefault(group_word(image.name), []).append(image.name)
    return [
        f"The images {' and '.join(names)} would share the groups children_of_{word} and with_parents_{word},"
        " so these groups are not made."
        for word, names in words.items()
        if len(set(names)) > 1
    ]


def _duplicates(images: t.Sequence[Image]) -> list[str]:
    counts = Counter(image.name for image in images)
    return [
        f"image {name}: there are {count} images of this name, and names must differ."
        for name, count in counts.items()
        if count > 1
    ]


def _missing_parents(images: t.Sequence[Image], base: Path, images_directory: Path) -> list[str]:
    names = {image.name for image in images}
    problems = []
    for image in images:
        if image.parent is not None and image.parent not in names:
            file = images_directory / image.parent
            wanted = f"the parent {image.parent} is not described here, and is not in the images directory either"
        elif image.path is not None:
            file = base / image.path
            wanted = f"the image {image.path} that it is made from cannot be used"
        else:
            continue
        if not file.is_file():
            found = "is not a regular file" if file.exists() else "is not there"
            problems.append(f"image {image.name}: {wanted}: {file} {found}.")
    return problems


def _no_boot_loader(images: t.Sequence[Image]) -> list[str]:
    forest = Forest(images)
    roots = ((image, forest.root(image.name)) for image in forest.images.values() if image.settings.get("boot"))
    return [
        f"image {image.name}: boot is set, and {'it' if root is image else f'{root.name}, which it is made from,'} is"
        " not bootable, so it has no boot loader."
        for image, root in roots
        if root.bootable is False and root.parent is None and root.path is None
    ]


def _too_deep(images: t.Sequence[Image]) -> list[str]:
    forest = Forest(images)
    return [
        f"image {name}: it has {depth} ancestors, and bakehouse.images.build builds forests of up to {LEVELS} levels."
        for name, depth in ((name, forest.depth(name)) for name in forest.images)
        if depth >= LEVELS
    ]


__all__ = ("forest_problems", "forest_warnings")
