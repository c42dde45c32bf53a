# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""An open sandbox, as a connection plugin uses it over a transport."""

from __future__ import annotations

import dataclasses
import os
import typing as t

from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError, NotFound, Refused
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox import entry, state
from ansible_collections.bakehouse.images.plugins.plugin_utils import _run_notes
from ansible_collections.bakehouse.images.plugins.plugin_utils._agent_client import AgentDied, Replay
from ansible_collections.bakehouse.images.plugins.plugin_utils._login import logged_in
from ansible_collections.bakehouse.images.plugins.plugin_utils._sandbox_guard import found_gone, guarded

if t.TYPE_CHECKING:
    from ansible_collections.bakehouse.images.plugins.module_utils._sandbox.state import SandboxRecord
    from ansible_collections.bakehouse.images.plugins.plugin_utils._agent import AgentAccess
    from ansible_collections.bakehouse.images.plugins.plugin_utils._module_payload import ModulePayload
    from ansible_collections.bakehouse.images.plugins.plugin_utils._transport import Outcome, Transport

SIGKILLED = 128 + 9

NO_RIGHTS = (
    "Entering an image needs root rights on the build host: ansible-playbook does not run as root, and sudo -n fails."
)
RIGHTS_HINT = (
    "Give the password for sudo (--ask-become-pass, or ansible_become_password of the build host), let sudo ask for "
    "none, or run ansible-playbook as root."
)
NO_RIGHTS_THERE = "Entering an image needs root rights on the build host, and the user who logs in there has none."
RIGHTS_HINT_THERE = "Let commands be run by sudo (become in ansible_chroot_build_host), or log in as root."


@dataclasses.dataclass
class SandboxSession:
    """Runs commands in one sandbox.

    Args:
        agent: what makes them faster, when it is wanted.
        renewed: finds, or opens, what has taken the place of a sandbox that is gone.
    """

    transport: Transport
    record: SandboxRecord
    renewed: t.Callable[[SandboxRecord], SandboxRecord] | None = None
    agent: AgentAccess | None = None

    def argv(self, argv: t.Sequence[str], *, user: str) -> list[str]:
        """The command for the build host that runs C(argv) in the image, as the user, as after a login.

        Raises:
            NotFound: the sandbox is gone. On another machine the command itself finds out; see C(found_gone).
        """
        if self.transport.is_local and not state.is_alive(self.record):
            raise NotFound(f"The sandbox {self.record.name} has been closed.")
        entering = entry.enter_argv(self.record, logged_in(user, argv), user=None if user == "root" else user)
        return entering if self.transport.is_local else guarded(self.record, entering)

    def run(
        self,
        argv: t.Sequence[str],
        *,
        user: str,
        stdin: bytes | t.BinaryIO | Replay | None = None,
        stdout: t.BinaryIO | None = None,
        payload: ModulePayload | None = None,
    ) -> Outcome:
        """Run C(argv) in the image; see Transport.run.

        Args:
            payload: the last word of C(argv), when it is the command of a piped module.

        Raises:
            NotFound: the sandbox is gone, or went while the command ran; or the image has no such user.
        """
        if self.agent:
            if not isinstance(stdin, (bytes, Replay, type(None))):
                stdin = Replay(stdin)
            ran = self._run_in_agent(self.agent, argv, user, stdin, stdout, payload)
            if ran:
                return ran
        outcome = self._enter(argv, user, t.cast("bytes | t.BinaryIO | None", stdin), stdout)
        if outcome.rc == 1 and outcome.err.decode(errors="replace").strip() == f"The image has no user {user}.":
            raise NotFound(f"The image has no user {user}.", hint="Create the user in the image first.")
        if outcome.rc == SIGKILLED and not self._is_there():
            raise self._closed()
        return outcome

    def _enter(
        self, argv: t.Sequence[str], user: str, stdin: bytes | t.BinaryIO | None, stdout: t.BinaryIO | None
    ) -> Outcome:
        start = 0 if stdin is None or isinstance(stdin, bytes) else stdin.tell()
        outcome = self.transport.run(self.argv(argv, user=user), stdin=stdin, stdout=stdout)
        if found_gone(outcome) and not self.transport.is_local:
            if not self.renewed:
                raise NotFound(f"The sandbox {self.record.name} has been closed.")
            self.record = self.renewed(self.record)
            self.agent = self.agent and dataclasses.replace(self.agent, record=self.record)
            if stdin is not None and not isinstance(stdin, bytes):
                stdin.seek(start)
            outcome = self.transport.run(self.argv(argv, user=user), stdin=stdin, stdout=stdout)
        return outcome

    def explain(self, died: AgentDied) -> BuildError:
        """Why a command has ended in its midst: with the sandbox, with the connection to the build host, or as said.

        Raises:
            BuildError: that cannot be found out, because the build host is not reached any more.
        """
        return self.transport.explain(died) if self._is_there() else self._closed()

    def _closed(self) -> NotFound:
        return NotFound(f"The sandbox {self.record.name} was closed while a command ran in it.")

    def _is_there(self) -> bool:
        if self.transport.is_local:
            return state.is_alive(self.record)
        return not found_gone(self.transport.run(guarded(self.record, ["true"])))

    def _run_in_agent(
        self,
        agent: AgentAccess,
        argv: t.Sequence[str],
        user: str,
        stdin: bytes | Replay | None,
        stdout: t.BinaryIO | None,
        payload: ModulePayload | None,
    ) -> Outcome | None:
        try:
            return agent.run(
                argv,
                user,
                payload=payload,
                stdin=stdin,
                stdout=stdout,
            )
        except AgentDied as exc:
            raise self.explain(exc) from None


