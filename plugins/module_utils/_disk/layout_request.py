# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.
"""What a disk layout may ask for. Every mistake is reported, and all of them at once."""

from __future__ import annotations

import os
import posixpath
import re
import typing as t
from dataclasses import dataclass

from ansible_collections.bakehouse.images.plugins.module_utils._disk.filesystems import (
    KINDS,
    MOUNTABLE,
    label_problem,
)
from ansible_collections.bakehouse.images.plugins.module_utils._disk.sizes import (
    KIB,
    align_up,
    parse_percent,
    parse_size,
    show_size,
)
from ansible_collections.bakehouse.images.plugins.module_utils._disk.tables import (
    GPT_MAX_PARTITIONS,
    GPT_NAME_LENGTH,
    GUID,
    MBR_MAX_PARTITIONS,
    ROOT_TYPES,
    TYPES,
    type_code,
)
from ansible_collections.bakehouse.images.plugins.module_utils._errors import Invalid

REST = "rest"

# What EC2 and Debian call machines, and what the kernel does.
MACHINES: t.Mapping[str, str] = {"arm64": "aarch64", "amd64": "x86_64", "i386": "i686"}


@dataclass(frozen=True)
class PartitionRequest:
    """One partition asked for; the only one, of C(table) C(none), is the whole device."""

    number: int
    size: str = REST
    type: str = "linux"
    name: t.Optional[str] = None
    filesystem: t.Optional[str] = None
    label: t.Optional[str] = None
    mount_point: t.Optional[str] = None
    mount_options: t.Tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """The partition in a message."""
        return "partition %d%s" % (self.number, " (%s)" % self.name if self.name else "")

    @classmethod
    def from_params(cls, number: int, params: t.Mapping[str, t.Any]) -> PartitionRequest:
        """From one entry of the module's option C(partitions)."""
        return cls(
            number=number,
            size=(params.get("size") or REST).strip(),
            type=(params.get("type") or default_type(params)).lower(),
            name=params.get("name") or None,
            filesystem=params.get("filesystem"),
            label=params.get("label") or None,
            mount_point=params.get("mount_point") or None,
            mount_options=tuple(params.get("mount_options") or ()),
        )


@dataclass(frozen=True)
class LayoutRequest:
    """A layout asked for. C(machine): for which the root is, by its kernel name (x86_64, aarch64)."""

    device: str
    table: str
    partitions: t.Tuple[PartitionRequest, ...]
    machine: str
    force: bool = False
    volume_id: t.Optional[str] = None

    @classmethod
    def from_params(cls, params: t.Mapping[str, t.Any]) -> LayoutRequest:
        """From the module's options.

        Raises:
            Invalid: with every mistake that can be seen without the device.
        """
        architecture = params.get("architecture") or os.uname().machine
        request = cls(
            device=params["device"],
            table=params["table"],
            partitions=tuple(
                PartitionRequest.from_params(number, one) for number, one in enumerate(params["partitions"], start=1)
            ),
            machine=MACHINES.get(architecture, architecture),
            force=bool(params.get("force")),
            volume_id=params.get("volume_id") or None,
        )
        problems = list(layout_problems(request))
        if problems:
            raise Invalid(problems, subject="Disk layout of %s" % request.device)
        return request

    def code(self, partition: PartitionRequest) -> str:
        """The GUID or code that the partition's type has in this table."""
        root = ROOT_TYPES.get(self.machine)
        if self.table == "gpt" and partition.type == "linux" and partition.mount_point == "/" and root:
            return root
        return type_code(self.table, partition.type) or partition.type


def default_type(params: t.Mapping[str, t.Any]) -> str:
    """The type of a partition that names none: swap for swap, else Linux."""
    return "swap" if params.get("filesystem") == "swap" else "linux"


def layout_problems(request: LayoutRequest) -> t.Iterator[str]:
    """What is wrong with the whole, then with each partition: one sentence each."""
    partitions = request.partitions
    most = {"gpt": GPT_MAX_PARTITIONS, "mbr": MBR_MAX_PARTITIONS, "none": 1}[request.table]
    if not partitions:
        yield "'partitions' is empty: there is nothing to make."
    if len(partitions) > most:
        yield "'partitions' has %d entries; %s." % (len(partitions), TABLE_RULES[request.table])
    for name, values in (
        ("mount point", [one.mount_point for one in partitions]),
        ("name", [one.name for one in partitions]),
        ("label", [one.label for one in partitions]),
    ):
        for value in sorted({one for one in values if one and values.count(one) > 1}):
            yield "The %s %s is given to %d partitions." % (name, value, values.count(value))
    for partition in partitions:
        checks = (size_problems, type_problems, filesystem_problems, mount_problems, name_problems)
        for check in checks:
            for problem in check(request, partition):
                yield "%s: %s" % (partition.title, problem)
    if sum(parse_percent(one.size) or 0 for one in partitions) > 100:
        yield "The sizes in percent add up to more than 100%."


