# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs one module or one playbook as users do, and reads what it returned."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import typing as t
from collections.abc import Mapping
from pathlib import Path

import yaml

CHECKOUT = Path(__file__).resolve().parents[2]


def environment(folder: Path, env: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of a command of Ansible, with results as JSON and its own files in a folder."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return {
        **kept,
        **(env or {}),
        "ANSIBLE_CONFIG": str(CHECKOUT / "ansible.cfg"),
        "ANSIBLE_HOME": str(folder / ".ansible"),
        "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json",
        "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
    }


def playbook_command(folder: Path, plays: t.Any, *arguments: str) -> list[str]:
    """The command that runs plays written to a folder."""
    path = folder / "playbook.yml"
    path.write_text(yaml.safe_dump(plays, sort_keys=False))
    command = [sys.executable, "-m", "ansible", "playbook", "--inventory", "localhost,"]
    return [*command, "--extra-vars", json.dumps({"ansible_python_interpreter": sys.executable}), *arguments, str(path)]


def run_module(
    folder: Path, name: str, options: dict[str, t.Any], *, check: bool = False, env: Mapping[str, str] | None = None
) -> dict[str, t.Any]:
    """Run one module on this machine. Its result has C(failed) and C(msg) when it failed."""
    task = {f"bakehouse.images.{name}": options, "ignore_errors": True}
    play = {"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": [task]}
    command = playbook_command(folder, [play], *(["--check", "--diff"] if check else []))
    done = subprocess.run(
        command,
        check=False,
        cwd=folder,
        env=environment(folder, env),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=600,
    )
    print(done.stdout, done.stderr)  # shown by pytest when the test fails
    result: dict[str, t.Any] = json.loads(done.stdout)["plays"][0]["tasks"][0]["hosts"]["localhost"]
    return result
