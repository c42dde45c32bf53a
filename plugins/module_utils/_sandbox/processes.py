# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""What runs in a sandbox, as the build host sees it."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
import time
import typing as t

from ansible_collections.bakehouse.images.plugins.module_utils._sandbox.agent_state import agent_processes
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox.state import process_start_time
from ansible_collections.bakehouse.images.plugins.module_utils._system_calls import pidfd_open, pidfd_send_signal

if t.TYPE_CHECKING:
    from ansible_collections.bakehouse.images.plugins.module_utils._sandbox.state import SandboxRecord

# How long processes may take to end by themselves, so that databases can write what they hold.
GRACE_SECONDS = 2.0
# How long the kernel may take after SIGKILL.
KILL_SECONDS = 30.0

# No use in listing more than a few of what a process holds open.
MAX_HELD_PATHS = 5


@dataclasses.dataclass(frozen=True)
class Killed:
    """A process that still ran in a sandbox when it was closed.

    Args:
        pid: as the build host numbers it.
        cmd: the command line.
        paths: files and directories of the image it held: its working directory and some of its open files.
    """

    pid: int
    start_time: int
    name: str
    cmd: str
    paths: t.Tuple[str, ...]

    def to_result(self) -> t.Dict[str, t.Any]:
        """The process as a module's result has it."""
        return {"pid": self.pid, "name": self.name, "cmd": self.cmd, "paths": list(self.paths)}


def sandbox_processes(record: SandboxRecord) -> t.List[Killed]:
    """All processes of the sandbox but its holder and its agent: those of its PID namespace."""
    try:
        namespace = os.readlink("/proc/%d/ns/pid" % record.pid)
    except OSError:
        return []
    if namespace == os.readlink("/proc/self/ns/pid"):
        return []  # no holder of ours: these would be the processes of the build host
    ours = [record.pid, *agent_processes(record.name)]
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit() or int(entry) in ours:
            continue
        with contextlib.suppress(OSError):
            if _namespace_of(entry) == namespace:
                started = process_start_time(int(entry))
                if started is not None:
                    found.append(_describe(int(entry), started, record.image_path))
    return sorted(found, key=lambda one: one.pid)


def _namespace_of(entry: str) -> str:
    return os.readlink("/proc/%s/ns/pid" % entry)


def _describe(pid: int, started: int, image_path: str) -> Killed:
    with open("/proc/%d/comm" % pid, encoding="utf-8", errors="replace") as stream:
        name = stream.read().strip()
    with open("/proc/%d/cmdline" % pid, encoding="utf-8", errors="replace") as stream:
        cmd = stream.read().replace("\0", " ").strip()
    return Killed(pid, started, name, cmd or "[%s]" % name, tuple(_held(pid, image_path)))


def _held(pid: int, image_path: str) -> t.List[str]:
    links = ["/proc/%d/cwd" % pid]
    with contextlib.suppress(OSError):
        links += ["/proc/%d/fd/%s" % (pid, name) for name in sorted(os.listdir("/proc/%d/fd" % pid), key=int)]
    held: t.List[str] = []
    for link in links:
        with contextlib.suppress(OSError):
            path = os.readlink(link)
            if not path.startswith("/"):
                continue
            path = path[len(image_path) :] if path.startswith(image_path + "/") else path
            if path not in held and path not in ("/", image_path, "/dev/null"):
                held.append(path)
    return held[:MAX_HELD_PATHS]


def end_processes(found: t.Sequence[Killed]) -> t.List[Killed]:
    """Ask the processes to end, then make them. Returns those that are still there."""
    alive = list(found)
    for number, patience in ((signal.SIGTERM, GRACE_SECONDS), (signal.SIGKILL, KILL_SECONDS)):
        for one in alive:
            with contextlib.suppress(ProcessLookupError):
                _send(one, number)
        deadline = time.monotonic() + patience
        while True:
            alive = [one for one in alive if process_start_time(one.pid) == one.start_time]
            if not alive or time.monotonic() >= deadline:
                break
            time.sleep(0.01)
    return alive


def _send(one: Killed, number: int) -> None:
    """Send a signal to this process, and never to one of the build host that has got its id meanwhile."""
    handle = pidfd_open(one.pid)
    try:
        if process_start_time(one.pid) == one.start_time:
            pidfd_send_signal(handle, number)
    finally:
        os.close(handle)


__all__ = ("Killed", "end_processes", "sandbox_processes")
