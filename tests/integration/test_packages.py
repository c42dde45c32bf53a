# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Packages that start daemons when they are installed: nothing of that runs on, and no trace of what held it back."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.bakehouse.images.plugins.module_utils._run import LocalRunner
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox import state
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox.closing import close_sandbox
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox.entry import enter_argv
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox.opening import OpenRequest, open_sandbox
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox.processes import sandbox_processes
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox.state import SandboxRecord

from tests.integration.roots import unpack
from tests.waiting import eventually

NAME = f"packages-{os.getpid()}"

# A package of the careless kind: its script asks nobody whether a service may start.
CONTROL = "Package: careless\nVersion: 1\nArchitecture: all\nMaintainer: tests\nDescription: starts its daemon itself\n"
INIT = "#!/bin/sh\nstart-stop-daemon --start --background --exec /bin/sleep -- 4713\n"
POSTINST = """#!/bin/sh
set -e
/etc/init.d/careless start
systemctl start careless.service
setsid sleep 4714 > /dev/null 2>&1 &
"""
LEFT_RUNNING = {"/bin/sleep 4713", "sleep 4714"}

# What the image says of services is the opposite of what is wanted while it is built.
OWN_POLICY = "#!/bin/sh\nexit 0\n"
OWN_RESOLVER = "../run/systemd/resolve/stub-resolv.conf"

INSTALL = """
export DEBIAN_FRONTEND=noninteractive
apt-get -qq -o Acquire::Languages=none -o Acquire::Retries=8 update
apt-get -qq -o Acquire::Retries=8 install -y --no-install-recommends rsyslog redis-server /srv/careless.deb
"""


@pytest.fixture(scope="module")
def root(systemd_tarball: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Debian with a policy for services and a link for its resolver, and the careless package to install."""
    folder = tmp_path_factory.mktemp("packages")
    root = unpack(systemd_tarball, folder / "root")
    (root / "usr/sbin/policy-rc.d").write_text(OWN_POLICY)
    (root / "usr/sbin/policy-rc.d").chmod(0o700)
    (root / "etc/resolv.conf").unlink(missing_ok=True)
    (root / "etc/resolv.conf").symlink_to(OWN_RESOLVER)
    build = folder / "careless"
    for name, text in {"DEBIAN/control": CONTROL, "DEBIAN/postinst": POSTINST, "etc/init.d/careless": INIT}.items():
        (build / name).parent.mkdir(parents=True, exist_ok=True)
        (build / name).write_text(text)
        (build / name).chmod(0o755)
    subprocess.run(["dpkg-deb", "--build", "--root-owner-group", build, root / "srv/careless.deb"], check=True)
    return root


def lent_names(root: Path) -> dict[str, object]:
    """What stands under the names that are lent, with its inode."""
    policy, resolver = root / "usr/sbin/policy-rc.d", root / "etc/resolv.conf"
    return {
        "policy": (policy.lstat().st_ino, policy.lstat().st_mode, policy.is_symlink() or policy.read_text()),
        "resolver": (resolver.lstat().st_ino, os.readlink(resolver)),
        "beside": sorted(path.name for path in (*policy.parent.iterdir(), *resolver.parent.iterdir())
                         if "bakehouse" in path.name or path.name.startswith(("policy-rc.d", "resolv.conf"))),
        "diverted": (root / "var/lib/dpkg/diversions").read_text(),
    }  # fmt: skip


@pytest.fixture
def before(root: Path) -> dict[str, object]:
    """The names that are lent, before a sandbox is opened."""
    return lent_names(root)


@pytest.fixture
def sandbox(root: Path, before: dict[str, object]) -> Iterator[SandboxRecord]:
    yield open_sandbox(OpenRequest(name=NAME, root=str(root)), runner=LocalRunner()).record
    close_sandbox(NAME, runner=LocalRunner())


def enter(record: SandboxRecord, script: str) -> str:
    argv = enter_argv(record, ["/bin/sh", "-ec", script])
    done = subprocess.run(argv, check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def running(record: SandboxRecord) -> set[str]:
    return {process.cmd for process in sandbox_processes(record)}


def test_daemons_of_packages_do_not_start_and_no_blocker_stays(
    root: Path, before: dict[str, object], sandbox: SandboxRecord
) -> None:
    enter(sandbox, INSTALL)

    # rsyslog and redis-server ask before they start, and are refused. The others become what they are by and by.
    eventually(lambda: running(sandbox) == LEFT_RUNNING)
    assert (root / "etc/systemd/system/multi-user.target.wants/rsyslog.service").is_symlink()
    assert (root / "etc/systemd/system/multi-user.target.wants/redis-server.service").is_symlink()

    report = close_sandbox(NAME, runner=LocalRunner())

    assert {process.cmd for process in report.killed} >= LEFT_RUNNING
    assert report.problems == ()
    assert state.has_ended(sandbox)
    assert lent_names(root) == before
    assert not list((root / "run").glob("*redis*")), "what daemons and packages leave in /run is not the image's"


@pytest.mark.parametrize("end", ["closed", "killed"])
def test_what_is_lent_is_as_before_however_the_sandbox_ends(
    root: Path, before: dict[str, object], sandbox: SandboxRecord, end: str
) -> None:
    enter(sandbox, "dpkg -i /srv/careless.deb")
    eventually(lambda: running(sandbox) == LEFT_RUNNING)
    daemons = sandbox_processes(sandbox)
    assert lent_names(root) != before, "the blocker is there for the time being"
    if end == "killed":
        os.kill(sandbox.pid, signal.SIGKILL)
        eventually(lambda: state.has_ended(sandbox))

    report = close_sandbox(NAME, runner=LocalRunner())

    assert report.problems == ()
    assert lent_names(root) == before
    assert [one.pid for one in daemons if state.process_start_time(one.pid) == one.start_time] == []
