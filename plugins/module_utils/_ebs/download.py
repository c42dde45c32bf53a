# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Writing a snapshot's contents to a file."""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import itertools
import os
import typing as t

from ansible_collections.bakehouse.images.plugins.module_utils._ebs.blocks import (
    Block,
    BlockList,
    EbsApi,
    list_blocks,
    read_block,
)
from ansible_collections.bakehouse.images.plugins.module_utils._ebs.origin import read_origin, write_origin
from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError, Conflict
from ansible_collections.bakehouse.images.plugins.module_utils._plan import Operation, apply_plan, plan_diff

# Beside the file until it is whole, so that a file under its own name is always a whole one.
PART_SUFFIX = ".part"

# Blocks handed to the workers ahead of time: one to work on, and one to go on with. A large snapshot has millions.
PER_WORKER = 2

# Called with the number of blocks written so far, and of all.
Progress = t.Callable[[int, int], None]


@dataclasses.dataclass(frozen=True)
class DownloadRequest:
    """What to download, and how.

    Args:
        sparse: leave holes where nothing was written; else the file takes its whole size.
        workers: how many blocks are asked for at the same time. Hashing limits more than four.
        force: replace a file that is not this snapshot's.
    """

    snapshot_id: str
    path: str
    sparse: bool = True
    workers: int = 4
    force: bool = False


@dataclasses.dataclass(frozen=True)
class DownloadOutcome:
    """What a module returns; C(blocks) and C(bytes_downloaded) are 0 where nothing was downloaded."""

    operations: t.Tuple[str, ...]
    diff: t.Dict[str, str]
    path: str
    snapshot_id: str
    size_bytes: int
    blocks: int
    bytes_downloaded: int

    def to_ansible(self) -> t.Dict[str, t.Any]:
        """A module's result."""
        result = dataclasses.asdict(self)
        del result["operations"]
        return dict(result, changed=bool(self.operations))


@dataclasses.dataclass
class Download:
    """Download the snapshot to the file."""

    api: EbsApi
    request: DownloadRequest
    progress: t.Optional[Progress] = None
    listed: t.Optional[BlockList] = None

    def describe(self) -> str:
        """See Operation.describe."""
        return "download %s to %s" % (self.request.snapshot_id, self.request.path)

    def execute(self) -> None:
        """See Operation.execute."""
        self.listed = list_blocks(self.api, self.request.snapshot_id)
        part = self.request.path + PART_SUFFIX
        try:
            write_part(self.api, self.request, self.listed, part, self.progress)
            write_origin(part, self.request.snapshot_id, final=self.request.path)
            os.replace(part, self.request.path)
        except OSError as exc:
            raise BuildError("Cannot write %s: %s." % (part, exc.strerror), path=self.request.path) from exc
        finally:
            with contextlib.suppress(OSError):
                os.unlink(part)


def download_snapshot(
    api: EbsApi, request: DownloadRequest, *, check_mode: bool, progress: t.Optional[Progress] = None
) -> DownloadOutcome:
    """Make C(path) hold the snapshot's contents, unless it does already; in check mode only say so.

    Raises:
        Conflict: the file is there and comes from elsewhere.
        BuildError: the snapshot cannot be read or the file not be written.
    """
    found = read_origin(request.path)
    plan = plan_download(api, request, found, progress)
    before = "%s holds %s" % (request.path, found or ("something else" if os.path.exists(request.path) else "nothing"))
    operations: t.List[Operation] = list(plan)
    diff = plan_diff([before], operations)
    if not check_mode:
        apply_plan(operations)
    listed = plan[0].listed if plan else None
    return DownloadOutcome(
        operations=tuple(operation.describe() for operation in plan),
        diff=diff,
        path=request.path,
        snapshot_id=request.snapshot_id,
        size_bytes=os.path.getsize(request.path) if os.path.exists(request.path) else 0,
        blocks=len(listed.blocks) if listed else 0,
        bytes_downloaded=sum(listed.length(block) for block in listed.blocks) if listed else 0,
    )


def plan_download(
    api: EbsApi, request: DownloadRequest, found: t.Optional[str], progress: t.Optional[Progress] = None
) -> t.List[Download]:
    """What is to be done, from the snapshot that the file there holds (see read_origin)."""
    if found == request.snapshot_id:
        return []
    if os.path.lexists(request.path) and not request.force:
        raise Conflict(
            "%s exists and %s." % (request.path, "holds %s" % found if found else "was not downloaded from a snapshot"),
            hint="Give another path, or force to replace the file.",
            path=request.path,
        )
    return [Download(api, request, progress)]


def write_part(
    api: EbsApi, request: DownloadRequest, blocks: BlockList, part: str, progress: t.Optional[Progress]
) -> None:
    """Write all blocks to a new file and put it on the disk."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(part)
    descriptor = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.ftruncate(descriptor, blocks.volume_bytes)
        if not request.sparse:
            os.posix_fallocate(descriptor, 0, blocks.volume_bytes)
        copy_blocks(api, blocks, descriptor, request, progress)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def copy_blocks(
    api: EbsApi, blocks: BlockList, descriptor: int, request: DownloadRequest, progress: t.Optional[Progress]
) -> None:
    """Get the blocks, several at a time, and write each at its place.

    The first error ends it: only what was on its way then, C(PER_WORKER) blocks for each worker, is still asked for.
    """

    def copy(block: Block) -> None:
        data = read_block(api, blocks, block)
        # A written block may still be all zeros: the file has those already.
        if data.count(0) != len(data):
            write_at(descriptor, data, blocks.offset(block))

    with concurrent.futures.ThreadPoolExecutor(max_workers=request.workers) as pool:
        left = iter(blocks.blocks)
        running = {pool.submit(copy, block) for block in itertools.islice(left, PER_WORKER * request.workers)}
        written = 0
        try:
            while running:
                ended, running = concurrent.futures.wait(running, return_when=concurrent.futures.FIRST_COMPLETED)
                for future in ended:
                    future.result()
                    written += 1
                    if progress:
                        progress(written, len(blocks.blocks))
                running |= {pool.submit(copy, block) for block in itertools.islice(left, len(ended))}
        except BaseException:
            for future in running:
                future.cancel()
            raise


def write_at(descriptor: int, data: bytes, offset: int) -> None:
    """Write all of the data at an offset, both in bytes."""
    view = memoryview(data)
    while view:
        written = os.pwrite(descriptor, view, offset)
        view, offset = view[written:], offset + written


__all__ = ("DownloadOutcome", "DownloadRequest", "Progress", "download_snapshot", "plan_download")
