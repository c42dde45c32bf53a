# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""What a fork of the agent does to become a command, or the interpreter that runs a module's payload.

A command, or a payload, must find nothing else than it would find without the agent: no file descriptors but the
three, its own user, environment, directory, file mode mask and signals, and the interpreter as if just started.
"""

from __future__ import annotations

import atexit
import builtins
import contextlib
import gc
import importlib
import os
import signal
import site
import sys
import threading
import types
import typing as t

from ansible_collections.bakehouse.images.plugins.module_utils._sandbox.agent_modules import (
    Listing,
    Trigger,
    Warm,
    compile_payload,
)
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox.agent_protocol import Request

PR_SET_DUMPABLE = 4
PR_CAPBSET_DROP = 24
UMASK = 0o022


class Place(t.NamedTuple):
    """Where a payload runs: what the login and the shells around the interpreter make of the request."""

    directory: str
    environment: t.Dict[bytes, bytes]

    def variable(self, name: str) -> str:
        """A variable of the environment."""
        return os.fsdecode(self.environment.get(os.fsencode(name), b""))

    @property
    def home(self) -> str:
        """The user's home directory, which need not exist."""
        return self.variable("HOME") or "/"


def user_site(home: str) -> str:
    """Where the interpreter looks for packages of the user; empty when it does not look."""
    if not site.ENABLE_USER_SITE:
        return ""
    return os.path.join(home, ".local/lib/python%d.%d/site-packages" % sys.version_info[:2])


class Interpreter:
    """The interpreter as it was when it started, for forks that are to look like it."""

    def __init__(self) -> None:
        self.path = list(sys.path)
        self.meta_path = list(sys.meta_path)
        own = user_site(os.environ.get("HOME", "/"))
        self.user_site = own if own in self.path else ""
        self.main = {
            name: value
            for name, value in vars(sys.modules["__main__"]).items()
            if name in ("__name__", "__doc__", "__package__", "__loader__", "__spec__", "__annotations__")
        }

    def become_fresh(self, request: Request) -> None:
        """Have the state that a program on standard input finds."""
        interpreter = request.interpreter or sys.executable
        sys.path[:] = self.path
        sys.meta_path[:] = self.meta_path
        sys.argv[:] = [""]
        sys.executable = interpreter
        if hasattr(sys, "orig_argv"):
            sys.orig_argv[:] = [interpreter]
        importlib.invalidate_caches()
        main = types.ModuleType("__main__")
        vars(main).update(self.main, __builtins__=builtins)
        sys.modules["__main__"] = main


def redirect(stdin: int, stdout: int, stderr: int) -> None:
    """Have these three file descriptors as standard streams, and no other open."""
    for target, source in enumerate((stdin, stdout, stderr)):
        os.dup2(source, target)
    for name in os.listdir("/proc/self/fd"):
        if int(name) > 2:
            with contextlib.suppress(OSError):
                os.close(int(name))


def default_signals(numbers: t.Iterable[int]) -> None:
    """Take back what the supervisor, or the interpreter, has changed."""
    signal.set_wakeup_fd(-1)
    for number in numbers:
        signal.signal(number, signal.SIG_DFL)


def _rows(path: str) -> t.List[t.List[str]]:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as stream:
            return [line.rstrip("\n").split(":") for line in stream if line.count(":") >= 3]
    except OSError:
        return []


class User(t.NamedTuple):
    """A user of the image."""

    name: str
    uid: int
    gid: int
    home: str
    groups: t.List[int]


def look_up(user: str) -> t.Optional[User]:
    """The user by the image's own files, as one who enters from outside is looked up (C(user_entry))."""
    for row in _rows("/etc/passwd"):
        if len(row) >= 7 and user in (row[0], row[2]):
            member_of = [int(group[2]) for group in _rows("/etc/group") if row[0] in group[3].split(",")]
            return User(row[0], int(row[2]), int(row[3]), row[5] or "/", sorted(set([*member_of, int(row[3])])))
    if user.isdigit():
        return User(user, int(user), int(user), "/", [int(user)])
    return None


