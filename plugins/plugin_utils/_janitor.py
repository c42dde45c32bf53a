# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""The janitor of a run: a process that outlives C(ansible-playbook), should that be ended in the middle of a build.

Ansible runs neither C(rescue) nor C(always) on a signal. The janitor waits for the process that runs the builds to end.
When builds are unfinished then, it ends what workers of that run are still there, and sweeps those builds, and no
others, until nothing of them is left or its time is over. When the last build has ended by itself, it ends too.

It is told of builds over a socket in the run's own folder, and has all it needs in its memory. It imports nothing of
Ansible: what it runs then is another C(ansible-playbook).
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import select
import signal
import socket
import subprocess
import tempfile
import time
import typing as t
from pathlib import Path

# A worker sends one line, and waits for the answer.
TALK_SECONDS = 5.0
# A call that was on its way when the run ended may have made something that is only found a moment later.
SETTLE_SECONDS = 5.0
# As many sweeps at most: what a sweep cannot remove, the third will not.
SWEEPS = 3
# How long what was killed may take to be gone, and the last sweep to write its report.
GRACE_SECONDS = 10.0

Values = dict[str, t.Any]


@dataclasses.dataclass(frozen=True)
class Settings:
    """What the janitor is told when it starts.

    Attributes:
        pid, start_time: the process that runs the builds.
        command_line: of that process, and so of its workers.
        pipes: the pipes, by inode, that it has made: its workers have them open, too.
        command: the words that run a playbook, with its inventories and variables.
        files: secrets to write into private files for the command; it names them as {folder}/NAME.
        play: keywords of the play that sweeps.
        environment, directory: what the command runs in.
        log: the file that all it prints is appended to.
        terminal: the device that the run's user looks at; empty for none.
        settle_seconds: how long to wait before looking again.
    """

    pid: int
    start_time: int
    command_line: str
    pipes: list[str]
    command: list[str]
    files: dict[str, str]
    play: Values
    environment: dict[str, str]
    directory: str
    log: str
    terminal: str = ""
    settle_seconds: float = SETTLE_SECONDS


@dataclasses.dataclass(frozen=True)
class Build:
    """An unfinished build.

    Attributes:
        places: what the role C(sweep) takes as its variables, without C(sweep_).
        timeout: how many seconds its cleanup may take.
        report: the path of a JSON file that says what was removed; empty for none.
        access: the variables of the role that sweeps which say how APIs are called, and may hold secrets.
    """

    build_id: str
    image: str
    places: Values
    timeout: float
    report: str = ""
    access: Values = dataclasses.field(default_factory=dict, repr=False)

    @property
    def caller(self) -> tuple[str, str]:
        """Where calls of the API are made, and how: a sweep does both in one way."""
        return self.places["api_host"], json.dumps(self.access, sort_keys=True)


