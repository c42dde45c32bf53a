# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Manifests, indexes and configurations of images, as far as disk images need them.

Their bytes come from a registry: nothing in them is believed before it has been looked at.
"""

from __future__ import annotations

import hashlib
import json
import platform as machine
import re
import typing as t
from dataclasses import dataclass

from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError, Invalid, NotFound
from ansible_collections.bakehouse.images.plugins.module_utils._oci.references import is_digest

# https://github.com/opencontainers/image-spec/blob/main/media-types.md, and Docker's own, which are older.
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"
INDEXES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
MANIFESTS = (OCI_MANIFEST, "application/vnd.docker.distribution.manifest.v2+json")
CONFIGS = (OCI_CONFIG, "application/vnd.docker.container.image.v1+json")
LAYERS = (
    OCI_LAYER,
    OCI_LAYER + "+gzip",
    OCI_LAYER + "+zstd",
    "application/vnd.docker.image.rootfs.diff.tar",
    "application/vnd.docker.image.rootfs.diff.tar.gzip",
    "application/vnd.docker.image.rootfs.diff.tar.zstd",
)

# Go's names of architectures, which images have, by the kernel's; the variant after the slash.
ARCHITECTURES = {
    "x86_64": "amd64",
    "aarch64": "arm64",
    "armv7l": "arm/v7",
    "armv6l": "arm/v6",
    "i686": "386",
}
# A variant that goes without saying.
PLAIN_VARIANTS = {"arm64": "v8"}

_PLATFORM = re.compile(r"[a-z0-9_]+/[a-z0-9_]+(/[a-z0-9_.]+)?\Z")


@dataclass(frozen=True)
class Platform:
    """What an image is for: C(linux/amd64), C(linux/arm/v7)."""

    os: str
    architecture: str
    variant: t.Optional[str] = None

    def __str__(self) -> str:
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)

    def suits(self, wanted: Platform) -> bool:
        """Whether an image for this platform is what was asked for."""
        plain = PLAIN_VARIANTS.get(self.architecture)
        same = (self.os, self.architecture) == (wanted.os, wanted.architecture)
        return same and (not wanted.variant or wanted.variant == (self.variant or plain))


@dataclass(frozen=True)
class Descriptor:
    """What a manifest or an index refers to."""

    media_type: str
    digest: str
    size_bytes: int
    platform: t.Optional[Platform] = None

    @property
    def file_name(self) -> str:
        """The name of its file in a folder that skopeo has written (transport C(dir))."""
        return self.digest.partition(":")[2]


@dataclass(frozen=True)
class Manifest:
    """One image, or with C(platforms) an index of several."""

    digest: str
    config: t.Optional[Descriptor] = None
    layers: t.Tuple[Descriptor, ...] = ()
    platforms: t.Optional[t.Tuple[Descriptor, ...]] = None

    @property
    def size_bytes(self) -> int:
        """What has to be downloaded."""
        return sum(layer.size_bytes for layer in self.layers)


@dataclass(frozen=True)
class Configuration:
    """What an image says of itself: its platform, and the digests of its layers when they are not compressed."""

    platform: Platform
    diff_ids: t.Tuple[str, ...]


def digest_of(content: bytes) -> str:
    """The digest of these bytes, as manifests write it."""
    return "sha256:" + hashlib.sha256(content).hexdigest()


def parse_platform(text: str) -> Platform:
    """Read a platform as users write it."""
    if not _PLATFORM.match(text):
        raise Invalid(["platform is %r. Write it as os/architecture, such as linux/arm64." % text])
    parts = text.split("/")
    return Platform(parts[0], parts[1], parts[2] if len(parts) > 2 else None)


def this_platform() -> Platform:
    """The platform of the machine this runs on."""
    kernel = machine.machine()
    return parse_platform("linux/" + ARCHITECTURES.get(kernel, kernel))


def parse_manifest(content: bytes, name: str) -> Manifest:
    """Read a manifest or an index.

    Args:
        name: of the image, for errors.

    Raises:
        Invalid: it is neither, or one of something else than an image.
    """
    data = _json_object(content, name)
    kind = data.get("mediaType") or _guessed_type(data)
    if kind in INDEXES:
        entries = tuple(_descriptor(item, name) for item in _list(data, "manifests", name))
        return Manifest(digest_of(content), platforms=entries)
    if kind not in MANIFESTS:
        raise Invalid(["%s is of the kind %r, which is not known here." % (name, kind)])
    config = _descriptor(data.get("config"), name)
    if config.media_type not in CONFIGS:
        raise Invalid(["%s is no image: its configuration is of the kind %r." % (name, config.media_type)])
    layers = tuple(_descriptor(item, name) for item in _list(data, "layers", name))
    for layer in layers:
        if layer.media_type not in LAYERS:
            raise Invalid(["%s has a layer of the kind %r, which is not known here." % (name, layer.media_type)])
    return Manifest(digest_of(content), config=config, layers=layers)


def parse_configuration(content: bytes, name: str) -> Configuration:
    """Read the configuration of an image."""
    data = _json_object(content, name)
    rootfs = data.get("rootfs")
    diff_ids = _list(rootfs if isinstance(rootfs, dict) else {}, "diff_ids", name)
    if not all(is_digest(item) for item in diff_ids):
        raise Invalid(["The configuration of %s has digests of layers that are none." % name])
    return Configuration(_platform(data), tuple(diff_ids))


def choose_platform(index: Manifest, wanted: Platform, name: str) -> Descriptor:
    """The image of an index that is for this platform; the first, if several are.

    Raises:
        NotFound: there is none; the error names those there are.
    """
    entries = index.platforms or ()
    for entry in entries:
        if entry.platform and entry.platform.suits(wanted):
            if entry.media_type not in MANIFESTS:
                raise Invalid(["%s has for %s a %r, which is no image." % (name, wanted, entry.media_type)])
            return entry
    there = sorted({str(entry.platform) for entry in entries if entry.platform})
    raise NotFound(
        "%s has no image for %s." % (name, wanted),
        hint="It has images for %s: choose one with platform." % ", ".join(there) if there else None,
        platforms=there,
    )


def check_digest(found: str, wanted: t.Optional[str], subject: str) -> None:
    """Refuse what has another digest than asked for.

    Raises:
        BuildError: it has.
    """
    if wanted is not None and found != wanted:
        raise BuildError(
            "%s has the digest %s, and should have %s." % (subject, found, wanted),
            hint="Nothing of it was used. It was tampered with or damaged, or another image was meant.",
            digest=found,
        )


def _guessed_type(data: t.Mapping[str, t.Any]) -> t.Optional[str]:
    """OCI's first manifests did not say what they are."""
    if data.get("schemaVersion") != 2:
        return None
    return INDEXES[0] if "manifests" in data else OCI_MANIFEST


