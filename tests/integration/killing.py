# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Builds that are killed, and sweeps after them."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import random
import signal
import subprocess
import time
import typing as t
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from ansible_collections.bakehouse.images.plugins.module_utils._build_host_leftovers import find_leftovers
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox import state
from ansible_collections.bakehouse.images.plugins.plugin_utils._janitor import command_line_of, end_workers, pipes_of

from tests.integration.project import CHECKOUT, Project, Ran
from tests.waiting import eventually

#: The files of the role's steps, in order: where each begins, a build can be killed.
STEPS = (
    "volume.yml",
    "attach.yml",
    "device.yml",
    "prepare.yml",
    "sandbox.yml",
    "provision.yml",
    "seal.yml",
    "detach.yml",
    "snapshot.yml",
    "register.yml",
    "distribute.yml",
    "cleanup.yml",
)

#: Whom a kill meets: ansible-playbook, what holds the sandbox on the build host, or these, all workers and the janitor.
SIDES = ("controller", "build host", "both")


def command_lines() -> list[str]:
    """The command lines of all processes of this machine, those in sandboxes too."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            found.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace").strip())
    return found


def environment(project: Project, **more: str) -> dict[str, str]:
    """As Project.build runs Ansible, with output that is there as soon as it is printed."""
    own = {"ANSIBLE_CONFIG": str(CHECKOUT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1", "PYTHONUNBUFFERED": "1"}
    return {**os.environ, **project.env, **own, "ANSIBLE_HOME": str(project.folder / ".ansible"), **more}


@dataclasses.dataclass
class Build:
    """An ansible-playbook that builds, in a session of its own."""

    process: subprocess.Popen[bytes]
    project: Project
    log: Path

    def wait_for_command(self, line: str) -> None:
        """Until a command with these words runs, in the image or beside it."""
        self.wait_until(lambda: any(line == one or one.endswith(f" -c {line}") for one in command_lines()))

    def wait_for_step(self, file: str) -> None:
        """Until a step begins, or the build has ended without it."""
        # Whole words: "sandbox.yml" is no step's file but that one's.
        self.wait_until(lambda: f"/{file} for " in self.log.read_text() or self.process.poll() is not None)

    def wait_until(self, check: Callable[[], bool]) -> None:
        """Until something is so, while the build runs."""
        eventually(lambda: check() or self.process.poll() is not None, seconds=300)
        assert check(), self.log.read_text()

    def janitors(self) -> list[int]:
        """The janitors of this run, by what they inherit from it."""
        home = f"ANSIBLE_HOME={self.project.folder / '.ansible'}".encode()
        found = []
        for path in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                is_janitor = b"_janitor import main" in (path / "cmdline").read_bytes()
                if is_janitor and home in (path / "environ").read_bytes().split(b"\0"):
                    found.append(int(path.name))
        return found

    def end(self, number: int = signal.SIGKILL) -> None:
        """Send a signal to ansible-playbook alone, and wait for its end."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.process.pid, number)
        self.process.wait(120)

    def kill(self, side: str, names: Sequence[str] = ()) -> None:
        """Kill one side of the build, or both.

        Args:
            names: of the sandboxes.
        """
        if side == "both":
            pipes, line = pipes_of(self.process.pid, own=True), command_line_of(self.process.pid)
            for janitor in self.janitors():
                os.kill(janitor, signal.SIGKILL)
            self.end()
            end_workers(pipes, line)
        elif side == "controller":
            self.end()
        if side != "controller":
            for record in [one for one in state.list_records() if one.name in names and state.is_alive(one)]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(record.pid, signal.SIGKILL)
        self.process.wait(600)

    def is_looked_after(self) -> bool:
        """Whether a janitor is still at work."""
        return bool(self.janitors())


@contextlib.contextmanager
def start_build(project: Project, *arguments: str, playbook: str | None = None, **extra: t.Any) -> Iterator[Build]:
    """A build that runs while the block does."""
    command = [*project.command, "playbook", "-i", str(project.folder / "inventory.yml"), *arguments]
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
        build = Build(process, project, log)
        try:
            yield build
        finally:
            build.end()
            eventually(lambda: not build.is_looked_after(), seconds=600)
            print(log.read_text())  # shown by pytest when the test fails
            for said in (project.folder / ".ansible/bakehouse").glob("*.log"):
                print(said.read_text())


def sweep(project: Project, *arguments: str, **extra: t.Any) -> Ran:
    """Run the playbook that sweeps."""
    return project.build(*arguments, playbook=str(CHECKOUT / "playbooks" / "sweep.yml"), **extra)


@dataclasses.dataclass(frozen=True)
class Moment:
    """When a build is killed, and what: so long after a step has begun."""

    step: str
    side: str
    after: float = 0


def moments(seed: int, count: int) -> list[Moment]:
    """Moments at random, the same for the same seed."""
    chance = random.Random(seed)
    return [Moment(chance.choice(STEPS), chance.choice(SIDES), round(chance.uniform(0, 2), 2)) for _ in range(count)]


@dataclasses.dataclass
class Matrix:
    """Kills a build of one image at a moment, sweeps, and builds again.

    Attributes:
        build_ids: the builds that have left something.
        artifacts: the finished images.
        left: what is left of builds.
    """

    project: Project
    build_ids: Callable[[], set[str]]
    artifacts: Callable[[], list[str]]
    left: Callable[[], list[str]]

    def play(self, moment: Moment) -> None:
        """Kill, sweep: nothing is left. Build again: one image."""
        with start_build(self.project) as build:
            build.wait_for_step(moment.step)
            time.sleep(moment.after)
            build.kill(moment.side, sorted(self.build_ids()))
        # What was on its way when everything was killed may arrive a moment later.
        for _attempt in range(3):
            build_ids = sorted(self.build_ids())
            if build_ids:
                swept = sweep(self.project, sweep_build_ids=build_ids)
                assert swept.rc == 0, (moment, swept)
        assert self.left() == [], moment
        assert len(self.artifacts()) <= 1, moment
        again = self.project.build()
        assert again.rc == 0, (moment, again)
        assert len(self.artifacts()) == 1, moment
        assert self.left() == [], moment


def local_build_ids(folder: Path) -> set[str]:
    """The builds that have left something in a folder, or in sandboxes on its files."""
    return {one.build_id for one in find_leftovers([str(folder)]) if str(folder) in one.id or str(folder) in one.state}