def attach_to_sandbox(transport: Transport, name: str, *, closed_reason: str | None = None) -> SandboxSession:
    """The session of an open sandbox.

    Args:
        closed_reason: why it may be closed, for the error.

    Raises:
        NotFound: it is not open.
        Refused: no rights to enter sandboxes on the build host.
    """

    def find(instead_of: SandboxRecord | None) -> SandboxRecord:
        record = read_record(transport, name, again=instead_of is not None)
        if record is None or record == instead_of or (transport.is_local and not state.is_alive(record)):
            raise NotFound(f"The sandbox {name} of this image is not open (any more).", hint=closed_reason)
        return record

    return SandboxSession(transport, find(None), renewed=find)


def read_record(transport: Transport, name: str, *, again: bool = False) -> SandboxRecord | None:
    """The record, which only root can read. What another worker of this run has read need not be read again.

    Args:
        again: the record that is known is out of date.
    """
    if transport.is_local and os.geteuid() == 0:
        return state.read_record(name)
    known = None if again else known_record(transport, "sandbox", name)
    if known:
        return known
    record = _read_as_root(transport, name)
    if record:
        note_record(record, transport, "sandbox", name)
    return record


def known_record(transport: Transport, *subject: str) -> SandboxRecord | None:
    """The record that another worker of this run has noted, as far as it can be seen from here to be no dead one."""
    text = _run_notes.read_note(transport.identity, *subject)
    record = state.SandboxRecord.from_json(text) if text else None
    return None if record and transport.is_local and not state.is_alive(record) else record


def note_record(record: SandboxRecord, transport: Transport, *subject: str) -> None:
    """Note a record for the other workers of this run."""
    _run_notes.write_note(record.to_json(), transport.identity, *subject)


def _read_as_root(transport: Transport, name: str) -> SandboxRecord | None:
    here = transport.is_local
    refusal, hint = (NO_RIGHTS, RIGHTS_HINT) if here else (NO_RIGHTS_THERE, RIGHTS_HINT_THERE)
    path = state.record_path(name)
    try:
        outcome = transport.run(["cat", "--", path])
    except NotFound as exc:
        raise Refused(refusal, hint=hint) from exc
    if outcome.rc == 0:
        try:
            return state.SandboxRecord.from_json(outcome.out.decode())
        except ValueError as exc:
            raise BuildError(f"The file {path} is not the record of a sandbox: {exc}.") from exc
    message = outcome.err.decode(errors="replace").strip()
    if message.startswith("cat:") and "No such file" in message:
        return None
    raise Refused(f"{refusal} It says: {message}", hint=hint)


__all__ = (
    "NO_RIGHTS",
    "RIGHTS_HINT",
    "SandboxSession",
    "attach_to_sandbox",
    "known_record",
    "note_record",
    "read_record",
)
