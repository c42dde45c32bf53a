# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""One command on a build host, for a controller at the other end of an ssh connection: a program of its own.

It stands on the standard library alone, because its text is what ssh runs there, with that host's own Python. It
carries what ssh alone cannot: the exact end of the command (ssh has one number, 255, for its own failures, and none
for signals), that end as soon as it comes although something left behind holds the outputs open, and the end of the
command when the controller, or the connection to it, goes away.

Both directions are frames: one byte for the kind, four for the length, and so many bytes. The controller sends a
request (C(Q), JSON with C(argv) and C(stdin)), what the command reads (C(I)) and its end (C(E)), and then keeps the
connection open: when that ends before the command does, the command is killed. This program sends its greeting, which
is its argument and shows where the talk of login shells ends, then the outputs (C(O), C(R)), and last how the command
ended (C(X), a number) or why it did not start (C(N), an errno).
"""

from __future__ import annotations

import array
import contextlib
import fcntl
import json
import os
import select
import signal
import struct
import sys
import termios

HEADER = struct.Struct(">cI")
CHUNK_BYTES = 1 << 18

# The sizes of pipes are 64 KiB unless asked for (fcntl(2)).
F_SETPIPE_SZ = 1031


class Gone(Exception):
    """The controller is no longer there."""


class Inbox:
    """What the controller sends."""

    def __init__(self) -> None:
        self.buffer = bytearray()
        self.pending = bytearray()
        self.ended = False

    def receive(self) -> None:
        """Read once, and sort what is complete."""
        data = os.read(0, CHUNK_BYTES)
        if not data:
            raise Gone
        self.buffer += data
        for kind, payload in self.frames():
            if kind == b"I":
                self.pending += payload
            elif kind == b"E":
                self.ended = True

    def frames(self) -> list[tuple[bytes, bytes]]:
        """Take out the frames that are complete."""
        found = []
        start = 0
        while len(self.buffer) - start >= HEADER.size:
            kind, length = HEADER.unpack_from(self.buffer, start)
            end = start + HEADER.size + length
            if len(self.buffer) < end:
                break
            found.append((kind, bytes(self.buffer[start + HEADER.size : end])))
            start = end
        del self.buffer[:start]
        return found

    def request(self) -> dict[str, object]:
        """Wait for the request, which comes first. What follows it in the same read stays for later."""
        while len(self.buffer) < HEADER.size or len(self.buffer) < HEADER.size + HEADER.unpack_from(self.buffer)[1]:
            data = os.read(0, CHUNK_BYTES)
            if not data:
                raise Gone
            self.buffer += data
        (_kind, payload), *others = self.frames()
        for kind, rest in others:
            if kind == b"I":
                self.pending += rest
            else:
                self.ended = True
        request: dict[str, object] = json.loads(payload.decode())
        return request


def send(kind: bytes, payload: bytes) -> None:
    """Send a frame."""
    view = memoryview(HEADER.pack(kind, len(payload)) + payload)
    while view:
        try:
            view = view[os.write(1, view) :]
        except OSError:
            raise Gone from None


class Command:
    """The command that runs, and the pipes to it."""

    def __init__(self, argv: list[str], with_input: bool) -> None:
        inner_in, self.input = os.pipe() if with_input else (os.open(os.devnull, os.O_RDONLY), -1)
        self.out, inner_out = os.pipe()
        self.err, inner_err = os.pipe()
        failure, failed = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            execute(
                [word.encode("utf-8", "surrogateescape") for word in argv], (inner_in, inner_out, inner_err), failed
            )
        for handle in (inner_in, inner_out, inner_err, failed):
            os.close(handle)
        self.error = os.read(failure, 16)
        os.close(failure)
        if with_input:
            os.set_blocking(self.input, False)
        for handle in (self.input, self.out) if with_input else (self.out,):
            with contextlib.suppress(OSError):
                fcntl.fcntl(handle, F_SETPIPE_SZ, 1 << 20)

    def kill(self) -> None:
        """End it, and all it has started that did not leave its process group."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)


def execute(argv: list[bytes], streams: tuple[int, ...], failed: int) -> None:
    """Become the command, in a session of its own."""
    try:
        os.setsid()
        for target, handle in enumerate(streams):
            os.dup2(handle, target)
        # Python ignores these, and what is ignored stays so in the command.
        for number in (signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)
        os.execvp(argv[0], argv)  # noqa: S606 - it is what this program is for
    except OSError as exc:
        os.write(failed, b"%d" % (exc.errno or 0))
    finally:
        os._exit(127)


