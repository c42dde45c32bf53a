# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Modules in a fork of the agent: the same as in an interpreter of their own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox import agent_protocol as protocol

from tests.unit.plugins.module_utils._sandbox.agent_process import (
    ENVIRONMENT,
    Answer,
    Client,
    answer_of,
    payload_of,
    payload_request,
    send,
    start,
)
from tests.waiting import eventually

# Modules that look at what is around them, or end in odd ways.
MODULES = {
    "arguments": "import sys; print(sys.argv, sys.executable, sys.flags, sys.path[1:], __name__, __file__)",
    "main": "import sys; m = sys.modules['__main__']; print(sorted(vars(m)), m.__package__, m.__spec__.name)",
    "environment": "import os; print(sorted(set(os.environ.items()) - {(n, os.getenv(n)) for n in ('_', 'SHLVL')}))",
    "directory and mask": "import os; print(os.getcwd(), oct(os.umask(0)))",
    "standard streams": """
import sys
print(repr(sys.stdin.read()))
for stream in (sys.stdin, sys.stdout, sys.stderr):
    print(stream.encoding, stream.errors, stream.line_buffering, stream.name, stream.isatty())
""",
    "signals": """
import signal
print([(number, signal.getsignal(number)) for number in range(1, 32)], signal.pthread_sigmask(0, []))
""",
    "open files": """
import os
print([name for name in os.listdir('/proc/self/fd') if os.path.exists('/proc/self/fd/' + name)])
""",
    "session": "import os; print(os.getpid() != os.getpgrp()); os.setsid()",
    "threads": """
import threading, time
def late():
    time.sleep(0.3)
    print('late')
threading.Thread(target=late).start()
print(threading.active_count())
""",
    "exit handlers": "import atexit, sys; atexit.register(print, 'bye'); sys.exit(3)",
    "exit with text": "import sys; print('out'); sys.exit('text \\u2713')",
    "exit with nothing": "import sys; sys.exit()",
    "exit with a large number": "import sys; sys.exit(259)",
    "hard exit": "import os; print('lost'); os._exit(5)",
    "exception": "from ansible.module_utils import basic; basic.fail()",
    "interrupt": "raise KeyboardInterrupt",
    "syntax": "def x(:",
    "hook": "import sys; sys.excepthook = lambda *error: print('hook', error[0]); 1 / 0",
    "closed output": "import sys; print('x'); sys.stdout.close()",
    "garbage": "import os; os.write(1, bytes(range(256))); os.write(2, b'\\xff')",
    "file that is not closed": """
import os
reading, writing = os.pipe()
if os.fork() == 0:
    kept = open(writing, 'w')
    kept.write('written')
else:
    os.wait()
    print(os.read(reading, 100))
""",
    "last words": """
class A:
    def __del__(self):
        print('gone')
a = A()
a.a = a
""",
    "memory": """
import resource
resource.setrlimit(resource.RLIMIT_AS, (1 << 28, 1 << 28))
x = 'x' * (1 << 29)
""",
    "module_utils": """
import sys
import ansible, ansible.module_utils.common
from ansible.module_utils import basic
for module in (basic, ansible.module_utils.common, ansible):
    spec = module.__spec__
    print(module.__file__, getattr(module, '__path__', 0), module.__loader__, module.__package__, sorted(vars(module)))
    print(spec.name, spec.origin, spec.loader is module.__loader__, spec.submodule_search_locations, spec.has_location)
    print(getattr(module, '__cached__', 0), spec.cached)
print(basic.fail.__code__.co_filename)
print(sorted(name for name in sys.modules if name.startswith('ansible')), [type(one) for one in sys.meta_path[:3]])
""",
    "sources and data": """
import inspect, pkgutil
from ansible import module_utils
print(inspect.getsource(module_utils.basic.fail))
print(pkgutil.get_data('ansible.module_utils', 'common/helper.py'))
print([found[1] for found in pkgutil.walk_packages(module_utils.__path__, 'ansible.module_utils.')])
""",
    "random": "import random, uuid; print(len({random.random(), uuid.uuid4()}))",
    "another interpreter": """
import subprocess, sys
program = 'import ansible.module_utils.basic as basic; print(basic.__file__)'
print(subprocess.run([sys.executable, '-c', program], env={'PYTHONPATH': _modlib_path}, stdout=-1).stdout)
""",
    "what the payload lacks": """
try:
    from ansible.module_utils import urls
except ImportError as exc:
    print(exc.name, exc)
""",
}


def plain(payload: bytes) -> t.Tuple[int, bytes, bytes]:
    """The payload without the agent."""
    command = ["/bin/sh", "-c", "umask 022; cd / && exec %s" % sys.executable]
    done = subprocess.run(
        command, input=payload, env=ENVIRONMENT, cwd="/", check=False, capture_output=True, timeout=60
    )
    return done.returncode if done.returncode >= 0 else 128 - done.returncode, done.stdout, done.stderr


