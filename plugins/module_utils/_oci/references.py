# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Names of images in registries: C(quay.io/lvh-images/kind:main), C(localhost:5000/web@sha256:...)."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, replace

from ansible_collections.bakehouse.images.plugins.module_utils._errors import Invalid

TRANSPORT = "docker://"
DEFAULT_REGISTRY = "docker.io"
DEFAULT_TAG = "latest"

# https://github.com/distribution/reference: what registries take as names.
_LABEL = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
_REGISTRY = re.compile(r"(?:%s(?:\.%s)*|\[[0-9a-fA-F:]+\])(?::[0-9]+)?\Z" % (_LABEL, _LABEL))
_PATH = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*\Z")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}\Z")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}\Z")


@dataclass(frozen=True)
class Reference:
    """An image in a registry.

    Attributes:
        registry: host, and port where it is not the usual one.
        path: of the repository in the registry.
        digest: of the manifest; where it is given, the tag decides nothing.
    """

    registry: str
    path: str
    tag: t.Optional[str] = None
    digest: t.Optional[str] = None

    @property
    def repository(self) -> str:
        """Registry and path."""
        return "%s/%s" % (self.registry, self.path)

    def __str__(self) -> str:
        if self.digest:
            return "%s@%s" % (self.repository, self.digest)
        return "%s:%s" % (self.repository, self.tag or DEFAULT_TAG)

    @property
    def address(self) -> str:
        """As skopeo takes it."""
        return TRANSPORT + str(self)

    def pinned(self, digest: str) -> Reference:
        """The image with this digest in the same repository."""
        return replace(self, tag=None, digest=digest)


def is_digest(text: t.Any) -> bool:
    """Whether this is a SHA-256 digest in the form that manifests have. Nothing else may become a file's name."""
    return isinstance(text, str) and _DIGEST.match(text) is not None


def parse_reference(text: str) -> Reference:
    """Read a name as users write it. Without a registry it is one of Docker's, as everywhere.

    Raises:
        Invalid: no registry takes it.
    """
    rest = text[len(TRANSPORT) :] if text.startswith(TRANSPORT) else text
    rest, at_sign, digest = rest.partition("@")
    head, slash, last = rest.rpartition("/")
    last, colon, tag = last.partition(":")
    registry, path = _split_registry(head + slash + last)
    problems = []
    if not _REGISTRY.match(registry):
        problems.append("%r is no name of a registry." % registry)
    if not _PATH.match(path):
        problems.append("%r is no name of a repository: lower-case letters, digits, and . _ - between them." % path)
    if colon and not _TAG.match(tag):
        problems.append("%r is no tag: letters, digits and _ . -, 128 at most." % tag)
    if at_sign and not is_digest(digest):
        problems.append("%r is no digest: sha256: and 64 hexadecimal digits." % digest)
    if problems:
        raise Invalid(problems, subject="The name %r" % text)
    return Reference(registry, path, tag if colon else None, digest if at_sign else None)


def _split_registry(name: str) -> t.Tuple[str, str]:
    first, slash, rest = name.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return first, rest
    return DEFAULT_REGISTRY, name if slash else "library/" + name


__all__ = ("Reference", "is_digest", "parse_reference")
