# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The local transport, against real processes."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import typing as t
from pathlib import Path

import pytest
from ansible_collections.bakehouse.images.plugins.module_utils._errors import NotFound
from ansible_collections.bakehouse.images.plugins.plugin_utils import _transport
from ansible_collections.bakehouse.images.plugins.plugin_utils._transport import LocalTransport, Outcome

from tests.waiting import TimeIsUp, eventually, time_limit


def shell(script: str, *arguments: str, stdin: bytes | t.BinaryIO | None = None) -> Outcome:
    return LocalTransport().run(["/bin/sh", "-c", script, "sh", *arguments], stdin=stdin)


@pytest.mark.parametrize("status", [0, 1, 2, 126, 127, 128, 137, 254, 255])
def test_statuses_are_exact(status: int) -> None:
    assert shell(f"exit {status}").rc == status


def test_a_signal_is_128_and_its_number() -> None:
    assert shell("kill -KILL $$").rc == 128 + signal.SIGKILL


def test_outputs_are_kept_apart() -> None:
    assert shell("echo out; echo err >&2; exit 3") == Outcome(3, b"out\n", b"err\n")


def test_arguments_are_never_read_as_shell() -> None:
    assert shell('printf "%s|" "$@"', "a && b", "$(id)", "'", "-n\n").out == b"a && b|$(id)|'|-n\n|"


def test_input_larger_than_any_pipe_comes_back() -> None:
    data = os.urandom(5 << 20)
    assert shell("cat", stdin=data).out == data


def test_a_command_need_not_read_its_input() -> None:
    assert shell("exit 4", stdin=b"x" * (1 << 20)).rc == 4


def test_without_input_the_command_sees_its_end() -> None:
    assert shell("cat; echo done") == Outcome(0, b"done\n", b"")


def test_files_are_streamed(tmp_path: Path) -> None:
    data = os.urandom(3 << 20)
    (tmp_path / "in").write_bytes(data)
    with (tmp_path / "in").open("rb") as source, (tmp_path / "out").open("wb") as target:
        done = LocalTransport().run(["cat"], stdin=source, stdout=target)
    assert done == Outcome(0, b"", b"")
    assert (tmp_path / "out").read_bytes() == data


def end(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


def test_a_daemon_that_keeps_the_output_open_is_not_waited_for() -> None:
    done = shell("sleep 1000 & echo $!; exec echo last words")
    pid, words = done.out.splitlines()
    end(int(pid))
    assert words == b"last words"


def test_a_daemon_that_never_stops_writing_is_not_listened_to() -> None:
    done = shell("yes & echo $! >&2")
    end(int(done.err))
    assert done.rc == 0


def test_all_that_was_written_before_the_end_arrives() -> None:
    done = shell("head -c 3000000 /dev/zero; sleep 1000 & echo $! >&2")
    end(int(done.err))
    assert len(done.out) == 3000000


def test_a_command_given_up_is_ended(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    with time_limit(lambda: pid.exists() and pid.read_text()), pytest.raises(TimeIsUp):
        shell('echo $$ > "$1"; sleep 1000', str(pid))
    eventually(lambda: not Path(f"/proc/{int(pid.read_text())}").exists())


def test_the_prefix_stands_before_each_command() -> None:
    done = LocalTransport(["env", "-i", "A=1"]).run(["sh", "-c", "echo $A"])
    assert done.out == b"1\n"


def test_a_command_that_is_not_there_is_named() -> None:
    with pytest.raises(NotFound, match="sudo-of-nowhere is not installed"):
        LocalTransport(["sudo-of-nowhere"]).run(["true"])


class TestSockets:
    """Of the build host, which here is the controller."""

    def test_one_that_listens(self, tmp_path: Path) -> None:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(tmp_path / "socket"))
            listener.listen()
            stream = LocalTransport().connect(str(tmp_path / "socket"))
            assert stream
            with stream, listener.accept()[0] as accepted:
                stream.sendall(b"hello")
                assert accepted.recv(5) == b"hello"

    def test_one_that_nobody_listens_on(self, tmp_path: Path) -> None:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(tmp_path / "socket"))
        assert LocalTransport().connect(str(tmp_path / "socket")) is None

    def test_none(self, tmp_path: Path) -> None:
        assert LocalTransport().connect(str(tmp_path / "socket")) is None


def test_a_limit_that_is_over_while_a_command_starts_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[int] = []
    start = _transport._start

    def interrupted(process: subprocess.Popen[bytes], command: t.Sequence[str], *, fed: bool) -> None:
        start(process, command, fed=fed)
        started.append(process.pid)
        raise KeyboardInterrupt

    monkeypatch.setattr(_transport, "_start", interrupted)
    with pytest.raises(KeyboardInterrupt):
        LocalTransport().run(["sleep", "300"])
    with pytest.raises(ProcessLookupError):
        os.kill(started[0], 0)
