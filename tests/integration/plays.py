# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plays on directories that hold a root file system, run as users run them."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
import typing as t
from pathlib import Path

import yaml
from ansible_collections.bakehouse.images.plugins.module_utils._run import LocalRunner
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox import state
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox.closing import close_sandbox
from ansible_collections.bakehouse.images.plugins.module_utils._wait import poll

from tests.integration.project import CHECKOUT

CHROOT = "bakehouse.images.chroot"

Tasks = list[dict[str, t.Any]]


@dataclasses.dataclass
class Ran:
    """How ansible-playbook ended."""

    rc: int
    output: str

    def recap(self, host: str) -> dict[str, int]:
        """The host's line of the recap."""
        line = next(line for line in self.output.splitlines() if line.startswith(f"{host} ") and "unreachable=" in line)
        return {name: int(count) for name, count in (word.split("=") for word in line.split(":")[1].split())}


@dataclasses.dataclass
class Playbooks:
    """Runs plays in a folder of their own.

    Attributes:
        start: the words of C(ansible), for a user who may not read this interpreter.
    """

    folder: Path
    start: tuple[str, ...] = (sys.executable, "-m", "ansible")

    def run(
        self, hosts: dict[str, dict[str, t.Any]], tasks: Tasks, *, env: dict[str, str] | None = None, **play: t.Any
    ) -> Ran:
        """One play on an inventory of these hosts; host variables are all they have."""
        inventory = self.folder / "inventory.yml"
        inventory.write_text(yaml.safe_dump({"all": {"hosts": hosts}}))
        playbook = self.folder / "playbook.yml"
        playbook.write_text(yaml.safe_dump([{"hosts": "all", "gather_facts": False, **play, "tasks": tasks}]))
        done = subprocess.run(
            [*self.start, "playbook", "-i", str(inventory), str(playbook)],
            check=False,
            env={**os.environ, "ANSIBLE_CONFIG": str(CHECKOUT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1", **(env or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=900,
        )
        return Ran(done.returncode, done.stdout + done.stderr)

    def succeed(self, hosts: dict[str, dict[str, t.Any]], tasks: Tasks, **options: t.Any) -> Ran:
        """The same, for what must end well."""
        ran = self.run(hosts, tasks, **options)
        assert ran.rc == 0, ran.output
        return ran


def forget_sandbox(root: Path) -> None:
    """Close the sandbox of a directory, should one be open."""
    close_sandbox(state.directory_name(str(root)), runner=LocalRunner())


def on(root: Path, **variables: t.Any) -> dict[str, dict[str, t.Any]]:
    """A host on the directory."""
    return {"image": {"ansible_connection": CHROOT, "ansible_chroot_root": str(root), **variables}}


def closed(root: Path) -> bool:
    """Whether the sandbox of the directory ends, now that nobody uses it."""
    record = state.read_record(state.directory_name(str(root)))
    assert record, "no sandbox was ever open on it"
    known = record
    return poll(
        lambda: None if state.is_alive(known) else True,
        timeout_seconds=120,
        delay_seconds=0.05,
        on_timeout=lambda _waited: AssertionError("the sandbox is still open"),
    )


__all__ = ("CHROOT", "Playbooks", "Ran", "Tasks", "closed", "forget_sandbox", "on")
