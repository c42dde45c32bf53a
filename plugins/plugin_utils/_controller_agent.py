# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""An agent on the controller, for modules that a build runs there.

A module that talks to a cloud spends most of its time on starting Python and importing that cloud's SDK. The agent
has done both. It is the one that runs in sandboxes, started outside of any, by the first of these modules; it ends
with C(ansible-playbook). Where it cannot be had, modules run without it.
"""

from __future__ import annotations

import contextlib
import os
import socket
import typing as t

from ansible import constants as C
from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox.agent_protocol import Request
from ansible_collections.bakehouse.images.plugins.plugin_utils._agent_client import NotRun, converse
from ansible_collections.bakehouse.images.plugins.plugin_utils._module_payload import ModulePayload, recognise
from ansible_collections.bakehouse.images.plugins.plugin_utils._run_notes import locked
from ansible_collections.bakehouse.images.plugins.plugin_utils._transport import connect_unix

if t.TYPE_CHECKING:
    from ansible.plugins.connection import ConnectionBase

Result = tuple[int, bytes, bytes]

# What the SDKs need in every module, and what takes them long.
IMPORTS = ("boto3", "botocore.client", "botocore.endpoint", "botocore.session", "botocore.waiter")

IDLE_SECONDS = 600.0

# The file mode mask that the agent gives to modules.
UMASK = 0o022

IN_DIRECTORY = 'cd -- "$1" && shift && exec "$@"'

# Ansible's settings are attributes made when it starts, which no type checker sees.
SETTINGS: t.Any = C


def use_agent(connection: ConnectionBase) -> None:
    """Have this task's connection run modules in the agent, where it leads to the controller itself."""
    if connection.transport != "local" or _umask() != UMASK:
        return
    plain = connection.exec_command

    def exec_command(cmd: str, in_data: bytes | None = None, sudoable: bool = True) -> Result:
        payload = recognise(cmd, in_data)
        result = _run(cmd, payload, in_data or b"") if payload else None
        return result or plain(cmd, in_data=in_data, sudoable=sudoable)

    # Only what comes over standard input is a payload. Nothing is in the way of that here: no password is asked for.
    connection.set_option("pipelining", True)
    connection.exec_command = exec_command  # type: ignore[method-assign]


def _run(cmd: str, payload: ModulePayload, stdin: bytes) -> Result | None:
    """Run the payload in the agent; None when it has not been run."""
    agent = _connect() or _start(payload.interpreter)
    if agent is None:
        return None
    request = Request(
        argv=_here(cmd),
        environment=dict(os.environ),
        interpreter=payload.interpreter,
        assignments=payload.assignments,
        probe=_here(payload.probe),
        dying=_here(payload.dying),
    )
    try:
        outcome = converse(agent, request, stdin=stdin)
    except NotRun:
        return None
    return outcome.rc, outcome.out, outcome.err


def _here(command: str) -> list[str]:
    """As the local connection runs a command: by the shell, in the current directory."""
    return ["/bin/sh", "-c", IN_DIRECTORY, "sh", os.getcwd(), "/bin/sh", "-c", command]


def _connect() -> socket.socket | None:
    with _socket_path() as path:
        return connect_unix(path)


def _start(interpreter: str) -> socket.socket | None:
    """Start the agent, unless another worker has done so meanwhile, or it was tried in vain."""
    # What starts agents is not needed by the tasks that find one.
    from ansible_collections.bakehouse.images.plugins.module_utils._sandbox.agent_start import START_ARGUMENTS, launch

    with _socket_path() as path, locked("agent"):
        agent = _connect()
        if agent or os.path.exists(path):
            return agent
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path)
            os.chmod(path, 0o600)
            listener.listen()
            argv = [interpreter, *START_ARGUMENTS]
            with contextlib.suppress(BuildError):
                # A worker's parent is the ansible-playbook process.
                launch(argv, listener, IDLE_SECONDS, imports=IMPORTS, watch_pid=os.getppid())
    return _connect()


@contextlib.contextmanager
def _socket_path() -> t.Iterator[str]:
    """In a folder of this run of ansible-playbook, for its user alone, that goes with the run. Its own path may be
    longer than the name of a socket can be (unix(7))."""
    folder = os.open(SETTINGS.DEFAULT_LOCAL_TMP, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/agent"
    finally:
        os.close(folder)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


__all__ = ("use_agent",)
