# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The disk modules as a playbook runs them: check mode, for real, again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.disks import MIB, LoopDevice, MakeDevice, mounted, plant_root

CHECKOUT = Path(__file__).resolve().parents[2]


def play(folder: Path, *tasks: dict[str, Any]) -> list[dict[str, Any]]:
    """Run the tasks on this machine and return their results, in order, failed ones too."""
    playbook = folder / "play.json"
    steps = [{"ignore_errors": True, "diff": True, **task} for task in tasks]
    playbook.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": steps}]))
    env = os.environ | {
        "ANSIBLE_CONFIG": str(CHECKOUT / "ansible.cfg"),
        "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json",
        "ANSIBLE_LOCAL_TEMP": str(folder),
    }
    argv: list[str | Path] = [Path(sys.executable).with_name("ansible-playbook")]
    argv += ["--connection", "local", "--inventory", "localhost,"]
    argv += ["--extra-vars", f"ansible_python_interpreter={sys.executable}", playbook]
    done = subprocess.run(argv, cwd=CHECKOUT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout[done.stdout.index("{") :])
    return [task["hosts"]["localhost"] for task in report["plays"][0]["tasks"]]


def laid_out(device: LoopDevice, **options: Any) -> dict[str, Any]:
    partitions = [{"size": "10MiB", "filesystem": "swap"}, {"filesystem": "ext4", "mount_point": "/"}]
    return {"bakehouse.images.disk_layout": {"device": device.path, "partitions": partitions, **options}}


def test_a_disk_is_laid_out_found_and_grown(loop_device: MakeDevice, tmp_path: Path) -> None:
    device = loop_device(64 * MIB)
    path = device.path
    predicted, made, again, info, wrong, none = play(
        tmp_path,
        {"check_mode": True, **laid_out(device)},
        laid_out(device),
        laid_out(device),
        {"bakehouse.images.block_device_info": {"path": path, "wait_timeout": 0}},
        laid_out(device, table="mbr"),
        {"bakehouse.images.block_device_info": {"volume_id": "vol-0123456789abcdef0", "wait_timeout": 0}},
    )
    assert [one["changed"] for one in (predicted, made, again)] == [True, True, False]
    assert predicted["diff"] == made["diff"]
    assert predicted["device"]["partitions"] == []
    assert [one["mount_point"] for one in made["mounts"]] == ["/", None]
    assert again["device"] == made["device"] == info["device"]
    assert again["mounts"] == made["mounts"]
    assert wrong["failed"]
    assert "Set 'force' to overwrite it." in wrong["msg"]
    assert none["failed"]
    assert "there is no device of volume vol-0123456789abcdef0" in none["msg"]

    with mounted(device.partition(2), tmp_path) as top:
        plant_root(top)
    device.grow(128 * MIB)
    grow = {"bakehouse.images.filesystem_grow": {"device": path}}
    predicted, done, again = play(tmp_path, {"check_mode": True, **grow}, grow, grow)
    assert [one["changed"] for one in (predicted, done, again)] == [True, True, False]
    assert [one["grown"] for one in (predicted, done, again)] == [True, True, False]
    assert predicted["after"] == done["after"] == again["before"] == again["after"]
    assert (done["path"], done["partition"], done["filesystem"]) == (device.partition(2), 2, "ext4")
    assert done["after"]["partition_bytes"] - done["before"]["partition_bytes"] == 64 * MIB
