# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Having a disk image file: observe, plan, apply. It is written beside its place, and put there when it is whole."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import secrets
import typing as t
from dataclasses import dataclass, field, replace

from ansible_collections.bakehouse.images.plugins.module_utils._disk.sizes import show_size
from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError, Conflict, Invalid
from ansible_collections.bakehouse.images.plugins.module_utils._image_file import converting
from ansible_collections.bakehouse.images.plugins.module_utils._image_file.file_tags import (
    CHECKSUM_TAG,
    WRITTEN_TAG,
    drop_tag,
    forget_tags,
    move_tags,
    write_tags,
)
from ansible_collections.bakehouse.images.plugins.module_utils._image_file.looking import (
    ImageFile,
    file_checksum,
    look,
    require,
    source_identity,
)
from ansible_collections.bakehouse.images.plugins.module_utils._image_file.sparse import sync
from ansible_collections.bakehouse.images.plugins.module_utils._plan import Operation
from ansible_collections.bakehouse.images.plugins.module_utils._tags import (
    BUILD_ID_TAG,
    FINGERPRINT_TAG,
    OWNER_TAG,
    build_id_problems,
)

if t.TYPE_CHECKING:
    from ansible_collections.bakehouse.images.plugins.module_utils._run import Runner

# What unfinished files are called: hidden, with the build's id, and this.
UNFINISHED_ENDING = ".part"

FINGERPRINT_DIGITS = 32


@dataclass(frozen=True)
class FileRequest:
    """A disk image file to have.

    Attributes:
        size_bytes: by default the source's.
        source: the file to take the contents from. Without one the disk is blank.
        backing_file: hold only what differs from this file (qcow2).
        remove_source: the source is not needed any more; where no other format is asked for, it becomes the file.
        overwrite: replace a file of ours that is not the one asked for.
        tags: what the file shall say of itself, our own tags among them.
        checksum: note the SHA-256 of the file.
    """

    path: str
    format: str = "raw"
    size_bytes: t.Optional[int] = None
    source: t.Optional[str] = None
    source_format: t.Optional[str] = None
    backing_file: t.Optional[str] = None
    remove_source: bool = False
    overwrite: bool = False
    compress: bool = False
    tags: t.Mapping[str, str] = field(default_factory=dict)
    checksum: bool = False

    @property
    def build_id(self) -> t.Optional[str]:
        """The build that the file belongs to."""
        return self.tags.get(BUILD_ID_TAG)

    @property
    def fingerprint(self) -> t.Optional[str]:
        """The fingerprint of what is asked for."""
        return self.tags.get(FINGERPRINT_TAG)

    def problems(self) -> t.List[str]:
        """All mistakes that can be seen without looking at files."""
        problems = build_id_problems(self.build_id)
        if not os.path.isabs(self.path):
            problems.append("path must be absolute, and is %s." % self.path)
        if self.source is None and self.size_bytes is None and self.backing_file is None:
            problems.append("Give size, source or backing_file: without them it is not known how large the disk is.")
        if self.backing_file and self.format != "qcow2":
            problems.append("backing_file needs the format qcow2: raw files cannot refer to another file.")
        if self.compress and self.format != "qcow2":
            problems.append("compress needs the format qcow2.")
        if self.remove_source and not self.source:
            problems.append("remove_source needs source.")
        if self.source and os.path.realpath(self.source) == os.path.realpath(self.path):
            problems.append("source and path are the same file.")
        return problems


@dataclass
class FilePlan:
    """What is there, what has to be done, and the file: predicted, or real once applied."""

    before: t.List[str]
    operations: t.List[Operation]
    image: t.Optional[ImageFile]


@dataclass
class FileOperation:
    """One change, and how it reads in a diff."""

    title: str
    action: t.Callable[[], None]

    def describe(self) -> str:
        """See Operation.describe."""
        return self.title

    def execute(self) -> None:
        """See Operation.execute."""
        self.action()


