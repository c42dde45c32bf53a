# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""The system calls that namespaces and mounts are made with, for Python 3.8 and its standard library.

Only what Python has no name for (C(os.unshare) and C(os.setns) came with 3.12). Each call raises OSError
with the kernel's error number; sentences for people are made where it is known what was attempted.
"""

from __future__ import annotations

import ctypes
import os
import signal
import typing as t

# unshare(2), setns(2)
CLONE_NEWNS = 0x00020000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

# mount(2)
MS_RDONLY = 0x1
MS_NOSUID = 0x2
MS_NODEV = 0x4
MS_NOEXEC = 0x8
MS_SYNCHRONOUS = 0x10
MS_REMOUNT = 0x20
MS_MANDLOCK = 0x40
MS_DIRSYNC = 0x80
MS_NOATIME = 0x400
MS_NODIRATIME = 0x800
MS_BIND = 0x1000
MS_REC = 0x4000
MS_PRIVATE = 0x40000
MS_RELATIME = 0x200000
MS_STRICTATIME = 0x1000000
MS_LAZYTIME = 0x2000000

# umount2(2)
MNT_DETACH = 0x2

# prctl(2)
PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_NAME = 15
PR_CAPBSET_DROP = 24
PR_SET_SECUREBITS = 28

# capabilities(7): changing ids takes no capabilities away.
SECBIT_NO_SETUID_FIXUP = 0x4

# pidfd_open(2) has one number on all architectures; pivot_root(2) is older and has many.
SYS_PIDFD_SEND_SIGNAL = 424
SYS_PIDFD_OPEN = 434
SYS_OPENAT2 = 437
SYS_PIVOT_ROOT = {
    "x86_64": 155,
    "aarch64": 41,
    "riscv64": 41,
    "loongarch64": 41,
    "ppc64le": 203,
    "ppc64": 203,
    "s390x": 217,
    "i686": 217,
    "i586": 217,
    "armv7l": 218,
    "armv6l": 218,
}

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def _encoded(text: t.Optional[str]) -> t.Optional[bytes]:
    return None if text is None else os.fsencode(text)


def unshare(flags: int) -> None:
    """Move this process (for CLONE_NEWPID: its next child) into new namespaces."""
    _checked(_libc.unshare(ctypes.c_int(flags)))


def sync_file_system(handle: int) -> None:
    """Write back all of the file system that the file descriptor is of, see syncfs(2).

    Raises:
        OSError: something that was written since it was mounted has not arrived on its disk, whoever wrote it and
            whenever; unless somebody was told before. Since Linux 5.8.
    """
    _checked(_libc.syncfs(ctypes.c_int(handle)))


def setns(handle: int, kind: int = 0) -> None:
    """Join the namespace that the file descriptor refers to."""
    _checked(_libc.setns(ctypes.c_int(handle), ctypes.c_int(kind)))


def mount(
    source: t.Optional[str],
    target: str,
    filesystem: t.Optional[str] = None,
    flags: int = 0,
    data: t.Optional[str] = None,
) -> None:
    """mount(2)."""
    _checked(
        _libc.mount(_encoded(source), _encoded(target), _encoded(filesystem), ctypes.c_ulong(flags), _encoded(data))
    )


def umount(target: str, flags: int = 0) -> None:
    """umount2(2)."""
    _checked(_libc.umount2(_encoded(target), ctypes.c_int(flags)))


def pivot_root(new_root: str, old_root: str) -> None:
    """pivot_root(2); the C library has no function for it."""
    machine = os.uname().machine
    if machine not in SYS_PIVOT_ROOT:
        raise OSError(38, "the number of pivot_root(2) on %s is not known" % machine)
    _checked(_libc.syscall(ctypes.c_long(SYS_PIVOT_ROOT[machine]), _encoded(new_root), _encoded(old_root)))


def pidfd_open(pid: int) -> int:
    """A file descriptor that becomes readable when the process ends (Linux 5.3)."""
    return _checked(_libc.syscall(ctypes.c_long(SYS_PIDFD_OPEN), ctypes.c_int(pid), ctypes.c_uint(0)))


def pidfd_send_signal(handle: int, number: int) -> None:
    """Send a signal to the process that the file descriptor refers to, whoever has its id by now (Linux 5.1)."""
    _checked(
        _libc.syscall(
            ctypes.c_long(SYS_PIDFD_SEND_SIGNAL), ctypes.c_int(handle), ctypes.c_int(number), None, ctypes.c_uint(0)
        )
    )


def set_domain_name(name: str) -> None:
    """The NIS domain of this process's UTS namespace."""
    encoded = os.fsencode(name)
    _checked(_libc.setdomainname(ctypes.c_char_p(encoded), ctypes.c_size_t(len(encoded))))


