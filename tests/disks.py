# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real block devices for tests: sparse files behind loop devices, and tiny root file systems to put on them."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.waiting import eventually

MIB = 1024**2
GIB = 1024**3

#: Bytes that are read at a time.
CHUNK = 64 * 1024


def run(*argv: str | Path, stdin: str | None = None) -> str:
    """Run a command that must succeed, and return its output."""
    words = [str(word) for word in argv]
    done = subprocess.run(words, input=stdin, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{argv}: {done.stderr or done.stdout}"
    return done.stdout.strip()


@dataclass(frozen=True)
class LoopDevice:
    """A file as a block device."""

    path: str
    file: Path

    def grow(self, size_bytes: int) -> None:
        """What a larger volume looks like: the same bytes, and nothing after them."""
        with self.file.open("r+b") as file:
            file.truncate(size_bytes)
        run("losetup", "--set-capacity", self.path)

    def digest(self) -> str:
        """A hash of all bytes that are not zero, and of where they are. What was never written is not read."""
        run("blockdev", "--flushbufs", self.path)
        found = hashlib.sha256()
        with self.file.open("rb") as file:
            for start in chunks(file.fileno(), self.file.stat().st_size):
                chunk = os.pread(file.fileno(), CHUNK, start)
                if chunk.strip(b"\0"):
                    found.update(b"%d:" % start + chunk)
        return found.hexdigest()

    def partition(self, number: int) -> str:
        """Path of a partition."""
        return f"{self.path}p{number}"

    def holders(self) -> int:
        """How many partitions the kernel has of it."""
        return len(list(Path("/sys/class/block").glob(f"{Path(self.path).name}p*")))


def chunks(descriptor: int, size: int) -> Iterator[int]:
    """The chunks of a sparse file that have data: where each begins."""
    position = 0
    with suppress(OSError):  # ENXIO: no data after this position
        while position < size:
            data = os.lseek(descriptor, position, os.SEEK_DATA)
            start = max(position, data - data % CHUNK)
            yield start
            position = start + CHUNK


@contextmanager
def attached(file: Path) -> Iterator[LoopDevice]:
    """The file as a loop device; its partitions are for the one who uses it to announce."""
    device = LoopDevice(run("losetup", "--find", "--show", file), file)
    if device.holders():
        # Whoever had the device before, in another test run perhaps, has left them.
        run("partx", "--delete", device.path)
    try:
        yield device
    finally:
        subprocess.run(["partx", "--delete", device.path], capture_output=True, check=False)
        run("losetup", "--detach", device.path)
        # A device in use is detached by its last user, without a word.
        eventually(lambda: str(file) not in run("losetup", "--list", "--noheadings", "--output", "BACK-FILE"))


MakeDevice = Callable[..., LoopDevice]


@pytest.fixture
def loop_device(tmp_path: Path) -> Iterator[MakeDevice]:
    """Makes loop devices: of a size in bytes, blank, or (C(copy_of)) as a copy of another one's bytes."""
    with ExitStack() as stack:
        made: list[LoopDevice] = []

        def make(size_bytes: int = GIB, *, copy_of: LoopDevice | None = None) -> LoopDevice:
            file = tmp_path / f"disk{len(made)}.img"
            if copy_of:
                run("blockdev", "--flushbufs", copy_of.path)
                run("cp", copy_of.file, file)
            else:
                with file.open("wb") as blank:
                    blank.truncate(size_bytes)
            made.append(stack.enter_context(attached(file)))
            return made[-1]

        yield make


@contextmanager
def mounted(path: str, place: Path, *options: str) -> Iterator[Path]:
    """The file system at C(path), mounted in a new folder below C(place)."""
    point = place / f"mnt-{Path(path).name}-{time.monotonic_ns()}"
    point.mkdir()
    run("mount", *(["-o", ",".join(options)] if options else []), path, point)
    try:
        yield point
    finally:
        run("umount", point)
        point.rmdir()


def plant_root(top: Path, name: str = "Tiny 1", fstab: str = "") -> None:
    """What the smallest root file system has, with absolute links as distributions have them."""
    for folder in ("usr/lib", "usr/bin", "etc"):
        (top / folder).mkdir(parents=True)
    (top / "bin").symlink_to("/usr/bin")
    (top / "etc/os-release").symlink_to("../usr/lib/os-release")
    (top / "usr/lib/os-release").write_text(f'ID=tiny\nPRETTY_NAME="{name}"\n')
    (top / "usr/bin/sh").write_bytes(b"\x7fELF")
    (top / "usr/bin/sh").chmod(0o755)
    (top / "etc/fstab").write_text(fstab)


def write_partitions(device: LoopDevice, label: str, lines: Sequence[str]) -> None:
    """A partition table by sfdisk, as other tools than ours would make it, and its nodes."""
    run("sfdisk", "--quiet", "--no-tell-kernel", device.path, stdin="\n".join([f"label: {label}", "", *lines, ""]))
    run("partx", "--add", device.path)


def table_of(device: LoopDevice) -> list[dict[str, object]]:
    """The partitions as sfdisk reads them back."""
    table: list[dict[str, object]] = json.loads(run("sfdisk", "--json", device.path))["partitiontable"]["partitions"]
    return table


__all__ = (
    "GIB",
    "MIB",
    "LoopDevice",
    "MakeDevice",
    "attached",
    "loop_device",
    "mounted",
    "plant_root",
    "run",
    "table_of",
    "write_partitions",
)
