# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sandboxes opened and closed many times, with provisioners that leave all they can: each close succeeds, and the
machine holds no more afterwards than before. C(TORTURE_CYCLES) says how often."""

from __future__ import annotations

import gc
import os
from pathlib import Path

from ansible_collections.bakehouse.images.plugins.module_utils._disk.devices import is_busy
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox import state

from tests.integration.disks import Disk
from tests.integration.sandbox.sandboxes import Host, begun, nothing_is_left, said

CYCLES = int(os.environ.get("TORTURE_CYCLES") or 1000)
#: The first ones make what stays: caches, pools, modules of the kernel.
WARM = 10
#: Allowed for what an allocator keeps of so many cycles, in KiB.
GROWTH_KIB = 16 * 1024

# A process that has forked by vfork(2), number 58 on x86-64, waits without being interruptible (state D) for its child.
STUCK = "perl -e 'if (syscall(58) == 0) { sleep 1000 }'"

LEFT = f"""
mount -t tmpfs nested /mnt && mkdir /mnt/deep && mount -t tmpfs deeper /mnt/deep
echo held > /dev/shm/held
{begun("sleep 1001")}
(cd /mnt/deep && exec sleep 1002) > /dev/null 2>&1 &
(exec 3< /dev/shm/held && rm /dev/shm/held && exec sleep 1003) > /dev/null 2>&1 &
(mkdir -p /srv/gone && cd /srv/gone && rmdir /srv/gone && exec sleep 1004) > /dev/null 2>&1 &
setsid nohup sleep 1005 > /var/log/daemon.log 2>&1 &
{STUCK} > /dev/null 2>&1 &
"""


def figures() -> dict[str, int]:
    """What this process and the machine hold."""
    gc.collect()
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines() if ":" in line)
    memory = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
    return {
        "own fds": len(os.listdir("/proc/self/fd")),
        "own KiB": int(status["VmRSS"].split()[0]),
        "mounts": len(Path("/proc/self/mountinfo").read_text().splitlines()),
        # Of the whole machine, which other programs use as well: to be looked at, not to be compared.
        "machine files": int(Path("/proc/sys/fs/file-nr").read_text().split()[0]),
        "machine KiB of slabs": int(memory["SUnreclaim"].split()[0]),
        "machine KiB available": int(memory["MemAvailable"].split()[0]),
    }


def test_nothing_grows(host: Host, xfs_disk: Disk) -> None:
    start: dict[str, int] = {}
    for number in range(CYCLES + WARM):
        if number == WARM:
            start = figures()
            print(f"begin {start}")
        record = host.open(device=xfs_disk.path)
        said(record, LEFT)
        report = host.close()
        assert report.problems == (), number
        assert report.killed, number
        assert all(one.ok for one in report.checked), number
        assert not state.is_alive(record), number
        assert not is_busy(xfs_disk.path), number
        assert nothing_is_left(host), number
        if number > WARM and (number - WARM) % max(CYCLES // 10, 1) == 0:
            print(f"{number - WARM} {figures()}")
    end = figures()
    print(f"end {end}")
    assert (end["own fds"], end["mounts"]) == (start["own fds"], start["mounts"])
    assert end["own KiB"] <= start["own KiB"] + GROWTH_KIB
