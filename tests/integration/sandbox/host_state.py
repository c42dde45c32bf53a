# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a hostile or clumsy provisioner would like to change on the build host."""

from __future__ import annotations

import contextlib
import os
import stat
import time
from pathlib import Path

import pytest

#: Settings that count something, and change whenever anybody does anything on this machine.
COUNTERS: tuple[str, ...] = (
    "kernel/ns_last_pid",
    "kernel/pty/nr",
    "fs/aio-nr",
    "fs/file-nr",
    "fs/inode",
    "fs/dentry-state",
)
COUNTERS += ("fs/quota/", "net/netfilter/nf_conntrack_count", "kernel/random/", "net/ipv4/tcp_mem")
#: These the kernel sets by itself when the machine is busy.
COUNTERS += ("kernel/hung_task_detect_count", "kernel/perf_event_max_sample_rate")

#: Modules that the kernel loads when anybody mounts something.
FILESYSTEM_MODULES: tuple[str, ...] = ("btrfs", "ext4", "fat", "isofs", "jbd2", "loop", "mbcache", "nls_", "overlay")
FILESYSTEM_MODULES += ("vfat", "xfs", "blake2b", "crc", "libcrc", "raid6", "xor", "xxhash", "zstd")

#: Settings of the kernel outside of /proc/sys through which programs are run, or the machine is stopped.
HELPERS = ("/sys/kernel/uevent_helper", "/sys/power/state", "/sys/power/pm_test", "/proc/cmdline", "/proc/swaps")
NETWORK = ("/proc/net/route", "/proc/net/ipv6_route", "/proc/net/if_inet6", "/proc/net/ip_tables_names")

#: Mounts that every machine has. Others come and go with whatever else runs here.
STEADY_MOUNTS = ("/", "/proc", "/sys", "/dev", "/run", "/etc", "/home", "/boot")

#: A mark for everything that tests make, or try to make, inside.
MARK = "by-the-image"


def host_state() -> dict[str, object]:
    """The machine, as far as it does not change by itself."""
    return {
        "names": (os.uname().nodename, _read("/proc/sys/kernel/domainname")),
        "settings": _settings(),
        "helpers": {path: _read(path) for path in HELPERS},
        "modules": [line.split()[0] for line in _modules()],
        "network": {path: _read(path).count(":lo") if "ipv6" in path else _read(path) for path in NETWORK},
        "links": {name: _link(name) for name in sorted(os.listdir("/sys/class/net"))},
        "mounts": _mounts(),
        "devices": _devices(),
        "boot": _read("/proc/sys/kernel/random/boot_id"),
        # The difference is steady as long as nobody sets the clock.
        "clock": time.time() - time.monotonic(),
        "accounts": [line for name in ("passwd", "shadow") for line in _read(f"/etc/{name}").split() if "root" in line],
        "root": sorted(os.listdir("/")),
    }


def is_unchanged(before: dict[str, object]) -> bool:
    """Compare the machine with what it was, setting by setting."""
    now = host_state()
    changed = {name: (before[name], now[name]) for name in before if name != "clock" and before[name] != now[name]}
    assert changed == {}
    return now["clock"] == pytest.approx(before["clock"], abs=60)


def _read(path: str | Path) -> str:
    with contextlib.suppress(OSError):
        return Path(path).read_text(errors="replace")
    return ""


def _settings() -> dict[str, str]:
    values = {}
    for folder, _folders, names in os.walk("/proc/sys"):
        for name in names:
            path = os.path.join(folder, name)
            if not path.removeprefix("/proc/sys/").startswith(COUNTERS):
                values[path] = _read(path)
    return values


def _modules() -> list[str]:
    return sorted(line for line in _read("/proc/modules").splitlines() if not line.startswith(FILESYSTEM_MODULES))


def _link(name: str) -> list[str]:
    # Bit 6 of the flags says whether a program is watching: it is not a setting.
    return [_read(f"/sys/class/net/{name}/{what}") for what in ("address", "mtu", "flags")]


def _mounts() -> list[str]:
    lines = _read("/proc/self/mountinfo").splitlines()
    return [line for line in lines if line.split()[4] in STEADY_MOUNTS or MARK in line]


def _devices() -> list[tuple[str, int, int]]:
    found = []
    for entry in os.scandir("/dev"):
        with contextlib.suppress(FileNotFoundError):
            status = entry.stat(follow_symlinks=False)
            if stat.S_ISCHR(status.st_mode) or MARK in entry.name:
                found.append((entry.name, status.st_mode, status.st_rdev))
    return sorted(found)


__all__ = ("MARK", "host_state", "is_unchanged")
