# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The modules sandbox and sandbox_info, as Ansible runs them: from a zip file that is gone soon after."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest

from tests.integration.disks import loop_disk, mounted, run, unpack

CHECKOUT = Path(__file__).resolve().parents[2]

PLAY = """
- hosts: localhost
  gather_facts: false
  module_defaults:
    bakehouse.images.sandbox: {name: "%(name)s", device: "%(device)s", build_id: 3f9c2b7d10ae4c55}
  tasks:
    - {bakehouse.images.sandbox: {}, register: predicted, check_mode: true, diff: true}
    - {bakehouse.images.sandbox: {}, register: opened}
    - {bakehouse.images.sandbox: {}, register: again}
    - {ansible.builtin.shell: "{{ opened.sandbox.enter_command }} -c '{ sleep 1000 & } >/dev/null 2>&1;
       until grep -q sleep /proc/$!/comm; do :; done; id -u'",
       register: entered}
    - {bakehouse.images.sandbox_info: {build_id: 3f9c2b7d10ae4c55, name: "%(name)s"}, register: listed}
    - {bakehouse.images.sandbox: {device: /dev/null}, register: refused, ignore_errors: true}
    - {bakehouse.images.sandbox: {state: absent}, register: would_close, check_mode: true}
    - {bakehouse.images.sandbox: {state: absent}, register: closed}
    - {bakehouse.images.sandbox: {state: absent}, register: closed_again}
    - ansible.builtin.copy:
        dest: "%(report)s"
        mode: "600"
        content: "{{ {'predicted': predicted, 'opened': opened, 'again': again, 'entered': entered, 'listed': listed,
                      'refused': refused, 'would_close': would_close, 'closed': closed, 'closed_again': closed_again}
                     | to_json }}"
"""


@pytest.fixture
def results(tmp_path: Path, debian_tarball: Path) -> dict[str, Any]:
    """What each task of the play has returned."""
    report = tmp_path / "report.json"
    with loop_disk(tmp_path / "disk.img", 640) as disk:
        run("mkfs.ext4", "-q", disk.path)
        with mounted(tmp_path / "mnt", (disk.path, "/", "")) as place:
            unpack(debian_tarball, place)
        values = {"name": f"test-{uuid.uuid4().hex[:8]}", "device": disk.path, "report": report}
        (tmp_path / "play.yml").write_text(PLAY % values)
        playbook = str(Path(sys.executable).parent / "ansible-playbook")
        argv = [playbook, "--inventory", "localhost,", "--connection", "local", str(tmp_path / "play.yml")]
        env = dict(os.environ, ANSIBLE_CONFIG=str(CHECKOUT / "ansible.cfg"), ANSIBLE_PYTHON_INTERPRETER=sys.executable)
        done = subprocess.run(argv, cwd=CHECKOUT, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, Any] = json.loads(report.read_text())
    return found


def test_the_modules_open_list_and_close(results: dict[str, Any]) -> None:
    changed = {name: result["changed"] for name, result in results.items()}
    assert changed == {
        **{"predicted": True, "opened": True, "again": False, "entered": True, "listed": False, "refused": False},
        **{"would_close": True, "closed": True, "closed_again": False},
    }
    assert "sandbox" not in results["predicted"]
    assert " on / as ext4" in results["predicted"]["diff"]["after"]
    assert results["again"]["sandbox"] == results["opened"]["sandbox"]
    assert results["opened"]["sandbox"]["os_release"]["ID"] == "debian"
    assert results["entered"]["stdout"] == "0"
    (listed,) = results["listed"]["sandboxes"]
    assert listed["open"]
    assert [one["cmd"] for one in listed["processes"]] == ["sleep 1000"]
    assert "is open on /dev/loop" in results["refused"]["msg"]
    assert [one["cmd"] for one in results["closed"]["killed"]] == ["sleep 1000"]
    assert [one["ok"] for one in results["closed"]["checked"]] == [True]
    assert results["closed"]["trimmed_bytes"] > 0
