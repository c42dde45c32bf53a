# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""A build host behind ssh.

Who logs in where, and how, is left to Ansible's own ssh connection plugin: it reads the options, makes the command
line, and where something goes wrong logs in itself, so that retries, passwords and errors are those that users know.
The same holds for sudo and Ansible's become plugin. What is our own is the talk with the command once it runs: binary,
of any size, ended when the command has ended (C(_remote_command.py)).

Commands share a connection (ControlPersist) as all of Ansible does, with tasks that are delegated to the build host
too. With a password there must be a shared one, because only Ansible's plugin can give passwords to ssh: where the
options turn it off, one for this run of ansible-playbook is used.
"""

from __future__ import annotations

import base64
import functools
import inspect
import io
import os
import secrets
import shlex
import socket
import subprocess
import types
import typing as t
import zlib

from ansible import constants as C
from ansible.errors import AnsibleError
from ansible.playbook.play_context import PlayContext
from ansible.plugins.loader import connection_loader
from ansible_collections.bakehouse.images.plugins.module_utils import _remote_command, _remote_socket
from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError, NotFound, Refused
from ansible_collections.bakehouse.images.plugins.plugin_utils import _ssh_sockets
from ansible_collections.bakehouse.images.plugins.plugin_utils._run_notes import (
    locked,
    note_path,
    read_note,
    write_note,
)
from ansible_collections.bakehouse.images.plugins.plugin_utils._short_paths import short_path
from ansible_collections.bakehouse.images.plugins.plugin_utils._ssh_conversation import (
    Conversation,
    Escalation,
    Heard,
    Sink,
    Source,
    readable,
)
from ansible_collections.bakehouse.images.plugins.plugin_utils._sudo_plugin import sudo_plugin
from ansible_collections.bakehouse.images.plugins.plugin_utils._transport import (
    Outcome,
    Transport,
    killed_on_error,
)

if t.TYPE_CHECKING:
    from ansible_collections.bakehouse.images.plugins.plugin_utils._become_dialogue import Dialogue

# ssh's own exit status when it has no connection, or loses it.
SSH_FAILED = 255

# How long a connection lasts that is shared although the options say otherwise, when nobody uses it.
OWN_PERSIST_SECONDS = 15

# How long the process that holds a shared connection may take to do what it is told.
ANSWER_SECONDS = 10.0

# ssh makes the socket of a shared connection under a longer name, and renames it.
CONTROL_SUFFIX = len(".0123456789abcdef")

SUDO_HINT = "Give it as ansible_become_password among the build host's variables, or let sudo ask that user for none."

# Found first where a system has it; what comes first in a login's PATH may be a wrapper that does not run as root.
SYSTEM_PYTHON = "/usr/bin/python3"

# Interpreters are tried in their order, so that nothing need be asked beforehand. One line, as not each login shell
# takes a quoted one that is longer.
START_PYTHON = (
    "PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin; export PATH; argument=$1; program=$2; shift 2; "
    'for python in "$@"; do if command -v "$python" > /dev/null 2>&1; then '
    'exec "$python" -I -S -c "$program" "$argument"; fi; done; '
    'echo "There is no Python: $*." >&2; exit 127'
)

# For root nothing is to be gained by sudo, which need not be installed then.
AS_ROOT = 'LC_ALL=C; export LC_ALL; if [ "$(id -u)" = 0 ]; then {plain}; else {escalated}; fi'


class SshTransport(Transport):
    """See the module.

    Args:
        variables: the build host's own, as Ansible's ssh and sudo plugins know them.
        become: whether root rights are to be gained by sudo; None for when the login is not root's.
        become_exe: stronger than the variables.
        wrapper: stands before each command.
        login_password: of C(--ask-pass), when the variables have none.
        sudo_password: of C(--ask-become-pass), when the variables have none.
    """

    is_local = False
    holds_dialogues = True
    python = ("/bin/sh", "-c", 'exec "$BUILD_HOST_PYTHON" "$@"', "sh")

    def __init__(
        self,
        variables: t.Mapping[str, t.Any],
        *,
        become: bool | None = None,
        become_exe: str | None = None,
        wrapper: t.Sequence[str] = (),
        login_password: str | None = None,
        sudo_password: str | None = None,
    ) -> None:
        self.wrapper = list(wrapper)
        self.become = become
        self.become_exe = become_exe
        self.variables = variables
        self.passwords = (login_password, sudo_password)
        self.interpreter = variables.get("ansible_python_interpreter")
        # Without Ansible's plugins, which take longer to load than most tasks take in an agent.
        self.identity = repr((sorted(variables.items()), become, become_exe, self.wrapper))
        self._ready = False

    @functools.cached_property
    def _plugin(self) -> t.Any:
        return _ssh_plugin(self.variables, self.passwords[0])

    @functools.cached_property
    def _sudo(self) -> t.Any:
        return sudo_plugin(self.variables, self.become_exe, self.passwords[1])

    @property
    def host(self) -> str:
        """Where ssh logs in, for messages."""
        return str(self._plugin.host)

    # -- commands

    def argv(self, argv: t.Sequence[str]) -> list[str]:
        """See Transport.argv. The status of such a process is that of ssh, and it waits for what is left behind."""
        return self._ssh_argv(self._remote_text([*self.wrapper, *argv]))

    def run(
        self, argv: t.Sequence[str], *, stdin: bytes | t.BinaryIO | None = None, stdout: t.BinaryIO | None = None
    ) -> Outcome:
        """See Transport.run. When the connection ends before the command does, the command is killed."""
        out, err = io.BytesIO(), io.BytesIO()
        source = io.BytesIO(stdin) if isinstance(stdin, bytes) else stdin
        rc = self._run(argv, source, stdout or out, err)
        return Outcome(rc, out.getvalue(), err.getvalue())

    def run_dialogue(self, argv: t.Sequence[str], dialogue: Dialogue) -> int:
        """See Transport.run_dialogue."""
        return self._run(argv, dialogue, dialogue.out, dialogue.err)

    def _run(self, argv: t.Sequence[str], source: t.BinaryIO | Dialogue | None, out: Sink, err: Sink) -> int:
        start = source.tell() if source else 0
        words = [*self.wrapper, *argv]
        # As long as ssh has no connection, nothing has been run.
        for prepare in (self.prepare, self._log_in, self._ask_plugin_for_own):
            prepare()
            if source and prepare != self.prepare:
                source.seek(start)
            heard, rc = self._converse(words, source, out, err)
            if heard.greeted or rc != SSH_FAILED:
                break
        if not heard.is_complete:
            raise self._failure(heard, rc)
        self._ready = True
        if heard.errno is not None:
            reason = os.strerror(heard.errno)
            raise NotFound(f"The command {words[0]} cannot be run on the build host {self.host}: {reason}.")
        return rc

    def _converse(self, argv: t.Sequence[str], source: Source | None, out: Sink, err: Sink) -> tuple[Heard, int]:
        greeting = f"bakehouse-{secrets.token_hex(8)}"
        command = self._ssh_argv(self._remote_text(self._program(_remote_command, greeting)))
        with _started(command) as process, killed_on_error(process, self):
            conversation = Conversation(
                process,
                greeting.encode(),
                argv,
                source=source,
                out=out,
                err=err,
                escalation=self._escalation(),
            )
            heard = conversation.hold()
        return heard, process.returncode if heard.rc is None else heard.rc

    def _program(self, module: types.ModuleType, argument: str) -> list[str]:
        given = str(self.interpreter or "auto")
        if given.startswith("auto"):
            known = C.config.get_config_value("INTERPRETER_PYTHON_FALLBACK")
            candidates = list(dict.fromkeys([SYSTEM_PYTHON, *known]))
        else:
            candidates = [given]
        return ["/bin/sh", "-c", START_PYTHON, "sh", argument, _packed(module), *candidates]

    def _failure(self, heard: Heard, rc: int) -> BuildError:
        said = readable(heard.complaint)
        if self._sudo.prompt:
            said = said.replace(self._sudo.prompt, "").strip()
        said = said or "it said nothing."
        if heard.greeted and heard.silent:
            return BuildError(f"The command did not ask for a password, and did not start. ssh: {said}")
        if heard.greeted:
            return BuildError(
                f"The connection to the build host {self.host} ended while a command ran there; the command was killed."
                f" ssh: {said}"
            )
        if self.become is not False:
            if heard.silent or self._sudo.check_missing_password(heard.complaint):
                return Refused(f"sudo asks for a password on the build host {self.host}: {said}", hint=SUDO_HINT)
            if self._sudo.check_incorrect_password(heard.complaint) or b"incorrect password" in heard.complaint:
                return Refused(f"sudo on the build host {self.host} does not take the password: {said}")
        return Refused(f"No command can be run on the build host {self.host} (status {rc}): {said}")

    # -- rights

    def _remote_text(self, argv: t.Sequence[str]) -> str:
        """The text for the login shell that runs a command as root."""
        plain = shlex.join(argv)
        if self.become is False:
            return plain
        escalated: str = self._sudo.build_become_command(plain, self._plugin._shell)
        if self.become:
            script = f"LC_ALL=C; export LC_ALL; {escalated}"
        else:
            script = AS_ROOT.format(plain=f"exec {plain}", escalated=escalated)
        return shlex.join(["/bin/sh", "-c", script])

    def _escalation(self) -> Escalation | None:
        password = None if self.become is False else self._sudo.get_option("become_pass")
        if not password:
            return None
        return Escalation(self._sudo, str(password), self._plugin.get_option("timeout") + 2)

    # -- ssh

    @property
    def _password(self) -> str | None:
        password: str | None = self._plugin.get_option("password") or self._plugin._play_context.password
        return password

    def _ssh_argv(self, *words: str) -> list[str]:
        """The command line of Ansible's plugin, for a process that has nobody to ask for a password."""
        try:
            built = [os.fsdecode(word) for word in self._plugin._build_command(self._executable, "ssh")]
        except AnsibleError as exc:
            raise Refused(f"ssh cannot be used for the build host {self.host}: {exc}") from exc
        if self._plugin.sshpass_pipe:
            # Made for sshpass, which is not used here.
            for handle in self._plugin.sshpass_pipe:
                os.close(handle)
            self._plugin.sshpass_pipe = None
        options = built[built.index(self._executable) + 1 :]
        # Of an option that is given twice, ssh takes the first value; of -t and -T the last.
        return [self._executable, "-o", "BatchMode=yes", *options, "-T", self.host, *words]

    @property
    def _executable(self) -> str:
        return str(self._plugin.get_option("ssh_executable"))

    def prepare(self) -> None:
        """Log in beforehand: with a password, because our own processes cannot; else once for all workers of this
        run, because sshd refuses many logins at once (MaxStartups), and one that is shared is enough."""
        if self._ready or (not self._password and read_note("login", self.identity) is not None):
            return
        self._log_in()
        if self._password and not self._shares_connection():
            self._ask_plugin_for_own()
        write_note("", "login", self.identity)

    def _log_in(self) -> None:
        """Have a shared connection, if there can be one; one worker at a time."""
        with locked("login", self.identity):
            if not self._shares_connection():
                self._ask_plugin()

    def _ask_plugin(self) -> None:
        """Let Ansible's plugin log in, as often as it is told to, or say what is wrong."""
        try:
            self._plugin.exec_command("true", sudoable=False)
        except AnsibleError as exc:
            raise Refused(f"Cannot log in to the build host {self.host}: {exc}") from exc

    def _ask_plugin_for_own(self) -> None:
        """The same, sharing a connection of our own: the options allow none to be shared, or it is full."""
        given = self._plugin.get_option("ssh_args") or ""
        path = note_path("connection", self.identity, str(os.getpid()) if self._shares_connection() else "")
        path = short_path(path, CONTROL_SUFFIX) or path
        ours = f'-o ControlMaster=auto -o ControlPersist={OWN_PERSIST_SECONDS} -o ControlPath="{path}"'
        self._plugin.set_option("ssh_args", f"{ours} {given}")
        if not self._shares_connection():
            self._ask_plugin()

    def _shares_connection(self) -> bool:
        return self.control("check")

    # -- sockets

    def connect(self, path: str, *, is_there: bool = False) -> socket.socket | None:
        """See Transport.connect."""
        return _ssh_sockets.connect(self, path, is_there=is_there)

    def explain(self, lost: BuildError) -> BuildError:
        """See Transport.explain. From here, both look the same."""
        return BuildError(
            f"The connection to the build host {self.host} ended while a command ran there, or the sandbox's agent "
            "ended while a command ran in it. The command was killed.",
            hint=lost.hint,
        )

    def relay_argv(self, argument: str) -> list[str]:
        """The command line that runs C(_remote_socket.py) there. The socket is the login user's, so root is not
        needed."""
        return self._ssh_argv(shlex.join(self._program(_remote_socket, argument)))

    def control(self, command: str, *options: str) -> bool:
        """Tell the process that holds the shared connection something; whether it did it."""
        *options_of_ssh, host = self._ssh_argv()
        argv = [*options_of_ssh, "-O", command, *options, host]
        try:
            done = subprocess.run(
                argv, check=False, stdin=subprocess.DEVNULL, capture_output=True, timeout=ANSWER_SECONDS
            )
        except subprocess.TimeoutExpired:
            return False
        except FileNotFoundError as exc:
            raise NotFound(f"The command {argv[0]} is not installed on the controller.") from exc
        return done.returncode == 0


@functools.cache
def _packed(module: types.ModuleType) -> str:
    # Packed, it is a third as long, and has no characters that each shell in between would have to quote again.
    packed = base64.b64encode(zlib.compress(inspect.getsource(module).encode(), 9)).decode()
    return f'import binascii,zlib;exec(zlib.decompress(binascii.a2b_base64("{packed}")))'


def _started(argv: list[str]) -> subprocess.Popen[bytes]:
    try:
        # A session of its own, so that nothing asks on the user's terminal.
        return subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
        )
    except FileNotFoundError as exc:
        raise NotFound(f"The command {argv[0]} is not installed on the controller.") from exc


def _ssh_plugin(variables: t.Mapping[str, t.Any], password: str | None) -> t.Any:
    """Ansible's ssh connection for the build host. What is set for the image's own host does not reach it."""
    plugin = connection_loader.get("ansible.builtin.ssh", PlayContext(passwords={"conn_pass": password or ""}))
    plugin.set_options(var_options=dict(variables))
    plugin.host = str(plugin.get_option("host"))
    return plugin


__all__ = ("SshTransport",)
