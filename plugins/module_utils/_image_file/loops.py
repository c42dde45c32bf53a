# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Image files as block devices: loop devices, attached with their partitions and really gone when detached."""

from __future__ import annotations

import glob
import os
import typing as t
from dataclasses import dataclass

from ansible_collections.bakehouse.images.plugins.module_utils._disk.devices import (
    Device,
    is_busy,
    read_attribute,
)
from ansible_collections.bakehouse.images.plugins.module_utils._disk.nodes import (
    kernel_partitions,
    with_partition_nodes,
)
from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError, Busy, Invalid, NotFound
from ansible_collections.bakehouse.images.plugins.module_utils._wait import Clock, poll

if t.TYPE_CHECKING:
    from ansible_collections.bakehouse.images.plugins.module_utils._run import Runner

# What sysfs adds to the name of a file that has been unlinked.
DELETED = " (deleted)"

# While waiting for a device to become idle or free: moments, unless something holds it.
DELAY_SECONDS = 0.02
MAX_DELAY_SECONDS = 0.5


@dataclass(frozen=True)
class Loop:
    """A loop device that has a file."""

    device: str
    file: str
    deleted: bool = False


def list_loops(sys_root: str = "/sys") -> t.List[Loop]:
    """The loop devices in use, by name."""
    found = []
    for folder in sorted(glob.glob(os.path.join(sys_root, "block", "loop*"))):
        file = read_attribute(os.path.join(folder, "loop"), "backing_file")
        if file:
            deleted = file.endswith(DELETED)
            name = file[: -len(DELETED)] if deleted else file
            found.append(Loop("/dev/" + os.path.basename(folder), name, deleted))
    return found


def loops_of(path: str, sys_root: str = "/sys") -> t.List[Loop]:
    """The loop devices of a file."""
    whole = os.path.realpath(path)
    return [one for one in list_loops(sys_root) if one.file == whole]


def attach(runner: Runner, path: str, *, read_only: bool = False, clock: t.Optional[Clock] = None) -> Device:
    """Attach the file, and let all its partitions have their nodes. One that is attached is left as it is.

    Raises:
        NotFound: there is no such file.
        Invalid: it is not a regular file.
    """
    if not os.path.exists(path):
        raise NotFound("There is no file %s to attach." % path, path=path)
    if not os.path.isfile(path):
        raise Invalid(["%s is not a regular file." % path])
    there = [one for one in loops_of(path) if not one.deleted]
    if there:
        return with_partition_nodes(runner, there[0].device, clock=clock)
    options = ["--read-only"] if read_only else []
    done = runner.run(["losetup", "--find", "--show", *options, os.path.realpath(path)])
    device = done.out.strip()
    try:
        return with_partition_nodes(runner, device, clock=clock)
    except BuildError:
        release(runner, Loop(device, os.path.realpath(path)), timeout_seconds=0, clock=clock)
        raise


def detach(runner: Runner, path: str, *, timeout_seconds: float, clock: t.Optional[Clock] = None) -> t.List[str]:
    """Detach the file from all its loop devices, and wait until the kernel has let go of it.

    Returns:
        The devices that it had.

    Raises:
        Busy: something still uses a device after that time; it stays attached.
    """
    loops = loops_of(path)
    for loop in loops:
        release(runner, loop, timeout_seconds=timeout_seconds, clock=clock)
    return [loop.device for loop in loops]


def release(runner: Runner, loop: Loop, *, timeout_seconds: float, clock: t.Optional[Clock] = None) -> None:
    """Free one loop device.

    C(losetup --detach) on a device in use succeeds, and the kernel detaches it later, when nobody waits for it any
    more: so first nothing may use it.
    """

    def wait(probe: t.Callable[[], bool], trouble: str) -> None:
        poll(
            lambda: True if probe() else None,
            timeout_seconds=timeout_seconds,
            delay_seconds=DELAY_SECONDS,
            max_delay_seconds=MAX_DELAY_SECONDS,
            clock=clock,
            on_timeout=lambda waited: Busy(
                "%s (the file %s) %s after %d seconds." % (loop.device, loop.file, trouble, waited),
                hint="'lsblk %s' shows by what it is used, unless another mount namespace holds it." % loop.device,
                device=loop.device,
            ),
        )

    wait(lambda: not is_busy(loop.device), "is still in use")
    for number in kernel_partitions(os.path.basename(loop.device)):
        runner.run(["partx", "--delete", "--nr", str(number), loop.device], check=False)
    runner.run(["losetup", "--detach", loop.device])
    wait(lambda: loop not in list_loops(), "is still attached")


__all__ = ("Loop", "attach", "detach", "list_loops", "loops_of", "release")
