# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""What the build host keeps of the agent of a sandbox: its socket, and which process it is.

Only root can read which process that is; the socket belongs to whom it is made for.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import os
import re
import signal
import socket
import time
import typing as t

from ansible_collections.bakehouse.images.plugins.module_utils._errors import Invalid
from ansible_collections.bakehouse.images.plugins.module_utils._process_stat import parent_of
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox import state
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox.state import AGENTS_DIR

# How long the kernel may take after SIGKILL.
KILL_SECONDS = 30.0


@dataclasses.dataclass(frozen=True)
class Running:
    """An agent: its process, as the build host numbers it, with the moment it started and the boot that counts from;
    and what it calls itself."""

    pid: int
    start_time: int
    boot_id: str
    token: str


def socket_path(name: str, folder: str = AGENTS_DIR) -> str:
    """Where the agent of the sandbox is reached."""
    state.check_name(name)
    return os.path.join(folder, name)


def read_agent(name: str, folder: str = AGENTS_DIR) -> t.Optional[Running]:
    """The agent of the sandbox, while it lives."""
    try:
        with open(socket_path(name, folder) + ".json", encoding="ascii") as stream:
            running = Running(**json.load(stream))
    except (OSError, ValueError, TypeError):
        return None
    return running if _lives(running) else None


def write_agent(name: str, running: Running, folder: str = AGENTS_DIR) -> None:
    """Keep which process it is."""
    handle = os.open(socket_path(name, folder) + ".json", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with open(handle, "w", encoding="ascii") as stream:
        json.dump(dataclasses.asdict(running), stream)


def agent_processes(name: str, folder: str = AGENTS_DIR) -> t.List[int]:
    """The processes of the sandbox's agent, as the build host numbers them: itself, and those that look after a
    command each. The commands are theirs, and not among these."""
    running = read_agent(name, folder)
    if running is None:
        return []
    pids = [int(entry) for entry in os.listdir("/proc") if entry.isdigit()]
    return [running.pid, *(pid for pid in pids if parent_of(pid) == running.pid)]


def end_agent(name: str, folder: str = AGENTS_DIR) -> None:
    """End the sandbox's agent, if it has one. What it has forked runs on, to its end."""
    running = read_agent(name, folder)
    if running is None:
        return
    with contextlib.suppress(ProcessLookupError):
        os.kill(running.pid, signal.SIGKILL)
    deadline = time.monotonic() + KILL_SECONDS
    while _lives(running) and time.monotonic() < deadline:
        time.sleep(0.002)


def forget_agent(name: str, folder: str = AGENTS_DIR) -> None:
    """Remove what is kept of the sandbox's agent."""
    # The lock goes last: who starts an agent holds it.
    for suffix in (".json", "", ".lock"):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(socket_path(name, folder) + suffix)


def forget_dead_agents(folder: str = AGENTS_DIR) -> None:
    """Remove what is kept of agents that went without a word: with a sandbox whose holder was killed, for one."""
    try:
        files = os.listdir(folder)
    except FileNotFoundError:
        return
    for name in {re.sub(r"\.(json|lock)\Z", "", file) for file in files}:
        with contextlib.suppress(BlockingIOError, Invalid), locked_agent(name, folder, wait=False):
            # Nobody starts one just now. One whose process is not noted, since who started it has died, may listen.
            if read_agent(name, folder) is None and not is_listening(socket_path(name, folder)):
                forget_agent(name, folder)


@contextlib.contextmanager
def locked_agent(name: str, folder: str = AGENTS_DIR, *, wait: bool = True) -> t.Iterator[None]:
    """Hold the lock of the sandbox's agent: starting and forgetting it happen one at a time.

    Raises:
        BlockingIOError: another process holds it, and is not to be waited for.
    """
    path = socket_path(name, folder) + ".lock"
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            # The file may have been removed meanwhile, and be locked by nobody else for that reason.
            if state.is_file(handle, path):
                yield
                return
        finally:
            os.close(handle)


def is_listening(path: str) -> bool:
    """Whether a process listens on the socket."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(1)
        try:
            client.connect(path)
        except (FileNotFoundError, ConnectionRefusedError):
            return False
        except OSError:
            # It does not come to accept it, but is there.
            return True
    return True


def _lives(running: Running) -> bool:
    return running.boot_id == state.boot_id() and state.process_start_time(running.pid) == running.start_time


__all__ = (
    "AGENTS_DIR",
    "Running",
    "agent_processes",
    "end_agent",
    "forget_agent",
    "forget_dead_agents",
    "is_listening",
    "locked_agent",
    "read_agent",
    "socket_path",
    "write_agent",
)
