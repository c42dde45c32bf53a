# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""The build host is the controller, and sudo asks a user there for a password.

Each command has a sudo of its own, since sudo remembers nobody across processes without a terminal. The password goes
to its standard input, after the question and before anything that the command reads.
"""

from __future__ import annotations

import contextlib
import functools
import io
import os
import secrets
import selectors
import signal
import subprocess
import typing as t

from ansible.plugins.loader import shell_loader
from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError, Refused
from ansible_collections.bakehouse.images.plugins.plugin_utils._become_dialogue import Dialogue
from ansible_collections.bakehouse.images.plugins.plugin_utils._sudo_plugin import sudo_plugin
from ansible_collections.bakehouse.images.plugins.plugin_utils._transport import (
    CHUNK_BYTES,
    LocalTransport,
    Outcome,
    close_quietly,
    end_of,
    take_waiting,
)

if t.TYPE_CHECKING:
    from ansible_collections.bakehouse.images.plugins.plugin_utils._become_dialogue import Sink, Source

# How long sudo may take to ask, and to look at the answer: a system may have to ask others about it.
PATIENCE_SECONDS = 30.0

WHICH = (
    "The password is ansible_become_password among the build host's variables, else that of --ask-become-pass (-K), "
    "unless the image has an ansible_become_password of its own."
)

NO_ROOT = "sudo gives no root rights on this machine: {0}"

# English, which Ansible's plugin knows; and the command as words, of any length and without quotes.
WITH_SUDO = 'LC_ALL=C; export LC_ALL; exec {0} sh "$@"'


class SudoTransport(LocalTransport):
    """See the module.

    Args:
        variables: the build host's own, as Ansible's sudo plugin knows them.
        become_exe: stronger than the variables.
        prefix: stands before commands that nobody can be asked a password for.
        wrapper: stands before each command, inside the privilege escalation.
        password: of C(--ask-become-pass), when the variables have none.
    """

    holds_dialogues = True

    def __init__(
        self,
        variables: t.Mapping[str, t.Any],
        *,
        become_exe: str | None,
        prefix: t.Sequence[str],
        wrapper: t.Sequence[str],
        password: str | None,
    ) -> None:
        super().__init__([*prefix, *wrapper])
        self.variables = variables
        self.become_exe = become_exe
        self.wrapper = wrapper
        self.password = password

    @functools.cached_property
    def _sudo(self) -> t.Any:
        return sudo_plugin(self.variables, self.become_exe, self.password)

    def run(
        self, argv: t.Sequence[str], *, stdin: bytes | t.BinaryIO | None = None, stdout: t.BinaryIO | None = None
    ) -> Outcome:
        """See Transport.run."""
        out, err = io.BytesIO(), io.BytesIO()
        rc = self._run(argv, stdin or b"", stdout or out, err)
        return Outcome(rc, out.getvalue(), err.getvalue())

    def run_dialogue(self, argv: t.Sequence[str], dialogue: Dialogue) -> int:
        """See Transport.run_dialogue."""
        return self._run(argv, dialogue, dialogue.out, dialogue.err)

    def _run(self, argv: t.Sequence[str], source: bytes | Source, out: Sink, err: Sink) -> int:
        sudo = self._sudo
        shell = shell_loader.get("ansible.builtin.sh")
        shell.executable = "/bin/sh"
        mark = f"BAKEHOUSE-{secrets.token_hex(8)}"
        command = WITH_SUDO.format(sudo.build_become_command(f'echo {mark} >&2; exec "$@"', shell))
        password = str(sudo.get_option("become_pass"))
        entering = Dialogue(sudo, password, source, PATIENCE_SECONDS, out=out, err=err, err_mark=mark)
        process = subprocess.Popen(
            ["/bin/sh", "-c", command, "sh", *self.wrapper, *argv],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        try:
            _Conversation(process, entering).hold()
        except Refused as exc:
            self._end(process, entering)
            if entering.passed:
                raise
            raise Refused(NO_ROOT.format(exc.message), hint=WHICH) from None
        except BaseException:
            self._end(process, entering)
            raise
        rc = process.wait()
        for stream in (process.stdout, process.stderr):
            close_quietly(stream)
        if not entering.passed:
            raise Refused(NO_ROOT.format(entering.said() or f"status {rc}"), hint=WHICH)
        return rc if rc >= 0 else 128 - rc

    def _end(self, process: subprocess.Popen[bytes], entering: Dialogue) -> None:
        """End a command that is given up. A sudo that still asks ends when it is told nothing any more."""
        for stream in (process.stdin, process.stdout, process.stderr):
            close_quietly(stream)
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        except PermissionError:
            if entering.passed:
                with contextlib.suppress(BuildError):
                    self.run(["kill", "-KILL", "--", f"-{process.pid}"])


class _Conversation:
    """Feeds a process and takes its outputs until it has ended; what it is fed may have to wait for what it says."""

    def __init__(self, process: subprocess.Popen[bytes], dialogue: Dialogue) -> None:
        if not (process.stdin and process.stdout and process.stderr):
            raise ValueError("a process without pipes")
        self.stdin = process.stdin
        self.process = process
        self.sinks: dict[int, Sink] = {process.stdout.fileno(): dialogue.out, process.stderr.fileno(): dialogue.err}
        self.dialogue = dialogue
        self.rest = memoryview(b"")
        self.stalled = False

    def hold(self) -> None:
        """Until the end; see Transport.run."""
        ended = end_of(self.process)
        os.set_blocking(self.stdin.fileno(), False)
        try:
            with selectors.DefaultSelector() as selector:
                for fd in (ended, *self.sinks):
                    selector.register(fd, selectors.EVENT_READ)
                while ended in selector.get_map():
                    self._choose_writing(selector)
                    ready = selector.select(self.dialogue.patience)
                    if not ready:
                        raise Refused("neither a question for the password nor the start of the command was seen")
                    for key, _events in ready:
                        if key.fd == ended or not self._move(key.fd):
                            selector.unregister(key.fd)
                for fd, sink in self.sinks.items():
                    if fd in selector.get_map():
                        take_waiting(fd, sink.write)
        finally:
            os.close(ended)
        close_quietly(self.stdin)

    def _choose_writing(self, selector: selectors.BaseSelector) -> None:
        if self.stdin.closed or self.stdin in selector.get_map() or self.stalled:
            return
        selector.register(self.stdin, selectors.EVENT_WRITE)

    def _move(self, fd: int) -> bool:
        """Read or write once; False when there is no more to come, or not just now."""
        if fd in self.sinks:
            chunk = os.read(fd, CHUNK_BYTES)
            self.stalled = False
            self.sinks[fd].write(chunk)
            return bool(chunk)
        if not self.rest:
            data = self.dialogue.read(CHUNK_BYTES)
            if not data:
                self.stalled = data is None
                if data is not None:
                    close_quietly(self.stdin)
                return False
            self.rest = memoryview(data)
        try:
            self.rest = self.rest[os.write(fd, self.rest) :]
        except BlockingIOError:
            pass
        except BrokenPipeError:
            # A command need not read all it is given.
            close_quietly(self.stdin)
            return False
        return True


__all__ = ("SudoTransport",)
