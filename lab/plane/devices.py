# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Volumes as block devices of this machine."""

from __future__ import annotations

import threading
from pathlib import Path

from lab.plane import loops
from lab.plane.files import VolumeFiles
from lab.plane.loops import DeviceError
from lab.plane.names import NameKeeper, Names


class Devices:
    """The volumes that are attached just now: a loop device each, with its names.

    Args:
        files: where the volumes' bytes are.
        records: folder for what must be known to clean up after a crash.
    """

    def __init__(self, files: VolumeFiles, records: Path) -> None:
        self._files = files
        self._records = records
        self._records.mkdir(exist_ok=True)
        self._lock = threading.RLock()
        self._attached: dict[str, NameKeeper] = {}

    def attach(self, volume_id: str, names: Names) -> None:
        """Make the device of a volume appear, with its partitions.

        Raises:
            DeviceError: a name is taken on this machine, or a command failed.
        """
        path = self._files.volume(volume_id)
        with self._lock:
            if volume_id in self._attached:
                raise DeviceError(f"{volume_id} has a device already.")
            loop = loops.attach_loop(path)
            keeper = NameKeeper(names, loop, loops.backing_file(loop), self._records / f"{volume_id}.json")
            try:
                _read_partitions(keeper.loop)
                keeper.refresh()
            except BaseException:
                keeper.remove()
                loops.detach_loop(loop, keeper.backing)
                raise
            self._attached[volume_id] = keeper

    def detach(self, volume_id: str) -> bool:
        """Take a volume's device away. False when it is mounted or open: try again later."""
        with self._lock:
            keeper = self._attached.get(volume_id)
            if keeper is None:
                return True
            if loops.is_held(keeper.loop):
                return False
            # First the names: a moment after its end the loop device can be another's, who would be taken for this one.
            keeper.remove()
            if not loops.detach_loop(keeper.loop, keeper.backing):
                keeper.refresh()
                return False
            del self._attached[volume_id]
            return True

    def refresh_names(self) -> None:
        """Follow changes of partition tables. Stands in for udev, which links partitions as they appear."""
        with self._lock:
            for keeper in self._attached.values():
                keeper.refresh()

    def flush(self, volume_id: str) -> None:
        """Write to the volume's file what its device still holds."""
        with self._lock:
            keeper = self._attached.get(volume_id)
        if keeper is not None:
            loops.flush(keeper.loop)

    def resize(self, volume_id: str) -> None:
        """Tell an attached device that its file has grown."""
        with self._lock:
            keeper = self._attached.get(volume_id)
            if keeper is not None:
                loops.run("losetup", "--set-capacity", f"/dev/{keeper.loop}")

    def path(self, volume_id: str) -> str | None:
        """The device's node, such as /dev/loop3, or None."""
        with self._lock:
            keeper = self._attached.get(volume_id)
        return f"/dev/{keeper.loop}" if keeper else None

    def any_attached(self) -> bool:
        with self._lock:
            return bool(self._attached)


def _read_partitions(loop: str) -> None:
    # Whoever had this loop device before may have left partitions: they would be taken for the volume's.
    if loops.partitions(loop):
        loops.run("partx", "--delete", f"/dev/{loop}")
    # Neither the kernel's own scan nor losetup --partscan can be relied on; a blank disk is no error.
    try:
        loops.run("partx", "--add", f"/dev/{loop}")
    except DeviceError as exc:
        if "failed to read partition table" not in str(exc):
            raise