def same(text: bytes) -> bytes:
    """The text without what differs from run to run: the name of the temporary folder."""
    return re.sub(rb"thing_payload_[^/]{8}/", b"thing_payload_/", text)


@pytest.fixture(scope="module")
def warm(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Client]:
    """An agent that has imported module_utils ahead."""
    client = start(tmp_path_factory.mktemp("warm"))
    where = "from ansible.module_utils.common import helper\nprint(helper.PID)"
    more = payload_of(where, ansible__module_utils__urls="")
    eventually(lambda: client.run(more).out == b"%d\n" % client.running.pid)
    yield client
    os.kill(client.running.pid, signal.SIGKILL)


class TestPayloads:
    @pytest.mark.parametrize("name", MODULES)
    def test_end_as_without_the_agent(self, warm: Client, name: str) -> None:
        payload = payload_of(MODULES[name])
        answer = warm.run(payload)
        assert answer.kinds == "HSX", answer.refusal
        rc, out, err = plain(payload)
        assert (answer.rc, same(answer.out), same(answer.err)) == (rc, same(out), same(err))

    def test_death_by_a_signal_is_what_the_shells_make_of_it(self, warm: Client) -> None:
        answer = warm.run(payload_of("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)"))
        assert answer.rc == 139

    def test_module_utils_are_imported_once(self, agent: Client, tmp_path: Path) -> None:
        note = tmp_path / "imported"
        basic = "import os\nwith open(%r, 'a') as stream:\n    stream.write('%%d\\n' %% os.getpid())\n" % str(note)
        payload = payload_of("print(1)", ansible__module_utils__basic=basic)
        assert agent.run(payload).out == b"1\n"
        eventually(lambda: str(agent.running.pid) in note.read_text().split())
        before = note.read_text()
        assert agent.run(payload).out == b"1\n"
        assert note.read_text() == before

    def test_other_module_utils_are_those_of_the_payload(self, warm: Client) -> None:
        other = payload_of(
            "from ansible.module_utils import basic\nprint(basic.OTHER)", ansible__module_utils__basic="OTHER = 1"
        )
        assert warm.run(other).out == b"1\n"

    def test_variables_of_the_task(self, warm: Client) -> None:
        payload = payload_of("import os\nprint(os.environ['COLOUR'], os.getenv('HOME'))")
        assert warm.run(payload, assignments={"COLOUR": "red ✓", "HOME": "/x"}).out == "red ✓ /x\n".encode()

    def test_several_at_once(self, warm: Client) -> None:
        payload = payload_of("import os, time\nprint(os.getpid())\ntime.sleep(0.5)")
        streams = [warm.connect() for _number in range(8)]
        for stream in streams:
            send(stream, payload_request(), payload)
        answers = [answer_of(stream) for stream in streams]
        assert {answer.rc for answer in answers} == {0}
        assert len({answer.out for answer in answers}) == len(streams)
        for stream in streams:
            stream.close()

    def test_a_zip_file_that_came_before_need_not_be_sent(self, agent: Client) -> None:
        payload = payload_of("print('once more')")
        before, text, after = self.parts_of(payload)
        assert agent.run(payload).out == b"once more\n"
        eventually(lambda: protocol.name_of(text) in self.known_to(agent))
        assert self.run_known(agent, before, text, after).out == b"once more\n"
        others = agent.run(before + text.replace(b"A", b"B") + after)
        assert others.rc != 0

    def test_a_zip_file_that_did_not_come_before_is_not_run(self, agent: Client) -> None:
        assert self.run_known(agent, *self.parts_of(payload_of("print('never')"))).kinds == "H"
        assert agent.run(payload_of("print(1)")).out == b"1\n"

    @staticmethod
    def parts_of(payload: bytes) -> t.Tuple[bytes, bytes, bytes]:
        """What is before the text of the zip file, that, and what is after."""
        text = protocol.LONG_TEXT.findall(payload)[0]
        before, after = payload.split(text)
        return before, text, after

    @staticmethod
    def known_to(agent: Client) -> t.List[bytes]:
        """The texts that the agent names."""
        with agent.connect() as stream:
            frames = protocol.Frames()
            said: t.List[t.Tuple[bytes, bytes]] = []
            while not said:
                said.extend(frames.feed(stream.recv(1 << 16)))
            return said[0][1].split(b" ")[2:]

    @staticmethod
    def run_known(agent: Client, before: bytes, text: bytes, after: bytes) -> Answer:
        """Have a payload run with a name in place of its text."""
        said = [
            (protocol.REQUEST, payload_request().encoded()),
            (protocol.INPUT, before),
            (protocol.KNOWN, protocol.name_of(text)),
            (protocol.INPUT, after),
            (protocol.END_OF_INPUT, b""),
        ]
        with agent.connect() as stream:
            # In one piece, which is read whole: an end with something unread is an error here.
            stream.sendall(b"".join(protocol.frame(kind, contents) for kind, contents in said))
            return answer_of(stream)
