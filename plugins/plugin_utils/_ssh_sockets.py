# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Unix sockets of a build host behind ssh.

Forwarding is best: one, made when it is first asked for, serves all workers of a run, and a connection takes no session
of its own. Where sshd does not allow it, a session carries the connection (C(_remote_socket.py)). That this is so shows
only by a socket that cannot be reached although somebody listens there: ssh takes any order to forward.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import socket
import subprocess
import threading
import typing as t

from ansible_collections.bakehouse.images.plugins.plugin_utils._run_notes import (
    locked,
    note_path,
    read_note,
    write_note,
)
from ansible_collections.bakehouse.images.plugins.plugin_utils._short_paths import short_path
from ansible_collections.bakehouse.images.plugins.plugin_utils._transport import connect_unix, is_answered

if t.TYPE_CHECKING:
    from ansible_collections.bakehouse.images.plugins.plugin_utils._ssh_transport import SshTransport

# How long a session may take to be there.
SESSION_SECONDS = 30.0

# More is no talk of a login shell.
MAX_CHATTER_BYTES = 1 << 16


def connect(transport: SshTransport, path: str, *, is_there: bool) -> socket.socket | None:
    """See Transport.connect."""
    if read_note("relay", transport.identity) is None:
        stream = _forwarded(transport, path)
        if stream or not is_there:
            return stream
    # Making the command line takes Ansible's plugins, which take longer to load than most tasks take in an agent.
    noted = None if is_there else read_note("relay", transport.identity, path)
    greeting, argv = json.loads(noted) if noted else _relay_command(transport, path)
    stream = _relayed(greeting, argv)
    if stream and not noted:
        write_note("", "relay", transport.identity)
        write_note(json.dumps([greeting, argv]), "relay", transport.identity, path)
    return stream


def _forwarded(transport: SshTransport, path: str) -> socket.socket | None:
    local = short_path(note_path("socket", transport.identity, path))
    if local is None:
        return None
    stream = connect_unix(local)
    if not stream:
        with locked("socket", transport.identity, path):
            stream = connect_unix(local)
            if not stream:
                # Of a connection that has ended meanwhile.
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(local)
                if transport.control("forward", "-L", f"{local}:{path}"):
                    stream = connect_unix(local)
    return stream if stream and is_answered(stream) else None


def _relay_command(transport: SshTransport, path: str) -> tuple[str, list[str]]:
    transport.prepare()
    greeting = f"bakehouse-{secrets.token_hex(8)}"
    return greeting, transport.relay_argv(f"{greeting} {path}")


def _relayed(greeting: str, argv: list[str]) -> socket.socket | None:
    ours, theirs = socket.socketpair()
    with theirs:
        # What it complains about is told by a command, which is what runs in its place.
        process = subprocess.Popen(
            argv,
            stdin=theirs.fileno(),
            stdout=theirs.fileno(),
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    # It ends with the connection, which may outlast what holds it here.
    threading.Thread(target=process.wait, daemon=True).start()
    ours.settimeout(SESSION_SECONDS)
    if _is_greeted(ours, greeting.encode()) and is_answered(ours):
        return ours
    ours.close()
    process.kill()
    return None


def _is_greeted(stream: socket.socket, greeting: bytes) -> bool:
    """Read up to the end of the greeting, and no further."""
    heard = b""
    while not heard.endswith(greeting) and len(heard) < MAX_CHATTER_BYTES:
        begun = next(length for length in range(len(greeting) - 1, -1, -1) if heard.endswith(greeting[:length]))
        try:
            data = stream.recv(len(greeting) - begun)
        except OSError:
            return False
        if not data:
            return False
        heard += data
    return heard.endswith(greeting)


__all__ = ("connect",)
