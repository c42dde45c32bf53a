# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Making an OCI image of disk images: the same bytes from the same files, whenever and wherever it is made.

Each file is a layer of its own, so that one that has not changed is not sent again.
"""

from __future__ import annotations

import hashlib
import json
import os
import tarfile
import typing as t
from dataclasses import dataclass, field

from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError
from ansible_collections.bakehouse.images.plugins.module_utils._oci.blobs import CHUNK_BYTES, ZSTD_MAGIC
from ansible_collections.bakehouse.images.plugins.module_utils._oci.layers import COMPRESSED_ENDING, DISK_FOLDER
from ansible_collections.bakehouse.images.plugins.module_utils._oci.manifests import (
    OCI_CONFIG,
    OCI_LAYER,
    OCI_MANIFEST,
    Descriptor,
    Platform,
    digest_of,
)

if t.TYPE_CHECKING:
    from ansible_collections.bakehouse.images.plugins.module_utils._run import Runner

# Time is no part of what an image is.
CREATED = "1970-01-01T00:00:00Z"
TITLE_ANNOTATION = "org.opencontainers.image.title"

# containers/image, directory/directory_dest.go: what skopeo's folders say of themselves.
FOLDER_VERSION = "Directory Transport Version: 1.1\n"


@dataclass(frozen=True)
class PackedFile:
    """A disk image as it goes into an image.

    Attributes:
        name: in the image, without the ending that says that it is compressed.
        level: of zstd; None to take the file as it is.
    """

    path: str
    name: str
    level: t.Optional[int]

    @property
    def entry_name(self) -> str:
        """The name that it has in the image."""
        compressed = self.level is not None and not self.is_compressed
        return self.name + COMPRESSED_ENDING if compressed else self.name

    @property
    def is_compressed(self) -> bool:
        """Whether the file is compressed with zstd already, by its name and its first bytes."""
        if not self.name.endswith(COMPRESSED_ENDING):
            return False
        with open(self.path, "rb") as stream:
            return stream.read(len(ZSTD_MAGIC)) == ZSTD_MAGIC


@dataclass(frozen=True)
class Layer:
    """A layer that was made: the file in it, and the blob."""

    name: str
    blob: Descriptor

    def to_ansible(self) -> t.Dict[str, t.Any]:
        """As modules return it."""
        return {"name": self.name, "digest": self.blob.digest, "size_bytes": self.blob.size_bytes}


@dataclass(frozen=True)
class PackedImage:
    """An image in a folder, ready to be sent."""

    folder: str
    digest: str
    layers: t.Tuple[Layer, ...]
    annotations: t.Mapping[str, str] = field(default_factory=dict)


def pack(
    runner: Runner,
    files: t.Sequence[PackedFile],
    folder: str,
    *,
    platform: Platform,
    annotations: t.Mapping[str, str],
) -> PackedImage:
    """Make the image in a new folder, as skopeo reads them (transport C(dir)).

    Raises:
        BuildError: a file cannot be read, or there is no room.
    """
    try:
        os.mkdir(folder)
        _write(folder, "version", FOLDER_VERSION.encode("ascii"))
        layers = tuple(_pack_layer(runner, one, folder) for one in files)
        config = _add_config(folder, layers, platform)
        manifest = _manifest(layers, config, annotations)
        _write(folder, "manifest.json", manifest)
    except OSError as exc:
        raise BuildError("Cannot make the image in %s: %s." % (folder, exc.strerror), path=folder) from exc
    return PackedImage(folder, digest_of(manifest), layers, dict(annotations))


def _pack_layer(runner: Runner, file: PackedFile, folder: str) -> Layer:
    content, compressed = file.path, os.path.join(folder, "compressed")
    if file.entry_name != file.name:
        # The number of threads makes no difference to what comes out.
        # fmt: off
        runner.run([
            "zstd", "--compress", "--quiet", "--force", "--check", "--threads=0", "-%d" % (file.level or 0),
            "-o", compressed, file.path,
        ])
        # fmt: on
        content = compressed
    layer = os.path.join(folder, "layer")
    digest, size = _write_archive(content, "/".join((*DISK_FOLDER, file.entry_name)), layer)
    if content == compressed:
        os.unlink(compressed)
    blob = Descriptor(OCI_LAYER, digest, size)
    os.rename(layer, os.path.join(folder, blob.file_name))
    return Layer(file.entry_name, blob)


def _write_archive(content: str, name: str, target: str) -> t.Tuple[str, int]:
    """Write an archive of one file; returned are its digest and its size."""
    found = hashlib.sha256()
    with open(content, "rb") as source, open(target, "wb") as stream:
        size = os.fstat(source.fileno()).st_size
        for chunk in _archive(source, size, name):
            found.update(chunk)
            stream.write(chunk)
        return "sha256:" + found.hexdigest(), stream.tell()


def _archive(source: t.IO[bytes], size: int, name: str) -> t.Iterator[bytes]:
    folders = [DISK_FOLDER[: count + 1] for count in range(len(DISK_FOLDER))]
    for folder in folders:
        yield _header("/".join(folder), tarfile.DIRTYPE, 0o755, 0)
    yield _header(name, tarfile.REGTYPE, 0o644, size)
    left = size
    while left:
        chunk = source.read(min(CHUNK_BYTES, left))
        if not chunk:
            raise BuildError("%s became shorter while it was read." % name)
        left -= len(chunk)
        yield chunk
    # An archive ends with two blocks of zeros, and each entry at the end of one.
    yield bytes(-size % tarfile.BLOCKSIZE + 2 * tarfile.BLOCKSIZE)


def _header(name: str, kind: bytes, mode: int, size: int) -> bytes:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode, entry.size, entry.mtime = kind, mode, size, 0
    return entry.tobuf(format=tarfile.PAX_FORMAT)


def _add_config(folder: str, layers: t.Sequence[Layer], platform: Platform) -> Descriptor:
    config: t.Dict[str, t.Any] = {
        "created": CREATED,
        "os": platform.os,
        "architecture": platform.architecture,
        "config": {},
        # The layers are not compressed themselves, so that they have one digest only.
        "rootfs": {"type": "layers", "diff_ids": [layer.blob.digest for layer in layers]},
        "history": [{"created": CREATED, "created_by": "bakehouse.images"} for _layer in layers],
    }
    if platform.variant:
        config["variant"] = platform.variant
    content = _json(config)
    blob = Descriptor(OCI_CONFIG, digest_of(content), len(content))
    _write(folder, blob.file_name, content)
    return blob


def _manifest(layers: t.Sequence[Layer], config: Descriptor, annotations: t.Mapping[str, str]) -> bytes:
    manifest: t.Dict[str, t.Any] = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": _plain(config),
        "layers": [dict(_plain(layer.blob), annotations={TITLE_ANNOTATION: layer.name}) for layer in layers],
    }
    if annotations:
        manifest["annotations"] = dict(annotations)
    return _json(manifest)


def _plain(blob: Descriptor) -> t.Dict[str, t.Any]:
    return {"mediaType": blob.media_type, "digest": blob.digest, "size": blob.size_bytes}


def _json(data: t.Mapping[str, t.Any]) -> bytes:
    """In one way only: the digest is that of these bytes."""
    return json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode("utf-8")


def _write(folder: str, name: str, content: bytes) -> None:
    with open(os.path.join(folder, name), "wb") as stream:
        stream.write(content)


__all__ = ("Layer", "PackedFile", "PackedImage", "pack")
