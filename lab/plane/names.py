# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The names under which an instance sees its volumes, and keeping them right."""

from __future__ import annotations

import json
import os
import re
import stat
import typing as t
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lab.plane import loops
from lab.plane.loops import DeviceError

BY_ID = Path("/dev/disk/by-id")
#: First parts of the instance types whose disks are Xen ones. All others are built on Nitro.
XEN_FAMILIES = frozenset(
    ("c1", "c3", "c4", "d2", "f1", "g2", "g3", "h1", "hs1", "i2", "i3", "m1", "m2", "m3", "m4", "p2", "p3", "r3", "r4")
    + ("t1", "t2", "x1", "x1e")
)


def is_nitro(instance_type: str) -> bool:
    """Whether an instance type shows EBS volumes as NVMe disks."""
    return instance_type.split(".")[0] not in XEN_FAMILIES or instance_type.endswith(".metal")


@dataclass(frozen=True)
class NitroNames:
    """The links that udev makes of an NVMe disk's model and serial number."""

    volume_id: str

    def wanted(self, loop: str) -> dict[Path, str | tuple[int, int]]:
        serial = self.volume_id.replace("-", "")
        stem = f"nvme-Amazon_Elastic_Block_Store_{serial}"
        # With and without the namespace's number, as systemd 254 and newer make both.
        links: dict[Path, str | tuple[int, int]] = {}
        for base in (stem, f"{stem}_1"):
            links[BY_ID / base] = f"../../{loop}"
            for number in loops.partitions(loop):
                links[BY_ID / f"{base}-part{number}"] = f"../../{loop}p{number}"
        return links


@dataclass(frozen=True)
class XenNames:
    """The nodes of xen-blkfront: /dev/xvdf and /dev/xvdf1 for what the API calls /dev/sdf."""

    api_name: str

    @property
    def disk(self) -> Path:
        letters = re.sub(r"^(/dev/)?(sd|xvd|hd)", "", self.api_name)
        return Path(f"/dev/xvd{letters}")

    def wanted(self, loop: str) -> dict[Path, str | tuple[int, int]]:
        number = loops.device_number(loop)
        if number is None:
            return {}
        nodes: dict[Path, str | tuple[int, int]] = {self.disk: number}
        for partition, device in loops.partitions(loop).items():
            nodes[Path(f"{self.disk}{partition}")] = device
        return nodes


class Names(t.Protocol):
    """What an instance type or a provider calls its disks."""

    def wanted(self, loop: str) -> dict[Path, str | tuple[int, int]]:
        """Links, with where they lead, and nodes, with their device numbers, of a loop device and its partitions."""
        ...


@dataclass
class NameKeeper:
    """Makes, refreshes and removes the names of one attached device.

    Args:
        loop: the device's kernel name.
        backing: its file, as the kernel names it.
        record: a file that lists the names, so that they can be removed when this process is gone.
    """

    names: Names
    loop: str
    backing: str | None
    record: Path
    _present: dict[Path, str | tuple[int, int]] = field(default_factory=dict)

    def refresh(self) -> None:
        """Bring the names in line with the partitions that the kernel has now.

        Raises:
            DeviceError: a name is taken by something that is not ours.
        """
        # Somebody may have detached it, and it may be another's by now.
        wanted = self.names.wanted(self.loop) if loops.backing_file(self.loop) == self.backing else {}
        if wanted == self._present:
            return
        for path in [path for path in wanted if path not in self._present]:
            _refuse_foreign(path, wanted[path])
        self._write_record({**self._present, **wanted})
        for path in set(self._present) - set(wanted):
            path.unlink(missing_ok=True)
        for path, target in wanted.items():
            if self._present.get(path) != target:
                _make(path, target)
        self._present = wanted
        self._write_record(wanted)

    def remove(self) -> None:
        for path in self._present:
            path.unlink(missing_ok=True)
        self._present = {}
        self.record.unlink(missing_ok=True)

    def _write_record(self, names: Mapping[Path, str | tuple[int, int]]) -> None:
        temporary = self.record.with_suffix(".new")
        temporary.write_text(json.dumps({"loop": self.loop, "names": {str(k): v for k, v in names.items()}}))
        temporary.rename(self.record)


def remove_recorded(record: Path) -> None:
    """Remove the names listed in a record, where they still are what was made."""
    try:
        names = json.loads(record.read_text())["names"]
    except (ValueError, KeyError):
        names = {}
    for name, target in names.items():
        path = Path(name)
        if _is_ours(path, target if isinstance(target, str) else tuple(target)):
            path.unlink(missing_ok=True)
    record.unlink(missing_ok=True)


def _refuse_foreign(path: Path, target: str | tuple[int, int]) -> None:
    # A stale node or link of ours to the same device may be replaced; anything else belongs to somebody.
    if os.path.lexists(path) and not _is_ours(path, target):
        raise DeviceError(f"{path} exists on this machine already (another lab, or a real disk).")


def _is_ours(path: Path, target: str | tuple[int, int] | tuple[object, ...]) -> bool:
    try:
        found = path.lstat()
    except FileNotFoundError:
        return False
    if isinstance(target, str):
        return stat.S_ISLNK(found.st_mode) and os.readlink(path) == target
    return stat.S_ISBLK(found.st_mode) and (os.major(found.st_rdev), os.minor(found.st_rdev)) == target


def _make(path: Path, target: str | tuple[int, int]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.new")
    temporary.unlink(missing_ok=True)
    if isinstance(target, str):
        temporary.symlink_to(target)
    else:
        os.mknod(temporary, 0o660 | stat.S_IFBLK, os.makedev(*target))
    temporary.rename(path)  # replaces a name whose partition was made anew without a moment of absence
