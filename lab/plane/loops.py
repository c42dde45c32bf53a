# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Loop devices as the kernel shows them, and the few commands that change them."""

from __future__ import annotations

import errno
import logging
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

LOG = logging.getLogger(__name__)
SYS_BLOCK = Path("/sys/block")


class DeviceError(Exception):
    """A device could not be made or taken away; the text is for humans."""


def run(*argv: str) -> str:
    """Run a command; its output.

    Raises:
        DeviceError: it ended with another status than 0.
    """
    done = subprocess.run(argv, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    if done.returncode != 0:
        raise DeviceError(f"{' '.join(argv)}: {done.stderr.strip() or f'exit status {done.returncode}'}")
    return done.stdout.strip()


def backing_file(loop: str) -> str | None:
    """The file behind a loop device (given as C(loop3)), or None when it has none."""
    try:
        text = (SYS_BLOCK / loop / "loop" / "backing_file").read_text()
    except OSError:
        return None
    return text.rstrip("\n").removesuffix(" (deleted)")


def loops_below(folder: Path) -> Iterator[tuple[str, str]]:
    """Loop devices whose file is below a folder, as (C(loop3), file)."""
    for entry in sorted(SYS_BLOCK.glob("loop*")):
        path = backing_file(entry.name)
        if path is not None and Path(path).is_relative_to(folder):
            yield entry.name, path


def attach_loop(path: Path) -> str:
    """Make a loop device for a file; its kernel name, such as C(loop3)."""
    return run("losetup", "--find", "--show", str(path)).removeprefix("/dev/")


def detach_loop(loop: str, path: str | None) -> bool:
    """Free a loop device. False while something still has it open: then the kernel frees it at the last close.

    Args:
        loop: its kernel name.
        path: what C(backing_file) said when it was attached: with another file it is somebody else's by now.
    """
    if path is None or backing_file(loop) != path:
        return True
    try:
        if partitions(loop):
            run("partx", "--delete", f"/dev/{loop}")
        run("losetup", "--detach", f"/dev/{loop}")
    except DeviceError as exc:
        # Whoever looks at all disks just then makes these fail; only what the kernel says afterwards counts.
        LOG.info("%s", exc)
    return backing_file(loop) != path


def partitions(loop: str) -> dict[int, tuple[int, int]]:
    """Partition nodes that the kernel has for a loop device: number to (major, minor)."""
    found: dict[int, tuple[int, int]] = {}
    try:
        names = os.listdir(SYS_BLOCK / loop)
    except OSError:
        return found
    for name in names:
        match = re.fullmatch(re.escape(loop) + r"p(\d+)", name)
        if match:
            number = device_number(f"{loop}/{name}")
            if number is not None:
                found[int(match.group(1))] = number
    return found


def device_number(relative: str) -> tuple[int, int] | None:
    """(major, minor) of a device named below /sys/block, or None when it has gone."""
    try:
        major, _, minor = (SYS_BLOCK / relative / "dev").read_text().strip().partition(":")
    except OSError:
        return None
    return int(major), int(minor)


def is_held(loop: str) -> bool:
    """Whether the device or a partition of it is mounted, or otherwise claimed, in any mount namespace."""
    try:
        # Only an exclusive open meets the claims that mounts, device-mapper and swap make.
        os.close(os.open(f"/dev/{loop}", os.O_RDONLY | os.O_EXCL | os.O_CLOEXEC))
    except OSError as exc:
        if exc.errno == errno.EBUSY:
            return True
        if exc.errno in (errno.ENOENT, errno.ENXIO):
            return False
        raise
    return False


def flush(loop: str) -> None:
    """Write what the kernel still holds for a device to its file."""
    descriptor = os.open(f"/dev/{loop}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
