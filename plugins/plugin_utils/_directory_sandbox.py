# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""The sandbox that a connection opens by itself on a directory: the part on the controller.

Opening needs root on the build host, which ansible-playbook need not have. So it is done by the build host's own
Python. Ansible runs each task in a new worker process: only the first opens anything, the others find the record.
"""

from __future__ import annotations

import json
import os
import typing as t

from ansible_collections.bakehouse.images.plugins.module_utils._errors import Invalid
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox import state
from ansible_collections.bakehouse.images.plugins.plugin_utils import _build_host_python
from ansible_collections.bakehouse.images.plugins.plugin_utils._sandbox_session import (
    SandboxSession,
    known_record,
    note_record,
    read_record,
)

if t.TYPE_CHECKING:
    from ansible_collections.bakehouse.images.plugins.plugin_utils._transport import Transport

# Long enough for what a play does elsewhere in between, and short enough for the image to be whole again soon after.
IDLE_SECONDS = 300.0


def open_directory(
    transport: Transport, root: str, *, watch_pid: int, idle_seconds: float = IDLE_SECONDS
) -> SandboxSession:
    """The session of the sandbox on a directory, opened when it is not open.

    Args:
        watch_pid: the process of the controller whose end closes the sandbox, when that can be seen from there.
        idle_seconds: elsewhere it closes when nothing was entered for so long.

    Raises:
        Invalid: the path is not absolute.
        Busy: another ansible-playbook uses the directory just now.
        BuildError: what else opening can meet; see C(open_sandbox).
    """
    if not os.path.isabs(root):
        raise Invalid([f"The root of an image (ansible_chroot_root) must be an absolute path, not {root!r}."])
    if transport.is_local:
        record = read_record(transport, state.directory_name(root))
        if record is None or record.watch_pid != watch_pid or not state.is_alive(record):
            record = _open(transport, root, watch_pid, 0)
        return SandboxSession(transport, record)

    def find(instead_of: state.SandboxRecord | None) -> state.SandboxRecord:
        # Only there is it known what the directory is called when all symbolic links are followed.
        known = None if instead_of else known_record(transport, "directory", root)
        if known:
            return known
        opened = _open(transport, root, None, idle_seconds)
        note_record(opened, transport, "directory", root)
        return opened

    return SandboxSession(transport, find(None), renewed=find)


def _open(transport: Transport, root: str, watch_pid: int | None, idle_seconds: float) -> state.SandboxRecord:
    request = {"root": root, "watch_pid": watch_pid, "idle_seconds": idle_seconds}
    answer = _build_host_python.call(transport, None, "_sandbox.directory:open_for_connection", request)
    return state.SandboxRecord.from_json(json.dumps(answer["record"]))


__all__ = ("IDLE_SECONDS", "open_directory")
