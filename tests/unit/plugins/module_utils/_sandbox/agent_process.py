# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An agent as a process of its own, without a sandbox around it, and a client for it that shows each word."""

from __future__ import annotations

import base64
import contextlib
import io
import os
import shlex
import socket
import sys
import threading
import typing as t
import zipfile
from pathlib import Path

from ansible_collections.bakehouse.images.plugins.module_utils._sandbox import agent_protocol as protocol
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox import state
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox.agent_start import START_ARGUMENTS, launch
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox.agent_state import Running

# What the payloads of ansible-core do, in few words.
WRAPPER = """
_ANSIBALLZ_WRAPPER = True
def main(zip_data):
    import base64, os, runpy, shutil, sys, tempfile
    sys.path = [p for p in sys.path if p not in ("", ".")]
    folder = tempfile.mkdtemp(prefix="ansible_thing_payload_")
    try:
        path = os.path.join(folder, "ansible_thing_payload.zip")
        with open(path, "wb") as stream:
            stream.write(base64.b64decode(zip_data))
        sys.path.insert(0, path)
        from ansible.module_utils import basic
        basic.PATH = path
        runpy.run_module("ansible.modules.thing", dict(_modlib_path=path), run_name="__main__", alter_sys=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
if __name__ == "__main__":
    main("%s")
"""

BASIC = (
    "from ansible.module_utils.common import helper\nimport os\nPATH = None\ndef fail():\n    raise ValueError(PATH)\n"
)

ENVIRONMENT = {"PATH": os.environ["PATH"], "HOME": "/", "LANG": "C.UTF-8", "LIKE": "a image's"}


def payload_of(module: str, **files: str) -> bytes:
    """A payload with this module; other files by their path, with C(__) for a slash."""
    contents = {
        "ansible/__init__": "",
        "ansible/modules/__init__": "",
        "ansible/module_utils/__init__": "",
        "ansible/module_utils/common/__init__": "",
        "ansible/module_utils/common/helper": "import os\nPID = os.getpid()\n",
        "ansible/module_utils/basic": BASIC,
        "ansible/modules/thing": module,
    }
    contents.update({name.replace("__", "/"): text for name, text in files.items()})
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        for name, text in contents.items():
            archive.writestr(zipfile.ZipInfo(name + ".py"), text)
    return (WRAPPER % base64.b64encode(packed.getvalue()).decode()).encode()


class Answer(t.NamedTuple):
    """What the agent said to a request."""

    kinds: str
    rc: t.Optional[int]
    out: bytes
    err: bytes
    refusal: str


class Client:
    """An agent, and the way to talk to it."""

    def __init__(self, path: str, running: Running) -> None:
        self.path = path
        self.running = running

    def connect(self) -> socket.socket:
        """A connection, with nothing said."""
        stream = socket.socket(socket.AF_UNIX)
        stream.settimeout(30)
        stream.connect(self.path)
        return stream

    def ask(self, request: protocol.Request, stdin: bytes = b"") -> Answer:
        """Send a request and take all that comes."""
        with self.connect() as stream:
            # The agent may answer before it has read all, and stops reading when its answers are not taken.
            sending = threading.Thread(target=send, args=(stream, request, stdin))
            sending.start()
            answer = answer_of(stream)
            sending.join()
            return answer

    def run(self, payload: bytes, **changes: t.Any) -> Answer:
        """Have a payload run."""
        return self.ask(payload_request()._replace(**changes), payload)

    def lives(self) -> bool:
        """Whether the agent is there."""
        return state.process_start_time(self.running.pid) == self.running.start_time


def send(stream: socket.socket, request: protocol.Request, stdin: bytes) -> None:
    """Send a request with its input, as far as it is wanted."""
    with contextlib.suppress(BrokenPipeError):
        stream.sendall(protocol.frame(protocol.REQUEST, request.encoded()))
        for begin in range(0, len(stdin), protocol.CHUNK_BYTES):
            stream.sendall(protocol.frame(protocol.INPUT, stdin[begin : begin + protocol.CHUNK_BYTES]))
        stream.sendall(protocol.frame(protocol.END_OF_INPUT))


def answer_of(stream: socket.socket) -> Answer:
    """All frames up to the last."""
    frames = protocol.Frames()
    said: t.List[t.Tuple[bytes, bytes]] = []
    while not said or said[-1][0] not in (protocol.ENDED, protocol.REFUSED):
        data = stream.recv(1 << 16)
        if not data:
            break
        said.extend(frames.feed(data))

    def all_of(kind: bytes) -> bytes:
        return b"".join(contents for one, contents in said if one == kind)

    rc = all_of(protocol.ENDED)
    kinds = b"".join(kind for kind, _contents in said if kind not in (protocol.STDOUT, protocol.STDERR)).decode()
    refusal = all_of(protocol.REFUSED).decode()
    return Answer(kinds, int(rc) if rc else None, all_of(protocol.STDOUT), all_of(protocol.STDERR), refusal)


def shell(command: str) -> protocol.Request:
    """A shell command."""
    return protocol.Request(["/bin/sh", "-c", command], ENVIRONMENT)


def payload_request() -> protocol.Request:
    """The request for a payload in the interpreter of this test."""
    tell = "import os; os.write(1, b'\\0'.join([os.getcwdb()] + [n + b'=' + v for n, v in os.environb.items()]))"
    return protocol.Request(
        ["/bin/sh", "-c", "cd / && exec %s" % sys.executable],
        ENVIRONMENT,
        interpreter=sys.executable,
        probe=["/bin/sh", "-c", "cd / && exec %s -c %s" % (sys.executable, shlex.quote(tell))],
        dying=["/bin/sh", "-c", "kill -@SIGNAL@ $$"],
    )


def start(folder: Path, idle_seconds: float = 300, watch_pid: t.Optional[int] = None, **variables: str) -> Client:
    """An agent that listens in the folder."""
    path = str(folder / "socket")
    environment = ["%s=%s" % item for item in {**ENVIRONMENT, **variables}.items()]
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(8)
        argv = ["env", "-i", *environment, sys.executable, *START_ARGUMENTS]
        return Client(path, launch(argv, listener, idle_seconds, watch_pid=watch_pid))
