# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.
"""Partition nodes: making the kernel's idea of a device's partitions agree with its table.

Not every kernel reads partition tables by itself, and none does so again while a device is open elsewhere.
"""

from __future__ import annotations

import os
import typing as t

from ansible_collections.bakehouse.images.plugins.module_utils._disk.devices import (
    SYSFS_SECTOR_BYTES,
    Device,
    Partition,
    has_node,
    read_attribute,
    read_device,
)
from ansible_collections.bakehouse.images.plugins.module_utils._errors import WaitTimeout
from ansible_collections.bakehouse.images.plugins.module_utils._wait import Clock, poll

if t.TYPE_CHECKING:
    from ansible_collections.bakehouse.images.plugins.module_utils._run import Runner

# Nodes come from devtmpfs at once, and from udev after its rules have run: far less than this, even on a busy host.
NODES_TIMEOUT_SECONDS = 30.0
NODES_DELAY_SECONDS = 0.05


def update_partitions(runner: Runner, device: Device, sys_root: str = "/sys") -> str:
    """Tell the kernel what the table says, where it does not know. Partitions in use stay as they are.

    Partition by partition: C(partx --update) of a whole device stops at as many numbers as there are partitions, and
    images number theirs 1, 14 and 15 (util-linux 2.38).

    Returns:
        What C(partx) complained of. Whether that matters is told by the nodes that are there afterwards.
    """
    known = kernel_partitions(device.kernel_name, sys_root)
    listed = {one.number: one for one in device.partitions}
    moved = [number for number in known if number not in listed or known[number][0] != listed[number].start_bytes]
    steps = [("--delete", number) for number in moved]
    steps += [("--update", one.number) for one in stale_partitions(device, sys_root)]
    said = []
    for step, number in steps:
        said.append(runner.run(["partx", step, "--nr", str(number), device.path], check=False).err.strip())
    return " ".join(filter(None, said))


def with_partition_nodes(
    runner: Runner,
    path: str,
    *,
    sys_root: str = "/sys",
    timeout_seconds: float = NODES_TIMEOUT_SECONDS,
    clock: t.Optional[Clock] = None,
) -> Device:
    """Read a device whose partitions all have their node, in the size that the table gives them.

    Raises:
        WaitTimeout: nodes are missing after that time.
    """
    device = read_device(runner, path, sys_root=sys_root)
    if not stale_partitions(device, sys_root):
        return device
    complaint = update_partitions(runner, device, sys_root)

    def probe() -> t.Optional[bool]:
        return None if stale_partitions(device, sys_root) else True

    def on_timeout(waited: float) -> WaitTimeout:
        missing = ", ".join(one.path for one in stale_partitions(device, sys_root))
        return WaitTimeout(
            "After %d seconds the kernel still does not show %s as the partition table of %s has it.%s"
            % (waited, missing, device.path, " partx said: %s" % complaint if complaint else ""),
            hint="In a container, /dev must be the host's or have the nodes made for it.",
            device=device.path,
        )

    poll(probe, timeout_seconds=timeout_seconds, delay_seconds=NODES_DELAY_SECONDS, on_timeout=on_timeout, clock=clock)
    return read_device(runner, device.path, sys_root=sys_root)


def kernel_partitions(disk: str, sys_root: str = "/sys") -> t.Dict[int, t.Tuple[int, int]]:
    """The partitions that the kernel has of a disk: their start and size in bytes, by number."""
    folder = os.path.realpath(os.path.join(sys_root, "class", "block", disk))
    found = {}
    for name in os.listdir(folder) if os.path.isdir(folder) else []:
        inside = os.path.join(folder, name)
        number, start, size = (read_attribute(inside, one) for one in ("partition", "start", "size"))
        if number and start and size:
            found[int(number)] = (int(start) * SYSFS_SECTOR_BYTES, int(size) * SYSFS_SECTOR_BYTES)
    return found


def stale_partitions(device: Device, sys_root: str = "/sys") -> t.List[Partition]:
    """The partitions whose node is not there or not theirs, or which the kernel has with another start or size."""
    known = kernel_partitions(device.kernel_name, sys_root)
    stale = []
    for one in device.partitions:
        start, size = known.get(one.number, (None, None))
        # The kernel shows an extended partition of an MBR as one or two sectors, whatever its size.
        same = start == one.start_bytes and (size == one.size_bytes or one.is_extended)
        if not same or not has_node(one.path) or not _leads_to(one, device.kernel_name, sys_root):
            stale.append(one)
    return stale


def _leads_to(one: Partition, disk: str, sys_root: str) -> bool:
    """Whether the partition's node is the kernel's: one that was made earlier may lead nowhere, or to another disk."""
    folder = os.path.realpath(os.path.join(sys_root, "class", "block", disk))
    for name in os.listdir(folder) if os.path.isdir(folder) else []:
        inside = os.path.join(folder, name)
        number = read_attribute(inside, "dev")
        if read_attribute(inside, "partition") == str(one.number) and number:
            return number == _device_number(one.path)
    return True


def _device_number(path: str) -> t.Optional[str]:
    try:
        found = os.stat(path).st_rdev
    except OSError:
        return None
    return "%d:%d" % (os.major(found), os.minor(found))


__all__ = ("kernel_partitions", "stale_partitions", "update_partitions", "with_partition_nodes")
