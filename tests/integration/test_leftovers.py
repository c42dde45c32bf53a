# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The check at the end of a session sees what it is there to see."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

from ansible_collections.bakehouse.images.plugins.module_utils._sandbox import state

from tests import leftovers
from tests.waiting import eventually


def test_sees_loop_devices_of_deleted_files(tmp_path: Path) -> None:
    file = tmp_path / "disk"
    file.write_bytes(bytes(1 << 20))
    device = subprocess.run(
        ["losetup", "--find", "--show", file], check=True, capture_output=True, text=True
    ).stdout.strip()
    try:
        file.unlink()
        assert leftovers.loop_devices(tmp_path) == {f"{device} over {file} (deleted)"}
    finally:
        subprocess.run(["losetup", "--detach", device], check=True)
    # Whoever looks at all disks just then keeps it for a moment.
    eventually(lambda: leftovers.loop_devices(tmp_path) == set())


def test_sees_mounts(tmp_path: Path) -> None:
    point = tmp_path / "point"
    point.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "none", point], check=True)
    try:
        assert leftovers.mounts(tmp_path) == {f"mount on {point}"}
    finally:
        subprocess.run(["umount", point], check=True)
    assert leftovers.mounts(tmp_path) == set()


def test_sees_open_sandboxes_of_its_own(tmp_path: Path) -> None:
    root, state_dir = tmp_path / "root", str(tmp_path / "records")
    with subprocess.Popen(["sleep", "1000"]) as holder:
        record = state.SandboxRecord(
            name="mine",
            pid=holder.pid,
            start_time=state.process_start_time(holder.pid) or 0,
            boot_id=state.boot_id(),
            user_namespace=True,
            root=str(root),
        )
        state.write_record(record, state_dir)
        assert leftovers.sandboxes(tmp_path, state_dir) == {f"sandbox mine on {root}"}
        assert leftovers.sandboxes(tmp_path / "elsewhere", state_dir) == set()
        holder.kill()
    assert leftovers.sandboxes(tmp_path, state_dir) == set()


def test_sees_daemons(tmp_path: Path) -> None:
    environment = {**os.environ, leftovers.MARK: "this-test"}
    script = "setsid sleep 1000 <&- >&- 2>&- & echo $!"
    pid = subprocess.run(
        ["sh", "-c", script], env=environment, check=True, capture_output=True, text=True
    ).stdout.strip()
    # The number is known before the child has become setsid, and setsid sleep.
    eventually(lambda: Path(f"/proc/{pid}/comm").read_text().strip() == "sleep")
    try:
        assert leftovers.processes("this-test") == {f"process {pid}: sleep 1000"}
        assert leftovers.processes("another") == set()
    finally:
        os.kill(int(pid), signal.SIGKILL)
