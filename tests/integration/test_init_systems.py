# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Images that boot without systemd: services are enabled as ever, and what would be started is listed."""

from __future__ import annotations

import dataclasses
import shutil
import subprocess
from pathlib import Path

import pytest
from ansible_collections.bakehouse.images.plugins.module_utils._run import LocalRunner
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox.closing import CloseReport, close_sandbox

from tests.integration.plays import CHROOT, Playbooks, Ran, Tasks
from tests.integration.roots import install, opened, unpack
from tests.integration.sandbox.sandboxes import enter, said
from tests.waiting import eventually

# Scripts of either kind, of a service whose program the build host may have, too.
OPENRC_SCRIPT = """#!/sbin/openrc-run
command=/bin/sleep
command_args=4716
command_background=true
pidfile=/run/app.pid
"""
LSB_SCRIPT = """#!/bin/sh
### BEGIN INIT INFO
# Provides:          app
# Required-Start:    $remote_fs
# Required-Stop:     $remote_fs
# Default-Start:     2 3 4 5
# Default-Stop:      0 1 6
# Short-Description: a service for tests
### END INIT INFO
. /lib/lsb/init-functions
case $1 in
  start) start-stop-daemon --start --background --make-pidfile --pidfile /run/app.pid --exec /bin/sleep -- 4716 ;;
  stop) start-stop-daemon --stop --oknodo --pidfile /run/app.pid ;;
  status) status_of_proc -p /run/app.pid /bin/sleep app ;;
  restart) "$0" stop; "$0" start ;;
esac
"""


@dataclasses.dataclass(frozen=True)
class Init:
    """A root that boots with this service manager.

    Args:
        name: as Ansible's fact has it.
        script: of the service C(app).
        enabled: what the image has when the service is enabled.
        listed: what is listed for its start and restart by Ansible.
    """

    name: str
    script: str
    enabled: str
    listed: tuple[str, ...]


OPENRC = Init("openrc", OPENRC_SCRIPT, "etc/runlevels/default/app", ("rc-service app start", "rc-service app restart"))
SYSVINIT = Init("sysvinit", LSB_SCRIPT, "etc/rc2.d/S01app", ("/etc/init.d/app start",))


