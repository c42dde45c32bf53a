# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""What the kernel says of a process in C(/proc/PID/stat), see proc(5)."""

from __future__ import annotations

import typing as t

# A process that is ending (include/linux/sched.h); process 1 of a namespace waits in it for all others to end, and
# can no longer be entered.
PF_EXITING = 0x4
DEAD_STATES = ("Z", "X", "x")


def stat_fields(pid: int) -> t.Optional[t.List[str]]:
    """The fields from the third one on, the state; None when there is no such process."""
    try:
        with open("/proc/%d/stat" % pid, encoding="utf-8", errors="replace") as stream:
            text = stream.read()
    except OSError:
        return None
    # The second field is the command in parentheses and may hold blanks and parentheses itself.
    return text.rpartition(")")[2].split()


def parent_of(pid: int) -> t.Optional[int]:
    """The process's parent; 0 when that is in no namespace that is seen here."""
    fields = stat_fields(pid)
    return int(fields[1]) if fields else None


def process_start_time(pid: int) -> t.Optional[int]:
    """When the process started, in clock ticks since boot; None when there is no such process, or it is dead
    and only waits for its parent, or is about to be."""
    fields = stat_fields(pid)
    if not fields or fields[0] in DEAD_STATES or int(fields[6]) & PF_EXITING:
        return None
    return int(fields[19])


__all__ = ("DEAD_STATES", "parent_of", "process_start_time", "stat_fields")