def plan_present(runner: Runner, request: FileRequest) -> FilePlan:
    """Plan to have the file.

    Raises:
        Invalid: the request contradicts itself, or its source.
        NotFound: there is no such source.
        Conflict: there is a file of that name that is another one.
    """
    problems = request.problems()
    if problems:
        raise Invalid(problems, subject="The disk image %s" % request.path)
    existing = look(runner, request.path)
    before = [describe(existing)] if existing else []
    if existing and request.build_id and existing.tags.get(BUILD_ID_TAG) == request.build_id:
        return FilePlan(before, plan_tags(existing, request), existing)
    source = require(runner, request.source, image_format=request.source_format) if request.source else None
    backing = require(runner, request.backing_file) if request.backing_file else None
    wanted = _with_size(request, source, backing)
    if not wanted.fingerprint and not wanted.build_id:
        wanted = replace(wanted, tags=dict(wanted.tags, **{FINGERPRINT_TAG: _own_fingerprint(wanted, source, backing)}))
    if existing and existing.file_bytes:
        if existing.fingerprint and existing.fingerprint == wanted.fingerprint:
            return FilePlan(before, [], existing)
        refuse_taken(existing, wanted)
    write = functools.partial(write_file, runner, wanted, source, backing)
    operations: t.List[Operation] = [FileOperation(describe_request(wanted), write)]
    return FilePlan(before, operations, _predict(wanted))


def plan_tags(existing: ImageFile, request: FileRequest) -> t.List[Operation]:
    """A file of the same build gets the tags that it lacks."""
    missing = {key: value for key, value in request.tags.items() if existing.tags.get(key) != value}
    if not missing:
        return []
    title = "tag %s: %s" % (existing.path, ", ".join("%s=%s" % pair for pair in sorted(missing.items())))
    return [FileOperation(title, functools.partial(write_tags, existing.path, missing))]


def _with_size(request: FileRequest, source: t.Optional[ImageFile], backing: t.Optional[ImageFile]) -> FileRequest:
    origin = source or backing
    if origin is None or request.size_bytes is None:
        return replace(request, size_bytes=request.size_bytes or (origin.size_bytes if origin else 0))
    if request.size_bytes < origin.size_bytes:
        raise Invalid(
            [
                "The disk %s is asked to have %s, and it is made from %s, which has %s."
                % (request.path, show_size(request.size_bytes), origin.path, show_size(origin.size_bytes)),
                "A disk cannot be smaller than what it is made from.",
            ]
        )
    return request


def _own_fingerprint(request: FileRequest, source: t.Optional[ImageFile], backing: t.Optional[ImageFile]) -> str:
    """For a file that is no image of a build: a hash of what was asked for, so that it is made once."""
    facts = [request.format, str(request.size_bytes), str(request.compress)]
    facts += [source_identity(one) if one else "" for one in (source, backing)]
    return hashlib.sha256(" ".join(facts).encode("ascii")).hexdigest()[:FINGERPRINT_DIGITS]


def refuse_taken(existing: ImageFile, request: FileRequest) -> None:
    """A file that is not ours is never written over, one of ours only when that is asked for."""
    if not existing.fingerprint and not existing.tags.get(BUILD_ID_TAG):
        raise Conflict(
            "%s is there, and was not made by this collection." % existing.path,
            hint="Choose another name, or remove that file.",
            path=existing.path,
        )
    if not request.overwrite:
        raise Conflict(
            "%s is there, and is another one than asked for (fingerprint %s, asked for is %s)."
            % (existing.path, existing.fingerprint, request.fingerprint),
            hint="Choose another name, or ask for it to be replaced.",
            path=existing.path,
        )


def _predict(request: FileRequest) -> ImageFile:
    return ImageFile(
        path=request.path,
        format=request.format,
        size_bytes=request.size_bytes or 0,
        disk_bytes=0,
        file_bytes=0,
        backing_file=request.backing_file,
        tags=dict(request.tags),
    )


def describe(image: ImageFile) -> str:
    """A file in a diff."""
    return "%s: %s, %s, fingerprint %s" % (
        image.path,
        image.format,
        show_size(image.size_bytes),
        image.fingerprint or "none",
    )