def become(user: User, dropped: t.Iterable[int], prctl: t.Callable[[int, int], None]) -> None:
    """Become the user for good."""
    for number in dropped:
        prctl(PR_CAPBSET_DROP, number)
    os.setgroups(user.groups)
    os.setgid(user.gid)
    os.setuid(user.uid)
    # As exec would do it: or the user may not look at its own /proc/self.
    prctl(PR_SET_DUMPABLE, 1)


def variables_for(request: Request, user: t.Optional[User]) -> t.Dict[bytes, bytes]:
    """The environment that the command is entered with."""
    variables = dict(request.environment)
    if user:
        variables.update(HOME=user.home, USER=user.name, LOGNAME=user.name)
    return {os.fsencode(name): os.fsencode(value) for name, value in variables.items()}


def enter(place: Place, request: Request) -> None:
    """Be where the payload runs."""
    os.umask(UMASK)
    environment = dict(place.environment)
    try:
        os.chdir(place.directory)
    except OSError:
        # It has gone this moment: as a login does then.
        os.chdir("/")
        environment[b"PWD"] = b"/"
    environment.update({os.fsencode(name): os.fsencode(value) for name, value in request.assignments.items()})
    os.environb.clear()
    os.environb.update(environment)


def run_payload(
    payload: bytes,
    code: t.Optional[types.CodeType],
    request: Request,
    interpreter: Interpreter,
    warm: Warm,
    listing: t.Optional[Listing],
) -> t.NoReturn:
    """Run the program as an interpreter runs its standard input, and end as it ends.

    Args:
        code: the program, if it is compiled already.
        listing: what is in its zip file, if that is known.
    """
    default_signals((signal.SIGCHLD,))
    interpreter.become_fresh(request)
    started_with = set(sys.modules)
    if listing is not None:
        sys.meta_path.insert(0, Trigger(warm, listing))
    number = 0
    try:
        exec(code or compile_payload(payload), vars(sys.modules["__main__"]))  # noqa: S102
        status = 0
    except SystemExit as exc:
        status = _status_of(exc)
    except KeyboardInterrupt as exc:
        _report(exc)
        status, number = 130, signal.SIGINT
    except BaseException as exc:
        _report(exc)
        status = 1
    _end(status, number, started_with)


def _status_of(exc: SystemExit) -> int:
    if exc.code is None:
        return 0
    if isinstance(exc.code, int):
        return exc.code & 0xFF
    with contextlib.suppress(Exception):
        sys.stdout.flush()
    if sys.stderr is not None:
        sys.stderr.write("%s\n" % (exc.code,))
    return 1


def _report(exc: BaseException) -> None:
    """What the interpreter prints of an error that nobody has caught; without the frame of C(run_payload)."""
    traceback = exc.__traceback__.tb_next if exc.__traceback__ else None
    sys.excepthook(type(exc), exc.with_traceback(traceback), traceback)


def _end(status: int, number: int, started_with: t.Set[str]) -> t.NoReturn:
    """End as an interpreter does, but for taking apart what was there before the fork, which takes long: wait for
    threads, call what is to be called at exit, let go of all that the payload has made, write what is left to write.
    """
    with contextlib.suppress(BaseException):
        threading._shutdown()  # type: ignore[attr-defined]
    with contextlib.suppress(BaseException):
        atexit._run_exitfuncs()
    flushed = _flush()
    for name in reversed([name for name in sys.modules if name not in started_with or name == "__main__"]):
        sys.modules.pop(name, None)
    gc.collect()
    if not (flushed and _flush()):
        status = 120
    if number:
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    os._exit(status)


def _flush() -> bool:
    done = True
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None and not stream.closed:
                stream.flush()
        except Exception:
            done = done and stream is sys.stderr
    return done


__all__ = (
    "Interpreter",
    "Place",
    "User",
    "become",
    "enter",
    "look_up",
    "redirect",
    "run_payload",
    "variables_for",
)
