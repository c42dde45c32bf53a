# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Talking through an ssh process with the program that runs a command on the build host (C(_remote_command.py))."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import selectors
import struct
import subprocess
import typing as t

from ansible_collections.bakehouse.images.plugins.plugin_utils._transport import (
    CHUNK_BYTES,
    close_quietly,
    end_of,
    take_waiting,
)

HEADER = struct.Struct(">cI")

# What ssh and sudo say of themselves; more is the talk of a login shell.
MAX_COMPLAINT_BYTES = 1 << 16


class SudoPassword(t.Protocol):
    """What tells when sudo asks for a password, and whether it likes the answer: Ansible's own become plugin."""

    def check_password_prompt(self, b_output: bytes) -> bool:
        """Whether the output is the question."""
        raise NotImplementedError

    def check_incorrect_password(self, b_output: bytes) -> bool:
        """Whether the output says that the password is wrong."""
        raise NotImplementedError


@dataclasses.dataclass(frozen=True)
class Escalation:
    """How a conversation answers sudo: what sees the question, the answer, and how many seconds to wait for it."""

    plugin: SudoPassword
    password: str
    patience: float


@dataclasses.dataclass
class Heard:
    """What a conversation has brought.

    Args:
        greeted: the program on the build host was there; before that, nothing has been run.
        rc: how the command ended; None when its end was not told.
        errno: why it could not be started.
        complaint: what ssh, sudo and the login shell said.
        silent: something was waited for in vain.
    """

    greeted: bool = False
    rc: int | None = None
    errno: int | None = None
    complaint: bytes = b""
    silent: bool = False

    @property
    def is_complete(self) -> bool:
        """Whether all has been said."""
        return self.rc is not None or self.errno is not None


class Source(t.Protocol):
    """What a command reads: an open file, or something that waits for what the command says."""

    def read(self, size: int, /) -> bytes | None:
        """So much of it, nothing at its end; None when there is nothing just now."""
        raise NotImplementedError


class Sink(t.Protocol):
    """What takes an output."""

    def write(self, data: bytearray, /) -> t.Any:
        """Take some of it."""
        raise NotImplementedError


