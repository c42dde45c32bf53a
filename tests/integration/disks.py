# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Disks for tests: sparse files behind loop devices, with a Debian root file system on them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from tests.disks import LoopDevice, attached, run


class Disk(LoopDevice):
    """A disk on a loop device. Partitions are numbered from 1."""

    def uuid(self, number: int | None = None) -> str:
        """The UUID of the file system on a partition, or on the disk itself."""
        node = self.path if number is None else self.partition(number)
        return run("blkid", "-p", "-o", "value", "-s", "UUID", node)


@contextlib.contextmanager
def loop_disk(file: Path, size_mib: int = 0, table: str = "", copy_of: Path | None = None) -> Iterator[Disk]:
    """A blank disk, partitioned by an sfdisk script when one is given, or a copy of another disk's file."""
    if copy_of:
        run("cp", "--sparse=always", copy_of, file)
    else:
        with file.open("wb") as stream:
            stream.truncate(size_mib << 20)
    if table:
        run("sfdisk", "--quiet", file, stdin=table)
    try:
        with attached(file) as device:
            if table:
                # The kernel does not scan loop devices for partitions by itself everywhere.
                run("partx", "--update", device.path)
            yield Disk(device.path, file)
    finally:
        file.unlink()


@contextlib.contextmanager
def mounted(place: Path, *sources: tuple[str, str, str]) -> Iterator[Path]:
    """File systems mounted below a place for the moment: (source, path, options)."""
    place.mkdir(exist_ok=True)
    try:
        for source, path, options in sources:
            target = place / path.lstrip("/")
            target.mkdir(parents=True, exist_ok=True)
            run("mount", "-o", options or "rw", source, target)
        yield place
    finally:
        run("umount", "--recursive", place)


def unpack(tarball: Path, place: Path, fstab: str = "") -> None:
    """Unpack a root file system, and give it an fstab."""
    run("tar", "--extract", "--file", tarball, "--directory", place, "--xattrs", "--numeric-owner")
    (place / "etc/fstab").write_text(fstab, encoding="utf-8")
    (place / "etc/hostname").write_text("image\n", encoding="utf-8")


__all__ = ("Disk", "loop_disk", "mounted", "run", "unpack")
