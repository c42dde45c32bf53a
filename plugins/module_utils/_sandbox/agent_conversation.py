# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Between a client of the agent and a process: the process's streams are carried in frames until it has ended."""

from __future__ import annotations

import array
import contextlib
import fcntl
import os
import select
import signal
import termios
import time
import typing as t

from ansible_collections.bakehouse.images.plugins.module_utils._sandbox import agent_protocol as protocol

# A process that makes others as fast as they are killed is given up after so many rounds.
KILL_ROUNDS = 200

READ = select.POLLIN
GONE = select.POLLHUP | select.POLLERR


class ClientGone(Exception):
    """Nobody waits for an answer any more."""


class Streams:
    """Pipes for the standard streams of a process: its ends, for the fork, and ours."""

    def __init__(self) -> None:
        stdin, feed = os.pipe()
        self.stdout, stdout = os.pipe()
        self.stderr, stderr = os.pipe()
        self.theirs = (stdin, stdout, stderr)
        self.feed: t.Optional[int] = feed
        os.set_blocking(feed, False)

    def close_theirs(self) -> None:
        """After the fork, in the parent."""
        for fd in self.theirs:
            os.close(fd)

    def close(self) -> None:
        """When there is no process."""
        self.close_feed()
        os.close(self.stdout)
        os.close(self.stderr)

    def close_feed(self) -> None:
        """The process has been given all."""
        if self.feed is not None:
            os.close(self.feed)
            self.feed = None


class Line:
    """The connection to the client, with what has been read of it but not looked at."""

    def __init__(self, connection: t.Any) -> None:
        self.connection = connection
        self.frames = protocol.Frames()
        self.waiting: t.List[t.Tuple[bytes, bytes]] = []

    def send(self, kind: bytes, contents: bytes = b"") -> None:
        """Send a frame.

        Raises:
            ClientGone: nobody takes it.
        """
        try:
            self.connection.sendall(protocol.frame(kind, contents))
        except OSError as exc:
            raise ClientGone from exc

    def receive(self) -> None:
        """Read once.

        Raises:
            ClientGone: the end.
            ProtocolError: the client is none.
        """
        try:
            data = self.connection.recv(protocol.CHUNK_BYTES)
        except OSError as exc:
            raise ClientGone from exc
        if not data:
            raise ClientGone
        self.waiting.extend(self.frames.feed(data))

    def next(self) -> t.Tuple[bytes, bytes]:
        """The next frame; waits for it."""
        while not self.waiting:
            self.receive()
        return self.waiting.pop(0)


class Conversation:
    """Carries the streams of the process C(pid) until it has ended.

    Args:
        wakeup: a file descriptor that becomes readable when a child has ended.
    """

    def __init__(self, line: Line, streams: Streams, pid: int, wakeup: int) -> None:
        self.line = line
        self.streams = streams
        self.pid = pid
        self.wakeup = wakeup
        self.pending = memoryview(b"")
        self.outputs = {streams.stdout: protocol.STDOUT, streams.stderr: protocol.STDERR}

    def hold(self) -> int:
        """The status of the process, as waitpid(2) gives it. All that it wrote until it ended has been sent; what it
        left behind may hold its outputs open for ever, and is not waited for.

        Raises:
            ClientGone: the client went away; the process has been killed, and all that it started.
        """
        try:
            while True:
                status = self._ended()
                if status is not None:
                    for fd in list(self.outputs):
                        self._take_waiting(fd)
                    return status
                self._move()
        except (ClientGone, protocol.ProtocolError) as exc:
            kill_session()
            raise ClientGone from exc

    def _ended(self) -> t.Optional[int]:
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        return status if pid else None

    def _move(self) -> None:
        poller = select.poll()
        poller.register(self.wakeup, READ)
        for fd in self.outputs:
            poller.register(fd, READ)
        # Not more is taken from the client than the process reads.
        if self.pending and self.streams.feed is not None:
            poller.register(self.streams.feed, select.POLLOUT)
            poller.register(self.line.connection, 0)
        else:
            poller.register(self.line.connection, READ)
        for fd, event in poller.poll():
            if fd == self.wakeup:
                with contextlib.suppress(BlockingIOError):
                    os.read(self.wakeup, 4096)
            elif fd in self.outputs:
                self._take(fd)
            elif fd == self.streams.feed:
                self._feed()
            elif event & READ:
                self.line.receive()
            elif event & GONE:
                raise ClientGone
        self._next_input()

    def _take(self, fd: int) -> None:
        data = os.read(fd, protocol.CHUNK_BYTES)
        if data:
            self.line.send(self.outputs[fd], data)
        else:
            del self.outputs[fd]

    def _take_waiting(self, fd: int) -> None:
        waiting = array.array("i", [0])
        fcntl.ioctl(fd, termios.FIONREAD, waiting)
        left = waiting[0]
        while left > 0:
            data = os.read(fd, min(left, protocol.CHUNK_BYTES))
            if not data:
                return
            self.line.send(self.outputs[fd], data)
            left -= len(data)

    def _next_input(self) -> None:
        while self.line.waiting and not self.pending:
            kind, contents = self.line.waiting.pop(0)
            if kind == protocol.END_OF_INPUT:
                self.streams.close_feed()
            elif kind != protocol.INPUT:
                raise protocol.ProtocolError("an unexpected frame")
            elif self.streams.feed is not None:
                self.pending = memoryview(contents)

    def _feed(self) -> None:
        if self.streams.feed is None:
            return
        try:
            self.pending = self.pending[os.write(self.streams.feed, self.pending) :]
        except BlockingIOError:
            return
        except BrokenPipeError:
            # A command need not read all it is given.
            self.streams.close_feed()
            self.pending = memoryview(b"")


def kill_session() -> None:
    """Kill all processes of this process's session, and all that descend from this process, but for itself."""
    me = os.getpid()
    for _round in range(KILL_ROUNDS):
        found = _relatives(me)
        for pid in found:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        if not found:
            return
        time.sleep(0.005)


def _relatives(me: int) -> t.List[int]:
    """Living processes of the session of this one, and its descendants."""
    parents: t.Dict[int, int] = {}
    related = {me}
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        with contextlib.suppress(OSError, IndexError):
            with open("/proc/%s/stat" % name, "rb") as stream:
                state, parent, _group, session = stream.read().rpartition(b")")[2].split()[:4]
            if state in (b"Z", b"X"):
                continue
            parents[int(name)] = int(parent)
            if int(session) == me:
                related.add(int(name))
    size = 0
    while size != len(related):
        size = len(related)
        related.update(pid for pid, parent in parents.items() if parent in related)
    return sorted(related - {me})


__all__ = ("ClientGone", "Conversation", "Line", "Streams", "kill_session")
