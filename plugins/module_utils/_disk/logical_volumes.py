# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""LVM's logical volumes on a device, without the device mapper: each that is in one piece, as a loop device.

Nothing is activated. So nothing has to be deactivated either; the image's volume group may have the name and the ids
of the build host's own, or of another build's; and a build host without device-mapper will do. The kernel takes a loop
device away by itself (LO_FLAGS_AUTOCLEAR) when nothing has it open or mounted any more, however that came about.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import struct
import typing as t
from dataclasses import asdict, dataclass, replace

from ansible_collections.bakehouse.images.plugins.module_utils._disk.devices import (
    Device,
    Partition,
    filesystem_of,
    probe,
)
from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError, CommandFailed, NotFound

if t.TYPE_CHECKING:
    from ansible_collections.bakehouse.images.plugins.module_utils._run import Runner

PHYSICAL_VOLUME = "LVM2_member"

# linux/loop.h. LOOP_CONFIGURE is there since Linux 5.8; before, two calls do the same.
LOOP_CTL_GET_FREE = 0x4C82
LOOP_CONFIGURE = 0x4C0A
LOOP_SET_FD = 0x4C00
LOOP_CLR_FD = 0x4C01
LOOP_SET_STATUS64 = 0x4C04
LO_FLAGS_AUTOCLEAR = 4
LOOP_INFO64 = "QQQQQ IIII 64s64s32s QQ"
LOOP_CONFIG = "=II" + LOOP_INFO64 + "64s"
# Others look for a free loop device at the same time.
ATTEMPTS = 20


@dataclass(frozen=True)
class LogicalVolume:
    """A linear logical volume that lies in one piece on one physical volume."""

    group: str
    name: str
    physical: str
    offset_bytes: int
    size_bytes: int

    @property
    def title(self) -> str:
        """As LVM writes it."""
        return "%s/%s" % (self.group, self.name)


def physical_volumes(device: Device) -> t.List[Partition]:
    """The partitions, or the device as one of them, that are physical volumes."""
    whole = [Partition(0, device.path, 0, device.size_bytes, "", filesystem=device.filesystem)]
    every = device.partitions or tuple(whole)
    return [one for one in every if one.filesystem and one.filesystem.type == PHYSICAL_VOLUME]


def read_volumes(runner: Runner, physical: t.Sequence[str]) -> t.Tuple[t.List[LogicalVolume], t.List[str]]:
    """The logical volumes on these physical volumes, and a line for each that cannot be had."""
    # Nothing of the build host's own: not its list of devices, not its volume groups.
    accepted = ", ".join('"a|^%s$|"' % path for path in physical)
    common = ["--readonly", "--config", 'devices { use_devicesfile=0 filter=[ %s, "r|.*|" ] }' % accepted]
    common += ["--reportformat", "json", "--units", "b", "--nosuffix", "--options"]
    try:
        parts = runner.run(["lvm", "pvs", *common, "pv_name,pe_start,vg_name,vg_missing_pv_count"])
        fields = "vg_name,lv_name,segtype,seg_start,seg_size,seg_pe_ranges,vg_extent_size"
        segments = runner.run(["lvm", "lvs", *common, fields, "--segments"])
    except NotFound:
        return [], ["LVM: the command lvm is not installed on the build host"]
    except CommandFailed as exc:
        return [], ["LVM: %s" % exc.message]
    return parse_report(parts.out, segments.out)


def parse_report(parts: str, segments: str) -> t.Tuple[t.List[LogicalVolume], t.List[str]]:
    """The same from what C(lvm) reported."""
    starts: t.Dict[str, int] = {}
    missing: t.Dict[str, str] = {}
    for row in _rows(parts, "pv"):
        # One that is missing has "[unknown]" for a name.
        if row["pv_name"].startswith("/"):
            starts[row["pv_name"]] = int(row["pe_start"])
        missing[row["vg_name"]] = row["vg_missing_pv_count"]
    troubles = ["volume group %s: parts of it are on other devices" % vg for vg, no in missing.items() if no != "0"]
    rows: t.Dict[t.Tuple[str, str], t.List[t.Dict[str, str]]] = {}
    for row in _rows(segments, "seg"):
        rows.setdefault((row["vg_name"], row["lv_name"]), []).append(row)
    found = []
    for (group, name), pieces in sorted(rows.items()):
        volume = _in_one_piece(group, name, pieces, starts)
        if volume:
            found.append(volume)
        else:
            kinds = ", ".join(sorted({piece["segtype"] for piece in pieces}))
            troubles.append("logical volume %s/%s (%s): it is not in one piece on one disk" % (group, name, kinds))
    return found, troubles


def _rows(report: str, kind: str) -> t.List[t.Dict[str, str]]:
    try:
        return [row for one in json.loads(report)["report"] for row in one[kind]]
    except (ValueError, LookupError) as exc:
        raise BuildError("lvm reported something that is no report: %s." % report[:200]) from exc


