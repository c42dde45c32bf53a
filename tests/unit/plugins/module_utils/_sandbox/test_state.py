# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Records of sandboxes, and whether the process one names is still the one it means."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError, Invalid
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox import state

RECORD = state.SandboxRecord(
    name="web",
    pid=os.getpid(),
    start_time=state.process_start_time(os.getpid()) or 0,
    boot_id=state.boot_id(),
    user_namespace=True,
    device="/dev/nvme1n1",
    partition=1,
    kernels=("6.1.0-28-amd64",),
    os_release={"ID": "debian"},
    mounts=(state.MountRecord("/dev/nvme1n1p1", "/", "ext4", ""),),
    devices=("/dev/nvme1n1p1",),
)


def test_a_record_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    state.write_record(RECORD, str(tmp_path))
    assert state.read_record("web", str(tmp_path)) == RECORD
    assert state.list_records(str(tmp_path)) == [RECORD]
    assert (tmp_path / "web.json").stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["web.json"]


def test_a_forgotten_record_is_none(tmp_path: Path) -> None:
    state.write_record(RECORD, str(tmp_path))
    state.remove_record("web", str(tmp_path))
    state.remove_record("web", str(tmp_path))
    assert state.read_record("web", str(tmp_path)) is None
    assert state.list_records(str(tmp_path / "nowhere")) == []


def test_keys_of_a_later_version_are_ignored(tmp_path: Path) -> None:
    text = json.dumps(dict(json.loads(RECORD.to_json()), colour="green"))
    assert state.SandboxRecord.from_json(text) == RECORD


@pytest.mark.parametrize("text", ["", "[]", '{"name": "web"}', "{"])
def test_a_file_that_is_no_record_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "web.json").write_text(text)
    with pytest.raises(BuildError, match=r"web\.json is not the record of a sandbox.* Remove the file\."):
        state.read_record("web", str(tmp_path))


def test_this_very_process_is_alive() -> None:
    assert state.is_alive(RECORD)


@pytest.mark.parametrize(
    "changed",
    [{"start_time": RECORD.start_time + 1}, {"boot_id": "another-boot"}, {"pid": 2**22 + 1}],
    ids=["id used again", "before a reboot", "no such process"],
)
def test_another_process_is_not_taken_for_the_holder(changed: dict[str, Any]) -> None:
    assert not state.is_alive(replace(RECORD, **changed))


def test_a_dead_process_that_waits_for_its_parent_is_dead() -> None:
    child = subprocess.Popen(["true"])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert state.process_start_time(child.pid) is None
    child.wait()


def test_a_process_may_have_any_name(tmp_path: Path) -> None:
    program = tmp_path / "a) S 1 (b"
    program.write_bytes(Path("/bin/sleep").read_bytes())
    program.chmod(0o755)
    with subprocess.Popen([program, "100"]) as child:
        started = state.process_start_time(child.pid)
        child.kill()
    assert started is not None
    assert started >= RECORD.start_time


@pytest.mark.parametrize("name", ["", ".hidden", "a/b", "..", "a b", "-x", "x" * 129, "a\n"])
def test_a_name_stays_inside_its_directory(name: str) -> None:
    with pytest.raises(Invalid, match="cannot name a sandbox"):
        state.record_path(name)


def test_a_lock_is_held_by_one_at_a_time_and_leaves_no_file(tmp_path: Path) -> None:
    inside: list[int] = []
    most: list[int] = []

    def work() -> None:
        for _turn in range(20):
            with state.locked("web", str(tmp_path)):
                inside.append(1)
                most.append(len(inside))
                inside.pop()

    threads = [threading.Thread(target=work) for _number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(most) == 1
    assert len(most) == 80
    assert list(tmp_path.iterdir()) == []
