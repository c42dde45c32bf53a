# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Running commands on the machine this code runs on.

Cores take a C(Runner) so that tests can replay recorded output. Commands are argument lists, never
shell text. The environment is the caller's with the locale fixed, because tools' output is parsed.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import typing as t

from ansible_collections.bakehouse.images.plugins.module_utils._errors import (
    BuildError,
    CommandFailed,
    NotFound,
)

# How much of a failed command's stderr goes into an error: enough for the cause, not a whole log.
STDERR_TAIL_LINES = 20

# Disk tools live in sbin, which the PATH of an unprivileged login (sudo, ssh) often lacks.
SBIN = ("/usr/local/sbin", "/usr/sbin", "/sbin")


class Completed(t.NamedTuple):
    """How a command ended."""

    argv: t.List[str]
    rc: int
    out: str
    err: str


class Runner(t.Protocol):
    """Runs one command to its end."""

    def run(
        self,
        argv: t.Sequence[str],
        *,
        stdin: t.Optional[str] = None,
        check: bool = True,
        timeout_seconds: t.Optional[float] = None,
    ) -> Completed:
        """Run C(argv) and return how it ended.

        Args:
            stdin: text given to the command; None closes its standard input.
            check: raise when the command does not end with 0.
            timeout_seconds: kill the command and raise after this time.

        Raises:
            NotFound: there is no such command.
            CommandFailed: the status was not 0 (with C(check)), or the time was up.
        """
        raise NotImplementedError


def tool_environment() -> t.Dict[str, str]:
    """The environment for tools whose output is parsed."""
    env = {key: value for key, value in os.environ.items() if not key.startswith("LC_") and key != "LANGUAGE"}
    env["LC_ALL"] = "C.UTF-8"
    path = env.get("PATH", "/usr/bin:/bin").split(os.pathsep)
    env["PATH"] = os.pathsep.join(path + [folder for folder in SBIN if folder not in path])
    return env


class LocalRunner:
    """The Runner that really runs commands."""

    def run(
        self,
        argv: t.Sequence[str],
        *,
        stdin: t.Optional[str] = None,
        check: bool = True,
        timeout_seconds: t.Optional[float] = None,
    ) -> Completed:
        """See Runner.run."""
        command = list(argv)
        given: t.Dict[str, t.Any] = {"stdin": subprocess.DEVNULL}
        if stdin is not None:
            given = {"input": stdin.encode("utf-8", "surrogateescape")}
        try:
            done = subprocess.run(
                command,
                check=False,  # check_completed has a better error
                capture_output=True,
                env=tool_environment(),
                timeout=timeout_seconds,
                **given,
            )
        except FileNotFoundError as exc:
            raise NotFound(
                "The command %s is not installed on this machine." % command[0],
                hint="Install the package that brings it.",
                cmd=command,
            ) from exc
        except subprocess.TimeoutExpired as exc:
            raise CommandFailed(
                "The command %s did not end within %s seconds." % (shlex.join(command), timeout_seconds),
                argv=command,
                rc=-1,
                stderr="",
            ) from exc
        except OSError as exc:
            raise BuildError("Cannot run %s: %s." % (shlex.join(command), exc), cmd=command) from exc
        # As bytes: read as text, "\r\n" would become "\n", and what has a digest would have another.
        out, err = (stream.decode("utf-8", "surrogateescape") for stream in (done.stdout, done.stderr))
        completed = Completed(command, done.returncode, out, err)
        if check:
            check_completed(completed)
        return completed


def check_completed(completed: Completed) -> None:
    """Raise CommandFailed unless the command ended with 0."""
    if completed.rc == 0:
        return
    tail = "\n".join((completed.err.strip() or completed.out.strip()).splitlines()[-STDERR_TAIL_LINES:])
    ended = "was killed by signal %d" % -completed.rc if completed.rc < 0 else "failed with status %d" % completed.rc
    raise CommandFailed(
        "The command %s %s: %s" % (shlex.join(completed.argv), ended, tail or "it printed nothing."),
        argv=completed.argv,
        rc=completed.rc,
        stderr=tail,
    )


__all__ = ("SBIN", "Completed", "LocalRunner", "Runner", "check_completed", "tool_environment")
