# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Having the disk images of an OCI image: observe, plan, apply.

All is downloaded, checked, unpacked and decompressed in a hidden folder beside its place, and put there when it is
whole.
"""

from __future__ import annotations

import functools
import os
import typing as t
from dataclasses import dataclass, field

from ansible_collections.bakehouse.images.plugins.module_utils._disk.sizes import show_size
from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError, Invalid, NotFound
from ansible_collections.bakehouse.images.plugins.module_utils._image_file.looking import ImageFile
from ansible_collections.bakehouse.images.plugins.module_utils._image_file.writing import (
    FileOperation,
    FileRequest,
    describe,
    finish,
)
from ansible_collections.bakehouse.images.plugins.module_utils._oci.blobs import check_blob, open_layer, unpack_zstd
from ansible_collections.bakehouse.images.plugins.module_utils._oci.layers import (
    COMPRESSED_ENDING,
    DISK_FOLDER,
    DiskFiles,
    Parts,
    uncompressed_name,
)
from ansible_collections.bakehouse.images.plugins.module_utils._oci.limits import (
    DEFAULT_UNPACKED,
    DEFAULT_UNPACKED_BYTES,
    Allowance,
    read_limit,
)
from ansible_collections.bakehouse.images.plugins.module_utils._oci.manifests import (
    Configuration,
    Manifest,
    Platform,
    check_digest,
    choose_platform,
    digest_of,
    parse_configuration,
    parse_manifest,
    parse_platform,
    this_platform,
)
from ansible_collections.bakehouse.images.plugins.module_utils._oci.progress import NO_PROGRESS, Progress, bytes_below
from ansible_collections.bakehouse.images.plugins.module_utils._oci.pulled import (
    Placed,
    files_to_place,
    link_problem,
    whole_image,
)
from ansible_collections.bakehouse.images.plugins.module_utils._oci.qcow2 import foreign_file
from ansible_collections.bakehouse.images.plugins.module_utils._oci.references import (
    Reference,
    is_digest,
    parse_reference,
)
from ansible_collections.bakehouse.images.plugins.module_utils._oci.registry import Access, Registry
from ansible_collections.bakehouse.images.plugins.module_utils._oci.staging import staging_folder

if t.TYPE_CHECKING:
    from ansible_collections.bakehouse.images.plugins.module_utils._run import Runner


@dataclass(frozen=True)
class PullRequest:
    """Disk images to have from a registry.

    Attributes:
        directory: where C(images) is, or will be.
        digest: what the image, or the index it is chosen from, must have; may also stand in the name.
        platform: which image of an index; by default the one for this machine.
        cache: keep compressed files beside those made from them.
        overwrite: replace files of ours that are other ones.
        max_unpacked_size: how much may come out of it.
    """

    name: str
    directory: str
    digest: t.Optional[str] = None
    platform: t.Optional[str] = None
    cache: bool = False
    overwrite: bool = False
    max_unpacked_size: str = DEFAULT_UNPACKED
    access: Access = field(default_factory=Access)

    def allowance(self) -> Allowance:
        """What may come out of the image."""
        return Allowance(read_limit(self.max_unpacked_size) or DEFAULT_UNPACKED_BYTES)

    def reference(self) -> Reference:
        """Where the image is. All mistakes that can be seen without asking anyone are reported together.

        Raises:
            Invalid: there are some.
        """
        problems = self.access.problems()
        reference = None
        try:
            reference = parse_reference(self.name)
        except Invalid as exc:
            problems += exc.problems
        if self.platform:
            try:
                parse_platform(self.platform)
            except Invalid as exc:
                problems += exc.problems
        if self.digest and not is_digest(self.digest):
            problems.append("digest is %r: write it as sha256: and 64 hexadecimal digits." % self.digest)
        elif self.digest and reference and reference.digest not in (None, self.digest):
            problems.append("digest is another one than that in name.")
        if not os.path.isabs(self.directory):
            problems.append("directory must be absolute, and is %s." % self.directory)
        if read_limit(self.max_unpacked_size) is None:
            problems.append("max_unpacked_size is %r: write it like 64GiB, or in bytes." % self.max_unpacked_size)
        if problems or reference is None:
            raise Invalid(problems, subject="Pulling %s" % self.name)
        return reference.pinned(self.digest) if self.digest else reference


@dataclass
class PullPlan:
    """What is there, what has to be done, and the files: those that are there, or nothing yet.

    Attributes:
        pinned: the one image that was found, by its digest.
        platform: what it is for.
    """

    before: t.List[str]
    operations: t.List[FileOperation]
    pinned: Reference
    platform: str
    images: t.List[ImageFile]
    compressed: t.List[str]


@dataclass(frozen=True)
class Found:
    """The image in the registry."""

    reference: Reference
    manifest: Manifest
    platform: Platform


def plan_pull(runner: Runner, request: PullRequest, progress: Progress = NO_PROGRESS) -> PullPlan:
    """Plan to have the disk images.

    Args:
        progress: where is noted how far it has come when it is carried out.

    Raises:
        Invalid: the request contradicts itself, or there is no such thing as an image at the name.
        NotFound: there is no such image, or none for the platform.
        Refused: already what would be downloaded is more than may come out of it.
    """
    reference = request.reference()
    found = find_image(Registry(runner, request.access), reference, request.platform)
    pinned = found.reference
    digest = found.manifest.digest
    there = whole_image(runner, request.directory, digest, compressed=request.cache)
    if there is not None:
        kept = _compressed(there, request)
        return PullPlan([describe(image) for image in there], [], pinned, str(found.platform), there, kept)
    request.allowance().take(found.manifest.size_bytes)
    # fmt: off
    title = "pull %s into %s: %s to download" % (
        pinned, os.path.join(request.directory, "images"), show_size(found.manifest.size_bytes),
    )
    # fmt: on
    operation = FileOperation(title, functools.partial(pull, runner, request, found, progress))
    return PullPlan([], [operation], pinned, str(found.platform), [], [])


def find_image(registry: Registry, reference: Reference, platform: t.Optional[str]) -> Found:
    """The one image that a reference and a platform lead to, by its manifest and its configuration.

    Of an index without a platform it is the image for this machine. An image that stands alone is taken whatever it is
    for, unless a platform is asked for.
    """
    manifest = parse_manifest(registry.manifest(reference), str(reference))
    check_digest(manifest.digest, reference.digest, str(reference))
    pinned = reference.pinned(manifest.digest)
    if manifest.platforms is not None:
        wanted = parse_platform(platform) if platform else this_platform()
        chosen = choose_platform(manifest, wanted, str(reference))
        pinned = reference.pinned(chosen.digest)
        manifest = parse_manifest(registry.manifest(pinned), str(pinned))
        check_digest(manifest.digest, chosen.digest, str(pinned))
    if manifest.config is None:
        raise Invalid(["%s is an index in an index, which is not known here." % pinned])
    content = registry.configuration(pinned)
    check_digest(digest_of(content), manifest.config.digest, "The configuration of %s" % pinned)
    config = parse_configuration(content, str(pinned))
    if platform and not config.platform.suits(parse_platform(platform)):
        raise Invalid(["%s is for %s, and %s was asked for." % (pinned, config.platform, platform)])
    return Found(pinned, manifest, config.platform)


def pulled_images(runner: Runner, request: PullRequest, plan: PullPlan) -> PullPlan:
    """The plan after it was carried out, with the files that are there now."""
    digest = plan.pinned.digest or ""
    plan.images = whole_image(runner, request.directory, digest, compressed=request.cache) or []
    plan.compressed = _compressed(plan.images, request)
    return plan


def _compressed(images: t.Sequence[ImageFile], request: PullRequest) -> t.List[str]:
    beside = [image.path + COMPRESSED_ENDING for image in images]
    return [path for path in beside if os.path.isfile(path)] if request.cache else []


def pull(runner: Runner, request: PullRequest, found: Found, progress: Progress) -> None:
    """Download the image, check it, and put its files where they belong."""
    folder = os.path.join(request.directory, "images")
    problem = link_problem(request.directory, "images/")
    if problem:
        raise Invalid([problem])
    try:
        with staging_folder(folder) as staging:
            files = _unpack(runner, request, found, staging, progress)
            _place(runner, request, found, files)
    except OSError as exc:
        raise BuildError("Cannot write in %s: %s." % (folder, exc.strerror), path=folder) from exc


def _unpack(runner: Runner, request: PullRequest, found: Found, staging: str, progress: Progress) -> t.List[Placed]:
    download = os.path.join(staging, "download")
    total = found.manifest.size_bytes
    with progress.during("downloading %s" % found.reference, functools.partial(bytes_below, download), total):
        Registry(runner, request.access).download(found.reference, download)
    allowance = request.allowance()
    with progress.during("unpacking %s" % found.reference, lambda: allowance.taken_bytes):
        disks = _lay_over(download, found, DiskFiles(staging, allowance))
        return place_files(request, found.reference, disks.files(), allowance)


def _lay_over(download: str, found: Found, disks: DiskFiles) -> DiskFiles:
    config = check_download(download, found)
    for layer, diff_id in zip(found.manifest.layers, config.diff_ids):
        subject = "The layer %s" % layer.digest
        path = check_blob(download, layer, subject)
        with open_layer(path) as stream:
            check_digest(disks.add_layer(stream), diff_id, "%s, decompressed," % subject)
        # Layers may be used more than once.
        if found.manifest.layers.count(layer) == 1:
            os.unlink(path)
    return disks


def check_download(download: str, found: Found) -> Configuration:
    """Compare what was downloaded with what was found, but for the layers; returned is the configuration."""
    name = str(found.reference)
    with open(os.path.join(download, "manifest.json"), "rb") as stream:
        manifest = parse_manifest(stream.read(), name)
    check_digest(manifest.digest, found.manifest.digest, "The manifest that was downloaded")
    if manifest.config is None:
        raise Invalid(["%s has no configuration." % name])
    path = check_blob(download, manifest.config, "The configuration of %s" % name)
    with open(path, "rb") as stream:
        config = parse_configuration(stream.read(), name)
    if len(config.diff_ids) != len(manifest.layers):
        counts = (name, len(manifest.layers), len(config.diff_ids))
        raise Invalid(["%s has %d layers, and its configuration knows of %d." % counts])
    return config


def place_files(
    request: PullRequest, reference: Reference, files: t.Mapping[Parts, str], allowance: Allowance
) -> t.List[Placed]:
    """Decompress what is compressed. Where each file belongs is decided here.

    Raises:
        NotFound: the image holds no disk image.
        Invalid: files that cannot be side by side, or that refer to files of this machine.
    """
    folder = "/" + "/".join(DISK_FOLDER)
    if not files:
        raise NotFound("%s holds no file below %s, so there is no disk image in it." % (reference, folder))
    folders = {parts[:count] for parts in files for count in range(1, len(parts))}
    placed, problems = [], []
    for parts, staged in files.items():
        target = parts[:-1] + (uncompressed_name(parts[-1]),)
        if target != parts and (target in files or target in folders):
            problems.append("%r is there twice, compressed and not." % "/".join(target))
        entry = "/".join(parts[1:])
        path = os.path.join(request.directory, *target[1:])
        if target == parts:
            placed.append(Placed(entry, path, staged))
        elif not problems:
            unpack_zstd(staged, staged + ".raw", allowance, subject="The file /data/%s" % entry)
            placed.append(Placed(entry, path, staged + ".raw"))
            if request.cache:
                placed.append(Placed(entry, path + COMPRESSED_ENDING, staged, compressed=True))
            else:
                os.unlink(staged)
    problems = problems or _foreign(placed)
    if problems:
        raise Invalid(problems, subject="The image %s was refused" % reference)
    return placed


def _foreign(files: t.Sequence[Placed]) -> t.List[str]:
    problems = []
    for one in files:
        foreign = foreign_file(one.staged)
        if foreign:
            problems.append("/data/%s %s, which would be one of this machine." % (one.entry, foreign))
    return problems


def _place(runner: Runner, request: PullRequest, found: Found, files: t.Sequence[Placed]) -> None:
    count = len([one for one in files if not one.compressed])
    name, digest = found.reference.repository, found.manifest.digest
    tags = {one.path: one.tags(name, digest, count) for one in files}
    wanted = files_to_place(runner, request.directory, files, tags, request.overwrite)
    # Compressed files first: an image is there when all of it is.
    for one in sorted(wanted, key=lambda it: not it.compressed):
        os.makedirs(os.path.dirname(one.path), exist_ok=True)
        finish(FileRequest(path=one.path, overwrite=request.overwrite, tags=tags[one.path]), one.staged)


__all__ = ("PullPlan", "PullRequest", "plan_pull", "pulled_images")
