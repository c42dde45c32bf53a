# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The build host behind SSH that other tests use is one that Ansible's own ssh connection works with."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.integration.plays import Playbooks, Tasks
from tests.integration.ssh_host import SshHost


@pytest.mark.parametrize("kind", ["ssh_host", "ssh_password_host"])
def test_ansible_logs_in_and_becomes_root(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    host: SshHost = request.getfixturevalue(kind)
    tasks: Tasks = [
        {"ansible.builtin.command": "id -un", "register": "login"},
        {"ansible.builtin.command": "id -un", "become": True, "register": "root"},
        {"ansible.builtin.assert": {"that": [f"login.stdout == '{host.user.name}'", "root.stdout == 'root'"]}},
    ]
    # Of an earlier test.
    host.disconnect()
    before = host.logins()
    Playbooks(tmp_path).succeed({"build-host": host.variables}, tasks)
    assert host.logins() == before + 1, "all tasks share one connection"
    host.disconnect()


def test_an_sshd_with_other_settings(ssh_host: SshHost) -> None:
    with ssh_host.reached_by(AllowUsers="nobody") as closed:
        done = subprocess.run(closed.argv("true"), check=False, capture_output=True, text=True)
    assert (done.returncode, "Permission denied" in done.stderr) == (255, True)
    assert subprocess.run(ssh_host.argv("sudo", "-n", "true"), check=False).returncode == 0
