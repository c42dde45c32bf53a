# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""When the agent of a sandbox is used, started, and done without.

The first module starts it; from then on it runs whatever a task runs. Where it cannot be had, or does not want to,
commands run without it, as they would have.
"""

from __future__ import annotations

import dataclasses
import socket
import typing as t

from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox.entry import DROPPED_CAPABILITIES, ENVIRONMENT
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox.state import AGENTS_DIR
from ansible_collections.bakehouse.images.plugins.plugin_utils._agent_client import NotRun, Replay, converse
from ansible_collections.bakehouse.images.plugins.plugin_utils._agent_route import AgentRoute, note_route
from ansible_collections.bakehouse.images.plugins.plugin_utils._build_host_python import call
from ansible_collections.bakehouse.images.plugins.plugin_utils._run_notes import note_age, write_note

if t.TYPE_CHECKING:
    from ansible_collections.bakehouse.images.plugins.module_utils._sandbox.state import SandboxRecord
    from ansible_collections.bakehouse.images.plugins.plugin_utils._module_payload import ModulePayload
    from ansible_collections.bakehouse.images.plugins.plugin_utils._transport import Outcome, Transport

# How long workers believe one another that no agent can be had: starting one in vain takes as long as a task.
BELIEVED_SECONDS = 60.0

# An agent may go while a command is on its way to it; then the next one is asked.
ATTEMPTS = 3


@dataclasses.dataclass(frozen=True)
class AgentAccess:
    """The agent of one sandbox, as a worker sees it.

    Args:
        idle_seconds: an agent that is started ends after so long without a command.
        say: takes a sentence for those who want to know.
        subject: under what the other workers look for the way to the agent.
    """

    transport: Transport
    record: SandboxRecord
    idle_seconds: float
    say: t.Callable[[str], None]
    subject: t.Sequence[str] = ()

    def run(
        self,
        argv: t.Sequence[str],
        user: str,
        *,
        payload: ModulePayload | None,
        stdin: bytes | Replay | None,
        stdout: t.BinaryIO | None,
    ) -> Outcome | None:
        """Run C(argv) in the agent; None when it has not been run.

        Args:
            payload: what the last word of C(argv) is, if it is that.
        """
        route = self._route()
        if not route.is_for(user, payload):
            return None
        stale = ""
        for attempt in range(ATTEMPTS):
            connection = self._reach(payload, stale, anew=attempt > 0)
            if connection is None:
                return None
            self._note(route, connection)
            try:
                request = route.request(argv, user, payload)
                outcome = converse(connection, request, stdin=stdin, stdout=stdout, direct=self.transport.is_local)
            except NotRun as exc:
                self.say(f"AGENT not used: {exc}")
                if isinstance(stdin, Replay):
                    stdin.rewind()
                if not (exc.stale or exc.gone):
                    return None
                stale = exc.stale
            else:
                self.say("AGENT used")
                return outcome
        return None

    def _reach(self, payload: ModulePayload | None, stale: str, *, anew: bool) -> socket.socket | None:
        """A connection to the agent, which a module starts where there is none; None when it cannot be had.

        Args:
            stale: the agent that a new one is to replace.
            anew: the agent has just gone, or is to go.
        """
        connection = None if anew else self._connect()
        for _attempt in range(ATTEMPTS):
            if connection:
                return connection
            if payload is None or not self._start(payload.interpreter, stale):
                return None
            connection = self._connect(is_there=True)
            if not self.transport.is_local:
                # What is in the way there is seldom that the agent has gone once more.
                break
        if connection is None:
            self._give_up("its socket cannot be reached")
        return connection

    def _connect(self, *, is_there: bool = False) -> socket.socket | None:
        return self.transport.connect(f"{AGENTS_DIR}/{self.record.name}", is_there=is_there)

    def _route(self) -> AgentRoute:
        here = self.transport.is_local
        return AgentRoute(
            socket="",
            environment=dict(self.record.environment or ENVIRONMENT),
            dropped=list(DROPPED_CAPABILITIES.values()),
            shell_too=not here or bool(self.transport.argv([])),
            holder=[self.record.pid, self.record.start_time] if here else None,
        )

    def _note(self, route: AgentRoute, connection: socket.socket) -> None:
        # Only the connection to a socket that has a name is a way that others can go.
        place = connection.getpeername() if connection.family == socket.AF_UNIX else ""
        if place and self.subject:
            note_route(route._replace(socket=place), *self.subject)

    def _start(self, interpreter: str, instead_of: str) -> bool:
        age = note_age(*self._given_up)
        if age is not None and age < BELIEVED_SECONDS:
            return False
        request = {
            "record": self.record.to_json(),
            "interpreter": interpreter,
            "idle_seconds": self.idle_seconds,
            "instead_of": instead_of,
        }
        try:
            reason = call(self.transport, None, "_sandbox.agent_start:start", request)["reason"]
        except BuildError as exc:
            reason = str(exc)
        if not reason:
            self.say("AGENT started")
            return True
        self._give_up(reason)
        return False

    @property
    def _given_up(self) -> tuple[str, ...]:
        return ("no agent", self.transport.identity, self.record.name)

    def _give_up(self, reason: str) -> None:
        """Tell the other workers that there is no use in trying, for some time."""
        self.say(f"AGENT not used: {reason}")
        write_note(reason, *self._given_up)


__all__ = ("AgentAccess",)
