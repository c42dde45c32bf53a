# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""The controller's side of a conversation with the agent of a sandbox.

What answers runs in an image, where the user's tasks are root too: nothing it says is believed. A frame has a
largest size, an answer that is none is an error of the task, and the only thing that is taken from it are bytes.
"""

from __future__ import annotations

import io
import json
import select
import socket
import typing as t

from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox import agent_protocol as protocol
from ansible_collections.bakehouse.images.plugins.plugin_utils._transport import Outcome


class Replay:
    """A stream whose first part can be read twice. More of it is not sent before it is known that the agent runs the
    command, so that it can be run without it still; and that part is sent at once, so that it costs no time."""

    def __init__(self, source: t.BinaryIO) -> None:
        self.source = source
        self.first = source.read(protocol.CHUNK_BYTES)
        self.taken = False

    def rewind(self) -> None:
        """Begin again, when no more than the first part was read."""
        self.taken = False

    def tell(self) -> int:
        """Where it begins; see seek."""
        return 0

    def seek(self, place: int) -> None:
        """Begin again, whatever was read. C(place) is what C(tell) has said."""
        self.source.seek(place)
        self.first = self.source.read(protocol.CHUNK_BYTES)
        self.taken = False

    def read(self, size: int) -> bytes:
        """See io.RawIOBase."""
        if self.taken or not self.first:
            return self.source.read(size)
        self.taken = True
        return self.first


class NotRun(Exception):
    """The agent has run nothing; the command can be run without it.

    Args:
        stale: what it calls itself, when a new one should take its place; else empty.
        gone: it ended before it had answered; another one may answer.
    """

    def __init__(self, reason: str, *, stale: str = "", gone: bool = False) -> None:
        super().__init__(reason)
        self.stale = stale
        self.gone = gone


class AgentDied(BuildError):
    """The agent ended while a command ran."""


def converse(
    connection: socket.socket,
    request: protocol.Request,
    *,
    stdin: bytes | Replay | None = None,
    stdout: t.BinaryIO | None = None,
    direct: bool = True,
) -> Outcome:
    """Have the agent run the request; see Transport.run. Closes the connection, which ends what still runs.

    Args:
        direct: nothing is between here and the agent that could end and take with it what the agent has said.

    Raises:
        NotRun: it was not run, for sure.
        BuildError: the agent ended meanwhile, or what it said made no sense.
    """
    with connection:
        if len(encoded := request.encoded()) > protocol.CHUNK_BYTES:
            raise NotRun("the command is too long")
        source = stdin if isinstance(stdin, Replay) else io.BytesIO(stdin or b"")
        conversation = _Conversation(connection, encoded, source, stdout or io.BytesIO(), direct=direct)
        conversation.is_payload = bool(request.interpreter)
        try:
            rc = conversation.hold()
        except protocol.ProtocolError as exc:
            raise BuildError(f"What answers in the place of the sandbox's agent is not one: {exc}.") from exc
        out = conversation.out.getvalue() if isinstance(conversation.out, io.BytesIO) and not stdout else b""
        return Outcome(rc, out, conversation.err.getvalue())


class _Conversation:
    def __init__(
        self,
        connection: socket.socket,
        request: bytes,
        source: Replay | io.BytesIO,
        out: t.BinaryIO,
        *,
        direct: bool,
    ) -> None:
        self.connection = connection
        self.direct = direct
        self.source: Replay | io.BytesIO | None = source
        self.rest = memoryview(protocol.frame(protocol.REQUEST, request))
        self.frames = protocol.Frames()
        self.out = out
        self.err = io.BytesIO()
        self.agent = ""
        self.is_payload = False
        self.known: frozenset[bytes] = frozenset()
        self.asked = False
        self.started = False
        self.rc: int | None = None

    def hold(self) -> int:
        """Until the command has ended; its status."""
        self.connection.setblocking(False)
        poller = select.poll()
        poller.register(self.connection)
        while self.rc is None:
            poller.modify(self.connection, select.POLLIN | (select.POLLOUT if self._has_more() else 0))
            for _fd, event in poller.poll():
                # What the agent knows is heard before anything is sent, when it is there.
                if event & ~select.POLLOUT:
                    self._receive()
                if event & select.POLLOUT:
                    self._send()
        return self.rc

    def _has_more(self) -> bool:
        if isinstance(self.source, Replay) and self.source.taken and not self.started:
            return bool(self.rest)
        return bool(self.rest or self.source)

    def _send(self) -> None:
        if not self.rest and self.source:
            chunk = self.source.read(protocol.CHUNK_BYTES)
            self.rest = memoryview(self._frames_of(chunk) if chunk else protocol.frame(protocol.END_OF_INPUT))
            if not chunk:
                self.source = None
        try:
            self.rest = self.rest[self.connection.send(self.rest) :]
            self.asked = self.asked or not self.rest
        except BlockingIOError:
            pass
        except OSError:
            # It has gone. What it said before that can still be read.
            self.rest, self.source = memoryview(b""), None

    def _frames_of(self, chunk: bytes) -> bytes:
        """Input, with its name in place of a long text that the agent knows."""
        for found in protocol.LONG_TEXT.finditer(chunk) if self.is_payload and self.known else ():
            name = protocol.name_of(found[1])
            if name in self.known:
                start, end = found.span(1)
                before, after = chunk[:start], chunk[end:]
                known = protocol.frame(protocol.INPUT, before) + protocol.frame(protocol.KNOWN, name)
                return known + protocol.frame(protocol.INPUT, after)
        return protocol.frame(protocol.INPUT, chunk)

    def _receive(self) -> None:
        try:
            data = self.connection.recv(protocol.CHUNK_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            if not self.started:
                self._end_unanswered()
            raise AgentDied(
                "The sandbox's agent ended while a command ran in it.",
                hint="A task may have killed it; ansible_chroot_agent=false runs tasks without it.",
            )
        for kind, contents in self.frames.feed(data):
            self._take(kind, contents)

    def _end_unanswered(self) -> t.NoReturn:
        """Who was there, and was asked, may have begun, when the answer can be lost on its way."""
        if self.agent and self.asked and not self.direct:
            raise AgentDied("The connection to the sandbox's agent ended; whether the command has run is not known.")
        raise NotRun("it ended before the command was started", gone=True)

    def _take(self, kind: bytes, contents: bytes) -> None:
        if not self.started:
            if kind == protocol.HELLO and contents.startswith(b"%d " % protocol.VERSION):
                version, token, *known = contents.split(b" ")
                self.agent = (version + b" " + token)[:80].decode("ascii", "replace")
                self.known = frozenset(known)
                return
            if kind == protocol.REFUSED:
                raise _refusal(contents, self.agent)
            if kind != protocol.STARTED:
                raise protocol.ProtocolError(f"it begins with a frame of kind {kind!r}")
            self.started = True
        elif kind == protocol.STDOUT:
            self.out.write(contents)
        elif kind == protocol.STDERR:
            self.err.write(contents)
        elif kind == protocol.ENDED and contents.isdigit() and len(contents) <= 3:
            self.rc = int(contents)
        else:
            raise protocol.ProtocolError(f"an unexpected frame of kind {kind!r}")


def _refusal(contents: bytes, agent: str) -> NotRun:
    try:
        said = json.loads(contents)
        return NotRun(str(said["reason"])[:200], stale=agent if said["stale"] is True else "")
    except (ValueError, TypeError, KeyError) as exc:
        raise protocol.ProtocolError("an answer that cannot be read") from exc


__all__ = ("AgentDied", "NotRun", "Replay", "converse")
