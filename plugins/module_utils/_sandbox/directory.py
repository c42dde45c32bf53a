# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""The sandbox that a connection opens by itself on a directory: the part on the build host.

Such a sandbox closes by itself: with the ansible-playbook process it was opened for, when that one runs on the
build host too, else when nothing was entered for some time. Nobody says when it is no longer needed.
"""

from __future__ import annotations

import json
import typing as t

from ansible_collections.bakehouse.images.plugins.module_utils._errors import Busy
from ansible_collections.bakehouse.images.plugins.module_utils._run import LocalRunner
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox import opening, state
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox.closing import clear_dead
from ansible_collections.bakehouse.images.plugins.module_utils._wait import poll

if t.TYPE_CHECKING:
    from ansible_collections.bakehouse.images.plugins.module_utils._run import Runner

# The sandbox of a run that has just ended gives its processes two seconds to end, twice.
CLOSING_SECONDS = 60.0


def open_for_connection(request: t.Mapping[str, t.Any]) -> t.Dict[str, t.Any]:
    """C(open_for), with plain values: C(root), C(watch_pid), C(idle_seconds); returns the C(record)."""
    record = open_for(request["root"], request["watch_pid"], request["idle_seconds"])
    plain: t.Dict[str, t.Any] = json.loads(record.to_json())
    return {"record": plain}


def open_for(root: str, watch_pid: t.Optional[int], idle_seconds: float) -> state.SandboxRecord:
    """Open the sandbox on the directory, or find it open.

    Args:
        watch_pid: the controller's process, which must end for it to close; None when it runs elsewhere.
        idle_seconds: how long it stays open unused; 0 for no such limit.

    Raises:
        Busy: it is open for another process of this machine.
        BuildError: see C(open_sandbox).
    """
    _forget_dead(LocalRunner())
    request = opening.OpenRequest(
        name=state.directory_name(root), root=root, watch_pid=watch_pid, idle_seconds=idle_seconds
    )

    def opened() -> t.Optional[state.SandboxRecord]:
        record = opening.open_sandbox(request, runner=LocalRunner()).record
        if record.watch_pid == watch_pid:
            return record
        if record.watch_pid is None or state.process_start_time(record.watch_pid) is not None:
            raise _in_use(root, record)
        # Left by a run that has ended; it is about to close.
        return None

    def too_late(waited: float) -> Busy:
        return Busy("The sandbox that an earlier run left on %s has not closed within %.0f seconds." % (root, waited))

    return poll(opened, timeout_seconds=CLOSING_SECONDS, delay_seconds=0.05, on_timeout=too_late)


def _in_use(root: str, record: state.SandboxRecord) -> Busy:
    user = "process %d" % record.watch_pid if record.watch_pid else "connections over ssh"
    return Busy(
        "The directory %s is in use: the sandbox %s is open on it for %s." % (root, record.name, user),
        hint="Wait until it has closed, or name the sandbox in ansible_chroot_sandbox to use it too.",
    )


def _forget_dead(runner: Runner) -> None:
    """Remove what is noted of directories whose sandbox closed by itself: nobody was left to do so."""
    for record in state.list_records():
        if record.root and record.name == state.directory_name(record.root) and not state.is_alive(record):
            with state.locked(record.name):
                if state.read_record(record.name) == record:
                    clear_dead(record, runner=runner)


__all__ = ("open_for", "open_for_connection")
