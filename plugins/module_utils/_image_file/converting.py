# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Writing the contents of an image file, in the format asked for. qemu-img does what is not raw."""

from __future__ import annotations

import os
import typing as t

from ansible_collections.bakehouse.images.plugins.module_utils._image_file.sparse import copy_file, open_new

if t.TYPE_CHECKING:
    from ansible_collections.bakehouse.images.plugins.module_utils._image_file.looking import ImageFile
    from ansible_collections.bakehouse.images.plugins.module_utils._run import Runner


def write_contents(
    runner: Runner,
    image_format: str,
    path: str,
    *,
    source: t.Optional[ImageFile],
    backing: t.Optional[ImageFile],
    size_bytes: int,
    compress: bool = False,
) -> None:
    """Write a new file with the contents of C(source), or blank, C(size_bytes) large."""
    if backing and source:
        write_difference(runner, path, source, backing)
    elif backing:
        create_overlay(runner, path, backing)
    elif source is None:
        create_blank(runner, image_format, path, size_bytes)
    elif source.format == "raw" and image_format == "raw":
        copy_file(source.path, path)
    else:
        convert(runner, source, image_format, path, compress=compress)
    grow(runner, path, image_format, size_bytes)


def create_blank(runner: Runner, image_format: str, path: str, size_bytes: int) -> None:
    """A disk of zeros that takes no space."""
    if image_format == "raw":
        with open_new(path) as stream:
            stream.truncate(size_bytes)
    else:
        runner.run(["qemu-img", "create", "-q", "-f", image_format, path, str(size_bytes)])


def convert(runner: Runner, source: ImageFile, image_format: str, path: str, *, compress: bool = False) -> None:
    """The whole contents of an image, those of its backing files included, in another file. Zeros become holes."""
    # fmt: off
    runner.run(
        [
            "qemu-img", "convert", "-q",
            "-f", source.format, "-O", image_format,
            *(["-c"] if compress else []),
            source.path, path,
        ]
    )
    # fmt: on


def create_overlay(runner: Runner, path: str, backing: ImageFile) -> None:
    """A qcow2 file that holds nothing yet of its own."""
    name = backing_name(path, backing.path)
    # The backing file's format is said, so that what a guest writes to its first sector is never taken for a header.
    runner.run(["qemu-img", "create", "-q", "-f", "qcow2", "-b", name, "-F", backing.format, path])


def write_difference(runner: Runner, path: str, source: ImageFile, backing: ImageFile) -> None:
    """A qcow2 file that holds what C(source) has and C(backing) has not.

    An overlay of the source is moved to the other backing file: in its safe mode, C(qemu-img rebase) keeps the
    contents by copying what differs.
    """
    create_overlay(runner, path, source)
    name = backing_name(path, backing.path)
    runner.run(["qemu-img", "rebase", "-q", "-f", "qcow2", "-b", name, "-F", backing.format, path])


def backing_name(path: str, backing: str) -> str:
    """How a file refers to its backing file: by name where both lie in one folder, which then can be moved."""
    whole = os.path.realpath(backing)
    if os.path.dirname(whole) != os.path.realpath(os.path.dirname(path)):
        return whole
    # A name with a colon would be taken for a protocol.
    return os.path.join(".", os.path.basename(whole)) if ":" in os.path.basename(whole) else os.path.basename(whole)


def grow(runner: Runner, path: str, image_format: str, size_bytes: int) -> None:
    """Let the disk in a file be at least this large. The file system in it grows when it is next attached."""
    if image_format == "raw":
        if os.stat(path).st_size < size_bytes:
            os.truncate(path, size_bytes)
        return
    runner.run(["qemu-img", "resize", "-q", "-f", image_format, path, str(size_bytes)])


__all__ = ("backing_name", "convert", "grow", "write_contents")
