# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""What a path holds: a disk image, in which format and size, and what its tags say."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import typing as t
from dataclasses import dataclass, field

from ansible_collections.bakehouse.images.plugins.module_utils._disk.sizes import align_down
from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError, Invalid, NotFound
from ansible_collections.bakehouse.images.plugins.module_utils._image_file.file_tags import (
    CHECKSUM_TAG,
    WRITTEN_TAG,
    read_tags,
)
from ansible_collections.bakehouse.images.plugins.module_utils._image_file.sparse import CHUNK_BYTES, data_extents
from ansible_collections.bakehouse.images.plugins.module_utils._tags import BUILD_ID_TAG, FINGERPRINT_TAG, IMAGE_TAG

if t.TYPE_CHECKING:
    from ansible_collections.bakehouse.images.plugins.module_utils._run import Runner

FORMATS = ("raw", "qcow2")

# The first bytes of a qcow2 file (QEMU, docs/interop/qcow2.txt).
QCOW2_MAGIC = b"QFI\xfb"

# st_blocks counts in these (stat(2)).
BLOCK_BYTES = 512


@dataclass(frozen=True)
class ImageFile:
    """A disk image file.

    Attributes:
        size_bytes: the disk's size, as a machine sees it.
        disk_bytes: what the file takes on its file system.
        modified: whether someone has written to it after we have.
    """

    path: str
    format: str
    size_bytes: int
    disk_bytes: int
    file_bytes: int
    backing_file: t.Optional[str] = None
    tags: t.Dict[str, str] = field(default_factory=dict)
    modified: bool = False

    @property
    def fingerprint(self) -> t.Optional[str]:
        """The fingerprint that it was built with; None when it is not ours."""
        return self.tags.get(FINGERPRINT_TAG)

    @property
    def checksum(self) -> t.Optional[str]:
        """The SHA-256 of the file, where it is known and still true."""
        return None if self.modified else self.tags.get(CHECKSUM_TAG)

    def to_ansible(self) -> t.Dict[str, t.Any]:
        """As modules return it."""
        return {
            "image_id": self.path,
            "path": self.path,
            "format": self.format,
            "size_bytes": self.size_bytes,
            "disk_bytes": self.disk_bytes,
            "file_bytes": self.file_bytes,
            "backing_file": self.backing_file,
            "build_id": self.tags.get(BUILD_ID_TAG),
            "image_name": self.tags.get(IMAGE_TAG),
            "fingerprint": self.fingerprint,
            "checksum": self.checksum,
            "modified": self.modified,
            "empty": self.file_bytes == 0,
            "tags": dict(self.tags),
        }


def look(runner: Runner, path: str, *, image_format: t.Optional[str] = None) -> t.Optional[ImageFile]:
    """The image file at the path, links followed; None when there is nothing.

    Args:
        image_format: the format, where it is known. Otherwise the first bytes tell.

    Raises:
        Invalid: what is there is not a regular file.
    """
    try:
        found = os.stat(path)
    except FileNotFoundError:
        if os.path.islink(path):
            raise Invalid(["%s is a link that leads nowhere." % path]) from None
        return None
    except OSError as exc:
        raise BuildError("Cannot look at %s: %s." % (path, exc.strerror), path=path) from exc
    if not stat.S_ISREG(found.st_mode):
        raise Invalid(["%s is not a regular file, so it is no disk image, and nothing was done to it." % path])
    tags = read_tags(path)
    kind = image_format or detect_format(path)
    described = _ask_qemu(runner, path) if kind == "qcow2" else {}
    written = tags.get(WRITTEN_TAG)
    return ImageFile(
        path=path,
        format=kind,
        size_bytes=described.get("virtual-size", found.st_size),
        disk_bytes=found.st_blocks * BLOCK_BYTES,
        file_bytes=found.st_size,
        backing_file=described.get("backing-filename"),
        tags=tags,
        modified=written is not None and written != str(found.st_mtime_ns),
    )


def require(runner: Runner, path: str, *, image_format: t.Optional[str] = None) -> ImageFile:
    """The image file at the path, which must hold something."""
    found = look(runner, path, image_format=image_format)
    if found is None:
        raise NotFound("There is no disk image %s." % path, path=path)
    if found.file_bytes == 0:
        raise Invalid(["%s is empty, so it is no disk image." % path])
    return found


def detect_format(path: str) -> str:
    """C(qcow2) by its first bytes; everything else is C(raw)."""
    with open(path, "rb") as stream:
        return "qcow2" if stream.read(len(QCOW2_MAGIC)) == QCOW2_MAGIC else "raw"


def _ask_qemu(runner: Runner, path: str) -> t.Dict[str, t.Any]:
    # -U: another process may read the file at the same time.
    done = runner.run(["qemu-img", "info", "-U", "-f", "qcow2", "--output", "json", path])
    described: t.Dict[str, t.Any] = json.loads(done.out)
    return described


def content_digest(path: str) -> str:
    """A hash of what is in the file and where it is. Holes cost nothing, and count as zeros do.

    Not a checksum of the file: C(sha256sum) has another result.
    """
    found = hashlib.sha256()
    with open(path, "rb") as stream:
        found.update(b"%d;" % os.fstat(stream.fileno()).st_size)
        for position in _chunks_with_data(stream.fileno()):
            chunk = os.pread(stream.fileno(), CHUNK_BYTES, position)
            if chunk.count(0) != len(chunk):
                found.update(b"%d:" % position + chunk)
    return found.hexdigest()


def _chunks_with_data(descriptor: int) -> t.Iterator[int]:
    """Where the chunks begin that hold data: multiples of the same step, wherever holes begin and end."""
    position = 0
    for start, end in data_extents(descriptor):
        position = max(position, align_down(start, CHUNK_BYTES))
        while position < end:
            yield position
            position += CHUNK_BYTES


def file_checksum(path: str) -> str:
    """SHA-256 of the file's bytes, as C(sha256sum) has it."""
    found = hashlib.sha256()
    with open(path, "rb") as stream:
        while True:
            chunk = stream.read(CHUNK_BYTES)
            if not chunk:
                return found.hexdigest()
            found.update(chunk)


def source_identity(image: ImageFile) -> str:
    """What a child's fingerprint says of its parent: the parent's own, or what the file holds."""
    if image.fingerprint and not image.modified:
        return image.fingerprint
    return content_digest(image.path)


__all__ = (
    "FORMATS",
    "ImageFile",
    "content_digest",
    "detect_format",
    "file_checksum",
    "look",
    "require",
    "source_identity",
)
