# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""One request to the agent: a process of its own reads it, runs it in another, and carries its streams.

It is the leader of a session and a process group that all it runs belongs to, as C(nsenter) would be, and so knows
what to kill when the client goes away.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import marshal
import os
import shutil
import signal
import socket
import subprocess
import typing as t

from ansible_collections.bakehouse.images.plugins.module_utils._sandbox import agent_children as children
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox import agent_protocol as protocol
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox.agent_conversation import (
    ClientGone,
    Conversation,
    Line,
    Streams,
)
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox.agent_modules import (
    CodeCache,
    Warm,
    compiled_ahead,
)

# What a fork has learned is told to the agent: pairs of one of these and a value.
LEARNED_CODE = "code"
LEARNED_PLACE = "place"
LEARNED_STALE = "stale"

# Longer is no module.
MAX_PAYLOAD_BYTES = 256 << 20
PROBE_SECONDS = 30.0

# fcntl(2). A payload fits into a pipe of this size, which whoever may make it.
F_SETPIPE_SZ = 1031
ORDER_BYTES = 1 << 20

# Read by the interpreter or the C library when they start; a fork has started long ago.
READ_AT_START = ("PYTHON", "LD_", "LC_", "LANG", "TZ", "MALLOC_", "GLIBC_", "GCONV_", "LOCPATH", "OPENSSL_", "NLS")


class Refused(Exception):
    """The request is to be run without the agent; nothing has been run."""

    def __init__(self, reason: str, *, stale: bool = False) -> None:
        super().__init__(reason)
        self.stale = stale


class Shared(t.NamedTuple):
    """What the forks inherit from the agent.

    Args:
        token: what the agent calls itself.
        identity: what tells its interpreter from others: see C(identity_of).
        places: where payloads run, with what that depends on.
        stale: what has changed since the agent started; empty when nothing has.
        prctl: prctl(2) with two arguments, where the interpreter can call it.
    """

    token: str
    cache: CodeCache
    warm: Warm
    interpreter: children.Interpreter
    identity: t.Tuple[str, str]
    places: t.Dict[t.Any, t.Any]
    stale: t.Callable[[], str]
    prctl: t.Optional[t.Callable[[int, int], None]]


def identity_of(interpreter: str) -> t.Tuple[str, str]:
    """The file of an interpreter, and the folder of its virtual environment: that has a file beside it, or above."""
    folder = os.path.dirname(os.path.abspath(interpreter))
    for place in (folder, os.path.dirname(folder)):
        if os.path.exists(os.path.join(place, "pyvenv.cfg")):
            return os.path.realpath(interpreter), place
    return os.path.realpath(interpreter), ""


