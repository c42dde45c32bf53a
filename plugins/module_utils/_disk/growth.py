# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.
"""Growing a root: the backup of its partition table, its partition, its file system, where a volume is larger."""

from __future__ import annotations

import dataclasses
import typing as t
from dataclasses import dataclass

from ansible_collections.bakehouse.images.plugins.module_utils._disk.devices import Device, Partition, require_idle
from ansible_collections.bakehouse.images.plugins.module_utils._disk.nodes import with_partition_nodes
from ansible_collections.bakehouse.images.plugins.module_utils._disk.resize import (
    GROWABLE,
    filesystem_extents,
    grow_filesystem,
)
from ansible_collections.bakehouse.images.plugins.module_utils._disk.roots import Candidate, find_root, refuse_twin
from ansible_collections.bakehouse.images.plugins.module_utils._disk.sizes import MIB, align_down, show_size
from ansible_collections.bakehouse.images.plugins.module_utils._disk.tables import usable_end
from ansible_collections.bakehouse.images.plugins.module_utils._errors import Refused
from ansible_collections.bakehouse.images.plugins.module_utils._plan import apply_plan, plan_diff
from ansible_collections.bakehouse.images.plugins.module_utils._run import check_completed

if t.TYPE_CHECKING:
    from ansible_collections.bakehouse.images.plugins.module_utils._plan import Operation
    from ansible_collections.bakehouse.images.plugins.module_utils._run import Runner

# Less than this is not worth a change: images are published with some free space behind their last partition, and file
# systems leave the end of theirs unused where it is smaller than one of their groups. Volumes grow by whole GiB.
SLACK_BYTES = 16 * MIB

# Numbers of logical partitions begin here on an MBR, however many primary ones there are.
FIRST_LOGICAL = 5


@dataclass(frozen=True)
class Sizes:
    """Sizes in bytes. C(partition_bytes) is None when the file system fills the device."""

    device_bytes: int
    partition_bytes: t.Optional[int]
    filesystem_bytes: int

    def lines(self) -> t.List[str]:
        """The sizes, for a diff."""
        named = [("device", self.device_bytes), ("partition", self.partition_bytes)]
        named += [("file system", self.filesystem_bytes)]
        return ["%s: %s (%d bytes)" % (name, show_size(size), size) for name, size in named if size is not None]


@dataclass(frozen=True)
class Target:
    """What is to be grown. C(number) is None when the file system fills the device."""

    device: Device
    path: str
    filesystem: str
    number: t.Optional[int]
    block_bytes: int
    sizes: Sizes


@dataclass(frozen=True)
class Grown:
    """What a request came to; C(after) is predicted in check mode."""

    grown: bool
    path: str
    filesystem: str
    partition_number: t.Optional[int]
    before: Sizes
    after: Sizes
    diff: t.Dict[str, str]


