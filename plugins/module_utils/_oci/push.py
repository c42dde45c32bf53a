# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Having disk images in a registry: observe, plan, apply.

The image is made first, in any case: what it would be is known by its digest only.
"""

from __future__ import annotations

import contextlib
import functools
import os
import typing as t
from dataclasses import dataclass, field

from ansible_collections.bakehouse.images.plugins.module_utils._disk.sizes import show_size
from ansible_collections.bakehouse.images.plugins.module_utils._errors import Conflict, Invalid
from ansible_collections.bakehouse.images.plugins.module_utils._image_file.writing import FileOperation
from ansible_collections.bakehouse.images.plugins.module_utils._oci.layers import (
    WHITEOUT,
    is_proper,
    uncompressed_name,
)
from ansible_collections.bakehouse.images.plugins.module_utils._oci.manifests import (
    check_digest,
    digest_of,
    parse_platform,
    this_platform,
)
from ansible_collections.bakehouse.images.plugins.module_utils._oci.packing import PackedFile, PackedImage, pack
from ansible_collections.bakehouse.images.plugins.module_utils._oci.progress import (
    NO_PROGRESS,
    BytesRead,
    Progress,
    bytes_below,
)
from ansible_collections.bakehouse.images.plugins.module_utils._oci.qcow2 import foreign_file
from ansible_collections.bakehouse.images.plugins.module_utils._oci.references import Reference, parse_reference
from ansible_collections.bakehouse.images.plugins.module_utils._oci.registry import Access, Registry
from ansible_collections.bakehouse.images.plugins.module_utils._oci.staging import staging_folder

if t.TYPE_CHECKING:
    from ansible_collections.bakehouse.images.plugins.module_utils._run import Runner

COMPRESSIONS = ("zstd", "none")
MAX_LEVEL = 19


@dataclass(frozen=True)
class PushRequest:
    """Disk images to have in a registry.

    Attributes:
        images: each with C(path), and C(name) where it is called otherwise there.
        work_directory: where the image is made.
        overwrite: let a tag that is another image become this one.
    """

    name: str
    images: t.Sequence[t.Mapping[str, t.Optional[str]]]
    platform: t.Optional[str] = None
    annotations: t.Mapping[str, str] = field(default_factory=dict)
    compression: str = "zstd"
    compression_level: int = 3
    work_directory: str = "/var/tmp"  # noqa: S108 - a folder of its own is made in it
    overwrite: bool = False
    access: Access = field(default_factory=Access)

    def files(self) -> t.List[PackedFile]:
        """The files to pack."""
        level = self.compression_level if self.compression == "zstd" else None
        return [
            PackedFile(str(one["path"]), one.get("name") or os.path.basename(str(one["path"])), level)
            for one in self.images
        ]

    def problems(self) -> t.List[str]:
        """All mistakes that can be seen before anything is made or asked."""
        problems = self.access.problems()
        with _mistakes(problems):
            if parse_reference(self.name).digest:
                problems.append("name holds a digest, which follows from the contents. Give a tag.")
        if self.platform:
            with _mistakes(problems):
                parse_platform(self.platform)
        if not 1 <= self.compression_level <= MAX_LEVEL:
            problems.append("compression_level is %d; it must be from 1 to %d." % (self.compression_level, MAX_LEVEL))
        if not self.images:
            problems.append("images is empty: there is nothing to push.")
        problems += [problem for one in self.files() for problem in _file_problems(one)]
        names = [uncompressed_name(one.name) for one in self.files()]
        problems += ["%s is the name of two images." % name for name in sorted(set(names)) if names.count(name) > 1]
        return problems


@contextlib.contextmanager
def _mistakes(problems: t.List[str]) -> t.Iterator[None]:
    try:
        yield
    except Invalid as exc:
        problems += exc.problems


def _file_problems(file: PackedFile) -> t.List[str]:
    problems = []
    if "/" in file.name or not is_proper((file.name,)) or file.name.startswith(WHITEOUT):
        problems.append("%r cannot be the name of a file in an image." % file.name)
    try:
        if not os.path.isfile(file.path):
            return [*problems, "There is no file %s." % file.path]
        foreign = foreign_file(file.path)
    except OSError as exc:
        return [*problems, "%s cannot be read: %s." % (file.path, exc.strerror)]
    if foreign:
        problems.append("%s %s, which nobody else has. Convert it without a backing file." % (file.path, foreign))
    return problems


@dataclass
class PushPlan:
    """What the registry has, what has to be done, and the image."""

    before: t.List[str]
    operations: t.List[FileOperation]
    reference: Reference
    platform: str
    image: PackedImage


@contextlib.contextmanager
def plan_push(runner: Runner, request: PushRequest, progress: Progress = NO_PROGRESS) -> t.Iterator[PushPlan]:
    """Plan to have the images in the registry. The plan holds while the context does: then what was made is removed.

    Args:
        progress: where is noted how far it has come.

    Raises:
        Invalid: the request contradicts itself.
        Conflict: the tag is another image.
    """
    problems = request.problems()
    if problems:
        raise Invalid(problems, subject="Pushing %s" % request.name)
    reference = parse_reference(request.name)
    registry = Registry(runner, request.access)
    platform = parse_platform(request.platform) if request.platform else this_platform()
    there = registry.find_manifest(reference)
    found = digest_of(there) if there is not None else None
    with staging_folder(request.work_directory) as staging:
        folder = os.path.join(staging, "image")
        with progress.during("packing %s" % reference, functools.partial(bytes_below, folder)):
            image = pack(runner, request.files(), folder, platform=platform, annotations=request.annotations)
        before = ["%s: %s" % (reference, found)] if found else []
        operations = []
        if found != image.digest:
            _refuse_taken(reference, found, image, overwrite=request.overwrite)
            title = "push %s: %s, %s" % (reference, image.digest, ", ".join(_shown(image)))
            operations = [FileOperation(title, functools.partial(_push, registry, image, reference, progress))]
        yield PushPlan(before, operations, reference, str(platform), image)


def _refuse_taken(reference: Reference, found: t.Optional[str], image: PackedImage, *, overwrite: bool) -> None:
    if found and not overwrite:
        raise Conflict(
            "%s is there, and is another image (%s) than the one to push (%s)." % (reference, found, image.digest),
            hint="Choose another tag, or set overwrite.",
            digest=found,
        )


def _shown(image: PackedImage) -> t.List[str]:
    return ["%s (%s)" % (layer.name, show_size(layer.blob.size_bytes)) for layer in image.layers]


def _push(registry: Registry, image: PackedImage, reference: Reference, progress: Progress) -> None:
    total = sum(layer.blob.size_bytes for layer in image.layers)
    with progress.during("uploading %s" % reference, BytesRead(image.folder), total):
        registry.upload(image.folder, reference)
    check_digest(digest_of(registry.manifest(reference)), image.digest, "%s, read back from the registry," % reference)


__all__ = ("COMPRESSIONS", "PushPlan", "PushRequest", "plan_push")
