# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The janitor cleans up for the builds that a run has left unfinished, for no others, and no longer than was said."""

from __future__ import annotations

import dataclasses
import json
import os
import socket
import subprocess
import sys
import typing as t
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox.state import process_start_time
from ansible_collections.bakehouse.images.plugins.plugin_utils import _janitor_client
from ansible_collections.bakehouse.images.plugins.plugin_utils._janitor import (
    Build,
    Settings,
    command_line_of,
    end_workers,
    pipes_of,
    variables_of,
)

from tests.waiting import eventually

# A busy machine takes its time to start a few processes.
PATIENCE = 180

PLACES = {"api_host": "localhost", "build_hosts": ["localhost"], "directories": [], "regions": ["eu-west-1"]}

# In place of ansible-playbook: the first time, it says that it has removed something.
SWEEP = """
import json, os, sys
variables = json.loads(sys.argv[sys.argv.index("--extra-vars") + 1])
play = open(sys.argv[-1]).read()
secret = open(sys.argv[1]).read()
first = not os.path.exists("swept")
with open("swept", "a") as stream:
    stream.write(json.dumps([variables["sweep_build_ids"], secret, bool(play)]) + "\\n")
if "secret_key" in str(sys.argv):
    raise SystemExit("everybody can read it")
for word in sys.argv:
    if word.startswith("@"):
        access = [oct(os.stat(word[1:]).st_mode & 0o777), json.load(open(word[1:]))["sweep_aws_access"]["secret_key"]]
        with open("accesses", "a") as stream:
            stream.write(json.dumps([variables["sweep_build_ids"], *access]) + "\\n")
removed = [{"type": "volume", "id": "vol-1"}] if first else []
json.dump({"removed": removed, "left": [], "spared": []}, open(variables["sweep_report"], "w"))
"""


@dataclasses.dataclass
class Run:
    """Something that builds, and its janitor's socket."""

    process: subprocess.Popen[bytes]
    folder: Path

    def settings(self, **changes: t.Any) -> Settings:
        """For a janitor of this run."""
        given: dict[str, t.Any] = {
            "pid": self.process.pid,
            "start_time": process_start_time(self.process.pid) or 0,
            "command_line": "",
            "pipes": [],
            "command": [sys.executable, "-c", SWEEP, "{folder}/secret"],
            "files": {"secret": "hunter2"},
            "play": {"hosts": "localhost"},
            "environment": dict(os.environ),
            "directory": str(self.folder),
            "log": str(self.folder / "log" / "janitor.log"),
            "settle_seconds": 0.01,
        }
        return Settings(**{**given, **changes})

    def begin(self, build_id: str, *, timeout: float = 60, **changes: t.Any) -> None:
        """Begin a build."""
        build = Build(build_id, "web", PLACES, timeout, str(self.folder / f"{build_id}.json"))
        settings = self.settings(**changes)
        assert _janitor_client.begin(build, lambda: settings) == ""

    def end(self) -> None:
        """End the run, as a signal would."""
        self.process.kill()
        self.process.wait()

    def log(self) -> str:
        """What the janitor has said."""
        path = self.folder / "log/janitor.log"
        return path.read_text() if path.exists() else ""

    def report(self, build_id: str) -> dict[str, t.Any]:
        """What the janitor says of a build, when it does."""
        path = self.folder / f"{build_id}.json"
        found: dict[str, t.Any] = eventually(
            lambda: json.loads(path.read_text()) if path.exists() else {}, seconds=PATIENCE
        )
        return found

    def has_janitor(self) -> bool:
        """Whether one answers."""
        with _janitor_client._socket_path() as path, socket.socket(socket.AF_UNIX) as client:
            return client.connect_ex(path) == 0


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """A run that goes on."""
    monkeypatch.setattr(_janitor_client.SETTINGS, "DEFAULT_LOCAL_TMP", str(tmp_path))
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        run = Run(process, tmp_path)
        yield run
        process.kill()
        eventually(lambda: not run.has_janitor(), seconds=PATIENCE)


def test_builds_that_a_run_has_not_ended_are_swept_until_nothing_is_left(run: Run) -> None:
    for build_id in ("a" * 16, "b" * 16, "c" * 16):
        run.begin(build_id)
    assert _janitor_client.end("b" * 16)
    run.end()
    said = run.report("a" * 16)
    assert said["removed"] == [{"type": "volume", "id": "vol-1"}]
    assert run.report("c" * 16)["left"] == []
    swept = [json.loads(line) for line in (run.folder / "swept").read_text().splitlines()]
    assert swept == [[["a" * 16, "c" * 16], "hunter2", True]] * 2, "the second time to see that nothing is left"
    assert f"in the middle of: web ({'a' * 16}), web ({'c' * 16})" in run.log()
    assert "Removed: volume vol-1." in run.log()
    assert not (run.folder / f"{'b' * 16}.json").exists()


