# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import shlex
import subprocess

import pytest
from ansible.plugins.shell.sh import ShellModule
from ansible_collections.bakehouse.images.plugins.become.chroot_user import BecomeModule


@pytest.fixture
def shell() -> ShellModule:
    return ShellModule()


@pytest.mark.parametrize("command", ["id -un", "a && b; c", "echo 'it''s' \"$HOME\"", "line\nline", "echo ÄÖ # end"])
def test_the_connection_gets_the_command_back(command: str, shell: ShellModule) -> None:
    become = BecomeModule()
    marked = become.build_become_command(command, shell)
    # What Ansible makes of it on the way to the connection.
    wrapped = "/bin/sh -c " + shlex.quote(marked + " && sleep 0")
    assert become.unmarked(wrapped) == "/bin/sh -c " + shlex.quote(command + " && sleep 0")


def test_other_commands_are_not_for_the_other_user(shell: ShellModule) -> None:
    become = BecomeModule()
    assert become.unmarked("id") is None
    marked = BecomeModule().build_become_command("id", shell)
    become.build_become_command("id", shell)
    assert become.unmarked(marked) is None


def test_elsewhere_nothing_is_run_and_the_reason_is_printed(shell: ShellModule) -> None:
    marked = BecomeModule().build_become_command("echo ran; echo ran", shell)
    done = subprocess.run(["/bin/sh", "-c", marked], capture_output=True, text=True, check=False)
    assert done.returncode == 127
    assert done.stdout == ""
    assert "chroot_user-needs-connection-bakehouse.images.chroot" in done.stderr
