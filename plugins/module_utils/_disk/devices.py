# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Block devices as they are: what the kernel, the partition table and the probed signatures say.

Sizes and serials come from sysfs, tables from C(sfdisk --json), file systems from C(blkid -p), which reads the
device itself: what C(lsblk) shows of file systems is udev's memory, and a build host may have no udev.
"""

from __future__ import annotations

import errno
import json
import os
import re
import stat
import typing as t
from dataclasses import dataclass

from ansible_collections.bakehouse.images.plugins.module_utils._disk.firmware import firmware_of
from ansible_collections.bakehouse.images.plugins.module_utils._errors import (
    BuildError,
    Busy,
    Invalid,
    NotFound,
    Refused,
)

if t.TYPE_CHECKING:
    from ansible_collections.bakehouse.images.plugins.module_utils._run import Runner

# sysfs counts in these units whatever the device's own sectors are (Documentation/ABI/stable/sysfs-block).
SYSFS_SECTOR_BYTES = 512

# blkid(8), EXIT STATUS, for low-level probing.
BLKID_NOTHING_FOUND = 2
BLKID_AMBIVALENT = 8

# The type given to a device with signatures of several file systems or tables, so that what it holds cannot be told.
AMBIVALENT = "ambivalent"

# The tables that hold a cloud image's partitions, by blkid's names. Others are named, but not read.
TABLES = ("gpt", "dos")

# MBR types of the partition that logical ones lie in: CHS, LBA, Linux.
EXTENDED_TYPES = ("5", "f", "85")


@dataclass(frozen=True)
class Filesystem:
    """What a signature says: a file system, swap, or the member of something larger (LVM, RAID, LUKS)."""

    type: str
    label: t.Optional[str] = None
    uuid: t.Optional[str] = None
    usage: str = "filesystem"

    @property
    def title(self) -> str:
        """The file system in a message: 'ext4 (label root)'."""
        return "%s (label %s)" % (self.type, self.label) if self.label else self.type


@dataclass(frozen=True)
class Partition:
    """One partition. C(type) is a GUID in lower case on GPT, and two hexadecimal digits on MBR.

    Or a logical volume, which then C(volume) names; C(number) is that of the partition it lies on.
    """

    number: int
    path: str
    start_bytes: int
    size_bytes: int
    type: str
    name: t.Optional[str] = None
    uuid: t.Optional[str] = None
    bootable: bool = False
    filesystem: t.Optional[Filesystem] = None
    volume: t.Optional[str] = None

    @property
    def end_bytes(self) -> int:
        """The first byte after the partition."""
        return self.start_bytes + self.size_bytes

    @property
    def is_extended(self) -> bool:
        """Whether this is the MBR partition that logical ones lie in."""
        return self.type in EXTENDED_TYPES


@dataclass(frozen=True)
class Device:
    """A whole disk, or a partition taken by itself.

    C(partition_table) is C(gpt), C(dos) or None. C(usable_end_bytes) is the first byte that the table, as it is now,
    can give to no partition: on GPT a device that has grown is larger than its table says.
    """

    path: str
    kernel_name: str
    size_bytes: int
    sector_size: int
    read_only: bool
    serial: t.Optional[str] = None
    links: t.Tuple[str, ...] = ()
    partition_table: t.Optional[str] = None
    table_uuid: t.Optional[str] = None
    usable_end_bytes: t.Optional[int] = None
    filesystem: t.Optional[Filesystem] = None
    partitions: t.Tuple[Partition, ...] = ()

    def partition(self, number: int) -> Partition:
        """The partition of that number, or NotFound with the numbers there are."""
        for candidate in self.partitions:
            if candidate.number == number:
                return candidate
        there = ", ".join(str(one.number) for one in self.partitions) or "none"
        raise NotFound("%s has no partition %d; its partitions: %s." % (self.path, number, there))


def read_device(runner: Runner, path: str, *, sys_root: str = "/sys", dev_root: str = "/dev") -> Device:
    """Read a block device: nothing is written, mounted or remembered.

    Args:
        path: a node or a link to one.

    Raises:
        NotFound: there is no such path.
        Invalid: the path is not a block device.
    """
    node, number = device_node(path)
    folder = os.path.realpath(os.path.join(sys_root, "dev", "block", number))
    if not os.path.isdir(folder):
        raise NotFound("The kernel does not know the device %s of %s." % (number, path), hint="Is it detached?")
    probed = probe(runner, node)
    table = read_table(runner, node) if probed.get("PTTYPE") in TABLES else {}
    sector_size = logical_sector_size(folder)
    return Device(
        path=node,
        kernel_name=os.path.basename(folder),
        size_bytes=int(read_attribute(folder, "size") or 0) * SYSFS_SECTOR_BYTES,
        sector_size=sector_size,
        read_only=read_attribute(folder, "ro") == "1",
        serial=device_serial(folder),
        links=links_to(node, dev_root=dev_root),
        partition_table=probed.get("PTTYPE"),
        table_uuid=probed.get("PTUUID"),
        usable_end_bytes=(table["lastlba"] + 1) * sector_size if "lastlba" in table else None,
        filesystem=filesystem_of(probed),
        partitions=tuple(read_partition(runner, node, entry, sector_size) for entry in table.get("partitions", [])),
    )


def device_node(path: str) -> t.Tuple[str, str]:
    """The node that a path leads to, and its C(major:minor)."""
    node = os.path.realpath(path)
    try:
        found = os.stat(node)
    except FileNotFoundError as exc:
        raise NotFound("There is no device %s." % path) from exc
    except OSError as exc:
        raise BuildError("Cannot look at %s: %s." % (path, exc.strerror)) from exc
    if not stat.S_ISBLK(found.st_mode):
        raise Invalid(["%s is not a block device." % path])
    return node, "%d:%d" % (os.major(found.st_rdev), os.minor(found.st_rdev))


def read_attribute(folder: str, name: str) -> t.Optional[str]:
    """A sysfs attribute without the blanks around it; None when it is not there or empty."""
    try:
        with open(os.path.join(folder, name), encoding="utf-8", errors="replace") as attribute:
            return attribute.read().strip() or None
    except OSError:
        return None


def logical_sector_size(folder: str) -> int:
    """Bytes of a logical sector; a partition has its disk's."""
    for disk in (folder, os.path.dirname(folder)):
        size = read_attribute(disk, "queue/logical_block_size")
        if size:
            return int(size)
    return SYSFS_SECTOR_BYTES


