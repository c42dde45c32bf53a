# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.
"""Bringing a device to a layout: observe, plan, apply. What is right is left alone; what holds data is refused."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.bakehouse.images.plugins.module_utils._disk.devices import (
    Device,
    Filesystem,
    partition_path,
    require_idle,
)
from ansible_collections.bakehouse.images.plugins.module_utils._disk.discovery import Host, require_volume
from ansible_collections.bakehouse.images.plugins.module_utils._disk.filesystems import (
    KINDS,
    make_command,
    require_tools,
)
from ansible_collections.bakehouse.images.plugins.module_utils._disk.layout_request import REST
from ansible_collections.bakehouse.images.plugins.module_utils._disk.nodes import with_partition_nodes
from ansible_collections.bakehouse.images.plugins.module_utils._disk.sizes import (
    align_up,
    parse_percent,
    parse_size,
    show_size,
)
from ansible_collections.bakehouse.images.plugins.module_utils._disk.tables import (
    ALIGNMENT_BYTES,
    LABELS,
    Extent,
    type_name,
    usable_end,
    write_table,
)
from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError, Invalid, Refused
from ansible_collections.bakehouse.images.plugins.module_utils._plan import apply_plan, plan_diff

if t.TYPE_CHECKING:
    from ansible_collections.bakehouse.images.plugins.module_utils._disk.layout_request import (
        LayoutRequest,
        PartitionRequest,
    )
    from ansible_collections.bakehouse.images.plugins.module_utils._plan import Operation
    from ansible_collections.bakehouse.images.plugins.module_utils._run import Runner


@dataclass(frozen=True)
class Mount:
    """A file system of the layout, as an fstab needs it. C(uuid) is None when it is still to be made."""

    device: str
    mount_point: t.Optional[str]
    filesystem: str
    options: t.Optional[str]
    uuid: t.Optional[str]


@dataclass(frozen=True)
class LaidOut:
    """What a request came to: the device as it is afterwards, or as it was in check mode."""

    changed: bool
    device: Device
    mounts: t.Tuple[Mount, ...]
    diff: t.Dict[str, str]


@dataclass(frozen=True)
class WriteTable:
    """Give the device a new, whole partition table."""

    runner: Runner
    device: Device
    table: str
    extents: t.Tuple[Extent, ...]

    def describe(self) -> str:
        """See Operation.describe."""
        lines = ["write a %s partition table on %s" % (self.table.upper(), self.device.path)]
        lines += [describe_extent(self.table, one) for one in self.extents]
        return "\n".join(lines)

    def execute(self) -> None:
        """See Operation.execute."""
        if self.device.partitions:
            self.runner.run(["partx", "--delete", self.device.path], check=False)
        write_table(self.runner, self.device.path, self.table, self.extents, self.device.sector_size)
        found = with_partition_nodes(self.runner, self.device.path)
        wrong = [extent for extent in self.extents if not has_extent(found, extent)]
        if wrong:
            raise BuildError(
                "sfdisk has written another partition table on %s than it was given: partition %d is not as asked."
                % (self.device.path, wrong[0].number)
            )


@dataclass(frozen=True)
class MakeFilesystem:
    """Make one file system where nothing is, or where what is there may go."""

    runner: Runner
    path: str
    filesystem: str
    label: t.Optional[str]
    size_bytes: int

    def describe(self) -> str:
        """See Operation.describe."""
        return "make %s on %s%s" % (self.filesystem, self.path, " (label %s)" % self.label if self.label else "")

    def execute(self) -> None:
        """See Operation.execute."""
        self.runner.run(["wipefs", "--quiet", "--all", self.path])
        self.runner.run(make_command(self.runner, self.filesystem, self.path, self.label, self.size_bytes))


def describe_extent(table: str, extent: Extent) -> str:
    """One partition to be written, as a line of a diff."""
    name = ", name %s" % extent.name if extent.name and table == "gpt" else ""
    size = show_size(extent.size_bytes)
    return "partition %d: %s at %s, %s%s" % (
        extent.number,
        size,
        show_size(extent.start_bytes),
        type_name(extent.type),
        name,
    )


def describe_device(device: Device) -> t.List[str]:
    """What is on a device, line by line, for a diff."""
    table = "partition table %s" % device.partition_table if device.partition_table else None
    whole = device.filesystem.title if device.filesystem else None
    holds = " and ".join(filter(None, [table, whole])) or "empty"
    lines = ["%s: %s, %s" % (device.path, show_size(device.size_bytes), holds)]
    for one in device.partitions:
        fields = (one.number, show_size(one.size_bytes), show_size(one.start_bytes), type_name(one.type))
        inside = one.filesystem.title if one.filesystem else "no file system"
        lines.append("partition %d: %s at %s, %s, %s" % (fields + (inside,)))
    return lines


def plan_extents(request: LayoutRequest, size_bytes: int, sector_size: int) -> t.Tuple[Extent, ...]:
    """Where each partition goes on a device of that size.

    Raises:
        Invalid: they do not fit.
    """
    end = usable_end(LABELS[request.table], size_bytes, sector_size)
    usable = end - ALIGNMENT_BYTES
    position = ALIGNMENT_BYTES
    extents = []
    problems = []
    for one in request.partitions:
        size = extent_size(one, usable, end - position)
        least = KINDS[one.filesystem].min_bytes if one.filesystem else 1
        if one.size == REST and size < least:
            needs = show_size(align_up(least, ALIGNMENT_BYTES))
            problems.append("%s: %s is left for it, and it needs %s." % (one.title, show_size(max(size, 0)), needs))
        extents.append(Extent(one.number, position, max(size, ALIGNMENT_BYTES), request.code(one), one.name))
        position += extents[-1].size_bytes
    if position > end and not problems:
        problems.append(
            "The partitions need %s, and %s has room for %s."
            % (show_size(position - ALIGNMENT_BYTES), request.device, show_size(max(usable, 0)))
        )
    if problems:
        raise Invalid(problems, subject="Disk layout of %s (%s)" % (request.device, show_size(size_bytes)))
    return tuple(extents)


def extent_size(partition: PartitionRequest, usable: int, left: int) -> int:
    """Bytes of one partition: aligned, so that the next one is."""
    percent = parse_percent(partition.size)
    if percent is not None:
        return int(usable * percent / 100) // ALIGNMENT_BYTES * ALIGNMENT_BYTES
    return left if partition.size == REST else align_up(parse_size(partition.size) or 0, ALIGNMENT_BYTES)


def has_extent(device: Device, extent: Extent, at_least: bool = False) -> bool:
    """Whether the device has this partition, exactly or (C(at_least)) in this size or any other."""
    for one in device.partitions:
        if one.number == extent.number:
            same = one.start_bytes == extent.start_bytes and one.type == extent.type
            named = device.partition_table != "gpt" or (one.name or None) == extent.name
            return same and named and (at_least or one.size_bytes == extent.size_bytes)
    return False


def has_table(device: Device, request: LayoutRequest, extents: t.Sequence[Extent]) -> bool:
    """Whether the table is as asked. The size of a 'rest' partition is left as it is: growing is another's work."""
    if device.partition_table != LABELS[request.table] or len(device.partitions) != len(extents):
        return False
    return all(has_extent(device, one, request.partitions[one.number - 1].size == REST) for one in extents)