class Conversation:
    """One command, from the request to its end.

    Args:
        process: the ssh process, with pipes.
        greeting: what the program on the build host begins with.
        argv: the command.
        source: what it reads; None for nothing.
        out: takes its standard output.
        err: takes its standard error.
        escalation: when sudo may ask for a password; then nothing is sent before it has let us pass.
    """

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        greeting: bytes,
        argv: t.Sequence[str],
        *,
        source: Source | None,
        out: Sink,
        err: Sink,
        escalation: Escalation | None,
    ) -> None:
        self.process = process
        self.greeting = greeting
        self.source = source
        self.sinks: dict[bytes, Sink] = {b"O": out, b"R": err}
        self.escalation = escalation
        self.heard = Heard()
        self.received = bytearray()
        request = json.dumps({"argv": list(argv), "stdin": source is not None}).encode()
        self.waiting = memoryview(_frame(b"Q", request))
        self.answered = False
        self.stalled = False

    def hold(self) -> Heard:
        """Until the command has ended, or ssh has."""
        process = self.process
        if not (process.stdin and process.stdout and process.stderr):
            raise ValueError("an ssh process without pipes")
        stdin, stdout, stderr = (stream.fileno() for stream in (process.stdin, process.stdout, process.stderr))
        ended = end_of(process)
        os.set_blocking(stdin, False)
        try:
            with selectors.DefaultSelector() as selector:
                for fd in (ended, stdout, stderr):
                    selector.register(fd, selectors.EVENT_READ)
                while not self.heard.is_complete:
                    self._choose_writing(selector, stdin)
                    ready = [key.fd for key, _events in selector.select(self._patience())]
                    if not ready:
                        self.heard.silent = True
                        process.kill()
                        break
                    for fd in ready:
                        if fd == stdin:
                            self._send(stdin)
                        elif fd != ended and not self._hear(fd, stdout):
                            selector.unregister(fd)
                    if ended in ready:
                        self._hear_the_rest(selector, stdout, stderr)
                        break
        finally:
            os.close(ended)
        close_quietly(process.stdin)
        return self.heard

    def _patience(self) -> float | None:
        if self.escalation and not self.heard.greeted:
            return self.escalation.patience
        return getattr(self.source, "patience", None)

    def _choose_writing(self, selector: selectors.BaseSelector, stdin: int) -> None:
        """Only when there is something to write is the selector asked whether it can be written."""
        allowed = self.heard.greeted or not self.escalation
        wanted = bool(self.waiting or (self.source and not self.stalled)) and allowed
        if wanted != (stdin in selector.get_map()):
            if wanted:
                selector.register(stdin, selectors.EVENT_WRITE)
            else:
                selector.unregister(stdin)

    def _send(self, stdin: int) -> None:
        if not self.waiting and self.source:
            chunk = self.source.read(CHUNK_BYTES)
            if chunk is None:
                # A source that waits for what the command says.
                self.stalled = True
                return
            self.waiting = memoryview(_frame(b"I", chunk) if chunk else _frame(b"E", b""))
            if not chunk:
                self.source = None
        try:
            self.waiting = self.waiting[os.write(stdin, self.waiting) :]
        except BlockingIOError:
            pass
        except BrokenPipeError:
            # ssh has ended, or will.
            self.waiting, self.source = memoryview(b""), None

    def _hear(self, fd: int, stdout: int) -> bool:
        """Read once; False when there is no more to come."""
        data = os.read(fd, CHUNK_BYTES)
        self.stalled = False
        if fd == stdout:
            self._take(data)
        else:
            self._complain(data)
        return bool(data)

    def _hear_the_rest(self, selector: selectors.BaseSelector, stdout: int, stderr: int) -> None:
        """ssh has ended. A connection that it left to others may hold its outputs open, so nothing is waited for."""
        if stdout in selector.get_map():
            take_waiting(stdout, self._take)
        if stderr in selector.get_map():
            take_waiting(stderr, self._complain)
        if not self.heard.greeted:
            self._complain(bytes(self.received))

    def _take(self, data: bytes) -> None:
        self.received += data
        if not self.heard.greeted:
            head, greeting, rest = self.received.partition(self.greeting)
            if not greeting:
                return
            self._complain(bytes(head))
            self.heard.greeted = True
            self.received = rest
        start = 0
        while len(self.received) - start >= HEADER.size:
            kind, length = HEADER.unpack_from(self.received, start)
            begin = start + HEADER.size
            if len(self.received) < begin + length:
                break
            self._act(kind, self.received[begin : begin + length])
            start = begin + length
        del self.received[:start]

    def _act(self, kind: bytes, payload: bytearray) -> None:
        if kind in self.sinks:
            self.sinks[kind].write(payload)
        elif kind == b"X":
            self.heard.rc = int(payload)
        elif kind == b"N":
            self.heard.errno = int(payload)

    def _complain(self, data: bytes) -> None:
        heard = self.heard
        heard.complaint = (heard.complaint + data)[-MAX_COMPLAINT_BYTES:]
        if self.escalation and not heard.greeted:
            if self.answered and self.escalation.plugin.check_incorrect_password(heard.complaint):
                self.process.kill()
            elif not self.answered and self.escalation.plugin.check_password_prompt(heard.complaint):
                self.answered = True
                if self.process.stdin:
                    # The pipe is still empty, so this goes in as a whole.
                    os.write(self.process.stdin.fileno(), self.escalation.password.encode() + b"\n")


def _frame(kind: bytes, payload: bytes) -> bytes:
    return HEADER.pack(kind, len(payload)) + payload


def readable(complaint: bytes) -> str:
    """What ssh and sudo said, without what only says that ssh is at work."""
    lines = complaint.decode(errors="replace").replace("\r", "").splitlines()
    return "\n".join(line for line in lines if line.strip() and not re.match(r"debug\d+: ", line)).strip()


__all__ = ("Conversation", "Escalation", "Heard", "Sink", "Source", "readable")
