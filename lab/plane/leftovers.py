# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Frees the devices of a folder, whether the process that made them is alive or not."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from lab.plane import loops, names
from lab.plane.loops import DeviceError

#: Tries, a tenth of a second apart: a file open in another thread's fork can make umount fail once.
TRIES = 100


@dataclass(frozen=True)
class Mount:
    """A line of mountinfo."""

    device: tuple[int, int]
    path: str
    source: str


def mounts(process: str = "self") -> list[Mount]:
    """The mounts that a process sees, in the order they were made."""
    try:
        lines = Path(f"/proc/{process}/mountinfo").read_text().splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        fields = line.split(" ")
        major, _, minor = fields[2].partition(":")
        source = fields[fields.index("-") + 2]
        found.append(Mount((int(major), int(minor)), _unescaped(fields[4]), source))
    return found


def free_below(folder: Path, records: Path) -> list[str]:
    """Unmount and free every loop device whose file is below a folder, and remove the recorded names.

    Returns:
        what is left, a sentence each; empty when all is gone.
    """
    problems: list[str] = []
    # Deeper files first: volumes lie in a file system that may itself be in a file of the folder.
    for loop, path in sorted(loops.loops_below(folder), key=lambda found: -len(Path(found[1]).parts)):
        try:
            _unmount_all(loop)
            if not _tried(lambda loop=loop, path=path: loops.detach_loop(loop, path)):  # type: ignore[misc]
                problems.append(f"/dev/{loop} ({path}) is still in use{_users(loop)}.")
        except DeviceError as exc:
            problems.append(f"/dev/{loop} ({path}) could not be freed: {exc}{_users(loop)}")
    if records.is_dir():
        for record in records.glob("*.json"):
            names.remove_recorded(record)
    return problems


def unmount(path: str) -> None:
    """Unmount, trying again for a while.

    Raises:
        DeviceError: it stays mounted.
    """
    for attempt in range(TRIES):
        try:
            loops.run("umount", path)
        except DeviceError:
            if attempt == TRIES - 1:
                raise
            time.sleep(0.1)
        else:
            return


def _unmount_all(loop: str) -> None:
    for mount in reversed(list(_mounts_of(loop, "self"))):
        unmount(mount.path)


def _mounts_of(loop: str, process: str) -> Iterator[Mount]:
    numbers = {loops.device_number(loop), *loops.partitions(loop).values()}
    for mount in mounts(process):
        # btrfs shows a device number of its own: there only the source tells.
        if mount.device in numbers or _number_of(mount.source) in numbers:
            yield mount


def _number_of(source: str) -> tuple[int, int]:
    try:
        number = os.stat(source).st_rdev if source.startswith("/dev/") else 0
    except OSError:
        number = 0
    return os.major(number), os.minor(number)


def _users(loop: str) -> str:
    """Who has the device mounted in another mount namespace, for an error's text."""
    users = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and any(True for _ in _mounts_of(loop, entry.name)):
            try:
                users.append(f"{entry.name} ({(entry / 'comm').read_text().strip()})")
            except OSError:
                continue
    return f"; mounted by process {', '.join(users[:5])}" if users else ""


def _tried(action: Callable[[], bool]) -> bool:
    for _ in range(TRIES):
        if action():
            return True
        time.sleep(0.1)
    return False


def _unescaped(path: str) -> str:
    return path.replace("\\040", " ").replace("\\011", "\t").replace("\\012", "\n").replace("\\134", "\\")
