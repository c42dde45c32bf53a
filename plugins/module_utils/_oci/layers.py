# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""The disk images in an image's layers, laid over one another as a container would see them.

Nothing in a layer is believed. No name in it is ever used as a path while it is read: contents go to numbered files,
and what is called how is kept in a table. What an honest image does not hold below C(/data/images) is an error.
"""

from __future__ import annotations

import os
import struct
import tarfile
import typing as t
import zlib

from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError, Invalid
from ansible_collections.bakehouse.images.plugins.module_utils._image_file.file_tags import SIDECAR_ENDING
from ansible_collections.bakehouse.images.plugins.module_utils._image_file.writing import UNFINISHED_ENDING
from ansible_collections.bakehouse.images.plugins.module_utils._oci.blobs import (
    SPARSE_BYTES,
    HashedStream,
    Readable,
    write_sparse,
)
from ansible_collections.bakehouse.images.plugins.module_utils._oci.limits import Allowance

Parts = t.Tuple[str, ...]

# Where little-vm-helper's images have their files.
DISK_FOLDER: Parts = ("data", "images")
COMPRESSED_ENDING = ".zst"

# https://github.com/opencontainers/image-spec/blob/main/layer.md#whiteouts
WHITEOUT = ".wh."
OPAQUE = ".wh..wh..opq"
RESERVED = ".wh..wh."

# What may be read up to the next entry: its headers with long names, padding, and what the reader takes in advance.
HEADER_LIMIT = 1024 * 1024

# How many files and folders an honest image has at most, and how many mistakes are worth telling.
MAX_NODES = 256
MAX_PROBLEMS = 10

KINDS = {
    tarfile.SYMTYPE: "a symbolic link to %r",
    tarfile.LNKTYPE: "a hard link to %r",
    tarfile.CHRTYPE: "a device",
    tarfile.BLKTYPE: "a device",
    tarfile.FIFOTYPE: "a named pipe",
}

# What tarfile raises on bytes that are no archive.
BROKEN = (tarfile.TarError, EOFError, OSError, OverflowError, RecursionError, ValueError, struct.error, zlib.error)


class DiskFiles:
    """The files below C(/data/images), layer by layer.

    Attributes:
        allowance: how much may come out of all layers.
        nodes: what is there: the path of the file that holds its contents, or None for a folder.
        problems: what an honest image does not have. After the first, contents are not kept any more.
    """

    def __init__(self, folder: str, allowance: t.Optional[Allowance] = None) -> None:
        self.folder = folder
        self.allowance = allowance or Allowance()
        self.nodes: t.Dict[Parts, t.Optional[str]] = {}
        self.problems: t.List[str] = []
        self._count = 0

    def files(self) -> t.Dict[Parts, str]:
        """The files, by where they belong.

        Raises:
            Invalid: something in the layers is not as it should be.
        """
        if self.problems:
            raise Invalid(self.problems, subject="The image was refused")
        return {parts: path for parts, path in sorted(self.nodes.items()) if path is not None}

    def add_layer(self, source: Readable) -> str:
        """Lay the next layer over those before; returned is its digest.

        Raises:
            Invalid: it is no archive.
        """
        stream = HashedStream(source, self.allowance)
        upper: t.Dict[Parts, t.Optional[str]] = {}
        try:
            with tarfile.open(
                fileobj=t.cast("t.IO[bytes]", stream), mode="r|", bufsize=SPARSE_BYTES, encoding="utf-8"
            ) as archive:
                while True:
                    stream.allow(HEADER_LIMIT)
                    member = archive.next()
                    stream.allow(None)
                    if member is None:
                        break
                    # tarfile keeps all it has seen, which is of no use here and has no limit.
                    archive.members = []  # type: ignore[attr-defined]
                    self._take(archive, member, upper)
            stream.drain()
        except BROKEN as exc:
            if isinstance(exc, OSError) and exc.errno is not None:
                raise BuildError("Cannot write in %s: %s." % (self.folder, exc.strerror)) from exc
            raise Invalid(["A layer cannot be read: %s." % (exc or type(exc).__name__)]) from exc
        self._merge(upper)
        return stream.digest

    def _take(self, archive: tarfile.TarFile, member: tarfile.TarInfo, upper: t.Dict[Parts, t.Optional[str]]) -> None:
        parts = _parts(member.name)
        if parts is None:
            self._problem(member, "which would lead out of the image")
        elif parts and parts[-1].startswith(WHITEOUT):
            self._white_out(member, parts)
        elif not _concerns(parts):
            self._skip(archive, member)
        elif member.isdir():
            self._put(upper, parts, None)
        elif parts[: len(DISK_FOLDER)] != DISK_FOLDER or len(parts) == len(DISK_FOLDER) or not member.isreg():
            self._problem(member, "which is %s, where only folders and files belong" % _kind(member))
        elif member.issparse():
            self._problem(member, "which has holes in a way that is not known here")
        elif not is_proper(parts):
            self._problem(member, "a name that no file here may have")
        else:
            self._put(upper, parts, self._store(archive, member))

    def _problem(self, member: tarfile.TarInfo, why: str) -> None:
        self._add_problem("A layer holds %r, %s." % (member.name, why))

    def _add_problem(self, problem: str) -> None:
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(problem)

    def _store(self, archive: tarfile.TarFile, member: tarfile.TarInfo) -> str:
        """Write the contents to a file of a name of our own."""
        if self.problems:
            self._skip(archive, member)
            return ""
        self._count += 1
        path = os.path.join(self.folder, "%d.contents" % self._count)
        write_sparse(path, _contents(archive, member))
        return path

    def _skip(self, archive: tarfile.TarFile, member: tarfile.TarInfo) -> None:
        if member.isreg() and not member.issparse():
            for _chunk in _contents(archive, member):
                pass

    def _put(self, nodes: t.Dict[Parts, t.Optional[str]], parts: Parts, node: t.Optional[str]) -> None:
        """Of two entries with one name in a layer, the later counts, as with tar."""
        if node is not None or nodes.get(parts) is not None:
            _forget(nodes, parts)
        nodes[parts] = node
        if len(nodes) > MAX_NODES:
            raise Invalid(["The image has more than %d files below /%s." % (MAX_NODES, "/".join(DISK_FOLDER))])

    def _white_out(self, member: tarfile.TarInfo, parts: Parts) -> None:
        """Hide what layers below have. This layer's own entries stay, also those that came before."""
        folder, name = parts[:-1], parts[-1]
        if name == OPAQUE:
            for below in _children(self.nodes, folder):
                _forget(self.nodes, below)
        elif not name.startswith(RESERVED):
            hidden = name[len(WHITEOUT) :]
            if hidden in ("", ".", ".."):
                self._problem(member, "which hides nothing that could be")
            else:
                _forget(self.nodes, folder + (hidden,))

    def _merge(self, upper: t.Mapping[Parts, t.Optional[str]]) -> None:
        for parts, node in upper.items():
            for above in range(1, len(parts)):
                if self.nodes.get(parts[:above]) is not None:
                    if upper.get(parts[:above]) is not None:
                        self._add_problem("A layer has %r both as a file and as a folder." % "/".join(parts[:above]))
                    _forget(self.nodes, parts[:above])
            self._put(self.nodes, parts, node)


