# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Opening sandboxes from tests, and looking into them."""

from __future__ import annotations

import contextlib
import os
import stat
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

from ansible_collections.bakehouse.images.plugins.module_utils._run import LocalRunner
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox import state
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox.closing import CloseReport, close_sandbox
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox.entry import enter_argv
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox.opening import OpenRequest, open_sandbox
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox.state import SandboxRecord


class Host:
    """Opens sandboxes with records of its own, and closes those a test leaves open."""

    def __init__(self, state_dir: Path) -> None:
        self.state_dir = str(state_dir)
        self.runner = LocalRunner()

    def open(self, name: str = "test", **request: Any) -> SandboxRecord:
        asked = replace(OpenRequest(name=name), **request)
        return open_sandbox(asked, runner=self.runner, state_dir=self.state_dir).record

    def close(self, name: str = "test") -> CloseReport:
        return close_sandbox(name, runner=self.runner, state_dir=self.state_dir)

    def close_all(self) -> None:
        for record in state.list_records(self.state_dir):
            self.close(record.name)


def enter(
    record: SandboxRecord, script: str, user: str | None = None, cwd: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a shell script in the sandbox."""
    argv = enter_argv(record, ["/bin/sh", "-c", script], user=user, cwd=cwd)
    # A session of its own, as every transport makes one: a process group reaches across PID namespaces.
    return subprocess.run(
        argv, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, start_new_session=True
    )


def said(record: SandboxRecord, script: str, user: str | None = None, cwd: str | None = None) -> str:
    """What a script that succeeds prints."""
    done = enter(record, script, user, cwd)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def begun(command: str) -> str:
    """A shell script that starts a command in the background, and ends when the shell's fork has become it."""
    return f"{{ {command} & }} > /dev/null 2>&1; until grep -q '^{command.split()[0]}$' /proc/$!/comm; do :; done"


def look_at(path: Path) -> tuple[str, str, int] | None:
    """Kind, contents and inode of a file or link."""
    with contextlib.suppress(FileNotFoundError):
        found = path.lstat()
        if stat.S_ISLNK(found.st_mode):
            return "link", os.readlink(path), found.st_ino
        return oct(found.st_mode), path.read_text(), found.st_ino
    return None


def nothing_is_left(host: Host) -> bool:
    return not Path(host.state_dir).exists() or list(Path(host.state_dir).iterdir()) == []


__all__ = ("Host", "begun", "enter", "look_at", "nothing_is_left", "said")
