# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Starting the holder of a sandbox, and talking with it until it stands."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import tempfile
import typing as t

from ansible_collections.bakehouse.images.plugins.module_utils import _errors
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox.entry import PATH

if t.TYPE_CHECKING:
    from ansible_collections.bakehouse.images.plugins.module_utils._sandbox.holder import HolderRequest

# How long opening may take: file systems replay their journals then, and large ones take their time.
OPEN_TIMEOUT_SECONDS = 300.0

# Where the folder of all collections ends, in a path or in the zip file that a module travels in.
COLLECTIONS = "/ansible_collections/"

# Run by a fresh interpreter: the module that opens a sandbox, and its temporary files, are gone soon after.
# All imports happen before the first answer.
BOOTSTRAP = (
    "import sys; sys.dont_write_bytecode = True; sys.path.insert(0, %r); "
    "from ansible_collections.bakehouse.images.plugins.module_utils._sandbox.holder import main; main()"
)

# /proc/1/exe inside leads to the interpreter of the build host, as long as the sandbox is open. It is run from a
# read-only mount, in a mount namespace that nobody can enter any more: so it cannot be opened for writing there.
READ_ONLY_PROGRAM = 'mount --bind -- "$1" "$1" && mount -o remount,bind,ro -- "$1" && shift && exec "$@"'

# What runs in the image can read the environment of its process 1: nothing of the caller's may be there.
HOLDER_ENVIRONMENT = {"PATH": PATH, "LC_ALL": "C.UTF-8"}

# Exists exactly where systemd runs as process 1: sd_booted(3).
SYSTEMD_RUNS = "/run/systemd/system"


def holder_argv(name: str, python: str, *, systemd: t.Optional[bool] = None) -> t.List[str]:
    """The command that runs the holder.

    Where systemd runs, in a scope of its own: what belongs to the scope of an SSH login may be killed at logout
    (KillUserProcesses=, logind.conf(5)).
    """
    code = BOOTSTRAP % __file__.rpartition(COLLECTIONS)[0]
    argv = ["unshare", "--mount", "--propagation", "private", "/bin/sh", "-c", READ_ONLY_PROGRAM, "sh"]
    argv += [os.path.realpath(python), python, "-I", "-S", "-c", code]
    if os.path.isdir(SYSTEMD_RUNS) if systemd is None else systemd:
        unit = "bakehouse-sandbox-%s-%d" % (name.replace("@", "_").replace(":", "_"), os.getpid())
        return ["systemd-run", "--scope", "--quiet", "--collect", "--unit=" + unit, "--", *argv]
    return argv


@contextlib.contextmanager
def started_holder(asked: HolderRequest, *, name: str, python: str) -> t.Iterator[t.Tuple[int, t.Dict[str, t.Any]]]:
    """Start a holder and give its process id and what it found in the image.

    It stays when the block ends well, and goes when the block, or this whole process, ends otherwise.

    Raises:
        BuildError: what the holder reported; then it is gone, and so are its mounts.
    """
    ours, theirs = socket.socketpair()
    with ours, tempfile.TemporaryFile() as complaints:
        with theirs:
            process = _spawn(holder_argv(name, python), theirs, complaints)
        try:
            yield _converse(ours, asked, complaints)
            ours.sendall(b"recorded\n")
            # The end of the conversation: from now on the holder has nothing of the build host open.
            ours.recv(1)
        finally:
            ours.close()
            process.wait()


def _spawn(argv: t.Sequence[str], channel: socket.socket, complaints: t.IO[bytes]) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            list(argv),
            stdin=channel.fileno(),
            stdout=subprocess.DEVNULL,
            stderr=complaints,
            env=HOLDER_ENVIRONMENT,
            cwd="/",
            start_new_session=True,
        )
    except OSError as exc:
        raise _errors.BuildError("Cannot start the holder of the sandbox: %s: %s." % (argv[0], exc.strerror)) from exc


def _converse(ours: socket.socket, asked: HolderRequest, complaints: t.IO[bytes]) -> t.Tuple[int, t.Dict[str, t.Any]]:
    ours.settimeout(OPEN_TIMEOUT_SECONDS)
    pid = 0
    try:
        ours.sendall((asked.to_json() + "\n").encode("utf-8"))
        with ours.makefile("r", encoding="utf-8") as lines:
            for line in lines:
                answer = json.loads(line)
                if "error" in answer:
                    raise _errors.error_from_plain(answer["error"])
                if "pid" not in answer:
                    return pid, answer
                pid = answer["pid"]
    except socket.timeout as exc:
        raise _errors.WaitTimeout("The sandbox was not open after %d s." % OPEN_TIMEOUT_SECONDS) from exc
    except OSError as exc:
        raise _died(complaints) from exc
    raise _died(complaints)


def _died(complaints: t.IO[bytes]) -> _errors.BuildError:
    complaints.seek(0)
    said = complaints.read().decode("utf-8", "replace").strip()[-2000:]
    return _errors.BuildError("The holder of the sandbox died while it was opened: %s" % (said or "it said nothing."))


__all__ = ("holder_argv", "started_holder")
