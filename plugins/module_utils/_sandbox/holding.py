# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""The life of process 1 of a sandbox: reap what was orphaned, and know when to end."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
import typing as t

# How long processes may take to end by themselves when asked to, in seconds.
GRACE_SECONDS = 2.0


def hold(image: str, watched: t.Optional[int], idle_seconds: float) -> None:
    """Stay until asked to end (SIGTERM), until the watched process has ended, or until nothing was entered for
    C(idle_seconds); then end everything else in this process's PID namespace.

    Args:
        image: where the image is mounted.
        watched: file descriptor of the process to watch, as pidfd_open(2) gives it.
        idle_seconds: 0 for no such limit.
    """
    wakeup = _catch_signals()
    poller = select.poll()
    poller.register(wakeup, select.POLLIN)
    if watched is not None:
        poller.register(watched, select.POLLIN)
    last_use = time.monotonic()
    while True:
        wait = max(idle_seconds / 4, 0.1) * 1000 if idle_seconds else None
        events = dict(poller.poll(wait))
        _reap()
        if watched in events or (wakeup in events and signal.SIGTERM in os.read(wakeup, 4096)):
            break
        if idle_seconds:
            if _is_entered():
                last_use = time.monotonic()
            elif time.monotonic() - last_use >= idle_seconds:
                break
    end_others()


def _catch_signals() -> int:
    reading, writing = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    for number in (signal.SIGCHLD, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: None)
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
    return reading


def _reap() -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _is_entered() -> bool:
    """Whether somebody from outside runs something here: such processes have no parent in this namespace."""
    for name in os.listdir("/proc"):
        if not name.isdigit() or name == "1":
            continue
        with contextlib.suppress(OSError, IndexError), open("/proc/%s/stat" % name, "rb") as stream:
            if stream.read().rpartition(b")")[2].split()[1] == b"0":
                return True
    return False


def end_others() -> None:
    """Ask all other processes of the namespace to end, then make them."""
    for number, patience in ((signal.SIGTERM, GRACE_SECONDS), (signal.SIGKILL, GRACE_SECONDS)):
        with contextlib.suppress(ProcessLookupError):
            os.kill(-1, number)
        deadline = time.monotonic() + patience
        while _others() and time.monotonic() < deadline:
            _reap()
            time.sleep(0.01)


def _others() -> bool:
    return any(name.isdigit() and name != "1" for name in os.listdir("/proc"))


__all__ = ("end_others", "hold")