def _parts(name: str) -> t.Optional[Parts]:
    """The parts of a name; None for one that leads elsewhere than down."""
    parts = tuple(part for part in name.split("/") if part not in ("", "."))
    return None if name.startswith("/") or ".." in parts else parts


def _concerns(parts: Parts) -> bool:
    """Whether this is the folder of disk images, something in it, or a folder above it."""
    count = min(len(parts), len(DISK_FOLDER))
    return parts[:count] == DISK_FOLDER[:count]


def uncompressed_name(name: str) -> str:
    """What a file is called when it is not compressed any more."""
    return name[: -len(COMPRESSED_ENDING)] if name.endswith(COMPRESSED_ENDING) else name


def is_proper(parts: Parts) -> bool:
    """Whether a file may be called so: nothing that hides on a terminal, or that we take for our own notes."""
    name = uncompressed_name(parts[-1])
    ours = name.startswith(".") and name.endswith((SIDECAR_ENDING, UNFINISHED_ENDING))
    return all(part.isprintable() for part in parts) and not ours and name not in ("", ".", "..")


def _kind(member: tarfile.TarInfo) -> str:
    kind = KINDS.get(member.type, "a file" if member.isreg() else "something unknown")
    return kind % member.linkname if "%" in kind else kind


def _contents(archive: tarfile.TarFile, member: tarfile.TarInfo) -> t.Iterator[bytes]:
    content = archive.extractfile(member)
    while content is not None:
        chunk = content.read(SPARSE_BYTES)
        if not chunk:
            return
        yield chunk


def _children(nodes: t.Mapping[Parts, t.Optional[str]], folder: Parts) -> t.List[Parts]:
    return [parts for parts in nodes if len(parts) > len(folder) and parts[: len(folder)] == folder]


def _forget(nodes: t.Dict[Parts, t.Optional[str]], parts: Parts) -> None:
    """Remove an entry, and all below it, with their contents."""
    for gone in [*_children(nodes, parts), parts]:
        path = nodes.pop(gone, None)
        if path:
            os.unlink(path)


__all__ = ("COMPRESSED_ENDING", "DISK_FOLDER", "WHITEOUT", "DiskFiles", "Parts", "is_proper", "uncompressed_name")