class Supervisor:
    """Serves one connection.

    Args:
        teach: file descriptor of the pipe to the agent.
    """

    def __init__(self, shared: Shared, connection: socket.socket, teach: int) -> None:
        self.shared = shared
        self.line = Line(connection)
        self.teach = teach
        self.lessons: t.List[t.Tuple[str, t.Any]] = []
        self.request = protocol.Request([], {})
        self.user: t.Optional[children.User] = None
        self.ahead: t.Optional[Ahead] = None
        self.dismissed = 0

    def serve(self) -> t.Optional[t.Callable[[], None]]:
        """Carry the request out.

        Returns:
            In the fork that is to run a payload: what to call, with nothing of this one around it.
        """
        os.setsid()
        try:
            names = list(self.shared.cache.texts)[-protocol.MAX_NAMES :]
            self.line.send(protocol.HELLO, b" ".join([b"%d" % protocol.VERSION, self.shared.token.encode(), *names]))
            self._note_children()
            job = self._fork_ahead()
            if job:
                return job
            kind, contents = self.line.next()
            if kind == protocol.REQUEST:
                self.request = protocol.Request.decoded(contents)
                if self.request.interpreter:
                    self._run_payload()
                else:
                    self._run_command()
        except Refused as exc:
            self._refuse(exc)
        except (ClientGone, protocol.ProtocolError):
            # Nobody to tell. What was forked for a request that never came goes first: of this process it is known
            # that it is the agent's.
            self._dismiss()
            self._wait_for_dismissed()
        return None

    def _fork_ahead(self) -> t.Optional[t.Callable[[], None]]:
        """Fork what may be to run a payload, while the client still makes up its request."""
        streams = Streams()
        streams.close_feed()
        reading, writing = os.pipe()
        with contextlib.suppress(OSError):
            fcntl.fcntl(writing, F_SETPIPE_SZ, ORDER_BYTES)
        pid = os.fork()
        if pid == 0:
            os.close(writing)
            return lambda: self._be_payload(streams, reading)
        os.close(reading)
        streams.close_theirs()
        self.ahead = Ahead(pid, streams, open(writing, "wb"))  # noqa: SIM115 - closed when it has been told all
        return None

    def _dismiss(self) -> None:
        """There is nothing to run for what was forked ahead. It is waited for later, as that takes a moment."""
        if self.ahead and not self.ahead.orders.closed:
            os.kill(self.ahead.pid, signal.SIGKILL)
            self.ahead.orders.close()
            self.ahead.streams.close()
            self.dismissed = self.ahead.pid

    def _wait_for_dismissed(self) -> None:
        """So that nothing of this request is left when its end is told."""
        if self.dismissed:
            os.waitpid(self.dismissed, 0)
            self.dismissed = 0

    def _refuse(self, refused: Refused) -> None:
        self._dismiss()
        self._wait_for_dismissed()
        if refused.stale:
            self.lessons.append((LEARNED_STALE, str(refused)))
        try:
            self.line.send(protocol.REFUSED, json.dumps({"reason": str(refused), "stale": refused.stale}).encode())
            self._tell_agent()
            # The client sends on until it reads this. Closing before would look to it like an end without an answer.
            while True:
                self.line.next()
        except (ClientGone, protocol.ProtocolError):
            pass

    def _tell_agent(self) -> None:
        try:
            with open(self.teach, "wb") as stream:
                stream.write(marshal.dumps(self.lessons))
        except OSError:
            pass

    def _run_command(self) -> None:
        self._find_user()
        self._dismiss()
        self.line.send(protocol.STARTED)
        streams = Streams()
        try:
            # Without a function to call in the fork, which is not one then (vfork(2)): a fork of an interpreter takes
            # longer than most commands.
            process = subprocess.Popen(
                self.request.argv,
                stdin=streams.theirs[0],
                stdout=streams.theirs[1],
                stderr=streams.theirs[2],
                cwd="/",
                env=self._variables(),
                preexec_fn=self._become if self.user else None,  # noqa: PLW1509 - there are no threads here
            )
        except OSError as exc:
            self._wait_for_dismissed()
            self.line.send(protocol.STDERR, os.fsencode("%s: %s\n" % (self.request.argv[0], exc.strerror)))
            self.line.send(protocol.ENDED, b"127" if exc.errno == errno.ENOENT else b"126")
            return
        streams.close_theirs()
        self._converse(streams, process.pid)

    def _run_payload(self) -> None:
        if self.ahead is None:
            raise Refused("no process could be made")
        payload = self._read_payload()
        # It compiles the payload while it is found out here how it is to be run.
        self.ahead.tell(payload)
        self._find_user()
        changed = self.shared.stale()
        if changed:
            raise Refused("%s has changed" % changed, stale=True)
        place = self._find_place()
        self._check(place)
        listing, learned = self.shared.cache.look_up(payload)
        if learned:
            self.lessons.append((LEARNED_CODE, learned))
        self.line.send(protocol.STARTED)
        self.ahead.tell((tuple(self.request), _plain(self.user), tuple(place), listing, learned))
        self.ahead.orders.close()
        self._tell_agent()
        self._converse(self.ahead.streams, self.ahead.pid)

    def _be_payload(self, streams: Streams, reading: int) -> None:
        """In the fork: wait to be told what to be."""
        self.line.connection.close()
        with open(reading, "rb") as orders:
            try:
                payload = marshal.load(orders)  # noqa: S302 - the supervisor wrote it
                code = compiled_ahead(payload)
                request, user, place, listing, learned = marshal.load(orders)  # noqa: S302
            except (EOFError, ValueError, TypeError):
                os._exit(0)
        self.request = protocol.Request(*request)
        self.user = children.User(*user) if user else None
        if learned:
            self.shared.cache.learn(learned)
        children.redirect(*streams.theirs)
        self._become()
        children.enter(children.Place(*place), self.request)
        children.run_payload(payload, code, self.request, self.shared.interpreter, self.shared.warm, listing)

    def _note_children(self) -> None:
        """Have a file descriptor that becomes readable when a child has ended."""
        self.wakeup, writing = os.pipe()
        os.set_blocking(self.wakeup, False)
        os.set_blocking(writing, False)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        signal.set_wakeup_fd(writing, warn_on_full_buffer=False)

    def _converse(self, streams: Streams, pid: int) -> None:
        status = Conversation(self.line, streams, pid, self.wakeup).hold()
        rc = os.WEXITSTATUS(status)
        if os.WIFSIGNALED(status):
            rc = 128 + os.WTERMSIG(status)
            if self.request.dying:
                rc = self._die_like(os.WTERMSIG(status))
        self._wait_for_dismissed()
        self.line.send(protocol.ENDED, b"%d" % rc)

    def _die_like(self, number: int) -> int:
        """After a payload has died by a signal: what the shells around its interpreter say to that."""

        def become() -> None:
            # Whoever has started all this may ignore it, as a shell does for what it runs in the background.
            if number not in (signal.SIGKILL, signal.SIGSTOP):
                signal.signal(number, signal.SIG_DFL)
            self._become()

        done = self._run_aside([word.replace("@SIGNAL@", str(number)) for word in self.request.dying], become)
        self.line.send(protocol.STDERR, done.stderr[: protocol.CHUNK_BYTES])
        return done.returncode if done.returncode >= 0 else 128 - done.returncode

    def _run_aside(
        self, argv: t.Sequence[str], become: t.Optional[t.Callable[[], None]] = None
    ) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            argv,
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            cwd="/",
            env=self._variables(),
            preexec_fn=become or self._become,  # noqa: PLW1509 - there are no threads here
            timeout=PROBE_SECONDS,
        )

    def _find_user(self) -> None:
        if self.request.user is not None:
            self.user = children.look_up(self.request.user)
            if self.user is None:
                raise Refused("the image has no user %s" % self.request.user)
            if self.shared.prctl is None:
                raise Refused("the image's Python has no ctypes")

    def _become(self) -> None:
        if self.user and self.shared.prctl:
            children.become(self.user, self.request.dropped, self.shared.prctl)

    def _variables(self) -> t.Dict[bytes, bytes]:
        return children.variables_for(self.request, self.user)

    def _read_payload(self) -> bytes:
        payload = bytearray()
        while True:
            kind, contents = self.line.next()
            if kind == protocol.END_OF_INPUT:
                return bytes(payload)
            if kind == protocol.KNOWN:
                kind, contents = protocol.INPUT, self.shared.cache.texts.get(contents, b"")
            payload += contents
            if not contents or kind != protocol.INPUT or len(payload) > MAX_PAYLOAD_BYTES:
                raise protocol.ProtocolError("no payload")

    def _find_place(self) -> children.Place:
        """Where the payload runs. The image's own shells are asked, once for each user."""
        key = (
            tuple(self.request.probe),
            tuple(sorted(self.request.environment.items())),
            _plain(self.user),
            _stat_of("/etc/passwd"),
            _stat_of("/bin/sh"),
        )
        known = self.shared.places.get(key)
        if known:
            place = children.Place(*known[0])
            if known[1] == _stat_of(place.home):
                return place
        try:
            lines = self._run_aside(self.request.probe).stdout.split(b"\0")
        except (OSError, subprocess.SubprocessError) as exc:
            raise Refused("the environment cannot be found out: %s" % exc) from exc
        environment = dict(line.partition(b"=")[::2] for line in lines[1:])
        if not lines[0].startswith(b"/") or b"PATH" not in environment:
            raise Refused("the image's shell does not tell the environment")
        place = children.Place(os.fsdecode(lines[0]), environment)
        self.lessons.append((LEARNED_PLACE, (key, (tuple(place), _stat_of(place.home)))))
        return place

    def _check(self, place: children.Place) -> None:
        """Refuse what would not be the same in a fork."""
        for name in self.request.assignments:
            if name.startswith(READ_AT_START):
                raise Refused("the task sets %s" % name)
        path = place.variable("PATH")
        found = shutil.which(self.request.interpreter or "", path=self.request.assignments.get("PATH", path))
        if found is None or identity_of(found) != self.shared.identity:
            raise Refused("the agent does not run in the interpreter %s" % self.request.interpreter)
        if shutil.which("sleep", path=path) is None:
            raise Refused("the image has no command sleep")
        own = children.user_site(self.request.assignments.get("HOME", place.home))
        if (own if os.path.isdir(own) else "") != self.shared.interpreter.user_site:
            raise Refused("the user has packages of its own")


class Ahead(t.NamedTuple):
    """A fork that waits to be told what to run."""

    pid: int
    streams: Streams
    orders: t.BinaryIO

    def tell(self, order: t.Any) -> None:
        """Give it one of the things it waits for. If it has been killed, its status will say so."""
        try:
            marshal.dump(order, self.orders)
            self.orders.flush()
        except BrokenPipeError:
            pass


def _plain(user: t.Optional[children.User]) -> t.Any:
    return user and (*user[:4], tuple(user.groups))


def _stat_of(path: str) -> t.Optional[t.Tuple[int, ...]]:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_mode, found.st_uid, found.st_gid


__all__ = ("LEARNED_CODE", "LEARNED_PLACE", "LEARNED_STALE", "Shared", "Supervisor", "identity_of")
