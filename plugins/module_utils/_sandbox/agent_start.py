# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Starting the agent of a sandbox, on the build host as root.

The socket it listens on has its name on the build host, where no sandbox sees it: the agent inherits it open. So an
image cannot put another thing in its place, and no sandbox reaches the agent of another.
"""

from __future__ import annotations

import contextlib
import inspect
import json
import os
import select
import signal
import socket
import struct
import subprocess
import typing as t
import uuid

from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError, NotFound
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox import (
    agent,
    agent_children,
    agent_conversation,
    agent_modules,
    agent_protocol,
    agent_supervisor,
    entry,
    state,
)
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox.agent_state import (
    Running,
    end_agent,
    forget_dead_agents,
    is_listening,
    locked_agent,
    read_agent,
    socket_path,
    write_agent,
)
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox.state import AGENTS_DIR

# Until it says that it is ready. A healthy interpreter takes a tenth of a second, on a machine that is not busy.
START_SECONDS = 30.0
BACKLOG = 128

# In the order in which they import one another.
SOURCES = (agent_protocol, agent_modules, agent_children, agent_conversation, agent_supervisor, agent)

# Read by any Python, so that one that is too old can say so. What is called in the end runs with this program's one
# frame around it: a payload sees nothing else, and ends as the program ends. The modules are taken out of sys.modules,
# where a fork would find them, and with them an ansible_collections that is not the payload's.
BOOTSTRAP = """
import sys
if sys.version_info < (3, 8):
    sys.exit('Python %d.%d is too old for the agent' % sys.version_info[:2])
def start():
    import json, socket, types
    channel = socket.socket(fileno=0)
    stream = channel.makefile('rb')
    request = json.loads(stream.readline().decode())
    for name, source in request['sources']:
        parts = name.split('.')
        for end in range(1, len(parts)):
            parent = '.'.join(parts[:end])
            if parent not in sys.modules:
                sys.modules[parent] = types.ModuleType(parent)
                sys.modules[parent].__path__ = []
        module = types.ModuleType(name)
        sys.modules[name] = module
        setattr(sys.modules['.'.join(parts[:-1])], parts[-1], module)
        exec(compile(source, '<' + parts[-1] + '>', 'exec'), module.__dict__)
    for name in [name for name in sys.modules if name.split('.')[0] == 'ansible_collections']:
        del sys.modules[name]
    return module.main(channel, module.Settings(**request['settings']))
job = start()
if job:
    job()
"""

# What stands in the list of processes, for the agent and for what a payload forks, is short.
START_ARGUMENTS = ["-c", "import os; exec(os.read(0, %d))" % len(BOOTSTRAP)]


def start(request: t.Dict[str, t.Any]) -> t.Dict[str, t.Any]:
    """Have an agent run in a sandbox, if it can. For C(_build_host_python.call).

    Args:
        request: C(record), the sandbox's record as JSON; C(interpreter), as the image names it; C(idle_seconds);
            C(instead_of), the greeting of an agent that is to go, if it is still there.

    Returns:
        C(reason): why there is none; empty when there is one.
    """
    record = state.SandboxRecord.from_json(request["record"])
    try:
        stale = request["instead_of"].rpartition(" ")[2]
        start_agent(record, request["interpreter"], request["idle_seconds"], instead_of=stale)
    except BuildError as exc:
        return {"reason": exc.message}
    return {"reason": ""}


def start_agent(
    record: state.SandboxRecord,
    interpreter: str,
    idle_seconds: float,
    *,
    instead_of: str = "",
    folder: str = AGENTS_DIR,
) -> None:
    """Start an agent, unless one listens.

    Raises:
        NotFound: the sandbox is not open.
        BuildError: the interpreter cannot run an agent.
    """
    _make_folder(folder)
    path = socket_path(record.name, folder)
    with locked_agent(record.name, folder):
        known = read_agent(record.name, folder)
        if known and known.token == instead_of:
            end_agent(record.name, folder)
        elif known and is_listening(path):
            return
        if not state.is_alive(record):
            raise NotFound("The sandbox %s has been closed." % record.name)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path)
            os.chmod(path, 0o600)
            os.chown(path, _login_user(), -1)
            listener.listen(BACKLOG)
            try:
                running = launch(entry.enter_argv(record, [interpreter, *START_ARGUMENTS]), listener, idle_seconds)
            except BaseException:
                os.unlink(path)
                raise
        write_agent(record.name, running, folder)
    forget_dead_agents(folder)


def launch(
    argv: t.Sequence[str],
    listener: socket.socket,
    idle_seconds: float,
    *,
    imports: t.Sequence[str] = (),
    watch_pid: t.Optional[int] = None,
) -> Running:
    """Run an interpreter with C(START_ARGUMENTS), until what it runs serves the socket.

    Raises:
        BuildError: it ended, or did not come up in time; then it has been killed.
    """
    token = uuid.uuid4().hex
    ours, theirs = socket.socketpair()
    with ours:
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        with theirs:
            process = subprocess.Popen(
                argv,
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                pass_fds=[listener.fileno()],
                cwd="/",
                start_new_session=True,
            )
        sources = [(module.__name__, inspect.getsource(module)) for module in SOURCES]
        settings = agent.Settings(listener.fileno(), idle_seconds, token, tuple(imports), watch_pid)
        request = {"sources": sources, "settings": settings._asdict()}
        try:
            with contextlib.suppress(OSError):
                ours.sendall(BOOTSTRAP.encode("ascii"))
                ours.sendall(json.dumps(request).encode("ascii") + b"\n")
            pid = _wait_until_ready(ours)
            started = pid and state.process_start_time(pid)
            if pid and started:
                return Running(pid, started, state.boot_id(), token)
            complaint = _complaint(process)
        except BaseException:
            _kill(process)
            raise
        finally:
            if process.stderr:
                process.stderr.close()
        _kill(process)
        raise BuildError("The agent could not be started: %s" % (complaint or "it said nothing."))


def _wait_until_ready(channel: socket.socket) -> t.Optional[int]:
    """The process id of who says that it is ready; the kernel tells it, in the numbers of this side."""
    channel.settimeout(START_SECONDS)
    credentials = struct.Struct("3i")
    try:
        said, extra, _flags, _address = channel.recvmsg(16, socket.CMSG_SPACE(credentials.size))
    except OSError:
        return None
    if said != b"ready\n":
        return None
    for level, kind, data in extra:
        if level == socket.SOL_SOCKET and kind == socket.SCM_CREDENTIALS:
            return int(credentials.unpack(data[: credentials.size])[0])
    return None


def _complaint(process: subprocess.Popen[bytes]) -> str:
    """What it wrote to its standard error, if it is there already."""
    stream = process.stderr
    if stream is None or not select.select([stream], [], [], 0.5)[0]:
        return ""
    lines = os.read(stream.fileno(), 4096).decode("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else ""


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kill it, and what it may have become the parent of by entering a process id namespace."""
    with contextlib.suppress(OSError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _make_folder(folder: str) -> None:
    """The folder of the sockets. Others than root pass through it to the socket that is theirs, and see nothing."""
    parent = os.path.dirname(folder)
    for path in (parent, folder):
        with contextlib.suppress(FileExistsError):
            os.mkdir(path, 0o711)
        os.chmod(path, 0o711)  # noqa: S103 - through, not into


def _login_user() -> int:
    """Whom the socket belongs to: who may become root here anyway."""
    return int(os.environ.get("SUDO_UID", "0"))


__all__ = ("BOOTSTRAP", "START_ARGUMENTS", "launch", "start", "start_agent")
