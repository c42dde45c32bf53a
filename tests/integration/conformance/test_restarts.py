# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tasks that restart a machine: an image cannot be restarted, and the build host is not meant."""

from __future__ import annotations

import typing as t
from pathlib import Path

from tests.integration.plays import Playbooks, Tasks

Variables = dict[str, t.Any]


def uptime() -> float:
    return float(Path("/proc/uptime").read_text().split()[0])


def test_the_module_reboot_is_refused_at_once(playbooks: Playbooks, image: Variables) -> None:
    before = uptime()
    tasks: Tasks = [{"ansible.builtin.reboot": {"reboot_timeout": 300}, "become": True}]
    ran = playbooks.run({"image": {**image, "ansible_user": "app"}}, tasks)
    assert "Refused: /sbin/shutdown -r 0" in ran.output
    assert "cannot be restarted" in ran.output
    assert ran.recap("image") == {**ran.recap("image"), "failed": 1, "unreachable": 0}
    assert before < uptime() < before + 250, "the build host runs on, and nobody has waited for the image"


def test_commands_that_restart_are_refused_or_do_nothing(playbooks: Playbooks, image: Variables) -> None:
    before = uptime()
    raw = ["reboot", "shutdown -h now", "sleep 1 && systemctl poweroff", "/usr/sbin/init 6"]
    forced = ["reboot -ff", "systemctl --force --force poweroff", "telinit 6", "shutdown -r now"]
    call = "import ctypes; libc = ctypes.CDLL(None, use_errno=True); print(libc.reboot(0x01234567), ctypes.get_errno())"
    tasks: Tasks = [
        {"ansible.builtin.raw": "{{ item }}", "loop": raw, "register": "refused", "ignore_errors": True},
        {"ansible.builtin.command": "{{ item }}", "loop": forced, "register": "ignored"},
        {"ansible.builtin.command": {"argv": ["python3", "-c", call]}, "register": "kernel"},
        {
            "ansible.builtin.assert": {
                "that": [
                    "refused.results | map(attribute='msg') | select('search', 'Refused: ') | length == 4",
                    "ignored.results | map(attribute='stderr') | select('search', 'in chroot, ignoring') | length == 4",
                    "kernel.stdout == '-1 1'",
                ]
            }
        },
    ]
    playbooks.succeed({"image": image}, tasks)
    assert uptime() > before