def _json_object(content: bytes, name: str) -> t.Dict[str, t.Any]:
    try:
        data = json.loads(content)
    except (ValueError, RecursionError) as exc:
        raise Invalid(["What describes %s cannot be read as JSON: %s." % (name, exc)]) from exc
    if not isinstance(data, dict):
        raise Invalid(["What describes %s is no JSON object." % name])
    return data


def _list(data: t.Mapping[str, t.Any], key: str, name: str) -> t.List[t.Any]:
    found = data.get(key)
    if not isinstance(found, list):
        raise Invalid(["What describes %s has no list %r." % (name, key)])
    return found


def _descriptor(data: t.Any, name: str) -> Descriptor:
    given = data if isinstance(data, dict) else {}
    kind, digest, size = given.get("mediaType"), given.get("digest"), given.get("size")
    if not isinstance(kind, str) or not is_digest(digest) or not isinstance(size, int) or size < 0:
        raise Invalid(["%s refers to something without a proper kind, size and SHA-256 digest: %r." % (name, data)])
    platform = given.get("platform")
    return Descriptor(kind, str(digest), size, _platform(platform) if isinstance(platform, dict) else None)


def _platform(data: t.Mapping[str, t.Any]) -> Platform:
    values = [data.get(key) for key in ("os", "architecture", "variant")]
    os, architecture, variant = (value if isinstance(value, str) and value else None for value in values)
    return Platform(os or "unknown", architecture or "unknown", variant)


__all__ = (
    "OCI_CONFIG",
    "OCI_LAYER",
    "OCI_MANIFEST",
    "Configuration",
    "Descriptor",
    "Manifest",
    "Platform",
    "check_digest",
    "choose_platform",
    "digest_of",
    "parse_configuration",
    "parse_manifest",
    "parse_platform",
    "this_platform",
)
