# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The check that a test session leaves this machine as it found it. Import C(_nothing_left) into a conftest.py.

Only what the session made counts: others may use loop devices and mounts meanwhile. So processes are known
by a variable that they inherit, loop devices and mounts by the session's temporary folder, and open sandboxes,
whose holders inherit nothing, by what they were opened on: a directory of that folder or one of those devices.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox import state

RUN_DIRECTORY = Path("/run/bakehouse")
MARK = "BAKEHOUSE_TEST_SESSION"
#: Of this session, while one looks after it.
MARKS: list[str] = []
#: Seconds in which what has been told to end must have ended.
PATIENCE = 30


def loop_devices(folder: Path) -> set[str]:
    """Loop devices over files below a folder, deleted ones too."""
    listing = subprocess.run(["losetup", "--json", "--list"], check=True, capture_output=True, text=True).stdout
    devices = json.loads(listing)["loopdevices"] if listing.strip() else []
    return {
        f"{it['name']} over {it['back-file']}" for it in devices if (it["back-file"] or "").startswith(f"{folder}/")
    }


def mounts(*folders: Path) -> set[str]:
    """Mount points below any of the folders."""
    points = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()]
    return {f"mount on {point}" for point in points for folder in folders if point.startswith(f"{folder}/")}


def processes(mark: str) -> set[str]:
    """Processes that have the mark in the environment they were started with, but for this one and its children.

    A child is waited for by whoever has started it; what matters is what nobody looks after any more.
    """
    found = set()
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, IndexError):
            if f"{MARK}={mark}".encode() not in (entry / "environ").read_bytes().split(b"\0"):
                continue
            if int((entry / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()[1]) == os.getpid():
                continue
            words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            found.add(f"process {entry.name}: {words.strip()}")
    return found


def sandboxes(folder: Path, state_dir: str = state.STATE_DIR) -> set[str]:
    """Open sandboxes on directories below a folder, or on loop devices over files there."""
    devices = {line.split()[0] for line in loop_devices(folder)}
    return {
        f"sandbox {record.name} on {record.root or record.device}"
        for record in state.list_records(state_dir)
        if state.is_alive(record) and ((record.root or "").startswith(f"{folder}/") or record.device in devices)
    }


@pytest.fixture(scope="session", autouse=True)
def _nothing_left(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Fails when the session has left a process, loop device, mount or sandbox."""
    if MARKS:
        yield  # of a session with tests from several places, the first one's looks
        return
    mark = uuid.uuid4().hex
    folder = tmp_path_factory.getbasetemp().resolve()

    def look() -> set[str]:
        return loop_devices(folder) | mounts(folder, RUN_DIRECTORY) | processes(mark) | sandboxes(folder)

    before = look()
    MARKS.append(mark)
    os.environ[MARK] = mark
    yield
    del os.environ[MARK]
    MARKS.remove(mark)
    deadline = time.monotonic() + PATIENCE
    while (left := look() - before) and time.monotonic() < deadline:
        time.sleep(0.1)
    if left:
        pytest.fail("The tests have left:\n" + "\n".join(sorted(left)), pytrace=False)


__all__ = ("_nothing_left",)
