# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""File systems tables (fstab): reading them, and finding what their entries mean on one device."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

if t.TYPE_CHECKING:
    from ansible_collections.bakehouse.images.plugins.module_utils._disk.devices import Device


@dataclass(frozen=True)
class FstabEntry:
    """One line of an fstab, as fstab(5) has it. C(mount_point) is None for swap and the like (C(none))."""

    source: str
    mount_point: t.Optional[str]
    type: str
    options: t.Tuple[str, ...] = ("defaults",)
    dump: int = 0
    pass_number: int = 0

    def option(self, name: str) -> t.Optional[str]:
        """The value of the last C(name=value) among the options; an empty text when it has no value."""
        found = None
        for option in self.options:
            key, _equals, value = option.partition("=")
            if key == name:
                found = value
        return found


def escape(field: str) -> str:
    """A field as fstab(5) wants it written: blanks, tabs and backslashes as three octal digits."""
    return re.sub(r"[ \t\\]", lambda match: "\\%03o" % ord(match.group()), field)


def unescape(field: str) -> str:
    """What a field of an fstab means; see escape."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match.group(1), 8)), field)


def parse_fstab(text: str) -> t.Tuple[FstabEntry, ...]:
    """The entries of an fstab, in order. Lines that mount(8) would not understand either are left out."""
    entries = []
    for line in text.splitlines():
        fields = [unescape(field) for field in line.split()]
        if len(fields) < 3 or fields[0].startswith("#"):
            continue
        numbers = [int(field) if field.isdigit() else 0 for field in fields[4:6]] + [0, 0]
        entries.append(
            FstabEntry(
                source=fields[0],
                mount_point=fields[1] if fields[1].startswith("/") else None,
                type=fields[2],
                options=tuple((fields[3] if len(fields) > 3 else "defaults").split(",")),
                dump=numbers[0],
                pass_number=numbers[1],
            )
        )
    return tuple(entries)


def find_source(device: Device, source: str) -> t.Optional[str]:
    """The path, on this device, of what an fstab entry names; None when it names nothing of this device.

    C(UUID=), C(LABEL=), C(PARTUUID=), C(PARTLABEL=) and their C(/dev/disk/by-*) forms are looked up in the device
    only, never on the host, which may hold another file system of the same name. Of a kernel name such as
    /dev/xvda1, only the partition's number means anything on another machine.
    """
    key, value = split_source(source)
    if key == "NODE":
        for one in device.partitions:
            if one.volume and value in ["/dev/" + name for name in volume_names(one.volume)]:
                return one.path
        number = re.fullmatch(r"/dev/(?:[a-z]+|nvme\d+n\d+p|mmcblk\d+p)(\d+)", value)
        paths = {one.number: one.path for one in device.partitions if not one.volume}
        return paths.get(int(number.group(1))) if number else None
    for path, names in source_names(device):
        if same_name(key, names.get(key), value):
            return path
    return None


def volume_names(title: str) -> t.Tuple[str, str]:
    """What a logical volume, GROUP/NAME, is called below /dev. LVM doubles hyphens: a single one joins the two."""
    group, _slash, name = title.partition("/")
    return title, "mapper/%s-%s" % (group.replace("-", "--"), name.replace("-", "--"))


def split_source(source: str) -> t.Tuple[str, str]:
    """How a source names its device, and the name: C(('UUID', '...')), or C(('NODE', '/dev/sda1'))."""
    link = re.fullmatch(r"/dev/disk/by-(uuid|label|partuuid|partlabel)/(.+)", source)
    if link:
        # udev writes what has no place in a file name as \x20.
        name = re.sub(r"\\x([0-9a-fA-F]{2})", lambda match: chr(int(match.group(1), 16)), link.group(2))
        return link.group(1).upper(), name
    key, equals, value = source.partition("=")
    if equals and key in ("UUID", "LABEL", "PARTUUID", "PARTLABEL"):
        return key, value.strip("\"'")
    return "NODE", source


def source_names(device: Device) -> t.Iterator[t.Tuple[str, t.Dict[str, t.Optional[str]]]]:
    """Each path of the device that can hold a file system, with the names it goes by."""
    if device.filesystem:
        yield device.path, {"UUID": device.filesystem.uuid, "LABEL": device.filesystem.label}
    for one in device.partitions:
        names = {"PARTUUID": one.uuid, "PARTLABEL": one.name}
        if one.filesystem:
            names.update(UUID=one.filesystem.uuid, LABEL=one.filesystem.label)
        yield one.path, names


def same_name(key: str, found: t.Optional[str], wanted: str) -> bool:
    """Whether two names are the same: ids in either case, labels as they are."""
    if found is None:
        return False
    return found == wanted or (key in ("UUID", "PARTUUID") and found.lower() == wanted.lower())


__all__ = ("FstabEntry", "escape", "find_source", "parse_fstab", "unescape", "volume_names")
