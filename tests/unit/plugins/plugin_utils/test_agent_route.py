# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The way to an agent that one worker of a run leaves to the others."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible import constants as C
from ansible_collections.bakehouse.images.plugins.module_utils._errors import NotFound
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox import agent_protocol as protocol
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox import state
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox.agent_protocol import frame
from ansible_collections.bakehouse.images.plugins.plugin_utils._agent_client import AgentDied
from ansible_collections.bakehouse.images.plugins.plugin_utils._agent_route import (
    AgentLine,
    AgentRoute,
    connect_by_known_route,
    note_route,
)
from ansible_collections.bakehouse.images.plugins.plugin_utils._module_payload import ModulePayload
from ansible_collections.bakehouse.images.plugins.plugin_utils._transport import Outcome

HELLO = frame(protocol.HELLO, b"2 token")
STARTED = HELLO + frame(protocol.STARTED)
SUBJECT = ("sandbox", "build host", "run")
PAYLOAD = ModulePayload("/usr/bin/python3", {}, "/bin/sh", "")


@pytest.fixture(autouse=True)
def notes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(C, "DEFAULT_LOCAL_TMP", str(tmp_path))
    return tmp_path


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "agent"))
        listener.listen()
        yield listener


def route_to(listener: socket.socket, holder: list[int] | None = None) -> AgentRoute:
    return AgentRoute(listener.getsockname(), {"PATH": "/bin"}, [16], shell_too=False, holder=holder)


def this_process() -> list[int]:
    return [os.getpid(), state.process_start_time(os.getpid()) or 0]


def run(line: AgentLine, listener: socket.socket, said: bytes) -> Outcome | None:
    """Have the line run something, while who listens says this."""

    def answer() -> None:
        with listener.accept()[0] as connection:
            connection.sendall(said)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(1 << 16):
                pass

    answering = threading.Thread(target=answer)
    answering.start()
    try:
        return line.run(["true"], "root", payload=PAYLOAD, stdin=b"", stdout=None, say=lambda _sentence: None)
    finally:
        answering.join()


def connected() -> AgentLine:
    line = connect_by_known_route(*SUBJECT)
    assert line
    return line


def test_what_one_worker_notes_another_uses(listener: socket.socket) -> None:
    assert connect_by_known_route(*SUBJECT) is None
    note_route(route_to(listener, this_process()), *SUBJECT)
    assert connect_by_known_route("another", *SUBJECT[1:]) is None
    said = STARTED + frame(protocol.STDOUT, b"out") + frame(protocol.ENDED, b"3")
    assert run(connected(), listener, said) == Outcome(3, b"out", b"")


def test_a_way_that_leads_nowhere_is_not_gone_again(listener: socket.socket) -> None:
    note_route(route_to(listener, this_process()), *SUBJECT)
    assert run(connected(), listener, HELLO) is None
    assert connect_by_known_route(*SUBJECT) is None


def test_over_ssh_nothing_is_asked_of_somebody_who_says_nothing(listener: socket.socket) -> None:
    note_route(route_to(listener), *SUBJECT)
    assert run(connected(), listener, b"") is None
    assert connect_by_known_route(*SUBJECT) is None


def test_over_ssh_what_was_asked_and_not_answered_may_have_run(listener: socket.socket) -> None:
    note_route(route_to(listener), *SUBJECT)
    with pytest.raises(AgentDied, match="whether the command has run is not known"):
        run(connected(), listener, HELLO)


def test_a_way_to_a_sandbox_that_is_gone_is_none(listener: socket.socket) -> None:
    pid, start_time = this_process()
    note_route(route_to(listener, [pid, start_time + 1]), *SUBJECT)
    assert connect_by_known_route(*SUBJECT) is None


def test_a_sandbox_that_goes_meanwhile_is_told_from_an_agent_that_does(listener: socket.socket) -> None:
    note_route(route_to(listener, this_process()), *SUBJECT)
    line = connected()
    pid, start_time = this_process()
    line.route = line.route._replace(holder=[pid, start_time + 1])
    with pytest.raises(NotFound, match="was closed while a command ran"):
        run(line, listener, STARTED)


def test_a_socket_that_nobody_listens_on_is_no_way(listener: socket.socket) -> None:
    note_route(route_to(listener), *SUBJECT)
    listener.close()
    assert connect_by_known_route(*SUBJECT) is None


def test_an_ordinary_user_is_entered_as_with_no_more_capabilities(listener: socket.socket) -> None:
    route = route_to(listener)
    assert (route.request(["true"], "root", None).user, route.request(["true"], "root", None).dropped) == (None, [])
    request = route.request(["sh", "-c", "python"], "games", PAYLOAD)
    assert (request.user, request.dropped, request.interpreter) == ("games", [16], "/usr/bin/python3")
    assert request.argv[-4:] == ["games", "sh", "-c", "python"]
    assert request.probe[-3:-1] == ["sh", "-c"]


@pytest.mark.parametrize(
    ("shell_too", "user", "payload", "expected"),
    [
        (False, "root", None, False),
        (False, "root", PAYLOAD, True),
        (False, "games", None, True),
        (True, "root", None, True),
    ],
)
def test_root_s_shell_here_needs_no_agent(
    shell_too: bool, user: str, payload: ModulePayload | None, expected: bool
) -> None:
    assert AgentRoute("", {}, [], shell_too).is_for(user, payload) is expected