def describe_request(request: FileRequest) -> str:
    """What will be written, in a diff."""
    origin = "from %s" % request.source if request.source else "blank"
    beside = ", over %s" % request.backing_file if request.backing_file else ""
    fields = (request.path, request.format, show_size(request.size_bytes or 0), origin, beside)
    return "write %s: %s, %s, %s%s" % fields


def unfinished_path(path: str, build_id: t.Optional[str]) -> str:
    """Where a file is written before it is whole: in the same folder, hidden, with the build's id in its name."""
    folder, name = os.path.split(path)
    return os.path.join(folder, ".%s.%s%s" % (name.lstrip("."), build_id or secrets.token_hex(8), UNFINISHED_ENDING))


def write_file(
    runner: Runner, request: FileRequest, source: t.Optional[ImageFile], backing: t.Optional[ImageFile]
) -> None:
    """Write the file beside its place, and put it there when it is whole and on the disk."""
    unfinished = unfinished_path(request.path, request.build_id)
    size = request.size_bytes or 0
    try:
        os.makedirs(os.path.dirname(request.path), exist_ok=True)
        if source and request.remove_source and source.format == request.format and not backing:
            move_file(runner, request, source, unfinished)
            return
        claim(request, unfinished)
        # fmt: off
        converting.write_contents(
            runner, request.format, unfinished,
            source=source, backing=backing, size_bytes=size, compress=request.compress,
        )
        # fmt: on
        finish(request, unfinished)
        if source and request.remove_source:
            os.unlink(source.path)
            forget_tags(source.path)
    except OSError as exc:
        raise BuildError("Cannot write %s: %s." % (request.path, exc.strerror), path=request.path) from exc
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(unfinished)
        forget_tags(unfinished)


def claim(request: FileRequest, unfinished: str) -> None:
    """Have the file there, empty, and say whose it is: writing it takes time, and may be ended at any moment."""
    with open(unfinished, "xb"):
        pass
    write_tags(unfinished, {key: request.tags[key] for key in (BUILD_ID_TAG, OWNER_TAG) if key in request.tags})


def move_file(runner: Runner, request: FileRequest, source: ImageFile, unfinished: str) -> None:
    """Let the source itself become the file. When that fails, the source is where it was."""
    move_tags(source.path, unfinished)
    os.rename(source.path, unfinished)
    try:
        converting.grow(runner, unfinished, request.format, request.size_bytes or 0)
        finish(request, unfinished)
    except (BuildError, OSError):
        os.rename(unfinished, source.path)
        raise
    forget_tags(source.path)


def finish(request: FileRequest, unfinished: str) -> None:
    """Tag the whole file, wait until it is on the disk, and give it its name."""
    tags = dict(request.tags)
    if request.checksum:
        tags[CHECKSUM_TAG] = file_checksum(unfinished)
    tags[WRITTEN_TAG] = str(os.stat(unfinished).st_mtime_ns)
    write_tags(unfinished, tags)
    if OWNER_TAG not in tags:
        drop_tag(unfinished, OWNER_TAG)
    sync(unfinished)
    move_tags(unfinished, request.path)
    _rename(request, unfinished)
    sync(os.path.dirname(request.path))


def _rename(request: FileRequest, unfinished: str) -> None:
    """Give the file its name. Where nothing may be replaced by link(2), which refuses what rename(2) does."""
    there = os.path.exists(request.path)
    if there and (request.overwrite or os.stat(request.path).st_size == 0):
        os.rename(unfinished, request.path)
        return
    try:
        os.link(unfinished, request.path)
    except FileExistsError:
        raise Conflict(
            "%s has appeared while it was made." % request.path, hint="Does another build make it?"
        ) from None
    except OSError:  # file systems without links
        os.rename(unfinished, request.path)


__all__ = (
    "UNFINISHED_ENDING",
    "FileOperation",
    "FilePlan",
    "FileRequest",
    "describe",
    "plan_present",
    "unfinished_path",
)
