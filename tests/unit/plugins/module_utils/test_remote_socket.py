# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The program that carries a connection to a Unix socket through a session of ssh, over pipes in its place."""

from __future__ import annotations

import inspect
import os
import socket
import subprocess
import sys
import tempfile
import threading
import typing as t
from pathlib import Path

import pytest
from ansible_collections.bakehouse.images.plugins.module_utils import _remote_socket

SIZE = 8 << 20


@pytest.fixture
def listener() -> t.Iterator[socket.socket]:
    # Not in pytest's folder: the name of a socket has to be short.
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as listener:
        listener.bind(folder + "/socket")
        listener.listen()
        listener.settimeout(30)
        yield listener


class Relay:
    """The program, as ssh runs it."""

    def __init__(self, path: str) -> None:
        words = [sys.executable, "-I", "-S", "-c", inspect.getsource(_remote_socket), "hello " + path]
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def close(self) -> None:
        for stream in (self.process.stdin, self.process.stdout):
            if stream:
                stream.close()

    def read(self, size: int = -1) -> bytes:
        assert self.process.stdout
        return self.process.stdout.read(size)

    def write(self, data: bytes) -> None:
        assert self.process.stdin
        self.process.stdin.write(data)
        self.process.stdin.flush()


@pytest.fixture
def relay(listener: socket.socket) -> t.Iterator[Relay]:
    relay = Relay(listener.getsockname())
    yield relay
    relay.close()
    assert relay.process.wait(timeout=30) == 0


@pytest.fixture
def far(listener: socket.socket, relay: Relay) -> t.Iterator[socket.socket]:
    """The far end of the connection, with the greeting heard at the near one."""
    with listener.accept()[0] as stream:
        assert relay.read(5) == b"hello"
        stream.settimeout(30)
        yield stream


def received(stream: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        chunk = stream.recv(1 << 20)
        assert chunk, "it ended early"
        data += chunk
    return data


def test_much_goes_both_ways_at_once(relay: Relay, far: socket.socket) -> None:
    there, back = os.urandom(SIZE), os.urandom(SIZE)
    writers = [threading.Thread(target=relay.write, args=[there]), threading.Thread(target=far.sendall, args=[back])]
    for writer in writers:
        writer.start()
    # Neither is read before both have come to a halt, or nearly so: it does not matter.
    assert relay.read(SIZE) == back
    assert received(far, SIZE) == there
    for writer in writers:
        writer.join(30)


def test_what_was_said_last_arrives(relay: Relay, far: socket.socket) -> None:
    data = os.urandom(SIZE)

    def say() -> None:
        far.sendall(data)
        far.close()

    writer = threading.Thread(target=say)
    writer.start()
    assert relay.read() == data
    writer.join(30)
    assert relay.process.wait(timeout=30) == 0


def test_the_far_end_sees_that_the_near_one_goes(relay: Relay, far: socket.socket) -> None:
    relay.write(b"x")
    assert far.recv(10) == b"x"
    relay.close()
    assert far.recv(10) == b""


def test_it_ends_although_the_far_end_does_not_read(relay: Relay, far: socket.socket) -> None:
    assert relay.process.stdin
    handle = relay.process.stdin.fileno()
    os.set_blocking(handle, False)
    with pytest.raises(BlockingIOError):
        while True:
            os.write(handle, bytes(1 << 16))
    relay.close()
    assert relay.process.wait(timeout=30) == 0


def test_it_ends_although_the_near_end_does_not_read(relay: Relay, far: socket.socket) -> None:
    far.setblocking(False)
    with pytest.raises(BlockingIOError):
        while True:
            far.send(bytes(1 << 16))
    relay.close()
    assert relay.process.wait(timeout=30) == 0


def test_nobody_listens(tmp_path: Path) -> None:
    relay = Relay(str(tmp_path / "nothing"))
    assert relay.read() == b""
    relay.close()
    assert relay.process.wait(timeout=30) == 0
