# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""The agent of a sandbox: a server that runs in the image's own Python and forks for each command of a task.

It is root inside the sandbox and nothing outside. Its source comes over standard input (C(agent_start.py)), and with
it a socket that it accepts connections on; nothing of it is in the image. All that talks to a client is a fork of it
(C(agent_supervisor.py)), so nothing that a client or a payload does can keep it busy.

What it must not do is show tasks a past that is over. So it looks at what its interpreter was started from before
each payload, and ends when anything of that has changed.
"""

from __future__ import annotations

import contextlib
import gc
import glob
import importlib
import marshal
import os
import select
import signal
import site
import socket
import sys
import time
import typing as t

from ansible_collections.bakehouse.images.plugins.module_utils._sandbox.agent_children import Interpreter
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox.agent_modules import CodeCache, Warm
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox.agent_supervisor import (
    LEARNED_CODE,
    LEARNED_PLACE,
    Shared,
    Supervisor,
    identity_of,
)

# What modules and module_utils import of the standard library. What an image lacks of it is left out.
NAMES = """
    __future__ abc argparse ast base64 binascii bisect calendar codecs collections collections.abc configparser
    contextlib contextvars copy csv ctypes ctypes.util dataclasses datetime decimal difflib email email.message
    email.parser email.utils enum errno fcntl filecmp fnmatch functools getopt getpass glob grp gzip hashlib heapq
    hmac html http http.client http.cookiejar importlib.machinery importlib.metadata importlib.util inspect io
    ipaddress itertools json keyword linecache locale logging marshal math mimetypes multiprocessing
    multiprocessing.queues netrc numbers operator os pathlib pickle pkgutil platform posixpath pprint pty pwd queue
    random re resource runpy select selectors shlex shutil signal smtplib socket ssl stat string struct subprocess
    syslog tarfile tempfile termios textwrap threading time tokenize traceback tty types typing unicodedata urllib
    urllib.error urllib.parse urllib.request uuid warnings weakref xml.dom.minidom xml.etree.ElementTree zipfile
    zipimport zlib bz2 lzma
