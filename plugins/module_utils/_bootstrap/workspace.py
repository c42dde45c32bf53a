# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""A mount namespace of our own: file systems are mounted for one piece of work and nobody else sees them.

The namespace lives in a holder process, which is PID 1 of a PID namespace of its own. Whatever runs in the workspace is
below the holder: when the holder dies, the kernel kills the rest and drops the mounts. The holder dies with the process
that opened the workspace, however that ends (PR_SET_PDEATHSIG), so nothing has to be cleaned up after a kill.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
import types
import typing as t

from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError, Busy, NotFound
from ansible_collections.bakehouse.images.plugins.module_utils._run import Completed, Runner, tool_environment
from ansible_collections.bakehouse.images.plugins.module_utils._wait import poll

# /proc is still the host's when the shell reads its own stat, so the first field is its PID as the host sees it.
HOLDER_SCRIPT = """
read -r pid rest < /proc/self/stat
mount -t proc proc /proc && echo "$pid" && exec sleep infinity
"""

# fmt: off
HOLDER_ARGV = (
    "setpriv", "--pdeathsig", "KILL", "--",
    "unshare", "--mount", "--pid", "--fork", "--kill-child=KILL", "--propagation", "private", "--",
    "sh", "-c", HOLDER_SCRIPT,
)
# fmt: on

# A process that has just been killed may still hold a file for a moment.
UNMOUNT_SECONDS = 10.0


class Workspace:
    """An open workspace: runs commands in its namespaces, and reaches its files from outside.

    C(path) is an empty folder to mount things below. Use as a context manager. It is a Runner itself.
    """

    def __init__(self, runner: Runner, *, parent: t.Optional[str] = None) -> None:
        self._runner = runner
        self._parent = parent
        self._holder: t.Optional[subprocess.Popen[str]] = None
        self._mounted: t.List[str] = []
        self.pid = 0
        self.path = ""

    def __enter__(self) -> Workspace:
        self.path = tempfile.mkdtemp(prefix="bakehouse-", dir=self._parent)
        try:
            self._holder = start_holder()
            self.pid = read_holder_pid(self._holder)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: t.Optional[t.Type[BaseException]],
        exc: t.Optional[BaseException],
        trace: t.Optional[types.TracebackType],
    ) -> None:
        try:
            if kind is None:
                self.unmount_all()
        finally:
            self.close()

    def run(
        self,
        argv: t.Sequence[str],
        *,
        stdin: t.Optional[str] = None,
        check: bool = True,
        timeout_seconds: t.Optional[float] = None,
    ) -> Completed:
        """See Runner.run; the command runs inside the workspace and never outlives it."""
        prefix = ["nsenter", "--target", str(self.pid), "--mount", "--pid", "--"]
        return self._runner.run(prefix + list(argv), stdin=stdin, check=check, timeout_seconds=timeout_seconds)

    def outside(self, path: str) -> str:
        """The name under which this process sees a path of the workspace."""
        return "/proc/%d/root%s" % (self.pid, path)

    def mount(self, device: str, target: str, *, filesystem: str, options: str = "") -> None:
        """Mount a device on a folder of the workspace. C(options) as in fstab."""
        extra = ["--options", options] if options else []
        self.run(["mount", "--types", filesystem] + extra + ["--", device, target])
        self._mounted.append(target)

    def kill_all(self) -> None:
        """Kill everything that runs in the workspace, apart from its holder."""
        self.run(["sh", "-c", "kill -KILL -1"], check=False)

    def unmount_all(self) -> None:
        """Unmount what was mounted here, last first, so that the devices are free when this returns.

        Raises:
            Busy: something still uses a file system. It is dropped with the workspace all the same.
        """
        self.kill_all()
        while self._mounted:
            self._unmount(self._mounted[-1])
            self._mounted.pop()

    def _unmount(self, target: str) -> None:
        said = [""]

        def probe() -> t.Optional[bool]:
            done = self.run(["umount", "--", target], check=False)
            said[0] = done.err.strip()
            return True if done.rc == 0 else None

        poll(
            probe,
            timeout_seconds=UNMOUNT_SECONDS,
            delay_seconds=0.1,
            on_timeout=lambda _waited: Busy("Cannot unmount %s of the private workspace: %s" % (target, said[0])),
        )

    def close(self) -> None:
        """End the holder, and with it all that is left inside. May be called twice."""
        if self._holder is not None:
            if self.pid:
                # The inner process first: its parent returns when the whole PID namespace is gone.
                kill_quietly(self.pid)
            else:
                self._holder.kill()
            self._holder.wait()
            if self._holder.stdout:
                self._holder.stdout.close()
            self._holder = None
        if self.path and os.path.isdir(self.path):
            os.rmdir(self.path)


def start_holder() -> subprocess.Popen[str]:
    """Start the holder process."""
    try:
        return subprocess.Popen(
            list(HOLDER_ARGV),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=tool_environment(),
            start_new_session=True,
            encoding="utf-8",
        )
    except FileNotFoundError as exc:
        raise NotFound(
            "The command setpriv is not installed on this machine.", hint="It comes with util-linux."
        ) from exc


def read_holder_pid(holder: subprocess.Popen[str]) -> int:
    """The PID of the holder's inner process, which it prints when its namespaces are ready."""
    line = holder.stdout.readline().strip() if holder.stdout else ""
    if not line.isdigit():
        raise BuildError(
            "Cannot make a private mount namespace: %s." % (line or "the helper process ended at once"),
            hint="This needs root, and a container must allow CAP_SYS_ADMIN.",
        )
    return int(line)


def kill_quietly(pid: int) -> None:
    """Kill a process that may have ended already."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


__all__ = ("Workspace",)