@dataclass(frozen=True)
class GrowPartition:
    """Move the end of the last partition. On GPT the backup of the table goes to the device's end first."""

    runner: Runner
    device: Device
    number: int
    size_bytes: int

    def describe(self) -> str:
        """See Operation.describe."""
        return "grow partition %d of %s to %s" % (self.number, self.device.path, show_size(self.size_bytes))

    def execute(self) -> None:
        """See Operation.execute."""
        path = self.device.path
        if self.device.partition_table == "gpt":
            move_gpt_backup(self.runner, path)
        self.runner.run(
            ["sfdisk", "--quiet", "--no-tell-kernel", "--no-reread", "-N", str(self.number), path],
            stdin="size=%d\n" % (self.size_bytes // self.device.sector_size),
        )
        with_partition_nodes(self.runner, path)


@dataclass(frozen=True)
class GrowFilesystem:
    """Make the file system fill what it lies in."""

    runner: Runner
    path: str
    filesystem: str
    size_bytes: int

    def describe(self) -> str:
        """See Operation.describe."""
        return "grow the %s on %s to %s" % (self.filesystem, self.path, show_size(self.size_bytes))

    def execute(self) -> None:
        """See Operation.execute."""
        grow_filesystem(self.runner, self.filesystem, self.path)


def move_gpt_backup(runner: Runner, path: str) -> None:
    """Move the backup of a GPT to the end of its device.

    C(sfdisk) takes the space behind the old backup for unusable until that has been done. It can do it since
    util-linux 2.36; before that, C(sgdisk) (gdisk) is needed.
    """
    done = runner.run(["sfdisk", "--quiet", "--no-tell-kernel", "--relocate", "gpt-bak-std", path], check=False)
    if done.rc != 0 and "unrecognized option" in done.err:
        runner.run(["sgdisk", "--move-second-header", path])
        return
    check_completed(done)


def grow(
    runner: Runner, path: str, partition: t.Optional[int] = None, *, check_mode: bool = False, sys_root: str = "/sys"
) -> Grown:
    """Grow the root file system of a device, or that of a partition (0: of the device itself), to all of its space.

    Raises:
        Refused: there is space, and the partition cannot have it: it is not the last one, or a logical one.
        NotFound, Conflict: there is no root file system, or several (without C(partition)).
        Busy: the device is in use.
    """
    target = find_target(runner, path, partition, sys_root=sys_root)
    operations, after = plan_growth(runner, target)
    diff = plan_diff(target.sizes.lines(), operations)
    if operations and not check_mode:
        apply_plan(operations)
        after = find_target(runner, path, target.number or 0, sys_root=sys_root).sizes
    return Grown(bool(operations), target.path, target.filesystem, target.number, target.sizes, after, diff)


def find_target(runner: Runner, path: str, partition: t.Optional[int], *, sys_root: str = "/sys") -> Target:
    """The file system to grow, with its sizes."""
    if partition is None:
        root = find_root(runner, path, sys_root=sys_root)
        device, number, inside, where = root.device, root.partition_number, root.filesystem, root.path
    else:
        device = with_partition_nodes(runner, path, sys_root=sys_root)
        require_idle(device.path, "grow it")
        there = device.partition(partition) if partition else device
        found = there.filesystem
        if found is None or found.type not in GROWABLE:
            raise Refused(
                "%s holds %s, which cannot be grown here." % (there.path, found.title if found else "no file system"),
                hint="Known are %s." % ", ".join(GROWABLE),
            )
        refuse_twin(Candidate(there.path, found), sys_root=sys_root)
        number, inside, where = partition or None, found.type, there.path
    extents = filesystem_extents(runner, inside, where)
    size = device.partition(number).size_bytes if number else None
    return Target(
        device, where, inside, number, extents.block_bytes, Sizes(device.size_bytes, size, extents.size_bytes)
    )


def plan_growth(runner: Runner, target: Target) -> t.Tuple[t.List[Operation], Sizes]:
    """What has to be done, and the sizes that come of it.

    Raises:
        Refused: see grow.
    """
    operations: t.List[Operation] = []
    after = target.sizes
    room = target.device.size_bytes
    if target.number is not None:
        partition = target.device.partition(target.number)
        room = planned_size(target.device, partition)
        if room > partition.size_bytes:
            operations.append(GrowPartition(runner, target.device, partition.number, room))
            after = dataclasses.replace(after, partition_bytes=room)
    if room - target.sizes.filesystem_bytes >= SLACK_BYTES:
        size = align_down(room, target.block_bytes)
        operations.append(GrowFilesystem(runner, target.path, target.filesystem, size))
        after = dataclasses.replace(after, filesystem_bytes=size)
    if operations and target.device.read_only:
        raise Refused("%s is read-only: its file system cannot be grown." % target.device.path)
    return operations, after


def planned_size(device: Device, partition: Partition) -> int:
    """Bytes that the partition can have; what it has, when there is nothing worth taking.

    Raises:
        Refused: there is space at the end of the device, and this partition does not end there.
    """
    end = usable_end(device.partition_table, device.size_bytes, device.sector_size)
    last = max(device.partitions, key=lambda one: one.end_bytes)
    free = end - last.end_bytes
    if free < SLACK_BYTES:
        return partition.size_bytes
    if device.partition_table == "dos" and (partition.number >= FIRST_LOGICAL or last.is_extended):
        raise Refused(
            "%s has %s free at its end, and its MBR has an extended partition, which is not grown."
            % (device.path, show_size(free)),
            hint="Use a volume of the source's own size, or a source with a GPT.",
            device=device.path,
        )
    if last.number != partition.number:
        raise Refused(
            "Partition %d of %s cannot be grown: the %s free at the end of the device come after partition %d (%s)."
            % (partition.number, device.path, show_size(free), last.number, what_is(last)),
            hint="Use a volume of the source's own size, or a source whose root is its last partition.",
            device=device.path,
        )
    return end - partition.start_bytes


def what_is(partition: Partition) -> str:
    """A partition's content and size, for an error."""
    holds = partition.filesystem.title if partition.filesystem else "no file system"
    return "%s, %s" % (holds, show_size(partition.size_bytes))


__all__ = ("GrowFilesystem", "GrowPartition", "Grown", "Sizes", "Target", "grow", "plan_growth", "planned_size")