def is_as_asked(found: t.Optional[Filesystem], partition: PartitionRequest) -> bool:
    """Whether the file system is of the type and label asked for; anything will do where none is asked for."""
    if partition.filesystem is None:
        return True
    return found is not None and found.type == partition.filesystem and found.label == partition.label


def lay_out(
    runner: Runner, request: LayoutRequest, *, check_mode: bool = False, host: t.Optional[Host] = None
) -> LaidOut:
    """Bring the device to the layout, or (C(check_mode)) only say what that takes.

    Raises:
        NotFound: there is no such device, or a tool is not installed.
        Invalid: the layout does not fit on the device.
        Refused: something would be lost, or the device belongs to another volume.
        Busy: something is to be done, and the device is in use.
    """
    if request.volume_id:
        require_volume(host or Host(), request.device, request.volume_id)
    device = with_partition_nodes(runner, request.device)
    operations = plan_layout(runner, device, request)
    diff = plan_diff(describe_device(device), operations)
    if operations:
        require_tools(one.filesystem for one in request.partitions if one.filesystem)
    if operations and not check_mode:
        apply_plan(operations)
        device = with_partition_nodes(runner, request.device)
    return LaidOut(bool(operations), device, tuple(mounts_of(device, request)), diff)


def plan_layout(runner: Runner, device: Device, request: LayoutRequest) -> t.List[Operation]:
    """What has to be done, given what is there.

    Raises:
        Invalid: the layout does not fit on the device.
        Refused: something would be lost, and C(force) is not set.
        Busy: something is to be done, and the device is in use.
    """
    operations: t.List[Operation] = []
    if request.table == "none":
        operations += plan_whole(runner, device, request)
    else:
        operations += plan_partitions(runner, device, request)
    if operations:
        if device.read_only:
            raise Refused("%s is read-only: it cannot be laid out." % device.path, device=device.path)
        require_idle(device.path, "lay it out")
    return operations