def test_each_sweep_calls_aws_as_its_builds_did_and_nobody_else_reads_how(run: Run) -> None:
    for build_id, secret in (("a" * 16, "one"), ("b" * 16, "two"), ("c" * 16, "one"), ("d" * 16, "")):
        build = Build(
            build_id,
            "web",
            PLACES,
            60,
            str(run.folder / build_id),
            {"sweep_aws_access": {"secret_key": secret}} if secret else {},
        )
        assert "one" not in repr(build)
        assert _janitor_client.begin(build, run.settings) == ""
    run.end()
    eventually((run.folder / ("d" * 16)).exists, seconds=PATIENCE)
    told = [json.loads(line) for line in (run.folder / "accesses").read_text().splitlines()]
    assert told[:2] == [[["a" * 16, "c" * 16], "0o600", "one"], [["b" * 16], "0o600", "two"]]
    swept = [json.loads(line)[0] for line in (run.folder / "swept").read_text().splitlines()]
    assert sorted(swept[:3]) == [["a" * 16, "c" * 16], ["b" * 16], ["d" * 16]]
    assert "one" not in run.log()


def test_the_terminal_is_told_what_was_removed(run: Run) -> None:
    reading, writing = os.openpty()
    run.begin("a" * 16, terminal=os.ttyname(writing))
    run.end()
    said = ""
    while "All that was done" not in said:
        said += os.read(reading, 4096).decode()
    assert "bakehouse: Removed: volume vol-1.\r\n" in said
    os.close(reading)
    os.close(writing)


def test_the_last_build_that_ends_ends_the_janitor(run: Run) -> None:
    run.begin("a" * 16)
    run.begin("b" * 16)
    for build_id in ("a" * 16, "b" * 16):
        assert run.has_janitor()
        assert _janitor_client.end(build_id)
    eventually(lambda: not run.has_janitor(), seconds=PATIENCE)
    run.begin("c" * 16)
    assert run.has_janitor(), "a later build has one of its own"
    assert _janitor_client.end("c" * 16)
    run.end()
    eventually(lambda: not run.has_janitor(), seconds=PATIENCE)
    assert run.log() == ""
    assert not (run.folder / "swept").exists()


def test_a_run_that_has_ended_already_is_noticed_though_its_number_is_another_ones(run: Run) -> None:
    run.begin("a" * 16, start_time=1)
    assert run.report("a" * 16)["removed"]
    assert run.process.poll() is None


def test_cleaning_up_takes_no_longer_than_said(run: Run) -> None:
    run.begin("a" * 16, timeout=1, command=[sys.executable, "-c", "import time; time.sleep(1000)"])
    run.end()
    said = run.report("a" * 16)
    assert said["removed"] == []
    assert said["left"] == ["The sweep did not come to its end."]
    assert "ansible-playbook bakehouse.images.sweep removes it" in run.log()


def test_a_janitor_that_cannot_be_started_is_said_to_be_missing(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    settings = run.settings()
    said = _janitor_client.begin(Build("a" * 16, "web", PLACES, 1), lambda: settings)
    assert "/nowhere/python" in said
    assert not _janitor_client.end("a" * 16)


# What ansible-playbook does: pipes of its own, and workers that lead sessions.
RUN = """
import os, time
made = os.pipe()
if os.fork() == 0:
    os.setsid()
    os.system("sleep 1000 & echo $$ > worker")
    time.sleep(1000)
open("began", "w").close()
time.sleep(1000)
"""


def test_workers_are_known_by_pipes_that_only_their_run_has(tmp_path: Path) -> None:
    with (
        subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as stranger,
        subprocess.Popen([sys.executable, "-c", RUN], cwd=tmp_path, stdin=stranger.stdin) as run,
    ):
        eventually((tmp_path / "began").exists, seconds=PATIENCE)
        eventually((tmp_path / "worker").exists, seconds=PATIENCE)
        pipes = pipes_of(run.pid, own=True)
        assert pipes and not pipes & pipes_of(stranger.pid), "what came from outside is not the run's own"
        holders = [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if pipes_of(pid) & pipes]
        assert run.pid in holders and len(holders) == 2
        line = command_line_of(run.pid)
        run.kill()
        run.wait()
        end_workers(pipes, "another")
        assert any(pipes_of(pid) & pipes for pid in holders), "what does not look like the run is not its worker"
        end_workers(pipes, line)
        eventually(lambda: not any(pipes_of(pid) & pipes for pid in holders), seconds=PATIENCE)
        assert stranger.poll() is None
        stranger.kill()


def test_a_sweep_is_told_of_its_builds_and_their_places_only() -> None:
    other = {**PLACES, "build_hosts": ["builder"], "directories": ["/srv/images"], "regions": []}
    builds = [Build("b" * 16, "web", PLACES, 1), Build("a" * 16, "db", other, 1)]
    assert variables_of(builds, "localhost") == {
        "sweep_api_host": "localhost",
        "sweep_build_ids": ["a" * 16, "b" * 16],
        "sweep_older_than_hours": 0,
        "sweep_build_hosts": ["localhost", "builder"],
        "sweep_directories": ["/srv/images"],
        "sweep_regions": ["eu-west-1"],
    }