def device_serial(folder: str) -> t.Optional[str]:
    """The serial that the device itself reports: NVMe controllers and SCSI-like disks."""
    return read_attribute(folder, "device/serial") or read_attribute(folder, "serial")


def links_to(node: str, *, dev_root: str = "/dev") -> t.Tuple[str, ...]:
    """The links below /dev/disk that lead to the node, sorted."""
    found = []
    for folder, _folders, names in os.walk(os.path.join(dev_root, "disk")):
        for name in names:
            link = os.path.join(folder, name)
            if os.path.realpath(link) == node:
                found.append(link)
    return tuple(sorted(found))


def probe(runner: Runner, node: str) -> t.Dict[str, str]:
    """What C(blkid) reads on the device itself, by its names: TYPE, LABEL, UUID, USAGE, PTTYPE, PTUUID."""
    # Short options: util-linux of Amazon Linux 2 and RHEL 8 knows no long ones here.
    done = runner.run(["blkid", "-p", "-o", "export", node], check=False)
    if done.rc == BLKID_NOTHING_FOUND:
        return {}
    if done.rc == BLKID_AMBIVALENT:
        return {"TYPE": AMBIVALENT, "USAGE": AMBIVALENT}
    if done.rc != 0:
        raise BuildError("Cannot probe %s: %s" % (node, done.err.strip() or "status %d." % done.rc))
    return parse_export(done.out)


def parse_export(text: str) -> t.Dict[str, str]:
    """C(KEY=value) lines, in which C(blkid) puts a backslash before what a shell would take apart."""
    pairs = (line.split("=", 1) for line in text.splitlines() if "=" in line)
    return {key: re.sub(r"\\(.)", r"\1", value) for key, value in pairs}


def filesystem_of(probed: t.Mapping[str, str]) -> t.Optional[Filesystem]:
    """The file system that a probe found, if any."""
    if "TYPE" not in probed:
        return None
    return Filesystem(
        type=probed["TYPE"],
        label=probed.get("LABEL"),
        uuid=probed.get("UUID"),
        usage=probed.get("USAGE", "filesystem"),
    )


