# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which commands ask for a machine to be stopped or restarted."""

from __future__ import annotations

import shlex

import pytest
from ansible_collections.bakehouse.images.plugins.plugin_utils._power import power_command


@pytest.mark.parametrize(
    "command",
    [
        "reboot",
        "/sbin/shutdown -r 0 'Reboot initiated by Ansible'",
        "shutdown -h now",
        "/usr/sbin/poweroff -f",
        "halt",
        "init 6",
        "telinit 0",
        "systemctl reboot",
        "systemctl --force --no-block poweroff",
        "systemctl kexec",
        "systemctl suspend",
    ],
)
def test_what_stops_a_machine(command: str) -> None:
    assert power_command(command) == shlex.join(shlex.split(command))
    assert power_command(f"/bin/sh -c {shlex.quote(f'{command} && sleep 0')}") == shlex.join(shlex.split(command))
    assert power_command(f"sleep 2; LANG=C exec {command} &")
    sudo = f"sudo -H -S -n -u root /bin/sh -c {shlex.quote(f'echo BECOME-SUCCESS-x ; {command}')}"
    assert power_command(f"/bin/sh -c {shlex.quote(sudo)}")


@pytest.mark.parametrize(
    "command",
    [
        "true",
        "systemctl is-system-running",
        "systemctl enable reboot.target",
        "systemctl mask suspend.target hibernate.target",
        "shutdown -c",
        "init --version",
        "telinit u",
        "test -x /sbin/reboot && echo reboot",
        "grep reboot /etc/crontab",
        "echo 'reboot'; ls /var/run/reboot-required",
        "python3 -c 'reboot'",
        "cat > /usr/local/sbin/restart <<END\nreboot\nEND",
        "reboot 'never closed",
    ],
)
def test_what_only_speaks_of_it(command: str) -> None:
    assert power_command(command) is None
    assert power_command(f"/bin/sh -c {shlex.quote(command)}") is None
