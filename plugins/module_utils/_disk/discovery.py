# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.
"""Finding the device of a volume. It is recognised by what it says of itself, never by being the newest or next one.

On Nitro instances a volume is an NVMe disk whose serial is the volume's id without its dash; on Xen instances it has
the name that it was attached under, with C(xvd) for C(sd) (AWS: "Map Amazon EBS volumes to NVMe device names", "Device
names for volumes on Amazon EC2 instances"). On a Nitro instance such a name may be another disk's, so a name only
counts where no disk reports a volume's serial.
"""

from __future__ import annotations

import os
import re
import stat
import typing as t
from dataclasses import dataclass

from ansible_collections.bakehouse.images.plugins.module_utils._disk.devices import (
    SYSFS_SECTOR_BYTES,
    Device,
    device_serial,
    is_busy,
    read_attribute,
)
from ansible_collections.bakehouse.images.plugins.module_utils._disk.nodes import with_partition_nodes
from ansible_collections.bakehouse.images.plugins.module_utils._disk.sizes import GIB, show_size
from ansible_collections.bakehouse.images.plugins.module_utils._errors import Invalid, Refused, WaitTimeout
from ansible_collections.bakehouse.images.plugins.module_utils._wait import Clock, poll

if t.TYPE_CHECKING:
    from ansible_collections.bakehouse.images.plugins.module_utils._run import Runner

# How udev names the link of a volume's NVMe disk (and of its first namespace), and of a virtio disk.
BY_ID = re.compile(r"(?:nvme-Amazon_Elastic_Block_Store_|virtio-)(vol-?[0-9a-f]+)(_1)?")

# How udev names the link of a SCSI disk of QEMU. On a VM of Outscale its serial is the name that the volume was
# attached under, whatever the kernel calls the disk (github.com/outscale/osc-bsu-csi-driver, findDevicePath).
SCSI_BY_ID = "scsi-0QEMU_QEMU_HARDDISK_sd"

# A serial that is a volume's id: EC2's without the dash, others' with it.
VOLUME_SERIAL = re.compile(r"vol-?[0-9a-f]{8,17}")

# virtio-blk cuts serials to this length, which is one less than that of EC2's longer ids.
VIRTIO_SERIAL_LENGTH = 20

# While waiting. A device appears within a second or two of its attachment.
DELAY_SECONDS = 0.2
MAX_DELAY_SECONDS = 2.0


@dataclass(frozen=True)
class Disk:
    """A whole disk as sysfs lists it. C(number) is its C(major:minor)."""

    kernel_name: str
    number: str
    size_bytes: int
    serial: t.Optional[str] = None

    def describe(self) -> str:
        """The disk in an error."""
        serial = ", serial %s" % self.serial if self.serial else ""
        return "%s (%s%s)" % (self.kernel_name, show_size(self.size_bytes), serial)


@dataclass(frozen=True)
class Host:
    """Where the kernel shows the devices of a machine. Tests give it trees of their own."""

    sys_root: str = "/sys"
    dev_root: str = "/dev"

    def number(self, path: str) -> t.Optional[str]:
        """C(major:minor) of the block device at the path, links followed; None when there is none."""
        try:
            found = os.stat(path)
        except OSError:
            return None
        if not stat.S_ISBLK(found.st_mode):
            return None
        return "%d:%d" % (os.major(found.st_rdev), os.minor(found.st_rdev))

    def is_idle(self, path: str) -> bool:
        """Whether nothing has the device mounted or claimed."""
        return not is_busy(path)

    def disk(self, folder: str) -> t.Optional[Disk]:
        """The disk of a sysfs folder; None when it is none, or has no size (a loop device without a file)."""
        number = read_attribute(folder, "dev")
        size = int(read_attribute(folder, "size") or 0) * SYSFS_SECTOR_BYTES
        # The single paths of a multipath NVMe disk are listed, too: hidden, with no node.
        if number is None or size == 0 or read_attribute(folder, "hidden") == "1":
            return None
        return Disk(os.path.basename(folder).replace("!", "/"), number, size, device_serial(folder))

    def disks(self) -> t.List[Disk]:
        """All disks of the machine, by name."""
        block = os.path.join(self.sys_root, "block")
        names = sorted(os.listdir(block)) if os.path.isdir(block) else []
        found = (self.disk(os.path.realpath(os.path.join(block, name))) for name in names)
        return [one for one in found if one]

    def disk_at(self, path: str) -> t.Optional[Disk]:
        """The disk, or partition, that a path leads to."""
        number = self.number(path)
        return self.disk(os.path.realpath(os.path.join(self.sys_root, "dev", "block", number))) if number else None

    def by_id(self) -> t.Dict[str, t.List[str]]:
        """The links of volumes, by the volume's serial."""
        folder = os.path.join(self.dev_root, "disk", "by-id")
        links: t.Dict[str, t.List[str]] = {}
        for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
            match = BY_ID.fullmatch(name)
            if match:
                links.setdefault(match.group(1).replace("-", ""), []).append(os.path.join(folder, name))
        return links


