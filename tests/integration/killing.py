# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Builds that are killed, and sweeps after them."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import signal
import subprocess
import typing as t
from collections.abc import Iterator
from pathlib import Path

from tests.integration.project import CHECKOUT, Project, Ran
from tests.waiting import eventually


def command_lines() -> list[str]:
    """The command lines of all processes of this machine, those in sandboxes too."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            found.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace").strip())
    return found


def environment(project: Project, **more: str) -> dict[str, str]:
    """As Project.build runs Ansible."""
    own = {"ANSIBLE_CONFIG": str(CHECKOUT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1", "PYTHONUNBUFFERED": "1"}
    return {**os.environ, **project.env, **own, "ANSIBLE_HOME": str(project.folder / ".ansible"), **more}


@dataclasses.dataclass
class Build:
    """An ansible-playbook that builds, in a session of its own."""

    process: subprocess.Popen[bytes]
    log: Path

    def wait_for_command(self, line: str) -> None:
        """Until a command with these words runs, in the image or beside it."""

        def runs() -> bool:
            assert self.process.poll() is None, self.log.read_text()
            return any(line == one or one.endswith(f" -c {line}") for one in command_lines())

        eventually(runs, seconds=300)

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Send a signal to all processes of the controller's session, and wait for ansible-playbook."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)
        self.process.wait(60)


@contextlib.contextmanager
def start_build(project: Project, *, playbook: str | None = None, **extra: t.Any) -> Iterator[Build]:
    """A build that runs while the block does."""
    command = [*project.command, "playbook", "-i", str(project.folder / "inventory.yml")]
    command += ["--extra-vars", json.dumps(extra)] if extra else []
    command.append(str(project.folder / playbook) if playbook else str(CHECKOUT / "playbooks" / "build.yml"))
    log = project.folder / "build.log"
    with (
        log.open("wb") as stream,
        subprocess.Popen(
            command,
            cwd=project.folder,
            env=environment(project),
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
        ) as process,
    ):
        build = Build(process, log)
        try:
            yield build
        finally:
            build.kill()
            print(log.read_text())  # shown by pytest when the test fails


def sweep(project: Project, *arguments: str, **extra: t.Any) -> Ran:
    """Run the playbook that sweeps."""
    return project.build(*arguments, playbook=str(CHECKOUT / "playbooks" / "sweep.yml"), **extra)
