# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Whether a sandbox on another machine is still there, asked in the same breath in which it is entered.

On the controller C(state.is_alive) looks at /proc. For a build host behind ssh that would be a command of its own
before each command, so the same comparison stands before the command that enters.
"""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from ansible_collections.bakehouse.images.plugins.module_utils._sandbox.state import SandboxRecord
    from ansible_collections.bakehouse.images.plugins.plugin_utils._transport import Outcome

# EX_UNAVAILABLE of sysexits.h, together with the word.
GONE_STATUS = 69
GONE = b"bakehouse: the sandbox is gone\n"

# The fields of /proc/PID/stat are counted behind the command, which may hold blanks: 1 is the state, 7 the flags,
# 20 the start time. state.process_start_time says why the first two matter.
GUARD = f"""
is_alive() {{
  read -r boot < /proc/sys/kernel/random/boot_id && [ "$boot" = "$3" ] || return 1
  {{ read -r stat < "/proc/$1/stat"; }} 2> /dev/null || return 1
  start=$2
  set -- ${{stat##*) }}
  case $1 in Z | X | x) return 1 ;; esac
  [ $(($7 & 4)) = 0 ] && [ "${{20}}" = "$start" ]
}}
is_alive "$1" "$2" "$3" || {{
  echo "{GONE.decode().strip()}" >&2
  exit {GONE_STATUS}
}}
shift 3
exec "$@"
"""


def guarded(record: SandboxRecord, argv: t.Sequence[str]) -> list[str]:
    """The command that runs C(argv) if the sandbox is there."""
    return ["/bin/sh", "-c", GUARD, "sh", str(record.pid), str(record.start_time), record.boot_id, *argv]


def found_gone(outcome: Outcome) -> bool:
    """Whether C(guarded) has run nothing, because the sandbox is not there."""
    return outcome.rc == GONE_STATUS and outcome.err == GONE and not outcome.out


__all__ = ("found_gone", "guarded")