@dataclass(frozen=True)
class Wanted:
    """The device to find, by at least one of volume, name and path.

    Args:
        device_name: the name that the volume was attached under, as the API has it (/dev/sdf, xvdf).
        size_gib: what the volume's size must be.
    """

    volume_id: t.Optional[str] = None
    device_name: t.Optional[str] = None
    path: t.Optional[str] = None
    size_gib: t.Optional[int] = None

    @property
    def serial(self) -> t.Optional[str]:
        """The volume's id as an NVMe serial."""
        return volume_serial(self.volume_id) if self.volume_id else None

    def describe(self) -> str:
        """What is looked for, for an error."""
        parts = []
        if self.volume_id:
            parts.append("volume %s" % self.volume_id)
        if self.device_name:
            parts.append("attached as %s" % self.device_name)
        if self.path:
            parts.append("at %s" % self.path)
        return ", ".join(parts)


@dataclass(frozen=True)
class Answer:
    """The path of the device, or why each thing looked at is not it."""

    path: t.Optional[str] = None
    reasons: t.Tuple[str, ...] = ()


def volume_serial(volume_id: str) -> str:
    """A volume's id as its NVMe disk reports it."""
    return volume_id.lower().replace("-", "")


def is_serial_of(serial: str, volume_id: str) -> bool:
    """Whether a disk's serial is that of a volume, in one of the ways in which hypervisors write it."""
    if volume_serial(serial) == volume_serial(volume_id):
        return True
    return len(serial) == VIRTIO_SERIAL_LENGTH and volume_id.lower().startswith(serial.lower())


def find_device(host: Host, wanted: Wanted) -> Answer:
    """Look once. The kernel's serial is taken before udev's link, and either before a name."""
    if wanted.path:
        return accept(host, wanted, [wanted.path], "path")
    if wanted.volume_id:
        by_serial = [one for one in host.disks() if one.serial and is_serial_of(one.serial, wanted.volume_id)]
        if by_serial:
            return accept(host, wanted, [os.path.join(host.dev_root, one.kernel_name) for one in by_serial], "serial")
        links = host.by_id().get(volume_serial(wanted.volume_id), [])
        answer = accept(host, wanted, links, "link")
        if answer.path:
            return answer
        named = by_name(host, wanted)
        return Answer(named.path, answer.reasons + named.reasons)
    return by_name(host, wanted)


def by_name(host: Host, wanted: Wanted) -> Answer:
    """Look by the name that the volume was attached under: by the disk's serial, then as a node."""
    linked = accept(host, wanted, scsi_links(host, wanted), "scsi")
    if linked.path or scsi_links(host, wanted):
        return linked
    return accept(host, wanted, names_of(host, wanted), "name")


def scsi_links(host: Host, wanted: Wanted) -> t.List[str]:
    """The link of the disk whose serial is the attachment's name, where there is one."""
    name = re.match(r"(?:/dev/)?(?:sd|xvd|vd)([a-z]{1,2})\Z", wanted.device_name or "")
    link = os.path.join(host.dev_root, "disk", "by-id", SCSI_BY_ID + name.group(1)) if name else ""
    return [link] if link and os.path.lexists(link) else []


def names_of(host: Host, wanted: Wanted) -> t.List[str]:
    """The paths that an attachment's name may have become.

    Xen's block front end says xvd for sd; a VM of Outscale may say sd, or vd, for xvd.
    """
    if not wanted.device_name:
        return []
    name = os.path.basename(wanted.device_name)
    names = [re.sub(r"^sd", "xvd", name), name]
    if name.startswith("xvd"):
        names += ["sd" + name[3:], "vd" + name[3:]]
    return [os.path.join(host.dev_root, one) for one in dict.fromkeys(names)]


def accept(host: Host, wanted: Wanted, paths: t.Sequence[str], how: str) -> Answer:
    """The first of the paths that leads to a device which can be the one wanted."""
    reasons = []
    for path in paths:
        reason = objection(host, wanted, path, how)
        if reason is None:
            return Answer(os.path.realpath(path))
        reasons.append("%s: %s" % (path, reason))
    return Answer(None, tuple(reasons))


