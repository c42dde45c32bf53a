# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A playbook of its own, with what it was given beside the playbook."""

from __future__ import annotations

import sys
from pathlib import Path

from ansible_collections.bakehouse.images.plugins.plugin_utils._child_playbook import (
    ChildRun,
    inventory_text,
    recap,
    run_lines,
    write_host_vars,
)

PLAY = """
- hosts: default
  gather_facts: false
  roles: [web]
"""
TASKS = """
- ansible.builtin.debug:
    msg: "{{ of_group }} {{ of_host }} {{ of_file }} {{ lookup('ansible.builtin.env', 'STAGE') }} in {{ role_name }}"
"""


def test_a_playbook_has_the_roles_variables_and_environment_that_it_is_given(tmp_path: Path) -> None:
    for name in ("own/web/tasks", "own/group_vars", "own/host_vars", "run"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "site.yml").write_text(PLAY)
    (tmp_path / "own/web/tasks/main.yml").write_text(TASKS)
    (tmp_path / "own/group_vars/default.yml").write_text("of_group: group\n")
    (tmp_path / "own/host_vars/default.yml").write_text("of_host: host\n")
    (tmp_path / "more.yml").write_text("of_file: file\n")
    run = tmp_path / "run"
    variables = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    (run / "inventory.yml").write_text(inventory_text("amazon-chroot.web", ["default"], variables))
    (run / "group_vars").symlink_to(tmp_path / "own/group_vars")
    write_host_vars(tmp_path / "own/host_vars", "amazon-chroot.web", "default", run / "host_vars")
    child = ChildRun(
        playbook=str(tmp_path / "site.yml"),
        host="amazon-chroot.web",
        extra_vars=(f"@{tmp_path}/more.yml",),
        environment={"STAGE": "test", "ANSIBLE_HOME": str(tmp_path / "home")},
        roles_path=(str(tmp_path / "own"),),
    )
    shown: list[str] = []
    status, lines = run_lines(child, run / "inventory.yml", shown.append)
    assert status == 0, "\n".join(lines)
    assert any("group host file test in web" in line for line in shown)
    assert recap(lines, "amazon-chroot.web")["ok"] == 1


def test_files_of_hosts_are_those_of_the_name_that_the_image_is_known_by(tmp_path: Path) -> None:
    (tmp_path / "own/default").mkdir(parents=True)
    for name in ("default.yml", "defaults.yml", "other.yml"):
        (tmp_path / "own" / name).touch()
    write_host_vars(tmp_path / "own", "web", "default", tmp_path / "host_vars")
    assert sorted(entry.name for entry in (tmp_path / "host_vars").iterdir()) == [
        "defaults.yml",
        "other.yml",
        "web",
        "web.yml",
    ]
