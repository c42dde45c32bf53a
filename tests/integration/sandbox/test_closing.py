# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How sandboxes end, and that nothing is left of them."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
from pathlib import Path

import pytest
from ansible_collections.bakehouse.images.plugins.module_utils._disk.devices import is_busy
from ansible_collections.bakehouse.images.plugins.module_utils._errors import Busy
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox import state
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox.checking import wait_until_free
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox.closing import CloseReport
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox.opening import OpenRequest, open_sandbox
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox.processes import sandbox_processes
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox.state import SandboxRecord

from tests.integration.disks import Disk, mounted
from tests.integration.sandbox.sandboxes import Host, begun, enter, look_at, said
from tests.waiting import eventually


def test_leftovers_are_killed_and_named_and_nothing_holds_the_device(host: Host, ext4_disk: Disk) -> None:
    record = host.open(device=ext4_disk.path)
    said(
        record,
        "mkdir -p /srv/over /srv/up /srv/work; mount -t tmpfs deep /mnt; mount -t tmpfs deeper /mnt;"
        "(cd /srv; exec sleep 1001 3>/dev/shm/held >/dev/null 2>&1) &"
        "trap '' TERM; (exec sleep 1002 >/dev/null 2>&1) & disown 2>/dev/null; true",
    )
    stubborn = "sh -c trap : TERM; while :; do sleep 1; done"
    said(record, "setsid sh -c 'trap : TERM; while :; do sleep 1; done' >/dev/null 2>&1 &")
    # A shell's fork has the shell's command line until it has become what it is to run.
    started = {"sleep 1001", "sleep 1002", stubborn}
    eventually(lambda: started <= {one.cmd for one in sandbox_processes(record)} <= {*started, "sleep 1"})
    report = host.close()

    killed = {one.cmd: one for one in report.killed}
    assert started <= set(killed)
    assert killed["sleep 1001"].name == "sleep"
    assert killed["sleep 1001"].paths == ("/srv", "/dev/shm/held")
    assert report.problems == ()
    assert [pid for pid in (one.pid for one in report.killed) if state.process_start_time(pid)] == []
    assert not is_busy(ext4_disk.path)
    assert list(Path(host.state_dir).iterdir()) == []


def test_thirty_builds_leave_nothing(host: Host, xfs_disk: Disk) -> None:
    for _round in range(30):
        record = host.open(device=xfs_disk.path)
        said(record, f"mount -t tmpfs nested /mnt; cd /var; {begun('sleep 1000')}")
        report = host.close()
        assert [one.name for one in report.killed] == ["sleep"]
        assert report.problems == ()
        assert not state.is_alive(record)
        assert not is_busy(xfs_disk.path)
    assert all(one.ok for one in report.checked)


def test_a_device_that_somebody_else_holds_is_said_to_be_in_use(xfs_disk: Disk, scratch: Path) -> None:
    with (
        mounted(scratch / "elsewhere", (xfs_disk.path, "/", "")),
        pytest.raises(Busy, match="is still in use") as caught,
    ):
        wait_until_free(xfs_disk.path, 0)
    assert "/proc/*/mountinfo' finds it" in str(caught.value)


def test_closing_twice_and_opening_twice_change_nothing(host: Host, tree: Path) -> None:
    first = host.open(root=str(tree))
    again = open_sandbox(OpenRequest(name="test", root=str(tree)), runner=host.runner, state_dir=host.state_dir)
    assert (again.changed, again.record) == (False, first)
    assert host.close().changed
    assert host.close() == CloseReport(changed=False)


def test_killing_the_holder_frees_everything_and_closing_repairs_the_image(
    host: Host, ext4_disk: Disk, scratch: Path
) -> None:
    record = host.open(device=ext4_disk.path)
    said(record, "sleep 1003 >/dev/null 2>&1 &")
    (inside,) = sandbox_processes(record)
    os.kill(record.pid, signal.SIGKILL)

    eventually(lambda: not is_busy(ext4_disk.path))
    eventually(lambda: state.process_start_time(inside.pid) != inside.start_time)
    report = host.close()
    assert report.problems == ()
    assert all(one.ok for one in report.checked)
    with mounted(scratch / "look", (ext4_disk.partition(3), "/", "ro")) as place:
        assert stat.S_ISREG((place / "etc/resolv.conf").lstat().st_mode)
        assert not (place / "usr/sbin/policy-rc.d").is_symlink()
        assert list(place.glob("etc/*bakehouse*")) == []


def test_an_image_that_lost_its_sandbox_with_the_machine_is_repaired_when_it_is_opened(host: Host, tree: Path) -> None:
    own = look_at(tree / "etc/resolv.conf")
    record = host.open(root=str(tree))
    os.kill(record.pid, signal.SIGKILL)
    eventually(lambda: not state.is_alive(record))
    state.remove_record("test", host.state_dir)  # as a reboot does
    assert (tree / "etc/resolv.conf").is_symlink()
    host.open(root=str(tree))
    host.close()
    assert look_at(tree / "etc/resolv.conf") == own


def test_a_sandbox_ends_with_the_process_it_watches(host: Host, tree: Path) -> None:
    own = (tree / "etc/resolv.conf").stat()
    with subprocess.Popen(["sleep", "1000"]) as controller:
        record = host.open(root=str(tree), watch_pid=controller.pid)
        said(record, "sleep 1004 >/dev/null 2>&1 &")
        controller.kill()
    eventually(lambda: not state.is_alive(record))
    assert (tree / "etc/resolv.conf").stat().st_ino == own.st_ino
    assert not (tree / "usr/sbin/policy-rc.d").is_symlink()


def test_an_idle_sandbox_ends_by_itself_but_not_while_it_is_used(host: Host, tree: Path) -> None:
    for idle_seconds in (0.4, 2, 10):
        record = host.open(root=str(tree), idle_seconds=idle_seconds)
        done = enter(record, f"touch /run/entered; sleep {idle_seconds * 2.5}; echo still here")
        eventually(lambda: not state.is_alive(record), seconds=60)  # noqa: B023 - called at once
        if done.stdout:
            break
        # This machine was too busy to enter it before it was idle for so long.
        host.close()
    assert done.stdout == "still here\n"


def test_a_sandbox_whose_opener_dies_before_noting_it_ends(
    host: Host, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    noted: list[SandboxRecord] = []

    def fail(record: SandboxRecord, state_dir: str) -> None:
        noted.append(record)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(state, "write_record", fail)
    with pytest.raises(OSError, match="No space left"):
        host.open(root=str(tree))
    (record,) = noted
    eventually(lambda: not state.is_alive(record))
    assert not (tree / "usr/sbin/policy-rc.d").is_symlink()