"""

# Read by the interpreter, the C library or OpenSSL when they are first used, and never again.
READ_ONCE = ("/etc/localtime", "/etc/ld.so.cache", "/etc/nsswitch.conf", "/etc/ssl/openssl.cnf", "/etc/locale.alias")

MAX_PLACES = 256

# Whoever started the agent may be slow to come; meanwhile it is not idle.
FIRST_CLIENT_SECONDS = 10.0


class Watch:
    """Notices that the interpreter, started now, would not be what it was."""

    def __init__(self) -> None:
        folders = [folder for folder in sys.path if folder]
        with contextlib.suppress(Exception):
            folders += [*site.getsitepackages(), site.getusersitepackages()]
        paths = [os.path.realpath(sys.executable), *folders, *READ_ONCE]
        for folder in folders:
            paths += glob.glob(os.path.join(glob.escape(folder), "*.pth"))
        for name in ("sitecustomize", "usercustomize"):
            paths += [getattr(sys.modules.get(name), "__file__", None) or ""]
        self.seen = {path: self._look(path) for path in paths if path}

    @staticmethod
    def _look(path: str) -> t.Optional[t.Tuple[int, ...]]:
        try:
            found = os.stat(path)
        except OSError:
            return None
        return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns

    def changed(self) -> str:
        """The first path that has changed; empty when none has."""
        return next((path for path, seen in self.seen.items() if self._look(path) != seen), "")


class Settings(t.NamedTuple):
    """What the agent is told when it starts.

    Args:
        listener: file descriptor of the socket to accept connections on.
        idle_seconds: end when nothing was asked for so long.
        token: what it calls itself.
        imports: modules to import before forking, besides those of the standard library.
        watch_pid: end when this process has ended.
    """

    listener: int
    idle_seconds: float
    token: str
    imports: t.Sequence[str] = ()
    watch_pid: t.Optional[int] = None


class Agent:
    """Accepts connections, and forks for each."""

    def __init__(self, settings: Settings) -> None:
        self.listener = socket.socket(fileno=settings.listener)
        self.idle_seconds = settings.idle_seconds
        self.imports = [*NAMES.split(), *settings.imports]
        self.watched = os.pidfd_open(settings.watch_pid) if settings.watch_pid else -1
        self.ending = False
        self.children: t.Set[int] = set()
        self.lessons: t.Dict[int, t.List[bytes]] = {}
        self.last_use = time.monotonic() + FIRST_CLIENT_SECONDS
        cache = CodeCache()
        self.shared = Shared(
            token=settings.token,
            cache=cache,
            warm=Warm(cache),
            interpreter=Interpreter(),
            identity=identity_of(sys.executable),
            places={},
            stale=Watch().changed,
            prctl=_prctl(),
        )

    def serve(self) -> t.Optional[t.Callable[[], None]]:
        """Until there is no more to do. In a fork: what it is to run, with as little around it as can be."""
        self._import_modules()
        while not self.ending and not self._is_idle():
            poller = select.poll()
            poller.register(self.listener, select.POLLIN)
            for fd in (*self.lessons, *([self.watched] if self.watched >= 0 else [])):
                poller.register(fd, select.POLLIN)
            for fd, _event in poller.poll(min(self.idle_seconds, 10.0) * 1000):
                if fd == self.watched:
                    self.ending = True
                elif fd in self.lessons:
                    self._listen(fd)
                else:
                    job = self._accept()
                    if job:
                        return job
            self._reap()
        return self._serve_last()

    def _serve_last(self) -> t.Optional[t.Callable[[], None]]:
        """Let nobody connect any more, and serve those who have: none of them is dropped."""
        self.listener.shutdown(socket.SHUT_RDWR)
        while True:
            try:
                job = self._accept()
            except OSError:
                return None
            if job:
                return job

    def _import_modules(self) -> None:
        for name in self.imports:
            with contextlib.suppress(Exception):
                importlib.import_module(name)

    def _is_idle(self) -> bool:
        return not self.children and time.monotonic() - self.last_use > self.idle_seconds

    def _reap(self) -> None:
        with contextlib.suppress(ChildProcessError):
            while self.children:
                pid = os.waitpid(-1, os.WNOHANG)[0]
                if not pid:
                    return
                self.children.discard(pid)
                self.last_use = time.monotonic()

    def _accept(self) -> t.Optional[t.Callable[[], None]]:
        connection = self.listener.accept()[0]
        self.last_use = time.monotonic()
        listen, teach = os.pipe()
        gc.freeze()
        try:
            pid = os.fork()
        except OSError:
            # The client sees that nothing was started.
            pid = -1
        if pid == 0:
            self.listener.close()
            os.close(listen)
            job = Supervisor(self.shared, connection, teach).serve()
            if job is None:
                os._exit(0)
            return job
        os.close(teach)
        connection.close()
        self.lessons[listen] = []
        if pid > 0:
            self.children.add(pid)
        return None

    def _listen(self, fd: int) -> None:
        data = os.read(fd, 1 << 20)
        self.lessons[fd].append(data)
        if data:
            return
        os.close(fd)
        lessons = b"".join(self.lessons.pop(fd))
        with contextlib.suppress(EOFError, ValueError, TypeError):
            for kind, value in marshal.loads(lessons) if lessons else []:  # noqa: S302 - a fork wrote it
                self._take_in(kind, value)

    def _take_in(self, kind: str, value: t.Any) -> None:
        if kind == LEARNED_CODE:
            self.shared.warm.import_ahead(self.shared.cache.learn(value))
        elif kind == LEARNED_PLACE:
            if len(self.shared.places) >= MAX_PLACES:
                self.shared.places.clear()
            self.shared.places[value[0]] = value[1]
        else:
            self.ending = True


def _prctl() -> t.Optional[t.Callable[[int, int], None]]:
    try:
        import ctypes

        libc = ctypes.CDLL(None)
    except (ImportError, OSError):
        return None

    def prctl(option: int, value: int) -> None:
        libc.prctl(ctypes.c_int(option), ctypes.c_ulong(value), 0, 0, 0)

    return prctl


def main(channel: socket.socket, settings: Settings) -> t.Optional[t.Callable[[], None]]:
    """Say on the channel that all is well, then serve.

    Returns:
        In a fork that runs a payload: what to call.
    """
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    agent = Agent(settings)
    null = os.open("/dev/null", os.O_RDWR)
    channel.sendall(b"ready\n")
    channel.close()
    for stream in (0, 1, 2):
        os.dup2(null, stream)
    os.close(null)
    return agent.serve()


__all__ = ("Agent", "Settings", "Watch", "main")