@pytest.fixture(scope="module")
def sysvinit_root(debian_tarball: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = unpack(debian_tarball, tmp_path_factory.mktemp("init") / "sysvinit")
    with opened(root) as record:
        install(record, "sysvinit-core", "busybox-static")
    return root


@pytest.fixture(scope="module")
def openrc_root(sysvinit_root: Path) -> Path:
    """The same with OpenRC in the place of System V's runlevels."""
    root = sysvinit_root.with_name("openrc")
    subprocess.run(["cp", "--archive", sysvinit_root, root], check=True)
    with opened(root) as record:
        install(record, "openrc", update=False)
    return root


@pytest.fixture(params=[OPENRC, SYSVINIT], ids=lambda init: init.name)
def init(request: pytest.FixtureRequest) -> Init:
    given: Init = request.param
    return given


@pytest.fixture
def root(init: Init, request: pytest.FixtureRequest) -> Path:
    root: Path = request.getfixturevalue(f"{init.name}_root")
    (root / "etc/init.d/app").write_text(init.script)
    (root / "etc/init.d/app").chmod(0o755)
    return root


def play(root: Path, folder: Path, tasks: Tasks, *, on_not_done: str = "ignore") -> tuple[Ran, CloseReport]:
    """Run the tasks in the root's sandbox, and close it."""
    with opened(root, on_not_done=on_not_done) as record:
        host = {"image": {"ansible_connection": CHROOT, "ansible_chroot_sandbox": record.name}}
        ran = Playbooks(folder).run(host, tasks, gather_facts=True)
        return ran, close_sandbox(record.name, runner=LocalRunner())


def test_services_are_enabled_and_what_would_be_started_is_listed(init: Init, root: Path, tmp_path: Path) -> None:
    signs = [f"ansible_facts.service_mgr == '{init.name}'", "ansible_facts.is_chroot"]
    enabled = {"ansible.builtin.service": {"name": "app", "enabled": True}}
    tasks: Tasks = [
        {"ansible.builtin.assert": {"that": signs}},
        {"ansible.builtin.service": {"name": "app", "state": "started", "enabled": True}},
        {**enabled, "register": "again", "failed_when": "again is changed"},
        {"ansible.builtin.service": {"name": "app", "state": "restarted", "sleep": 0}},
        {"ansible.builtin.command": "/etc/init.d/app start"},
        {"ansible.builtin.stat": {"path": f"/{init.enabled}"}, "register": "found"},
        {"ansible.builtin.service": {"name": "app", "enabled": False, "state": "stopped"}},
        {"ansible.builtin.assert": {"that": "found.stat.islnk"}},
    ]
    before = sorted(path.name for path in (root / "sbin").iterdir())
    ran, report = play(root, tmp_path, tasks)
    assert ran.rc == 0, ran.output
    assert report.not_done == init.listed
    assert report.killed == ()
    assert not (root / init.enabled).is_symlink()
    assert sorted(path.name for path in (root / "sbin").iterdir()) == before


def test_starting_fails_where_the_user_wants_that(init: Init, root: Path, tmp_path: Path) -> None:
    tasks: Tasks = [{"ansible.builtin.service": {"name": "app", "state": "started"}}]
    ran, report = play(root, tmp_path, tasks, on_not_done="fail")
    assert ran.rc != 0
    assert "cannot be done: an image is not running" in ran.output
    assert report.not_done == init.listed[:1]


def test_scripts_run_where_the_user_wants_that(init: Init, root: Path) -> None:
    with opened(root) as record:
        enter(record, "BAKEHOUSE_STAND_INS=no service app start")
        look = "cat /proc/[0-9]*/cmdline | tr '\\0' ' '"
        # OpenRC itself refuses where it has not booted.
        if init is SYSVINIT:
            eventually(lambda: "sleep 4716" in said(record, look))
        else:
            assert "sleep 4716" not in said(record, look)
        report = close_sandbox(record.name, runner=LocalRunner())
    assert report.not_done == ()


@pytest.fixture
def busybox_root(sysvinit_root: Path, tmp_path: Path) -> Path:
    """Another family of distributions, without Python and with nothing but BusyBox."""
    root = tmp_path / "busybox"
    for folder in ("bin", "sbin", "etc/init.d", "proc", "sys", "dev", "run", "tmp"):
        (root / folder).mkdir(parents=True)
    shutil.copy2(sysvinit_root / "bin/busybox", root / "bin")
    for name in ("sh", "cat", "id", "mkdir", "ln", "rm", "echo"):
        (root / "bin" / name).symlink_to("busybox")
    (root / "sbin/init").symlink_to("/bin/busybox")
    (root / "etc/os-release").write_text('ID=amzn\nID_LIKE="fedora"\n')
    return root


def test_raw_tasks_and_files_work_in_a_root_of_another_family_without_python(
    busybox_root: Path, tmp_path: Path
) -> None:
    tasks: Tasks = [
        {"ansible.builtin.raw": ". /etc/os-release && echo $ID && id -u", "register": "said"},
        {"ansible.builtin.assert": {"that": "said.stdout_lines == ['amzn', '0']"}},
        {"ansible.builtin.raw": "mkdir /etc/rc3.d && ln -s ../init.d/app /etc/rc3.d/S50app"},
    ]
    with opened(busybox_root) as record:
        assert record.os_release["ID"] == "amzn"
        assert record.image_python is None
        host = {"image": {"ansible_connection": CHROOT, "ansible_chroot_sandbox": record.name}}
        Playbooks(tmp_path).succeed(host, tasks)
    assert (busybox_root / "etc/rc3.d/S50app").is_symlink()
    assert list((busybox_root / "run").iterdir()) == []
