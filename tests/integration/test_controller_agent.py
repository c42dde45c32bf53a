# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Modules that a build runs on the controller share one interpreter, and nobody can tell."""

from __future__ import annotations

import json
import os
import subprocess
import typing as t
from pathlib import Path

from tests.integration.module_runs import environment, playbook_command
from tests.lab_fixture import RunningLab
from tests.waiting import eventually

Results = list[dict[str, t.Any]]

# The agent of this run of ansible-playbook, as its environment tells.
FIND = "grep -lsz os[.]read $(grep -lsz LOCAL_TEMP=$ANSIBLE_LOCAL_TEMP /proc/[0-9]*/environ | sed s/environ/cmdline/)"
FIND += " | cut -d/ -f3"
# What has run a module for it ends a moment after the module.
LOOK = {"ansible.builtin.shell": f"while set -- $({FIND}); [ $# -gt 1 ]; do sleep 0.1; done; echo $*"}
KILL = {"ansible.builtin.shell": f'kill -9 $({FIND}); while [ -n "$({FIND})" ]; do sleep 0.1; done'}


def play(lab: RunningLab, folder: Path, tasks: Results, umask: int = 0o022) -> Results:
    """The results of tasks on localhost."""
    command = playbook_command(
        folder, [{"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": tasks}]
    )
    env = {**environment(folder, lab.env), "ANSIBLE_LOCAL_TEMP": str(folder / "local")}
    done = subprocess.run(
        command, check=False, cwd=folder, env=env, umask=umask, capture_output=True, text=True, timeout=600
    )
    print(done.stdout, done.stderr)  # shown by pytest when the test fails
    return [task["hosts"]["localhost"] for task in json.loads(done.stdout)["plays"][0]["tasks"]]


TELL: dict[str, t.Any] = {"bakehouse.images.instance_metadata_info": {}}


def volume(**options: t.Any) -> dict[str, t.Any]:
    return {"bakehouse.images.ec2_volume": options, "ignore_errors": True}


def test_results_are_the_same_with_it_and_without(lab: RunningLab, tmp_path: Path) -> None:
    tasks: Results = [
        TELL,
        {"bakehouse.images.ec2_source_image_info": {"image_id": "ami-00000000000000000"}, "ignore_errors": True},
        volume(build_id="not an id", state="present", zone="nowhere"),
        volume(no_such_option=1),
        {**volume(), "environment": {"AWS_REGION": "", "AWS_DEFAULT_REGION": ""}},
        {**TELL, "environment": {"AWS_EC2_METADATA_SERVICE_ENDPOINT": "x"}, "ignore_errors": True},
    ]
    # The agent has one file mode mask, so with another it is not used.
    (tmp_path / "with").mkdir()
    (tmp_path / "without").mkdir()
    *with_it, seen = play(lab, tmp_path / "with", [*tasks, LOOK])
    *without, unseen = play(lab, tmp_path / "without", [*tasks, LOOK], umask=0o027)
    assert with_it == without
    assert [bool(result.get("failed")) for result in with_it] == [False, True, True, True, True, True]
    assert seen["stdout"].isdigit()
    assert not unseen["stdout"]


def test_it_ends_with_the_run(lab: RunningLab, tmp_path: Path) -> None:
    [_, seen] = play(lab, tmp_path, [TELL, LOOK])
    eventually(lambda: not os.path.exists(f"/proc/{int(seen['stdout'])}"))
    assert not list((tmp_path / "local").glob("*/agent"))


def test_a_module_runs_without_it_when_it_is_gone(lab: RunningLab, tmp_path: Path) -> None:
    first, killed, again, seen = play(lab, tmp_path, [TELL, KILL, TELL, LOOK])
    assert (killed["rc"], seen["stdout"]) == (0, "")
    assert first == again
