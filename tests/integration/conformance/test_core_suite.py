# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""ansible-core's own tests of connection plugins, as they are."""

from __future__ import annotations

import os
import subprocess
import typing as t
from pathlib import Path

import yaml

from tests.integration.conformance.core_sources import integration_target
from tests.integration.project import CHECKOUT


def test_the_suite_that_every_connection_of_ansible_passes(image: dict[str, t.Any], tmp_path: Path) -> None:
    suite = integration_target("connection", tmp_path)
    inventory = tmp_path / "inventory.yml"
    hosts = {
        "with-pipelining": {"ansible_pipelining": True},
        "without-pipelining": {"ansible_pipelining": False},
    }
    inventory.write_text(yaml.safe_dump({"images": {"hosts": hosts, "vars": image}}))
    variables = {
        "target_hosts": "images",
        "action_prefix": "",
        "local_tmp": str(tmp_path / "local"),
        "remote_tmp": "/var/tmp/ansible-remote",
    }
    done = subprocess.run(
        ["./test.sh", *(word for name, value in variables.items() for word in ("-e", f"{name}={value}"))],
        check=False,
        cwd=suite,
        env={
            **os.environ,
            "INVENTORY": str(inventory),
            "ANSIBLE_CONFIG": str(CHECKOUT / "ansible.cfg"),
            "ANSIBLE_NOCOLOR": "1",
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=900,
    )
    print(done.stdout, done.stderr)
    assert done.returncode == 0
    for host in hosts:
        assert f"{host} " in done.stdout and "failed=0" in done.stdout