def _in_one_piece(
    group: str, name: str, pieces: t.List[t.Dict[str, str]], starts: t.Mapping[str, int]
) -> t.Optional[LogicalVolume]:
    physical, begin, after = "", 0, 0
    for number, piece in enumerate(sorted(pieces, key=lambda one: int(one["seg_start"]))):
        ranges = piece["seg_pe_ranges"].split()
        if piece["segtype"] != "linear" or len(ranges) != 1:
            return None
        where, _colon, extents = ranges[0].rpartition(":")
        first, _dash, last = extents.partition("-")
        if where not in starts or (number and (where != physical or int(first) != after)):
            return None
        physical, after = where, int(last) + 1
        begin = begin if number else int(first)
    extent = int(pieces[0]["vg_extent_size"])
    return LogicalVolume(group, name, physical, starts[physical] + begin * extent, (after - begin) * extent)


class OpenVolumes:
    """Loop devices over logical volumes, there as long as this is open, or they are mounted."""

    def __init__(self) -> None:
        self.paths: t.Dict[str, LogicalVolume] = {}
        self.troubles: t.List[str] = []
        self._handles: t.List[int] = []
        self._physical: t.Dict[str, int] = {}

    def __enter__(self) -> OpenVolumes:
        return self

    def __exit__(self, *_exc: object) -> None:
        for handle in reversed(self._handles):
            os.close(handle)
        self._handles.clear()
        self._physical.clear()

    def expand(self, runner: Runner, device: Device) -> Device:
        """The device with its logical volumes as further partitions, each with the number of the one it lies on."""
        physical = physical_volumes(device)
        if not physical:
            return device
        numbers = {one.path: one.number for one in physical}
        volumes, self.troubles = read_volumes(runner, list(numbers))
        found = []
        for volume in volumes:
            path = self.open(volume)
            found.append(
                Partition(
                    numbers[volume.physical],
                    path,
                    volume.offset_bytes,
                    volume.size_bytes,
                    "",
                    filesystem=filesystem_of(probe(runner, path)),
                    volume=volume.title,
                )
            )
        return replace(device, partitions=device.partitions + tuple(found))

    def open(self, volume: LogicalVolume) -> str:
        """A loop device for the volume."""
        handle, path = _loop(self._open_physical(volume.physical), volume)
        self._handles.append(handle)
        self.paths[path] = volume
        return path

    def to_plain(self, path: str) -> t.Dict[str, t.Any]:
        """What was opened under a path, for a file."""
        return dict(asdict(self.paths[path]), path=path)

    def again(self, plain: t.Iterable[t.Mapping[str, t.Any]]) -> t.Dict[str, str]:
        """Open what a file says; its paths then, and the paths now."""
        found = {}
        for one in plain:
            fields = {name: one[name] for name in LogicalVolume.__dataclass_fields__}
            found[str(one["path"])] = self.open(LogicalVolume(**fields))
        return found

    def _open_physical(self, path: str) -> int:
        # Once, and exclusively: so the device counts as in use until the last of its volumes is not.
        if path not in self._physical:
            try:
                self._physical[path] = os.open(path, os.O_RDWR | os.O_EXCL | os.O_CLOEXEC)
            except OSError as exc:
                raise BuildError("Cannot open %s for its logical volumes: %s." % (path, exc.strerror)) from exc
            self._handles.append(self._physical[path])
        return self._physical[path]


def _loop(physical: int, volume: LogicalVolume) -> t.Tuple[int, str]:
    for _attempt in range(ATTEMPTS):
        with contextlib.suppress(FileNotFoundError):
            control = os.open("/dev/loop-control", os.O_RDWR | os.O_CLOEXEC)
            try:
                path = "/dev/loop%d" % fcntl.ioctl(control, LOOP_CTL_GET_FREE)
            finally:
                os.close(control)
            handle = os.open(path, os.O_RDWR | os.O_CLOEXEC)
            try:
                _configure(handle, physical, volume)
                return handle, path
            except OSError as exc:
                os.close(handle)
                if exc.errno != errno.EBUSY:
                    raise BuildError("Cannot open the logical volume %s: %s." % (volume.title, exc.strerror)) from exc
    raise BuildError("No free loop device was found for the logical volume %s." % volume.title)


def _configure(handle: int, physical: int, volume: LogicalVolume) -> None:
    info = (0, 0, 0, volume.offset_bytes, volume.size_bytes, 0, 0, 0, LO_FLAGS_AUTOCLEAR, b"", b"", b"", 0, 0)
    try:
        fcntl.ioctl(handle, LOOP_CONFIGURE, struct.pack(LOOP_CONFIG, physical, 0, *info, b""))
    except OSError as exc:
        if exc.errno not in (errno.EINVAL, errno.ENOTTY):
            raise
        fcntl.ioctl(handle, LOOP_SET_FD, physical)
        try:
            fcntl.ioctl(handle, LOOP_SET_STATUS64, struct.pack("=" + LOOP_INFO64, *info))
        except OSError:
            fcntl.ioctl(handle, LOOP_CLR_FD)
            raise


__all__ = ("PHYSICAL_VOLUME", "LogicalVolume", "OpenVolumes", "parse_report", "physical_volumes", "read_volumes")
