# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Running commands on the build host from a controller-side plugin.

The seam between the connection and the way to the build host. A transport turns the argument list of a command
on the build host into the argument list of a process of the controller; talking to that process is the same for all.
"""

from __future__ import annotations

import abc
import array
import contextlib
import fcntl
import io
import os
import selectors
import signal
import socket
import subprocess
import sys
import termios
import threading
import typing as t

from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError, NotFound

if t.TYPE_CHECKING:
    from ansible_collections.bakehouse.images.plugins.plugin_utils._become_dialogue import Dialogue

CHUNK_BYTES = 1 << 18

# How long who listens on a socket of the build host may take to say something.
ANSWER_SECONDS = 10.0


class Outcome(t.NamedTuple):
    """How a command ended: 0 to 255, and 128 plus the signal's number when a signal ended it, as shells say it."""

    rc: int
    out: bytes
    err: bytes


class Transport(abc.ABC):
    """The way to a build host.

    Attributes:
        is_local: whether the build host is the controller, so that its /proc, /run and processes can be looked at.
        identity: tells ways to different build hosts, or as different users, apart.
        python: the words that start the build host's own Python.
        holds_dialogues: whether commands that ask for a password take C(run_dialogue). Otherwise C(argv) makes a
            command that can be talked to as it is.
    """

    is_local: bool
    identity: str
    python: t.Sequence[str]
    holds_dialogues = False

    @abc.abstractmethod
    def connect(self, path: str, *, is_there: bool = False) -> socket.socket | None:
        """A stream to the Unix socket at C(path) on the build host, with the rights of whoever logs in there.

        None when it cannot be had. Who listens there must speak first: over ssh nothing else shows that somebody does.

        Args:
            is_there: somebody is known to listen there, so that another way is to be tried where one leads to nobody.
        """

    def explain(self, lost: BuildError) -> BuildError:
        """What has become of a conversation over C(connect) that ended too early."""
        return lost

    @abc.abstractmethod
    def argv(self, argv: t.Sequence[str]) -> list[str]:
        """The controller's command that runs C(argv) on the build host."""

    def run(
        self, argv: t.Sequence[str], *, stdin: bytes | t.BinaryIO | None = None, stdout: t.BinaryIO | None = None
    ) -> Outcome:
        """Run C(argv) on the build host until it has ended.

        Returns when the command itself has ended, with all it wrote; a process that it left behind and that
        keeps its output open is not waited for.

        Args:
            stdin: bytes or an open file to feed; None closes its standard input.
            stdout: an open file that takes the output, which is then not part of the result.

        Raises:
            NotFound: the controller lacks the first command.
        """
        source = io.BytesIO(stdin) if isinstance(stdin, bytes) else stdin
        out, err = io.BytesIO(), io.BytesIO()
        # Known before it starts: a time limit may be over in the midst of that, when the process runs already.
        process: subprocess.Popen[bytes] = subprocess.Popen.__new__(subprocess.Popen)
        try:
            with killed_on_error(process, self):
                _start(process, self.argv(argv), fed=stdin is not None)
                _Conversation(process, source, stdout or out, err).hold()
        finally:
            if getattr(process, "pid", None):
                process.__exit__(None, None, None)
        rc = process.returncode
        return Outcome(rc if rc >= 0 else 128 - rc, out.getvalue(), err.getvalue())

    def run_dialogue(self, argv: t.Sequence[str], dialogue: Dialogue) -> int:
        """Run a command that asks for a password before it reads and writes its own; its status."""
        raise NotImplementedError


class LocalTransport(Transport):
    """The build host is the controller.

    Args:
        prefix: what stands before each command, such as C(sudo -n).
    """

    is_local = True
    identity = "local"
    python = (sys.executable,)

    def __init__(self, prefix: t.Sequence[str] = ()) -> None:
        self.prefix = list(prefix)

    def argv(self, argv: t.Sequence[str]) -> list[str]:
        """See Transport.argv."""
        return [*self.prefix, *argv]

    def connect(self, path: str, *, is_there: bool = False) -> socket.socket | None:
        """See Transport.connect."""
        return connect_unix(path)


def connect_unix(path: str) -> socket.socket | None:
    """A stream to the Unix socket at C(path) on the controller; None when there is none, or it refuses."""
    stream = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        stream.connect(path)
    except OSError:
        stream.close()
        return None
    return stream


