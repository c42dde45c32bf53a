# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""The short way to a sandbox's agent that another worker of the run has found.

Each task has a worker of its own, which is new to everything: finding the build host, the sandbox and its agent, and
importing what does that, takes longer than most modules. So whoever has had a command run by an agent notes how. Where
that no longer holds, nothing has been run, and the worker goes the long way.
"""

from __future__ import annotations

import json
import typing as t

from ansible_collections.bakehouse.images.plugins.module_utils._errors import NotFound
from ansible_collections.bakehouse.images.plugins.module_utils._process_stat import process_start_time
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox.agent_protocol import Request
from ansible_collections.bakehouse.images.plugins.plugin_utils._agent_client import AgentDied, NotRun, Replay, converse
from ansible_collections.bakehouse.images.plugins.plugin_utils._login import logged_in
from ansible_collections.bakehouse.images.plugins.plugin_utils._run_notes import forget_note, read_note, write_note
from ansible_collections.bakehouse.images.plugins.plugin_utils._transport import connect_unix, is_answered

if t.TYPE_CHECKING:
    import socket

    from ansible_collections.bakehouse.images.plugins.plugin_utils._module_payload import ModulePayload
    from ansible_collections.bakehouse.images.plugins.plugin_utils._transport import Outcome


class AgentRoute(t.NamedTuple):
    """How a command gets to an agent.

    Args:
        socket: a socket of the controller that leads there.
        environment: what every command in the sandbox is run with.
        dropped: the capabilities, by number, that an ordinary user cannot gain.
        shell_too: whether root's shell commands are the agent's too. To enter the sandbox takes less time than the
            agent's fork, where there is nothing in between.
        holder: process id and start time of the sandbox's holder, where its end can be seen.
    """

    socket: str
    environment: dict[str, str]
    dropped: list[int]
    shell_too: bool
    holder: list[int] | None = None

    def is_for(self, user: str, payload: ModulePayload | None) -> bool:
        """Whether such a command is for the agent."""
        return self.shell_too or payload is not None or user != "root"

    def request(self, argv: t.Sequence[str], user: str, payload: ModulePayload | None) -> Request:
        """What the agent is to run.

        Args:
            user: the image's user, as after whose login.
            payload: what the last word of C(argv) is, if it is that.
        """
        ordinary = user != "root"
        request = Request(
            argv=logged_in(user, argv),
            environment=dict(self.environment),
            user=user if ordinary else None,
            dropped=list(self.dropped) if ordinary else [],
        )
        if payload is None:
            return request
        return request._replace(
            interpreter=payload.interpreter,
            assignments=payload.assignments,
            probe=logged_in(user, [*argv[:-1], payload.probe]),
            dying=logged_in(user, [*argv[:-1], payload.dying]),
        )

    def is_open(self) -> bool:
        """Whether the sandbox is there, as far as that can be seen from here."""
        return self.holder is None or process_start_time(self.holder[0]) == self.holder[1]


def note_route(route: AgentRoute, *subject: str) -> None:
    """Tell the other workers of this run."""
    write_note(json.dumps(route), "route", *subject)


class AgentLine:
    """A connection to an agent, for one command.

    Args:
        subject: under what the way was found.
    """

    def __init__(self, route: AgentRoute, connection: socket.socket, subject: t.Sequence[str]) -> None:
        self.route = route
        self.connection = connection
        self.subject = subject

    def run(
        self,
        argv: t.Sequence[str],
        user: str,
        *,
        payload: ModulePayload | None,
        stdin: bytes | Replay | None,
        stdout: t.BinaryIO | None,
        say: t.Callable[[str], None],
    ) -> Outcome | None:
        """Run C(argv) in the agent; None when it has not been run.

        Raises:
            NotFound: the sandbox was closed meanwhile.
            AgentDied: the agent ended meanwhile.
        """
        direct = self.route.holder is not None
        try:
            # Over ssh only who has been heard is known to be there: then what was not answered may have run.
            if not direct and not is_answered(self.connection):
                raise NotRun("nobody answers", gone=True)
            request = self.route.request(argv, user, payload)
            outcome = converse(self.connection, request, stdin=stdin, stdout=stdout, direct=direct)
        except NotRun as exc:
            say(f"AGENT not used: {exc}")
            forget_note("route", *self.subject)
            if isinstance(stdin, Replay):
                stdin.rewind()
            return None
        except AgentDied as exc:
            if not self.route.is_open():
                raise NotFound("The sandbox was closed while a command ran in it.") from exc
            raise
        say("AGENT used")
        return outcome

    def close(self) -> None:
        """There is no command."""
        self.connection.close()


def connect_by_known_route(*subject: str) -> AgentLine | None:
    """A connection on the way that another worker of this run has noted, if that still leads to an agent."""
    noted = read_note("route", *subject)
    route = AgentRoute(*json.loads(noted)) if noted else None
    if not route or not route.is_open():
        return None
    connection = connect_unix(route.socket)
    return AgentLine(route, connection, subject) if connection else None


__all__ = ("AgentLine", "AgentRoute", "connect_by_known_route", "note_route")