def read_table(runner: Runner, node: str) -> t.Dict[str, t.Any]:
    """The partition table as C(sfdisk) reads it: positions in sectors."""
    done = runner.run(["sfdisk", "--json", node])
    table: t.Dict[str, t.Any] = json.loads(done.out)["partitiontable"]
    return table


def partition_number(disk: str, node: str) -> int:
    """The number at the end of a partition's name: 2 for both sda2 and nvme0n1p2."""
    match = re.fullmatch(re.escape(disk) + r"p?(\d+)", node)
    if not match:
        raise BuildError("%s is not named like a partition of %s." % (node, disk))
    return int(match.group(1))


def partition_path(disk: str, number: int) -> str:
    """How the kernel names a partition: with a C(p) between when the disk's name ends in a digit."""
    return "%s%s%d" % (disk, "p" if disk[-1:].isdigit() else "", number)


def has_node(path: str) -> bool:
    """Whether there is a node at the path: the kernel may know a partition that /dev does not show yet."""
    return os.path.exists(path)


def read_partition(runner: Runner, disk: str, entry: t.Mapping[str, t.Any], sector_size: int) -> Partition:
    """One entry of the table, with the file system in it when its node is there."""
    number = partition_number(disk, entry["node"])
    path = partition_path(disk, number)
    probed = probe(runner, path) if has_node(path) else {}
    return Partition(
        number=number,
        path=path,
        start_bytes=entry["start"] * sector_size,
        size_bytes=entry["size"] * sector_size,
        type=str(entry["type"]).lower(),
        name=entry.get("name"),
        uuid=entry["uuid"].lower() if "uuid" in entry else probed.get("PART_ENTRY_UUID"),
        bootable=bool(entry.get("bootable", False)),
        filesystem=filesystem_of(probed),
    )


def is_busy(path: str) -> bool:
    """Whether something has the device mounted or claimed, in any mount namespace.

    C(O_EXCL) on a block device asks for what a mount asks for (open(2)): it is refused for a disk of which a
    partition is mounted, too.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_EXCL)
    except OSError as exc:
        if exc.errno == errno.EBUSY:
            return True
        if exc.errno in (errno.EACCES, errno.EPERM):
            raise Refused("Cannot open %s: %s." % (path, exc.strerror), hint="This needs root.") from exc
        raise BuildError("Cannot open %s: %s." % (path, exc.strerror)) from exc
    os.close(descriptor)
    return False


def require_idle(path: str, purpose: str) -> None:
    """Raise Busy when the device is mounted or claimed. C(purpose) ends the sentence 'is in use: cannot ...'."""
    if is_busy(path):
        raise Busy(
            "%s is in use (mounted, swapped on, or part of a RAID, LVM or crypt device): cannot %s." % (path, purpose),
            hint="'lsblk %s' and 'findmnt --source %s' show by what, unless another mount namespace holds it."
            % (path, path),
            device=path,
        )


def device_result(device: Device) -> t.Dict[str, t.Any]:
    """The device as modules return it."""

    def filesystem(found: t.Optional[Filesystem]) -> t.Optional[t.Dict[str, t.Any]]:
        return {"type": found.type, "label": found.label, "uuid": found.uuid} if found else None

    return {
        "path": device.path,
        "kernel_name": device.kernel_name,
        "serial": device.serial,
        "links": list(device.links),
        "size_bytes": device.size_bytes,
        "sector_size": device.sector_size,
        "read_only": device.read_only,
        "partition_table": device.partition_table,
        "firmware": firmware_of(device.partition_table, [one.type for one in device.partitions if one.type]),
        "filesystem": filesystem(device.filesystem),
        "partitions": [
            {
                "number": one.number,
                "path": one.path,
                "start_bytes": one.start_bytes,
                "size_bytes": one.size_bytes,
                "type": one.type,
                "name": one.name,
                "uuid": one.uuid,
                "filesystem": filesystem(one.filesystem),
            }
            for one in device.partitions
        ],
    }


__all__ = (
    "AMBIVALENT",
    "SYSFS_SECTOR_BYTES",
    "Device",
    "Filesystem",
    "Partition",
    "device_node",
    "device_result",
    "device_serial",
    "filesystem_of",
    "has_node",
    "is_busy",
    "links_to",
    "parse_export",
    "partition_number",
    "partition_path",
    "probe",
    "read_attribute",
    "read_device",
    "require_idle",
)
