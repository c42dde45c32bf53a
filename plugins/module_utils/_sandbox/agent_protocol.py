# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""What the controller and the agent of a sandbox say to each other: frames on a stream.

A frame is one byte for its kind, four for its length, and so many bytes. Neither side believes the other:
a frame that is too long, or of a kind that is not expected, ends the conversation.

The client sends C(REQUEST), and at once, without waiting for an answer, what the command reads: C(INPUT)
frames and C(END_OF_INPUT). The agent says C(HELLO) when it has accepted the connection, then either C(REFUSED)
or C(STARTED), the outputs as they come, and C(ENDED). C(STARTED) is sent before anything runs, so a command
whose C(STARTED) has not arrived has not run.

A module's payload is mostly one long text, a zip file, which is the same whenever that module runs. The agent keeps
those, and C(HELLO) names them; a client that has heard it may send C(KNOWN) with such a name in a text's place.
"""

from __future__ import annotations

import hashlib
import json
import re
import struct
import typing as t

REQUEST = b"Q"
INPUT = b"I"
KNOWN = b"K"
END_OF_INPUT = b"E"

HELLO = b"H"
REFUSED = b"N"
STARTED = b"S"
STDOUT = b"O"
STDERR = b"R"
ENDED = b"X"

VERSION = 2

# So much is read and sent at a time, and no frame is longer.
CHUNK_BYTES = 1 << 18

HEADER = struct.Struct(">cI")

# The zip file in a payload: the only text of that length in its alphabet.
LONG_TEXT = re.compile(rb"""["']([A-Za-z0-9+/]{400,}={0,2})["']""")

# So many texts are named at most, the latest.
MAX_NAMES = 512


class ProtocolError(Exception):
    """The other side does not speak this protocol."""


class Request(t.NamedTuple):
    """A command to run as it would be run without the agent.

    Args:
        argv: the command.
        environment: its variables.
        user: the image's user to become first; None for root.
        interpreter: when the command does nothing but run a program that it reads from its standard input in this
            interpreter, the interpreter; then the agent runs the program in a fork of itself.
        assignments: variables that such a command sets for its interpreter.
        probe: the same command with a program that tells its environment in place of the interpreter's own.
        dying: the same command with one that dies by the signal C(@SIGNAL@) in the interpreter's place.
        dropped: the capabilities, by number, that an ordinary user cannot gain.
    """

    argv: t.List[str]
    environment: t.Dict[str, str]
    user: t.Optional[str] = None
    interpreter: t.Optional[str] = None
    assignments: t.Dict[str, str] = {}
    probe: t.List[str] = []
    dying: t.List[str] = []
    dropped: t.List[int] = []

    def encoded(self) -> bytes:
        """The request as the contents of a frame."""
        return json.dumps(self._asdict()).encode("ascii")

    @classmethod
    def decoded(cls, payload: bytes) -> Request:
        """What C(encoded) made.

        Raises:
            ProtocolError: it is no request.
        """
        try:
            return cls(**json.loads(payload.decode("ascii")))
        except (ValueError, TypeError) as exc:
            raise ProtocolError("not a request: %s" % exc) from exc


def name_of(text: bytes) -> bytes:
    """What a long text is called."""
    return hashlib.sha256(text).hexdigest().encode("ascii")


def frame(kind: bytes, payload: bytes = b"") -> bytes:
    """The frame as bytes."""
    return HEADER.pack(kind, len(payload)) + payload


class Frames:
    """Takes frames out of what has been read so far."""

    def __init__(self) -> None:
        self.buffer = bytearray()

    def feed(self, data: bytes) -> t.Iterator[t.Tuple[bytes, bytes]]:
        """The frames that are complete with this data: kind and contents.

        Raises:
            ProtocolError: a frame is longer than any that is ever sent.
        """
        self.buffer += data
        while len(self.buffer) >= HEADER.size:
            kind, length = HEADER.unpack_from(self.buffer)
            if length > CHUNK_BYTES:
                raise ProtocolError("a frame of %d bytes" % length)
            end = HEADER.size + length
            if len(self.buffer) < end:
                return
            payload = bytes(self.buffer[HEADER.size : end])
            del self.buffer[:end]
            yield kind, payload


__all__ = (
    "CHUNK_BYTES",
    "ENDED",
    "END_OF_INPUT",
    "HELLO",
    "INPUT",
    "KNOWN",
    "LONG_TEXT",
    "MAX_NAMES",
    "REFUSED",
    "REQUEST",
    "STARTED",
    "STDERR",
    "STDOUT",
    "VERSION",
    "Frames",
    "ProtocolError",
    "Request",
    "frame",
    "name_of",
)
