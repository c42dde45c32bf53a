# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Commands: statuses, signals, streams, and many at once."""

from __future__ import annotations

import concurrent.futures
import hashlib
import os
import shlex
import signal
import time
import typing as t

import pytest

from tests.integration.roots import connect

if t.TYPE_CHECKING:
    from ansible_collections.bakehouse.images.plugins.connection.chroot import Connection

MIB = 1 << 20

# Those that end a process that does nothing about them.
DEADLY = [
    *(signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGILL, signal.SIGTRAP, signal.SIGABRT, signal.SIGBUS),
    *(signal.SIGFPE, signal.SIGKILL, signal.SIGUSR1, signal.SIGSEGV, signal.SIGUSR2, signal.SIGPIPE, signal.SIGALRM),
    *(signal.SIGTERM, signal.SIGXCPU, signal.SIGXFSZ, signal.SIGVTALRM, signal.SIGPROF, signal.SIGSYS),
    *(signal.SIGIO, signal.SIGPWR, signal.SIGRTMIN, signal.SIGRTMAX),
]


def test_every_status_and_both_outputs(connection: Connection, way: dict[str, t.Any]) -> None:
    """Over SSH every third, for the sake of the minutes; 255 is one of them, which is also what ssh ends with."""
    for status in range(0, 256, 3 if way else 1):
        assert connection.exec_command(f"echo {status}; echo err >&2; exit {status}") == (
            status,
            f"{status}\n".encode(),
            b"err\n",
        )


def test_every_signal_that_ends_a_command(connection: Connection) -> None:
    for number in DEADLY:
        assert connection.exec_command(f"echo before; kill -{int(number)} $$") == (128 + number, b"before\n", b"")


@pytest.mark.parametrize("size", [0, 1, MIB, 300 * MIB], ids=str)
def test_input_of_any_size(connection: Connection, size: int) -> None:
    data = os.urandom(min(size, MIB)) * max(1, size // MIB)
    rc, out, err = connection.exec_command("sha256sum", in_data=data)
    assert (rc, out.split()[0].decode(), err) == (0, hashlib.sha256(data).hexdigest(), b"")


def test_streams_are_bytes(connection: Connection) -> None:
    """What a terminal, or ssh for one, would take for control characters: ^C, ^D, ^Z, CR, its own escapes."""
    data = b"\n~.\n~?\r\n\x03\x04\x1a\x00" + bytes(range(256))
    assert connection.exec_command("cat; cat /proc/self/fd/0", in_data=data) == (0, data, b"")
    assert connection.exec_command("tee /dev/stderr", in_data=data) == (0, data, data)


def test_there_is_no_terminal(connection: Connection) -> None:
    rc, out, _err = connection.exec_command("for fd in 0 1 2; do [ -t $fd ] && echo $fd; done; : < /dev/tty")
    assert (rc != 0, out) == (True, b"")


def test_large_outputs_at_the_same_time(connection: Connection) -> None:
    size = 32 * MIB
    script = f"head -c {size} /dev/zero | tr '\\0' e >&2 & head -c {size} /dev/zero | tr '\\0' o; wait"
    rc, out, err = connection.exec_command(script)
    assert (rc, len(out), out.count(b"o")) == (0, size, size)
    assert (len(err), err.count(b"e")) == (size, size)


def test_a_command_need_not_read(connection: Connection) -> None:
    assert connection.exec_command("exec 0<&-; echo done", in_data=bytes(8 * MIB)) == (0, b"done\n", b"")
    assert connection.exec_command("head -c 1", in_data=b"x" * 8 * MIB) == (0, b"x", b"")


@pytest.mark.parametrize(
    "left",
    [
        pytest.param("sleep 300 &", id="in the background"),
        pytest.param("setsid sleep 300 &", id="in a session of its own"),
        pytest.param("(setsid sleep 300 &) < /dev/null 2> /dev/null;", id="that holds only the output"),
        pytest.param("for i in $(seq 30000); do echo $i; echo $i >&2; sleep 0.01; done &", id="that writes on"),
    ],
)
def test_a_daemon_is_not_waited_for(connection: Connection, left: str) -> None:
    start = time.monotonic()
    rc, out, _err = connection.exec_command(f"{left} echo started; exit 3")
    assert (rc, b"started\n" in out) == (3, True)
    assert time.monotonic() - start < 250, "each of them takes five minutes at least"


def test_text_is_not_read_twice(connection: Connection) -> None:
    text = "汉语 'single' \"double\" $HOME `id` $(id) \\n \\\\ !! * ? ~ # %s \t;&|<>\n-n line"
    assert connection.exec_command(f"printf %s {shlex.quote(text)}") == (0, text.encode(), b"")


def test_a_long_command_line(connection: Connection) -> None:
    """One argument may have 128 KiB: the kernel's limit."""
    text = "x" * 100_000
    rc, out, _err = connection.exec_command(f"printf %s {text} | wc -c")
    assert (rc, out.strip()) == (0, b"100000")


def test_many_commands_at_once_do_not_mix(image: dict[str, t.Any]) -> None:
    """Each from a connection of its own, as the forks of Ansible have it."""

    def worker(number: int) -> list[tuple[int, bytes, bytes]]:
        mine = connect(**image)
        script = f"cat; sleep 0.0{number % 10}; echo err{number} >&2; exit {number}"
        return [mine.exec_command(script, in_data=f"in{number}.{turn}".encode()) for turn in range(5)]

    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        for number, answers in enumerate(pool.map(worker, range(20))):
            expected = [(number, f"in{number}.{turn}".encode(), f"err{number}\n".encode()) for turn in range(5)]
            assert answers == expected