TABLE_RULES: t.Mapping[str, str] = {
    "gpt": "a GPT holds at most %d" % GPT_MAX_PARTITIONS,
    "mbr": "an MBR holds at most %d (logical partitions are not made)" % MBR_MAX_PARTITIONS,
    "none": "without a partition table there is exactly one, the whole device",
}


def size_problems(request: LayoutRequest, partition: PartitionRequest) -> t.Iterator[str]:
    """Sizes: readable, not zero, large enough for the file system, and 'rest' only at the end."""
    size = partition.size
    if size == REST:
        if partition.number != len(request.partitions):
            yield "only the last partition can have the size 'rest'."
        return
    if request.table == "none":
        yield "size %s: without a partition table the file system fills the device; leave 'size' out." % size
        return
    if parse_percent(size) is not None:
        return
    count = parse_size(size)
    kind = KINDS.get(partition.filesystem or "")
    if not count:
        yield "size '%s' is not a size: write 512MiB, 4GiB, 50%% or rest." % size
    elif kind and count < kind.min_bytes:
        yield "size %s is too small for %s, which takes at least %s." % (
            size,
            partition.filesystem,
            show_size(align_up(kind.min_bytes, KIB)),
        )


def type_problems(request: LayoutRequest, partition: PartitionRequest) -> t.Iterator[str]:
    """Types: known, and known to this kind of table."""
    kind = partition.type
    if request.table == "none":
        if kind not in ("linux", "swap"):
            yield "type %s: without a partition table there is nothing that could say so; leave 'type' out." % kind
    elif type_code(request.table, kind) is None:
        if kind in TYPES:
            yield "type %s has no meaning on an MBR: a boot loader for BIOS lies behind the MBR itself." % kind
        else:
            given = "a GUID" if request.table == "gpt" else "a code of two hexadecimal digits"
            other = ", which is one for GPT" if GUID.fullmatch(kind) else ""
            yield "type '%s'%s is none of %s, nor %s." % (kind, other, ", ".join(sorted(TYPES)), given)
    if kind == "bios_boot" and partition.filesystem:
        yield "a bios_boot partition holds the boot loader itself, not a file system (%s)." % partition.filesystem
    if kind == "esp" and partition.filesystem not in (None, "vfat"):
        yield "firmware reads an esp only as vfat, not as %s." % partition.filesystem


def filesystem_problems(request: LayoutRequest, partition: PartitionRequest) -> t.Iterator[str]:
    """File systems and labels."""
    if request.table == "none" and not partition.filesystem:
        yield "without a partition table, 'filesystem' is needed."
    if not partition.label:
        return
    if not partition.filesystem:
        yield "label %s: there is no 'filesystem' to carry it." % partition.label
        return
    problem = label_problem(partition.filesystem, partition.label)
    if problem:
        yield "label '%s': the label of a %s %s." % (partition.label, partition.filesystem, problem)


def mount_problems(request: LayoutRequest, partition: PartitionRequest) -> t.Iterator[str]:
    """Mount points and options."""
    point = partition.mount_point
    if point is None:
        if partition.mount_options:
            yield "'mount_options' without a 'mount_point'."
    elif partition.filesystem not in MOUNTABLE:
        yield "mount point %s: %s cannot be mounted." % (
            point,
            partition.filesystem or "a partition without file system",
        )
    elif not point.startswith("/") or posixpath.normpath(point) != point or re.search(r"[\x00-\x1f]", point):
        yield "mount point '%s' is not a plain absolute path." % point
    for option in partition.mount_options:
        if not option or re.search(r"[\s,]", option):
            yield "mount option '%s': give each option as an entry of its own, without blanks and commas." % option


def name_problems(request: LayoutRequest, partition: PartitionRequest) -> t.Iterator[str]:
    """Names of partitions."""
    name = partition.name or ""
    if len(name.encode("utf-16-le")) > 2 * GPT_NAME_LENGTH:
        yield "the name has more than %d characters." % GPT_NAME_LENGTH
    if re.search(r'["\\\x00-\x1f]', name):
        yield "the name has quotes, backslashes or control characters in it."


__all__ = ("REST", "LayoutRequest", "PartitionRequest", "layout_problems")