class Janitor:
    """Waits, then cleans up."""

    def __init__(self, listener: socket.socket, settings: Settings) -> None:
        self.listener = listener
        self.settings = settings
        self.builds: dict[str, Build] = {}
        self.began = False

    def serve(self) -> None:
        """Until all builds have ended, or the run has."""
        watched = open_process(self.settings.pid, self.settings.start_time)
        poller = select.poll()
        poller.register(self.listener, select.POLLIN)
        if watched is not None:
            poller.register(watched, select.POLLIN)
        while watched is not None and (self.builds or not self.began):
            ready = [fd for fd, _event in poller.poll()]
            # What a worker has said before the run ended still counts.
            if self.listener.fileno() in ready:
                self._listen()
            elif watched in ready:
                watched = None
        # While the run goes on, who comes too late to be heard starts another janitor.
        if watched is None:
            self._hear_the_rest()
        self.listener.close()
        if self.builds:
            self.clean_up()

    def _hear_the_rest(self) -> None:
        self.listener.settimeout(0)
        with contextlib.suppress(BlockingIOError):
            while True:
                self._listen()

    def _listen(self) -> None:
        connection, _address = self.listener.accept()
        with connection, contextlib.suppress(OSError, ValueError, TypeError, KeyError):
            connection.settimeout(TALK_SECONDS)
            with connection.makefile("r", encoding="utf-8") as lines:
                self._take(json.loads(lines.readline()))
            connection.sendall(b"noted\n")

    def _take(self, said: Values) -> None:
        if "begin" in said:
            build = Build(**said["begin"])
            self.builds[build.build_id] = build
            self.began = True
        else:
            self.builds.pop(said["end"], None)

    def clean_up(self) -> None:
        """Sweep the builds that are left, and say so."""
        builds = list(self.builds.values())
        deadline = time.monotonic() + max(build.timeout for build in builds)
        names = ", ".join(f"{build.image} ({build.build_id})" for build in builds)
        self._say(f"ansible-playbook (process {self.settings.pid}) has ended in the middle of: {names}. Cleaning up.")
        end_workers(self.settings.pipes, self.settings.command_line)
        reports = []
        for number in range(SWEEPS):
            if number:
                time.sleep(min(self.settings.settle_seconds, max(0.0, deadline - time.monotonic())))
            found = [self._sweep(caller, deadline) for caller in sorted({one.caller for one in builds})]
            reports += [report for report in found if report]
            # Twice, because what was on its way during the first sweep is seen by the second.
            if number and all(report is not None and not report["removed"] and not report["left"] for report in found):
                break
            if time.monotonic() >= deadline:
                break
        self._sum_up(builds, reports, found)

    def _sweep(self, caller: tuple[str, str], deadline: float) -> Values | None:
        """Run the sweep once; None when it did not come to its report."""
        builds = [one for one in self.builds.values() if one.caller == caller]
        with tempfile.TemporaryDirectory(prefix="bakehouse-") as folder:
            report = Path(folder) / "report.json"
            for name, secret in self.settings.files.items():
                write_private(Path(folder) / name, secret)
            playbook = Path(folder) / "sweep.yml"
            write_private(playbook, json.dumps([self.settings.play]))
            values = {**variables_of(builds, caller[0]), "sweep_report": str(report)}
            command = [word.replace("{folder}", folder) for word in self.settings.command]
            command += ["--extra-vars", json.dumps(values)]
            if builds[0].access:
                write_private(Path(folder) / "access.json", json.dumps(builds[0].access))
                command += ["--extra-vars", f"@{folder}/access.json"]
            command.append(str(playbook))
            self._run(command, deadline)
            with contextlib.suppress(OSError, ValueError):
                content: Values = json.loads(report.read_text(encoding="utf-8"))
                return content
        return None

    def _run(self, command: list[str], deadline: float) -> None:
        with (
            open_log(self.settings.log) as log,
            subprocess.Popen(
                command,
                cwd=self.settings.directory,
                env=self.settings.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            ) as process,
        ):
            try:
                process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGTERM)
                try:
                    process.wait(GRACE_SECONDS)
                except subprocess.TimeoutExpired:
                    os.killpg(process.pid, signal.SIGKILL)

    def _sum_up(self, builds: list[Build], reports: list[Values], last: list[Values | None]) -> None:
        removed = [one for report in reports for one in report["removed"]]
        left = [line for report in last if report for line in report["left"] + report["spared"]]
        if None in last:
            left.append("The sweep did not come to its end.")
        told = ", ".join(f"{one['type']} {one['id']}" for one in removed) or "nothing"
        self._say(f"Removed: {told}.")
        for line in left:
            self._say(f"Not cleaned up: {line}")
        if left:
            self._say("ansible-playbook bakehouse.images.sweep removes it, with the same inventory.")
        self._say(f"All that was done is in {self.settings.log}.", only_terminal=True)
        for build in builds:
            if build.report:
                content = {"build_id": build.build_id, "image_name": build.image, "removed": removed, "left": left}
                with contextlib.suppress(OSError):
                    draft = Path(f"{build.report}.{os.getpid()}.part")
                    write_private(draft, json.dumps(content, indent=2) + "\n")
                    draft.rename(build.report)

    def _say(self, line: str, *, only_terminal: bool = False) -> None:
        if not only_terminal:
            with contextlib.suppress(OSError), open_log(self.settings.log) as log:
                log.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {line}\n".encode())
        if self.settings.terminal:
            with contextlib.suppress(OSError):
                # Not to become its controlling terminal, and not to wait for one that has gone.
                handle = os.open(self.settings.terminal, os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK)
                with open(handle, "w", encoding="utf-8") as stream:
                    stream.write(f"bakehouse: {line}\n")