class Conversation:
    """Carries input and outputs until the command has ended."""

    def __init__(self, inbox: Inbox, command: Command, wakeup: int) -> None:
        self.inbox = inbox
        self.command = command
        self.wakeup = wakeup
        self.outputs = {command.out: b"O", command.err: b"R"}
        self.poller = select.poll()
        for handle in (wakeup, command.out, command.err):
            self.poller.register(handle, select.POLLIN)
        if command.input >= 0:
            self.poller.register(command.input, 0)

    def hold(self) -> int:
        """Until the end; returns the status as waitpid(2) gives it."""
        inbox, command = self.inbox, self.command
        while True:
            # Before anything is waited for: all of a short input may have come with the request.
            if command.input < 0:
                inbox.pending.clear()
            elif inbox.pending or inbox.ended:
                self.feed()
            blocked = bool(inbox.pending)
            # The controller going away is seen although nothing is read just now.
            self.poller.register(0, select.POLLRDHUP if blocked else select.POLLIN)
            if command.input >= 0:
                self.poller.register(command.input, select.POLLOUT if blocked else 0)
            for handle, events in self.poller.poll():
                status = self.handle(handle, events)
                if status is not None:
                    # What was ready to be read has been read with its end.
                    return status

    def handle(self, handle: int, events: int) -> int | None:
        """Do what an event asks for; returns the status when it was the end."""
        if handle == self.wakeup:
            if any(number != signal.SIGCHLD for number in os.read(handle, 4096)):
                raise Gone
            return self.look_for_end()
        if handle == 0:
            if not events & select.POLLIN:
                raise Gone
            self.inbox.receive()
        elif handle in self.outputs:
            data = os.read(handle, CHUNK_BYTES)
            if data:
                send(self.outputs[handle], data)
            else:
                self.poller.unregister(handle)
                del self.outputs[handle]
        elif handle == self.command.input and events & (select.POLLERR | select.POLLHUP):
            self.end_input()
        return None

    def look_for_end(self) -> int | None:
        """See whether the command has ended. What it wrote by then is sent."""
        pid, status = os.waitpid(self.command.pid, os.WNOHANG)
        if not pid:
            return None
        for output, kind in self.outputs.items():
            take_waiting(output, kind)
        return status

    def feed(self) -> None:
        """Hand on what the controller has sent for the command."""
        inbox = self.inbox
        try:
            if inbox.pending:
                written = os.write(self.command.input, bytes(inbox.pending[:CHUNK_BYTES]))
                del inbox.pending[:written]
        except BlockingIOError:
            return
        except OSError:
            # It need not read all that it is given.
            self.end_input()
            return
        if inbox.ended and not inbox.pending:
            self.end_input()

    def end_input(self) -> None:
        """The command reads no more, or there is no more to read."""
        self.poller.unregister(self.command.input)
        os.close(self.command.input)
        self.command.input = -1


def take_waiting(handle: int, kind: bytes) -> None:
    """Send what is in the pipe just now, and no more: what was left behind may write on for ever."""
    waiting = array.array("i", [0])
    fcntl.ioctl(handle, termios.FIONREAD, waiting)
    left = waiting[0]
    while left > 0:
        data = os.read(handle, min(left, CHUNK_BYTES))
        if not data:
            return
        send(kind, data)
        left -= len(data)


def main(greeting: str) -> None:
    """Run the command that the controller asks for."""
    os.write(1, greeting.encode())
    wakeup, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    for number in (signal.SIGCHLD, signal.SIGHUP, signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: None)
    inbox = Inbox()
    request = inbox.request()
    os.chdir("/")
    os.environ["BUILD_HOST_PYTHON"] = sys.executable
    command = Command(list(request["argv"]), bool(request["stdin"]))  # type: ignore[call-overload]
    if command.error:
        send(b"N", command.error)
        return
    try:
        status = Conversation(inbox, command, wakeup).hold()
    except Gone:
        command.kill()
        return
    send(b"X", b"%d" % (128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)))


__all__ = ("main",)

if __name__ == "__main__":
    with contextlib.suppress(Gone):
        main(sys.argv[1])
