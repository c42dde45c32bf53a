# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the controller believes of an agent. What answers here is anything that an image may put in its place."""

from __future__ import annotations

import io
import socket
import threading

import pytest
from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox import agent_protocol as protocol
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox.agent_protocol import frame
from ansible_collections.bakehouse.images.plugins.plugin_utils._agent_client import (
    AgentDied,
    NotRun,
    Replay,
    converse,
)
from ansible_collections.bakehouse.images.plugins.plugin_utils._transport import Outcome

HELLO = frame(protocol.HELLO, b"2 token")
STARTED = HELLO + frame(protocol.STARTED)
REQUEST = protocol.Request(["/bin/true"], {})


def answered(said: bytes, stdin: bytes | Replay | None = None) -> Outcome:
    """The outcome of a conversation with something that says this, and then ends."""
    ours, theirs = socket.socketpair()

    def answer() -> None:
        with theirs:
            theirs.sendall(said)
            theirs.shutdown(socket.SHUT_WR)
            while theirs.recv(1 << 16):
                pass

    answering = threading.Thread(target=answer)
    answering.start()
    try:
        return converse(ours, REQUEST, stdin=stdin)
    finally:
        answering.join()


def test_a_command_with_its_outputs_apart() -> None:
    said = STARTED + frame(protocol.STDOUT, b"a") + frame(protocol.STDERR, b"e") + frame(protocol.STDOUT, b"b")
    assert answered(said + frame(protocol.ENDED, b"3")) == Outcome(3, b"ab", b"e")


@pytest.mark.parametrize("said", [b"", HELLO, HELLO[:3], HELLO + frame(protocol.STARTED)[:2]])
def test_what_has_not_begun_can_be_run_without_the_agent(said: bytes) -> None:
    with pytest.raises(NotRun, match="ended before") as caught:
        answered(said)
    assert caught.value.gone


@pytest.mark.parametrize("direct", [True, False])
def test_what_may_have_begun_is_not_run_again(direct: bool) -> None:
    """A connection over ssh can end with an answer on its way."""
    ours, theirs = socket.socketpair()

    def take_all() -> None:
        frames = protocol.Frames()
        with theirs:
            theirs.sendall(HELLO)
            while protocol.END_OF_INPUT not in [kind for kind, _contents in frames.feed(theirs.recv(1 << 16))]:
                pass

    answering = threading.Thread(target=take_all)
    answering.start()
    with pytest.raises(NotRun if direct else AgentDied):
        converse(ours, REQUEST, stdin=b"input", direct=direct)
    answering.join()


@pytest.mark.parametrize("said", [STARTED, STARTED + frame(protocol.STDOUT, b"half"), STARTED + b"O\0\0"])
def test_what_has_begun_is_never_run_again(said: bytes) -> None:
    with pytest.raises(AgentDied, match="ended while a command ran"):
        answered(said)


@pytest.mark.parametrize(
    "said",
    [
        b"HTTP/1.0 200 OK\r\n",
        frame(protocol.HELLO, b"1 token"),
        HELLO + frame(protocol.STDOUT, b"x"),
        HELLO + frame(protocol.REFUSED, b"\xff"),
        HELLO + frame(protocol.REFUSED, b"[]"),
        STARTED + frame(protocol.STARTED),
        STARTED + frame(b"?", b""),
        STARTED + frame(protocol.ENDED, b"-1"),
        STARTED + frame(protocol.ENDED, b"1" * 100),
        STARTED + protocol.HEADER.pack(protocol.STDOUT, 0xFFFFFFFF),
    ],
)
def test_nonsense_is_an_error_of_the_task(said: bytes) -> None:
    with pytest.raises(BuildError, match="is not one"):
        answered(said)


@pytest.mark.parametrize(("stale", "name"), [("true", "2 token"), ("false", "")])
def test_a_refusal_says_why(stale: str, name: str) -> None:
    contents = b'{"reason": "because", "stale": %s}' % stale.encode()
    with pytest.raises(NotRun, match="because") as caught:
        answered(HELLO + frame(protocol.REFUSED, contents))
    assert caught.value.stale == name


def test_an_input_that_was_refused_can_be_read_again() -> None:
    content = b"x" * (protocol.CHUNK_BYTES * 3) + b"end"
    replay = Replay(io.BytesIO(content))
    with pytest.raises(NotRun):
        answered(HELLO + frame(protocol.REFUSED, b'{"reason": "no", "stale": false}'), replay)
    replay.rewind()
    assert b"".join(iter(lambda: replay.read(1000), b"")) == content


def test_a_command_that_is_too_long_is_not_sent() -> None:
    ours, theirs = socket.socketpair()
    with theirs, pytest.raises(NotRun, match="too long"):
        converse(ours, REQUEST._replace(argv=["x" * protocol.CHUNK_BYTES]))


TEXT = b"QUJD" * 200
PAYLOAD = b"import base64\nzip = '" + TEXT + b"'\nrun(zip)\n"


def sent(payload: bytes, *known: bytes, interpreter: str | None = "/usr/bin/python3") -> list[tuple[bytes, bytes]]:
    """What an agent that knows these texts is sent after the request."""
    ours, theirs = socket.socketpair()
    names = [protocol.name_of(text) for text in known]
    theirs.sendall(frame(protocol.HELLO, b" ".join([b"2 token", *names])))
    heard: list[tuple[bytes, bytes]] = []

    def answer() -> None:
        frames = protocol.Frames()
        while (protocol.END_OF_INPUT, b"") not in heard:
            heard.extend(frames.feed(theirs.recv(1 << 16)))
        theirs.sendall(frame(protocol.STARTED) + frame(protocol.ENDED, b"0"))

    answering = threading.Thread(target=answer)
    answering.start()
    with theirs:
        converse(ours, REQUEST._replace(interpreter=interpreter), stdin=payload)
        answering.join()
    return heard[1:]


def test_a_text_that_the_agent_knows_is_not_sent_again() -> None:
    before, after = PAYLOAD.split(TEXT)
    name = protocol.name_of(TEXT)
    whole, end = (protocol.INPUT, PAYLOAD), (protocol.END_OF_INPUT, b"")
    parts = [(protocol.INPUT, before), (protocol.KNOWN, name), (protocol.INPUT, after)]
    assert sent(PAYLOAD, b"another", TEXT) == [*parts, end]
    assert sent(PAYLOAD, b"another") == [whole, end]
    assert sent(PAYLOAD, TEXT, interpreter=None) == [whole, end]
