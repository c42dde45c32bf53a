# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Transfers from a registry that take long: what is said meanwhile, and what is left of one that is killed."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from tests.integration.module_runs import CHECKOUT, environment, playbook_command
from tests.integration.oci_images import LAYER, files, layer_of, publish, pull
from tests.integration.registry import TestRegistry, held_registry
from tests.integration.ssh_host import SshHost
from tests.waiting import eventually


@pytest.mark.parametrize("way", ["local", "ssh"])
def test_a_long_transfer_says_how_far_it_has_come(
    registry: TestRegistry, ssh_host: SshHost, tmp_path: Path, way: str
) -> None:
    name = registry.name()
    digest = publish(registry, name, *((layer_of(f"data/images/{one}", os.urandom(3000)), LAYER) for one in "ab"))
    last = json.loads(registry.blob(digest).read_bytes())["layers"][1]["digest"]
    play = {"hosts": "vm-host", "gather_facts": False, "tasks": [{"bakehouse.images.oci_image_pull": {
        "name": "{{ image }}", "directory": "{{ folder }}", "validate_certs": False, "progress_interval": 0.5,
    }}]}  # fmt: skip
    variables = ssh_host.variables if way == "ssh" else {"ansible_connection": "local"}
    (tmp_path / "hosts.json").write_text(json.dumps({"all": {"hosts": {"vm-host": variables}}}))
    there = ssh_host.user.home / f"pull-{uuid.uuid4().hex}"
    with held_registry(registry, last) as held, (tmp_path / "output").open("wb") as output:
        given = {
            "image": name.replace(registry.address, held.address),
            "folder": str(there),
            # What tasks leave in a user's home is what other tests look for.
            "ansible_remote_tmp": f"{there}-tmp",
            # A Python that every user of this machine can start.
            "ansible_python_interpreter": ssh_host.variables["ansible_python_interpreter"],
        }
        arguments = ("--inventory", str(tmp_path / "hosts.json"), "--extra-vars", json.dumps(given))
        command = playbook_command(tmp_path, [play], *arguments)
        env = {**environment(tmp_path), "ANSIBLE_STDOUT_CALLBACK": "default"}
        process = subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        try:
            said = re.compile(r"^\[vm-host\] downloading \S+: \S+ (bytes|KiB) of 20 KiB \(\d+ %\), \d+ s so far$", re.M)
            eventually(lambda: said.search((tmp_path / "output").read_text()) or process.poll() is not None, 300)
        finally:
            held.go_on.set()
            process.wait()
    print((tmp_path / "output").read_text())  # shown by pytest when the test fails
    assert process.returncode == 0
    assert said.search((tmp_path / "output").read_text())
    assert files(there) == ["images", "images/a", "images/b"]


PULL = """
import sys
from ansible_collections.bakehouse.images.plugins.module_utils._oci import pull, registry
from ansible_collections.bakehouse.images.plugins.module_utils._plan import apply_plan
from ansible_collections.bakehouse.images.plugins.module_utils._run import LocalRunner
access = registry.Access(validate_certs=False, retries=0)
apply_plan(pull.plan_pull(LocalRunner(), pull.PullRequest(sys.argv[1], sys.argv[2], access=access)).operations)
"""


def test_a_pull_that_is_killed_leaves_nothing_with_a_final_name(registry: TestRegistry, tmp_path: Path) -> None:
    name, there = registry.name(), tmp_path / "there"
    digest = publish(registry, name, *((layer_of(f"data/images/{one}", b"x"), LAYER) for one in "ab"))
    last = json.loads(registry.blob(digest).read_bytes())["layers"][1]["digest"]
    with held_registry(registry, last) as held:
        name = name.replace(registry.address, held.address)
        process = subprocess.Popen(
            [sys.executable, "-c", PULL, name, str(there)],
            env={**os.environ, "PYTHONPATH": str(CHECKOUT / ".collections")},
            stdin=subprocess.DEVNULL,
        )
        try:
            assert held.asked.wait(300)
            skopeo = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        finally:
            process.kill()
            process.wait()
        (left,) = (there / "images").iterdir()
        assert left.match(".oci.*.part")
        held.go_on.set()
        eventually(lambda: not any(runs(pid) for pid in skopeo))
        assert pull(there, name).operations
    assert files(there) == ["images", "images/a", "images/b"]


def runs(pid: str) -> bool:
    """Whether a process has not ended yet."""
    try:
        return Path("/proc", pid, "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
