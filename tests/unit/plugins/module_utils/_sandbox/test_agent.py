# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The agent: commands, what it refuses, and what clients may do to it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import typing as t
from pathlib import Path

import pytest
from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox import agent_protocol as protocol
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox import state
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox.agent_start import launch

from tests.unit.plugins.module_utils._sandbox.agent_process import (
    ENVIRONMENT,
    Answer,
    Client,
    answer_of,
    payload_of,
    payload_request,
    send,
    shell,
    start,
)
from tests.waiting import eventually


class TestCommands:
    def test_a_command_has_its_streams_and_its_status(self, agent: Client) -> None:
        answer = agent.ask(shell("cat; echo oops >&2; exit 7"), b"in" * 300000)
        assert answer == Answer("HSX", 7, b"in" * 300000, b"oops\n", "")

    @pytest.mark.parametrize(
        ("command", "rc"), [("kill -9 $$", 137), ("kill -TERM $$", 143), ("exit 255", 255), ("/no/such", 127)]
    )
    def test_statuses_are_those_of_a_shell(self, agent: Client, command: str, rc: int) -> None:
        assert agent.ask(shell(command)).rc == rc

    def test_a_program_that_is_not_there(self, agent: Client) -> None:
        answer = agent.ask(protocol.Request(["/no/such"], ENVIRONMENT))
        assert (answer.rc, answer.err) == (127, b"/no/such: No such file or directory\n")

    def test_nothing_of_the_agent_is_open_or_set(self, agent: Client) -> None:
        answer = agent.ask(shell("ls /proc/self/fd; pwd; env | sort; cut -d' ' -f1 /proc/self/comm"))
        lines = answer.out.decode().splitlines()
        assert lines[:5] == ["0", "1", "2", "3", "/"]  # 3 is the directory that ls reads
        variables = dict(line.split("=", 1) for line in lines[5:-1])
        assert {name: variables[name] for name in ENVIRONMENT} == ENVIRONMENT
        assert set(variables) - set(ENVIRONMENT) <= {"PWD", "OLDPWD", "SHLVL", "_"}

    def test_what_a_command_leaves_behind_is_not_waited_for(self, agent: Client) -> None:
        answer = agent.ask(shell("sleep 30 & echo $!"))
        assert answer.rc == 0
        os.kill(int(answer.out), signal.SIGKILL)

    def test_a_command_need_not_read_its_input(self, agent: Client) -> None:
        assert agent.ask(shell("exit 3"), b"x" * 500000).rc == 3


class TestRefusals:
    @pytest.mark.parametrize(
        ("changes", "reason"),
        [
            ({"interpreter": "/bin/sh"}, "does not run in the interpreter /bin/sh"),
            ({"interpreter": "python-of-nowhere"}, "does not run in the interpreter python-of-nowhere"),
            ({"assignments": {"TZ": "UTC"}}, "sets TZ"),
            ({"assignments": {"PYTHONPATH": "/x"}}, "sets PYTHONPATH"),
            ({"probe": ["/bin/sh", "-c", "echo nonsense"]}, "does not tell the environment"),
            ({"user": "nobody-of-this-name"}, "no user nobody-of-this-name"),
        ],
    )
    def test_what_would_differ_is_not_run(self, agent: Client, changes: t.Dict[str, t.Any], reason: str) -> None:
        answer = agent.run(payload_of("print(1)"), **changes)
        assert answer.kinds == "HN"
        assert reason in answer.refusal

    def test_an_agent_whose_interpreter_has_changed_ends(self, tmp_path: Path) -> None:
        packages = tmp_path / "packages"
        packages.mkdir()
        agent = start(tmp_path, PYTHONPATH=str(packages))
        assert agent.run(payload_of("print(1)")).out == b"1\n"
        (packages / "new.py").write_text("")
        answer = agent.run(payload_of("print(1)"))
        assert '"stale": true' in answer.refusal
        assert str(packages) in answer.refusal
        eventually(lambda: not agent.lives())


class TestClients:
    @pytest.mark.parametrize("leave", ["in the session", "in a session of its own"])
    def test_who_goes_away_takes_all_along(self, agent: Client, leave: str) -> None:
        detached = leave == "in a session of its own"
        module = (
            "import os, subprocess, sys, time\nchild = subprocess.Popen(['sleep', '4712'], start_new_session=%r)\n"
            "print(os.getpid(), child.pid)\nsys.stdout.flush()\ntime.sleep(4712)" % detached
        )
        stream = agent.connect()
        send(stream, payload_request(), payload_of(module))
        frames = protocol.Frames()
        said: t.Dict[bytes, bytes] = {}
        while protocol.STDOUT not in said:
            said.update(frames.feed(stream.recv(1 << 16)))
        pids = [int(pid) for pid in said[protocol.STDOUT].split()]
        assert all(state.process_start_time(pid) for pid in pids)
        stream.close()
        eventually(lambda: not any(state.process_start_time(pid) for pid in pids))
        assert agent.lives()

    @pytest.mark.parametrize(
        "garbage",
        [
            b"GET / HTTP/1.0\r\n\r\n",
            b"",
            protocol.frame(protocol.INPUT, b"x"),
            protocol.frame(protocol.REQUEST, b"\xff{"),
            protocol.frame(protocol.REQUEST, b'{"argv": 1}'),
            protocol.HEADER.pack(protocol.REQUEST, 1 << 31),
        ],
    )
    def test_nonsense_ends_only_its_own_connection(self, agent: Client, garbage: bytes) -> None:
        with agent.connect() as stream:
            stream.sendall(garbage)
            stream.shutdown(socket.SHUT_WR)
            assert answer_of(stream).kinds == "H"
        assert agent.ask(shell("true")).rc == 0

    def test_an_idle_agent_ends(self, tmp_path: Path) -> None:
        agent = start(tmp_path, idle_seconds=0.2)
        assert agent.ask(shell("sleep 0.5")).rc == 0
        eventually(lambda: not agent.lives())

    @pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="only on controllers, whose Python has it")
    def test_who_has_reached_an_agent_that_ends_is_served(self, tmp_path: Path) -> None:
        with subprocess.Popen(["sleep", "300"]) as watched:
            agent = start(tmp_path, watch_pid=watched.pid)
            # While it stands still, both happen: it is to end, and clients come.
            os.kill(agent.running.pid, signal.SIGSTOP)
            eventually(lambda: b") T " in Path("/proc/%d/stat" % agent.running.pid).read_bytes())
            watched.kill()
        streams = [agent.connect() for _number in range(4)]
        for stream in streams:
            send(stream, shell("echo served"), b"")
        os.kill(agent.running.pid, signal.SIGCONT)
        assert [answer_of(stream) for stream in streams] == [Answer("HSX", 0, b"served\n", b"", "")] * 4
        for stream in streams:
            stream.close()
        eventually(lambda: not agent.lives())
        with pytest.raises(ConnectionRefusedError):
            agent.connect()


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["/bin/sh", "-c", "echo 'bad interpreter' >&2; exit 1"], "bad interpreter"),
        (["/bin/true"], "it said nothing"),
        (["/bin/sh", "-c", "echo nonsense; exec sleep 0.2"], "it said nothing"),
    ],
)
def test_what_is_no_python_is_no_agent(tmp_path: Path, argv: t.List[str], message: str) -> None:
    with socket.socket(socket.AF_UNIX) as listener, pytest.raises(BuildError, match=message):
        listener.bind(str(tmp_path / "socket"))
        listener.listen(1)
        launch(argv, listener, 300)