def objection(host: Host, wanted: Wanted, path: str, how: str) -> t.Optional[str]:
    """Why the device at a path is not the one wanted; None when nothing speaks against it."""
    if not os.path.exists(path):
        return "is not there"
    disk = host.disk_at(path)
    if disk is None:
        return "is not a block device with a medium"
    if wanted.volume_id:
        other = other_volume(host, disk, wanted.volume_id)
        if other:
            return other
    if wanted.size_gib is not None and disk.size_bytes != wanted.size_gib * GIB:
        return "has %s, not %d GiB" % (show_size(disk.size_bytes), wanted.size_gib)
    if how == "scsi" and not host.is_idle(path):
        return "is in use"
    return name_objection(host, disk, path, wanted) if how == "name" else None


def name_objection(host: Host, disk: Disk, path: str, wanted: Wanted) -> t.Optional[str]:
    """Why a name is not enough to take a device for the volume's; None when it is."""
    if wanted.volume_id and is_volume_of(host, disk, wanted.volume_id):
        return None
    if any(one.serial and VOLUME_SERIAL.fullmatch(one.serial) for one in host.disks()):
        return "does not say which volume it is, and on this machine the disks of volumes do"
    if disk.kernel_name.startswith("nvme"):
        return "is an NVMe disk (%s), whose names say nothing about how it was attached" % disk.describe()
    if not host.is_idle(path):
        return "is in use"
    return None


def is_volume_of(host: Host, disk: Disk, volume_id: str) -> bool:
    """Whether the disk's serial or link says that it is this volume."""
    if disk.serial and is_serial_of(disk.serial, volume_id):
        return True
    return any(host.number(link) == disk.number for link in host.by_id().get(volume_serial(volume_id), []))


def other_volume(host: Host, disk: Disk, volume_id: str) -> t.Optional[str]:
    """What says that the disk is another volume than this one; None when nothing does.

    Any serial counts: a local NVMe disk has one too, and is no volume.
    """
    if disk.serial:
        same = is_serial_of(disk.serial, volume_id)
        return None if same else "is %s, so it is not %s" % (disk.describe(), volume_id)
    for serial, links in host.by_id().items():
        if serial != volume_serial(volume_id) and any(host.number(link) == disk.number for link in links):
            return "is the volume %s, by its link %s" % (serial, links[0])
    return None


def require_volume(host: Host, path: str, volume_id: str) -> None:
    """Raise Refused when anything says that the device is not of this volume. On Xen nothing does, ever."""
    disk = host.disk_at(path)
    reason = other_volume(host, disk, volume_id) if disk else None
    if reason:
        raise Refused(
            "%s is not the device of %s: it %s." % (path, volume_id, reason),
            hint="Find it with bakehouse.images.block_device_info.",
            device=path,
        )


def wait_for_device(
    runner: Runner,
    wanted: Wanted,
    *,
    timeout_seconds: float,
    host: t.Optional[Host] = None,
    clock: t.Optional[Clock] = None,
) -> Device:
    """Wait until the device is there, then until its partitions are, and read it.

    Raises:
        Invalid: nothing says which device is wanted.
        WaitTimeout: it has not appeared; the error says what was looked at and what disks there are.
    """
    if not (wanted.volume_id or wanted.device_name or wanted.path):
        raise Invalid(["Give at least one of 'volume_id', 'device_name' and 'path'."])
    machine = host or Host()
    last: t.List[Answer] = []

    def probe() -> t.Optional[str]:
        last[:] = [find_device(machine, wanted)]
        return last[0].path

    def on_timeout(waited: float) -> WaitTimeout:
        return not_found(machine, wanted, last[0], waited)

    path = poll(
        probe,
        timeout_seconds=timeout_seconds,
        delay_seconds=DELAY_SECONDS,
        max_delay_seconds=MAX_DELAY_SECONDS,
        on_timeout=on_timeout,
        clock=clock,
    )
    return with_partition_nodes(runner, path, sys_root=machine.sys_root, clock=clock)


def not_found(host: Host, wanted: Wanted, answer: Answer, waited: float) -> WaitTimeout:
    """The error when the time is up."""
    looked = ["a disk with the serial %s" % wanted.serial] if wanted.serial and not wanted.path else []
    looked += ["its link in %s" % os.path.join(host.dev_root, "disk", "by-id")] if looked else []
    looked += [] if wanted.path else names_of(host, wanted)
    lines = ["After %d seconds there is no device of %s." % (waited, wanted.describe())]
    if looked:
        lines.append("Looked for: %s." % ", ".join(looked))
    lines += ["%s." % reason for reason in answer.reasons]
    lines.append("Disks of this machine: %s." % (", ".join(one.describe() for one in host.disks()) or "none"))
    return WaitTimeout(
        " ".join(lines),
        hint="Is the volume attached to this machine? A container sees only the devices that its /dev has.",
    )


__all__ = (
    "Answer",
    "Disk",
    "Host",
    "Wanted",
    "find_device",
    "is_serial_of",
    "require_volume",
    "volume_serial",
    "wait_for_device",
)