def set_process_name(name: str) -> None:
    """What C(/proc/PID/comm) says; at most 15 bytes."""
    _checked(_libc.prctl(ctypes.c_int(PR_SET_NAME), ctypes.c_char_p(os.fsencode(name)), 0, 0, 0))


def die_with_parent() -> None:
    """Have this process killed when the one that forked it ends; nothing happens when that has ended already."""
    _checked(_libc.prctl(ctypes.c_int(PR_SET_PDEATHSIG), ctypes.c_ulong(signal.SIGKILL), 0, 0, 0))


def allow_inspection() -> None:
    """Let processes of the same user look into this one through C(/proc/PID), which a change of ids has ended."""
    _checked(_libc.prctl(ctypes.c_int(PR_SET_DUMPABLE), ctypes.c_ulong(1), 0, 0, 0))


def keep_capabilities() -> None:
    """Keep all capabilities of this process when its user ids change."""
    _checked(_libc.prctl(ctypes.c_int(PR_SET_SECUREBITS), ctypes.c_ulong(SECBIT_NO_SETUID_FIXUP), 0, 0, 0))


def drop_bounding_capability(number: int) -> None:
    """Take a capability, by number, out of what this process and its children can ever gain."""
    _checked(_libc.prctl(ctypes.c_int(PR_CAPBSET_DROP), ctypes.c_ulong(number), 0, 0, 0))


class _OpenHow(ctypes.Structure):
    _fields_ = (
        ("flags", ctypes.c_uint64),
        ("mode", ctypes.c_uint64),
        ("resolve", ctypes.c_uint64),
    )


RESOLVE_NO_MAGICLINKS = 0x02
RESOLVE_IN_ROOT = 0x10


def openat2(directory: int, path: str, *, flags: int, mode: int = 0, resolve: int = 0) -> int:
    """openat2(2) (Linux 5.6): open with rules for how the path may be resolved."""
    how = _OpenHow(flags | os.O_CLOEXEC, mode, resolve)
    return _checked(
        _libc.syscall(
            ctypes.c_long(SYS_OPENAT2),
            ctypes.c_int(directory),
            _encoded(path),
            ctypes.byref(how),
            ctypes.c_size_t(ctypes.sizeof(how)),
        )
    )


__all__ = (
    "CLONE_NEWIPC",
    "CLONE_NEWNET",
    "CLONE_NEWNS",
    "CLONE_NEWPID",
    "CLONE_NEWUSER",
    "CLONE_NEWUTS",
    "MNT_DETACH",
    "MS_BIND",
    "MS_DIRSYNC",
    "MS_LAZYTIME",
    "MS_MANDLOCK",
    "MS_NOATIME",
    "MS_NODEV",
    "MS_NODIRATIME",
    "MS_NOEXEC",
    "MS_NOSUID",
    "MS_PRIVATE",
    "MS_RDONLY",
    "MS_REC",
    "MS_RELATIME",
    "MS_REMOUNT",
    "MS_STRICTATIME",
    "MS_SYNCHRONOUS",
    "RESOLVE_IN_ROOT",
    "RESOLVE_NO_MAGICLINKS",
    "allow_inspection",
    "die_with_parent",
    "drop_bounding_capability",
    "keep_capabilities",
    "mount",
    "openat2",
    "pidfd_open",
    "pidfd_send_signal",
    "pivot_root",
    "set_domain_name",
    "set_process_name",
    "setns",
    "sync_file_system",
    "umount",
    "unshare",
)
