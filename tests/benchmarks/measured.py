# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs a command and measures it with all that it starts, daemons too: a program of its own.

    python measured.py RESULT COMMAND...

Processes that the command leaves behind become this program's children (it is their subreaper), so their processor
seconds count as soon as they have ended. What another service does for the command, such as sshd, does not.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36
PATIENCE_SECONDS = 60


def main(result: str, *command: str) -> int:
    """Write what it took to the file; the status is the command's."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    start = time.monotonic()
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    status = _wait_for(process.pid)
    seconds = time.monotonic() - start
    signal.alarm(PATIENCE_SECONDS)
    _wait_for(None)
    times = os.times()
    cpu = times.children_user + times.children_system
    Path(result).write_text(json.dumps({"seconds": seconds, "cpu_seconds": cpu}))
    return os.waitstatus_to_exitcode(status)


def _wait_for(pid: int | None) -> int:
    """Wait for one child, taking in what ends before it; or for all."""
    while True:
        try:
            ended, status = os.waitpid(-1, 0)
        except ChildProcessError:
            return 0
        if ended == pid:
            return status


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