def is_answered(stream: socket.socket) -> bool:
    """Whether there is somebody at the far end, who speaks first. ssh takes any connection, and ends those it cannot
    lead anywhere."""
    stream.settimeout(ANSWER_SECONDS)
    try:
        answered = bool(stream.recv(1, socket.MSG_PEEK))
    except OSError:
        answered = False
    if answered:
        stream.settimeout(None)
    else:
        stream.close()
    return answered


def _start(process: subprocess.Popen[bytes], command: t.Sequence[str], *, fed: bool) -> None:
    try:
        # Pipes, never our own files: a file descriptor is a way out of a sandbox. And a session of its own,
        # so that the image gets no way to the user's terminal.
        process.__init__(  # type: ignore[misc]
            command,
            stdin=subprocess.PIPE if fed else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except FileNotFoundError as exc:
        raise NotFound(f"The command {command[0]} is not installed on the controller.") from exc


@contextlib.contextmanager
def killed_on_error(process: subprocess.Popen[bytes], transport: Transport) -> t.Iterator[None]:
    """End the command when talking to it is given up: a task's time limit, or an interrupt."""
    try:
        yield
    except BaseException:
        if not getattr(process, "pid", None) or process.returncode is not None:
            raise
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            # It does not lead its group yet, or has ended.
            process.kill()
        except PermissionError:
            # It runs for another user (sudo).
            subprocess.run(transport.argv(["kill", "-KILL", "--", f"-{process.pid}"]), check=False)
        raise


class _Conversation:
    """Feeds a process and takes its outputs until it has ended."""

    def __init__(
        self, process: subprocess.Popen[bytes], source: t.BinaryIO | None, out: t.BinaryIO, err: t.BinaryIO
    ) -> None:
        self.process = process
        self.source = source
        self.rest = memoryview(b"")
        self.sinks = {
            stream.fileno(): sink for stream, sink in ((process.stdout, out), (process.stderr, err)) if stream
        }

    def hold(self) -> None:
        """Until the end. What the process wrote by then is taken; what it left behind may hold its outputs open
        for ever, and write on."""
        ended = end_of(self.process)
        try:
            with selectors.DefaultSelector() as selector:
                selector.register(ended, selectors.EVENT_READ)
                for fd in self.sinks:
                    selector.register(fd, selectors.EVENT_READ)
                if self.process.stdin:
                    os.set_blocking(self.process.stdin.fileno(), False)
                    selector.register(self.process.stdin.fileno(), selectors.EVENT_WRITE)
                while ended in selector.get_map():
                    for key, _events in selector.select():
                        if key.fd == ended or not self._move(key.fd):
                            selector.unregister(key.fd)
                for fd, sink in self.sinks.items():
                    if fd in selector.get_map():
                        take_waiting(fd, sink.write)
        finally:
            os.close(ended)
        close_quietly(self.process.stdin)

    def _move(self, fd: int) -> bool:
        """Read or write once; False when there is no more to come."""
        if fd in self.sinks:
            chunk = os.read(fd, CHUNK_BYTES)
            self.sinks[fd].write(chunk)
            return bool(chunk)
        if not self.rest and self.source:
            self.rest = memoryview(self.source.read(CHUNK_BYTES))
        try:
            self.rest = self.rest[os.write(fd, self.rest) :] if self.rest else self._end_of_input()
        except BlockingIOError:
            pass
        except BrokenPipeError:
            # A command need not read all it is given.
            self._end_of_input()
        return self.source is not None

    def _end_of_input(self) -> memoryview:
        self.source = None
        close_quietly(self.process.stdin)
        return memoryview(b"")


def end_of(process: subprocess.Popen[bytes]) -> int:
    """A file descriptor that becomes readable when the process has ended. A pidfd would do, where there is one."""
    reading, writing = os.pipe()

    def wait() -> None:
        process.wait()
        os.close(writing)

    threading.Thread(target=wait, daemon=True).start()
    return reading


def take_waiting(fd: int, take: t.Callable[[bytes], t.Any]) -> None:
    """Take what is in the pipe just now."""
    waiting = array.array("i", [0])
    fcntl.ioctl(fd, termios.FIONREAD, waiting)
    left = waiting[0]
    while left > 0:
        chunk = os.read(fd, left)
        if not chunk:
            return
        take(chunk)
        left -= len(chunk)


def close_quietly(stream: t.IO[bytes] | None) -> None:
    """Close a pipe that may have lost its other end."""
    if stream:
        with contextlib.suppress(BrokenPipeError):
            stream.close()


__all__ = (
    "LocalTransport",
    "Outcome",
    "Transport",
    "close_quietly",
    "connect_unix",
    "end_of",
    "is_answered",
    "killed_on_error",
    "take_waiting",
)
