# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Telling the janitor of a run of builds that begin and end, and starting it with the first."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import socket
import subprocess
import sys
import typing as t

from ansible import constants as C
from ansible_collections.bakehouse.images.plugins.plugin_utils._janitor import Build, Settings
from ansible_collections.bakehouse.images.plugins.plugin_utils._run_notes import locked
from ansible_collections.bakehouse.images.plugins.plugin_utils._transport import connect_unix

# Ansible's settings are attributes made when it starts, which no type checker sees.
SETTINGS: t.Any = C

# A janitor that is just starting answers when it has started, which takes its time on a busy machine.
START_SECONDS = 60.0

COLLECTIONS = "/ansible_collections/"
BOOTSTRAP = (
    "import sys; sys.dont_write_bytecode = True; sys.path.insert(0, %r); "
    "from ansible_collections.bakehouse.images.plugins.plugin_utils._janitor import main; main(%d)"
)


def begin(build: Build, settings: t.Callable[[], Settings]) -> str:
    """Have the janitor know of a build, and run when it does not.

    Args:
        settings: makes its settings, when it has to be started.

    Returns:
        Why there is none; empty when there is one.
    """
    message = {"begin": dataclasses.asdict(build)}
    with locked("janitor"):
        if _tell(message):
            return ""
        try:
            _start(settings())
        except OSError as exc:
            return str(exc)
        return "" if _tell(message) else "it does not answer"


def end(build_id: str) -> bool:
    """Let the janitor forget a build; whether it knew of it."""
    return _tell({"end": build_id})


def _tell(message: dict[str, t.Any]) -> bool:
    with _socket_path() as path:
        connection = connect_unix(path)
    if connection is None:
        return False
    with connection, contextlib.suppress(OSError):
        connection.settimeout(START_SECONDS)
        connection.sendall(json.dumps(message).encode() + b"\n")
        return connection.recv(16) == b"noted\n"
    return False


def _start(settings: Settings) -> None:
    with _socket_path() as path, socket.socket(socket.AF_UNIX) as listener:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        listener.bind(path)
        os.chmod(path, 0o600)
        listener.listen()
        code = BOOTSTRAP % (__file__.rpartition(COLLECTIONS)[0], listener.fileno())
        # A session of its own: Ctrl-C, and the end of the terminal, are not meant for it.
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", code],
            pass_fds=[listener.fileno()],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            start_new_session=True,
        )
    if process.stdin:
        with process.stdin as stream:
            stream.write(json.dumps(dataclasses.asdict(settings)).encode("utf-8", "surrogateescape"))


@contextlib.contextmanager
def _socket_path() -> t.Iterator[str]:
    """In the folder of this run of ansible-playbook. Its own path may be longer than the name of a socket can be."""
    folder = os.open(SETTINGS.DEFAULT_LOCAL_TMP, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/janitor"
    finally:
        os.close(folder)


__all__ = ("begin", "end")