def open_process(pid: int, start_time: int) -> int | None:
    """A file descriptor that can be read when the process has ended; None when it has, already."""
    from ansible_collections.bakehouse.images.plugins.module_utils._sandbox.state import process_start_time

    try:
        watched = os.pidfd_open(pid)
    except ProcessLookupError:
        return None
    if process_start_time(pid) == start_time:
        return watched
    os.close(watched)
    return None


def end_workers(pipes: t.Collection[str], command_line: str) -> None:
    """Kill the workers that a run has left, with what they run on this machine.

    They are forks of the run: they look like it, and have pipes open that it has made, which no other run has. Each
    leads a session of its own, in which are the commands that it has started.
    """
    for entry in Path("/proc").glob("[0-9]*"):
        pid = int(entry.name)
        if not pipes_of(pid) & set(pipes) or command_line_of(pid) != command_line:
            continue
        with contextlib.suppress(OSError):
            if os.getsid(pid) == pid:
                os.killpg(pid, signal.SIGKILL)
            os.kill(pid, signal.SIGKILL)


def command_line_of(pid: int) -> str:
    """The words of a process, with a null byte after each; empty when it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode("utf-8", "surrogateescape")
    except OSError:
        return ""


def pipes_of(pid: int, *, own: bool = False) -> set[str]:
    """The pipes that a process has open.

    Args:
        own: only those that it has made itself: they are closed when a program is executed, so none was there before.
    """
    found = set()
    with contextlib.suppress(OSError):
        for name in os.listdir(f"/proc/{pid}/fd"):
            with contextlib.suppress(OSError, ValueError):
                target = os.readlink(f"/proc/{pid}/fd/{name}")
                if target.startswith("pipe:") and (not own or _closes_on_exec(pid, name)):
                    found.add(target)
    return found


def _closes_on_exec(pid: int, name: str) -> bool:
    text = Path(f"/proc/{pid}/fdinfo/{name}").read_text(encoding="ascii")
    flags = next(line.split()[1] for line in text.splitlines() if line.startswith("flags:"))
    return bool(int(flags, 8) & os.O_CLOEXEC)


def variables_of(builds: t.Iterable[Build], api_host: str) -> Values:
    """The variables of the role that sweeps, for these builds and no others."""
    builds = list(builds)
    values: Values = {
        "sweep_api_host": api_host,
        "sweep_build_ids": sorted(build.build_id for build in builds),
        "sweep_older_than_hours": 0,
    }
    for name in ("build_hosts", "directories", "regions"):
        values[f"sweep_{name}"] = list(dict.fromkeys(one for build in builds for one in build.places[name]))
    return values


def open_log(path: str) -> t.IO[bytes]:
    """The log, at its end."""
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    return open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600), "ab")


def write_private(path: Path, content: str) -> None:
    """Write a file that only this user can read."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with open(handle, "w", encoding="utf-8", errors="surrogateescape") as stream:
        stream.write(content)


def main(listener: int) -> None:
    """Read the settings from standard input, and serve."""
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
    with open(0, encoding="utf-8", errors="surrogateescape") as stream:
        settings = Settings(**json.loads(stream.read()))
    Janitor(socket.socket(fileno=listener), settings).serve()


__all__ = (
    "Build",
    "Janitor",
    "Settings",
    "command_line_of",
    "end_workers",
    "main",
    "open_process",
    "pipes_of",
    "variables_of",
)