def plan_whole(runner: Runner, device: Device, request: LayoutRequest) -> t.List[Operation]:
    """One file system on the device itself."""
    wanted = request.partitions[0]
    least = KINDS[wanted.filesystem or ""].min_bytes
    if device.size_bytes < least:
        problem = "%s has %s, and %s takes at least %s." % (
            device.path,
            show_size(device.size_bytes),
            wanted.filesystem,
            show_size(least),
        )
        raise Invalid([problem])
    if device.filesystem and not device.partitions and is_as_asked(device.filesystem, wanted):
        return []
    if device.filesystem or device.partition_table:
        refuse_data(device, request, "carries something else than the %s asked for" % wanted.filesystem)
    return [MakeFilesystem(runner, device.path, wanted.filesystem or "", wanted.label, device.size_bytes)]


def plan_partitions(runner: Runner, device: Device, request: LayoutRequest) -> t.List[Operation]:
    """A table and the file systems in it; or only those that an interrupted run has not made."""
    extents = plan_extents(request, device.size_bytes, device.sector_size)
    table_is_there = has_table(device, request, extents)
    operations: t.List[Operation] = []
    if not table_is_there:
        if device.filesystem or device.partition_table:
            refuse_data(device, request, "carries another layout than the one asked for")
        operations.append(WriteTable(runner, device, request.table, extents))
    for wanted, extent in zip(request.partitions, extents):
        found = device.partition(wanted.number).filesystem if table_is_there else None
        if wanted.filesystem is None or (table_is_there and is_as_asked(found, wanted)):
            continue
        if found:
            refuse_data(device, request, "has another file system in %s than the one asked for" % wanted.title)
        path = partition_path(device.path, wanted.number)
        size = device.partition(wanted.number).size_bytes if table_is_there else extent.size_bytes
        operations.append(MakeFilesystem(runner, path, wanted.filesystem, wanted.label, size))
    return operations


def refuse_data(device: Device, request: LayoutRequest, trouble: str) -> None:
    """Refuse to overwrite, unless that was asked for."""
    if request.force:
        return
    raise Refused(
        "%s %s, and laying it out would destroy that. It is:\n%s\n"
        % (device.path, trouble, "\n".join("- " + line for line in describe_device(device))),
        hint="Set 'force' to overwrite it.",
        device=device.path,
    )


def mounts_of(device: Device, request: LayoutRequest) -> t.List[Mount]:
    """The file systems of the layout, in the order in which they are mounted, swap last."""
    mounts = []
    for one in request.partitions:
        if one.filesystem is None or not (one.mount_point or one.filesystem == "swap"):
            continue
        whole = request.table == "none"
        there = [part for part in device.partitions if part.number == one.number]
        found = device.filesystem if whole else (there[0].filesystem if there else None)
        mounts.append(
            Mount(
                device=device.path if whole else partition_path(device.path, one.number),
                mount_point=one.mount_point,
                filesystem=one.filesystem,
                options=",".join(one.mount_options) or None,
                uuid=found.uuid if found and is_as_asked(found, one) else None,
            )
        )
    return sorted(mounts, key=lambda mount: (mount.mount_point is None, (mount.mount_point or "").rstrip("/")))


__all__ = (
    "LaidOut",
    "MakeFilesystem",
    "Mount",
    "WriteTable",
    "describe_device",
    "lay_out",
    "mounts_of",
    "plan_extents",
    "plan_layout",
)
