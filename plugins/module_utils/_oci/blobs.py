# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""The files of a downloaded image: checked against their digests, and opened, whatever they are compressed with."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import os
import typing as t

from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError
from ansible_collections.bakehouse.images.plugins.module_utils._oci.manifests import check_digest
from ansible_collections.bakehouse.images.plugins.module_utils._oci.zstd import decompressed

if t.TYPE_CHECKING:
    from ansible_collections.bakehouse.images.plugins.module_utils._oci.limits import Allowance
    from ansible_collections.bakehouse.images.plugins.module_utils._oci.manifests import Descriptor

CHUNK_BYTES = 1024 * 1024
# The least that becomes a hole when there is nothing but zeros in it.
SPARSE_BYTES = 64 * 1024

# RFC 1952, RFC 8878. The kind that a manifest names is not always what a layer is; its first bytes are.
GZIP_MAGIC = b"\x1f\x8b"
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"


class Readable(t.Protocol):
    """What bytes can be read from."""

    def read(self, size: int) -> bytes:
        """The next bytes, at most that many; none at the end."""
        raise NotImplementedError


class HashedStream:
    """Bytes on their way through, hashed; with a limit on how many may come at a time, and one on all of them."""

    def __init__(self, source: Readable, allowance: t.Optional[Allowance] = None) -> None:
        self._source = source
        self._allowance = allowance
        self._hash = hashlib.sha256()
        self._allowed: t.Optional[int] = None

    def allow(self, count: t.Optional[int]) -> None:
        """From now on at most that many bytes may be read; None for any number."""
        self._allowed = count

    def read(self, size: int) -> bytes:
        """See Readable.read."""
        chunk = self._source.read(size)
        self._hash.update(chunk)
        if self._allowance:
            self._allowance.take(len(chunk))
        if self._allowed is not None:
            self._allowed -= len(chunk)
            if self._allowed < 0:
                raise BuildError("A header in a layer is larger than any that is honest.")
        return chunk

    def drain(self) -> None:
        """Read what is left."""
        self._allowed = None
        while self.read(CHUNK_BYTES):
            pass

    @property
    def digest(self) -> str:
        """The digest of all that was read."""
        return "sha256:" + self._hash.hexdigest()


def check_blob(folder: str, blob: Descriptor, subject: str) -> str:
    """The path of a downloaded blob, once its size and bytes are those that the manifest promises.

    Raises:
        BuildError: they are not.
    """
    path = os.path.join(folder, blob.file_name)
    try:
        size = os.stat(path).st_size
        with open(path, "rb") as stream:
            hashed = HashedStream(stream)
            hashed.drain()
    except OSError as exc:
        raise BuildError("%s was not downloaded: %s." % (subject, exc.strerror), path=path) from exc
    if size != blob.size_bytes:
        raise BuildError("%s has %d bytes, and its manifest says %d." % (subject, size, blob.size_bytes))
    check_digest(hashed.digest, blob.digest, subject)
    return path


@contextlib.contextmanager
def open_layer(path: str) -> t.Iterator[Readable]:
    """The bytes of a layer's archive."""
    with open(path, "rb") as stream:
        magic = stream.read(4)
    if magic.startswith(GZIP_MAGIC):
        with gzip.open(path, "rb") as unpacked:
            yield unpacked
    elif magic == ZSTD_MAGIC:
        with decompressed(path, subject="A layer") as output:
            yield output
    else:
        with open(path, "rb") as stream:
            yield stream


def write_sparse(path: str, chunks: t.Iterable[bytes]) -> None:
    """Write a file that is not there yet. Chunks that are nothing but zeros become holes."""
    with open(path, "xb") as target:
        for chunk in chunks:
            if chunk.count(0) == len(chunk):
                target.seek(len(chunk), os.SEEK_CUR)
            else:
                target.write(chunk)
        target.truncate()


def unpack_zstd(path: str, target: str, allowance: Allowance, *, subject: str) -> None:
    """Decompress a file into one that is not there."""
    with decompressed(path, subject=subject) as output:
        write_sparse(target, _counted(output, allowance))


def _counted(source: Readable, allowance: Allowance) -> t.Iterator[bytes]:
    while True:
        chunk = source.read(SPARSE_BYTES)
        if not chunk:
            return
        allowance.take(len(chunk))
        yield chunk


__all__ = (
    "CHUNK_BYTES",
    "SPARSE_BYTES",
    "ZSTD_MAGIC",
    "HashedStream",
    "Readable",
    "check_blob",
    "open_layer",
    "unpack_zstd",
    "write_sparse",
)
