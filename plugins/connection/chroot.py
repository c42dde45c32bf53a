# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: chroot
short_description: Run tasks in an image that is being built, or in any directory that holds a root file system
version_added: 0.1.0
author: bakehouse.images maintainers (@bakehouse)
description:
  - Runs tasks in a sandbox of the build host, a root file system with its own C(/proc), C(/sys), C(/dev), process ids,
    host name and mounts. What runs there cannot mount, signal, rename or reconfigure the build host.
  - The sandbox is one that the role P(bakehouse.images.bake#role) opened (O(sandbox)), or one that this plugin opens
    at first use on a directory (O(root), or the host's address or name when it is an absolute path) and that closes
    with the C(ansible-playbook) process, or over ssh after O(idle_timeout).
  - The build host is the controller, or a machine that is reached by ssh (O(build_host)).
  - Set it as the host's variable C(ansible_connection). As the keyword C(connection) of a play it would also catch
    tasks delegated to other hosts, which is refused.
options:
  sandbox:
    description:
      - Name of an open sandbox on the build host. The role sets it while an image is being built.
      - Stronger than O(root).
    type: str
    vars:
      - name: ansible_chroot_sandbox
  closed_reason:
    description:
      - Why the sandbox is closed, repeated to a task that comes too late. The role sets it.
    type: str
    vars:
      - name: ansible_chroot_closed_reason
  root:
    description:
      - Absolute path of a directory on the build host that holds a root file system.
      - Without it, O(remote_addr) is taken when it is an absolute path.
    type: str
    vars:
      - name: ansible_chroot_root
  remote_addr:
    description:
      - The host's address or name, as C(community.general.chroot) takes it.
      - Used as O(root) when it is an absolute path.
    type: str
    vars:
      - name: inventory_hostname
      - name: ansible_host
  remote_user:
    description:
      - User of the image that tasks run as, by name.
      - Only the variable counts. The keyword C(remote_user) and the setting of that name in C(ansible.cfg) are meant
        for logins over the network.
    type: str
    default: root
    vars:
      - name: ansible_user
  executable:
    description: Shell in the image that reads the commands.
    type: str
    default: /bin/sh
    vars:
      - name: ansible_executable
      - name: ansible_chroot_executable
  build_host:
    description:
      - How the build host is reached, as a dictionary. The role sets it from the variables of the build host.
      - C(transport) is V(local), the controller itself, or V(ssh).
      - C(become) says whether commands need root rights there. Without it, they do when the user there is not root.
        C(become_method) is V(sudo); C(become_exe) is its path.
      - C(variables) are the build host's own variables, as P(ansible.builtin.ssh#connection) and
        P(ansible.builtin.sudo#become) know them, and C(ansible_python_interpreter). All options of those plugins count,
        as for any other host, with the settings of C(ansible.cfg). For V(ssh) it must hold C(ansible_host).
      - C(ansible_user), C(ansible_become_*) and other variables of the image itself never reach them.
      - Where C(sudo) asks for a password, it is the C(ansible_become_password) of C(variables), else that of
        C(--ask-become-pass) (C(-K)). The password for ssh is the C(ansible_password) of C(variables), else that of
        C(--ask-pass). Those of the image (O(image_become_password), O(image_password)) are offered to neither.
    type: dict
    default: {}
    vars:
      - name: ansible_chroot_build_host
  image_become_password:
    description:
      - What C(su) or C(sudo) of the image is told when it asks for a password. Without it, and without a variable of
        the become plugin's own such as C(ansible_su_pass), that is the password of C(--ask-become-pass).
      - Where this is set, Ansible passes on no password of C(--ask-become-pass), to the build host neither. Then the
        build host's has to be among the C(variables) of O(build_host).
    type: str
    vars:
      - name: ansible_become_password
      - name: ansible_become_pass
  image_password:
    description:
      - Nobody logs in to an image, so this is used for nothing. Where it is set, because it is for several hosts, it is
        not taken for that of C(--ask-pass), and Ansible does not pass that on.
    type: str
    vars:
      - name: ansible_password
      - name: ansible_ssh_pass
  idle_timeout:
    description:
      - A sandbox on a directory of a build host that is reached by ssh closes when nothing has run in it for so many
        seconds. The next task opens another. One that is in use never closes, and an agent (O(agent)) that waits for
        commands is one that uses it.
      - Where the build host is the controller, it closes with the C(ansible-playbook) process.
    type: float
    default: 300
    vars:
      - name: ansible_chroot_idle_timeout
  command_wrapper:
    description:
      - What goes around each command on the build host, either as a list of words that stand before it, such as
        V([nice, -n, '10']), or as a text for C(/bin/sh) in which V({command}) stands for it, such as
        V(date >> /var/log/builds && nice -n 10 {command}). The command arrives as it is, so that it needs no quotes.
      - Packer's V({{.Command}}) is understood as well, if C(!unsafe) keeps it from being taken for a template.
      - It runs with the rights that entering the sandbox needs, so C(sudo) is not needed in it.
      - With it, no agent is used (O(agent)), so that it sees each command.
    type: raw
    vars:
      - name: ansible_chroot_command_wrapper
  use_image_sudo:
    description:
      - C(sudo) is Ansible's become method when none is named. Here it is taken to mean
        P(bakehouse.images.chroot_user#become), which needs nothing in the image.
      - With V(true), the C(sudo) of the image is run.
    type: bool
    default: false
    vars:
      - name: ansible_chroot_use_image_sudo
  chroot_exe:
    description: Accepted from inventories made for C(community.general.chroot), and ignored with a warning.
    type: str
    vars:
      - name: ansible_chroot_exe
  pipelining:
    description:
      - Hand modules to the image's Python over its standard input, without files in the image.
      - On by default, unlike in other connections, since nothing in the way into an image is in conflict with it.
    type: bool
    default: true
    env:
      - name: ANSIBLE_PIPELINING
    ini:
      - section: defaults
        key: pipelining
      - section: connection
        key: pipelining
    vars:
      - name: ansible_pipelining
  agent:
    description:
      - Have one process in each sandbox, running the image's own Python, that forks for each command of a task and for
        each module that is piped to that Python (O(pipelining)). Results are the same, and there sooner.
      - The first module starts it. It ends with the sandbox, or after O(agent_idle_timeout).
      - Where the image has no Python, or one older than 3.8, or another than the task's, commands run without it;
        when that Python is upgraded, a new one is started.
      - C(-vvvv) says for each command whether it was used, and why not.
    type: bool
    default: true
    vars:
      - name: ansible_chroot_agent
  agent_idle_timeout:
    description: Seconds without a command after which the agent (O(agent)) ends. The next module starts another.
    type: float
    default: 300
    vars:
      - name: ansible_chroot_agent_idle_timeout
  become_success_timeout:
    description: Seconds to wait for C(su) or C(sudo) of the image when it is given a password.
    type: int
    default: 10
    vars:
      - name: ansible_chroot_become_success_timeout
  become_strip_preamble:
    description: Leave out what C(su) or C(sudo) of the image prints before the command starts.
    type: bool
    default: true
    vars:
      - name: ansible_chroot_become_strip_preamble
notes:
  - The image needs C(/bin/sh); for modules Python, for file transfers C(cat).
  - C(ansible.builtin.reboot), and raw commands that restart or stop a machine, are refused.
  - Errors of this connection fail a task. They never make the host unreachable, so that C(rescue) and C(always) run.
  - Temporary files of modules go below O(ansible.builtin.sh#shell:remote_tmp). Set C(ansible_remote_tmp=/tmp) to keep
    C(.ansible) out of the image's home directories.
seealso:
  - plugin: bakehouse.images.chroot_user
    plugin_type: become
  - plugin: community.general.chroot
    plugin_type: connection
"""

EXAMPLES = r"""
---
# Inventory: two directories, prepared side by side. The host's name, or ansible_host, is the path.
all:
  vars:
    ansible_connection: bakehouse.images.chroot
    ansible_remote_tmp: /tmp
  hosts:
    /srv/roots/web:
    database:
      ansible_chroot_root: /srv/roots/database

---
# The same on another machine, where the user builder logs in with a key and may use sudo.
all:
  vars:
    ansible_connection: bakehouse.images.chroot
    ansible_remote_tmp: /tmp
    ansible_chroot_build_host:
      transport: ssh
      variables:
        ansible_host: builder.example.com
        ansible_user: builder
        ansible_ssh_private_key_file: ~/.ssh/builder
        ansible_become_password: "{{ lookup('ansible.builtin.env', 'BUILDER_SUDO_PASSWORD') }}"
  hosts:
    /srv/roots/web:
"""

import dataclasses
import os
import shlex
import typing as t

from ansible.errors import AnsibleConnectionFailure, AnsibleError, AnsibleFileNotFound
from ansible.plugins.connection import ConnectionBase
from ansible.plugins.connection.local import Connection as LocalConnection
from ansible.plugins.loader import become_loader
from ansible.utils.display import Display
from ansible_collections.bakehouse.images.plugins.plugin_utils._bytecode import always_from_bytecode, from_bytecode

# A worker imports this anew for each task. What only some tasks need, or only the first, is imported where it is used.
with from_bytecode():
    from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError
    from ansible_collections.bakehouse.images.plugins.plugin_utils._agent_client import AgentDied, Replay
    from ansible_collections.bakehouse.images.plugins.plugin_utils._agent_route import connect_by_known_route
    from ansible_collections.bakehouse.images.plugins.plugin_utils._module_payload import recognise
    from ansible_collections.bakehouse.images.plugins.plugin_utils._not_started import not_started, policy
    from ansible_collections.bakehouse.images.plugins.plugin_utils._option_definitions import know_options, note_options
    from ansible_collections.bakehouse.images.plugins.plugin_utils._power import power_command

know_options("connection", __name__)

if t.TYPE_CHECKING:
    from ansible.plugins.become import BecomeBase
    from ansible_collections.bakehouse.images.plugins.become.chroot_user import BecomeModule
    from ansible_collections.bakehouse.images.plugins.plugin_utils._agent_route import AgentLine
    from ansible_collections.bakehouse.images.plugins.plugin_utils._module_payload import ModulePayload
    from ansible_collections.bakehouse.images.plugins.plugin_utils._sandbox_session import SandboxSession
    from ansible_collections.bakehouse.images.plugins.plugin_utils._transport import Outcome, Transport

display = Display()

CHROOT_USER = "bakehouse.images.chroot_user"

NO_IMAGE = (
    "No image is known for host {0}: no sandbox is open for it (ansible_chroot_sandbox), no directory is named "
    "(ansible_chroot_root), and its address is no absolute path. A host that the role bakehouse.images.bake builds "
    "has no facts before the role opens its image: set gather_facts to false in the play. And bakehouse.images.chroot "
    "belongs into the host variable ansible_connection: the keyword connection of a play catches tasks delegated to "
    "other hosts too."
)

NO_RESTART = (
    "Refused: {0}. This host is an image, which is not running: it cannot be restarted or stopped, and the build host "
    "is not restarted in its place. Leave the task out where ansible_facts.is_chroot is true; what needs a running "
    "system goes into the first boot of the image."
)

NOT_STARTED = (
    "Cannot be done: {0}. This host is an image, which is not running, and what cannot be done in it is to fail "
    "(bake_on_not_done, or BAKEHOUSE_STAND_INS in the environment). All else that the task asks for was done. "
    "A unit that is enabled starts when the image boots: leave the state out where ansible_facts.is_chroot is true."
)


class Connection(LocalConnection):
    """Enters a sandbox. Of the local connection it keeps the dialogue with su and sudo."""

    transport = "bakehouse.images.chroot"
    has_pipelining = True
    default_user = "root"

    def __init__(self, *args: t.Any, **kwargs: t.Any) -> None:
        super().__init__(*args, **kwargs)
        self.default_user = "root"
        # A worker is a fork that lives for one task; its parent is the ansible-playbook process.
        self._playbook_pid = int(kwargs.get("ansible_playbook_pid") or os.getpid())
        self._session: SandboxSession | None = None
        # Passwords that this run asked for at its start, which are for the build host too.
        self.asked_login: str | None = None
        self.asked_sudo: str | None = None
        self._line: AgentLine | None = None

    def set_options(
        self,
        task_keys: dict[str, t.Any] | None = None,
        var_options: dict[str, t.Any] | None = None,
        direct: dict[str, t.Any] | None = None,
    ) -> None:
        """Ansible calls this for each task, before it hands options to the become plugin."""
        always_from_bytecode()
        super().set_options(task_keys=task_keys, var_options=var_options, direct=direct)  # type: ignore[no-untyped-call]
        # Ansible puts passwords of the host's variables in the place of those that it has asked for.
        context = self._play_context
        self.asked_login = None if self._option("image_password") is not None else context.password or None
        self.asked_sudo = None if self._option("image_become_password") is not None else context.become_pass or None
        note_options("connection", __name__, self._load_name)
        # The agent forks meanwhile. Most tasks have something to run.
        self._close_line()
        self._line = connect_by_known_route(*self._route_subject()) if self._wants_agent() else None
        if self.become and self.become.name == "sudo" and not self._option("use_image_sudo"):
            self.set_become_plugin(become_loader.get(CHROOT_USER))

    def _connect(self) -> Connection:
        """Find the sandbox; there is nothing to hold open between commands."""
        self._open_session()
        return self

    def exec_command(self, cmd: str, in_data: bytes | None = None, sudoable: bool = True) -> tuple[int, bytes, bytes]:
        """Run the command in the image; the status is exact, and 128 plus the signal's number for a signal."""
        user, command = self._user_and_command(cmd, sudoable)
        display.vvv(f"EXEC {command}", host=self._option("remote_addr"))
        if refused := power_command(command):
            raise AnsibleError(NO_RESTART.format(refused))
        argv = [self._option("executable"), "-c", command]
        if sudoable and self.become and self.become.expect_prompt():
            outcome = self._exec_with_dialogue(argv, user, in_data)
        else:
            outcome = self._run(argv, user, stdin=in_data or None, payload=recognise(command, in_data))
        if (left_out := not_started(outcome[1])) and not self._play_context.check_mode:
            self._note(left_out, policy(command, self._open_session().record.environment))
        return outcome

    def put_file(self, in_path: str, out_path: str) -> None:
        """Copy a file of the controller to the path, as the image sees it."""
        display.vvv(f"PUT {in_path} TO {out_path}", host=self._option("remote_addr"))
        try:
            source = open(in_path, "rb")  # noqa: SIM115 - entered below; the error of opening it is told apart
        except FileNotFoundError as exc:
            raise AnsibleFileNotFound(f"The file {in_path} does not exist on the controller.") from exc
        except OSError as exc:
            raise AnsibleError(f"Cannot read {in_path} on the controller: {exc.strerror}.") from exc

        def run(script: str, words: list[str], stdin: t.BinaryIO) -> Outcome:
            return self._run([*self._file_argv(script, out_path), *words], self._housekeeping_user(), stdin=stdin)

        from ansible_collections.bakehouse.images.plugins.plugin_utils._files import send_file

        with source:
            rc, _out, err = send_file(source, run)
        _check_transfer(f"write {out_path} in", rc, err)

    def fetch_file(self, in_path: str, out_path: str) -> None:
        """Copy the file at the path, as the image sees it, to the controller."""
        from ansible_collections.bakehouse.images.plugins.plugin_utils._files import READ_FILE, new_file

        display.vvv(f"FETCH {in_path} TO {out_path}", host=self._option("remote_addr"))
        try:
            with new_file(out_path) as target:
                argv = self._file_argv(READ_FILE, in_path)
                rc, _out, err = self._run(argv, self._housekeeping_user(), stdout=target)
                _check_transfer(f"read {in_path} in", rc, err)
        except OSError as exc:
            raise AnsibleError(f"Cannot write {out_path} on the controller: {exc.strerror}.") from exc

    def reset(self) -> None:
        """Look for the sandbox again at the next command."""
        self.close()

    def close(self) -> None:
        """Nothing is held open: the sandbox belongs to the role, or to the ansible-playbook process."""
        self._close_line()
        self._session = None
        self._connected = False

    def _option(self, name: str) -> t.Any:
        # Untyped in ansible-core.
        return ConnectionBase.get_option(self, name)

    def _open_session(self) -> SandboxSession:
        if not self._session:
            if self._option("chroot_exe"):
                display.warning("ansible_chroot_exe is ignored: bakehouse.images.chroot enters images without chroot.")
            try:
                self._session = self._with_agent(self._find_session())
            except BuildError as exc:
                raise _task_error(exc) from None
            self._connected = True
        return self._session

    def _find_session(self) -> SandboxSession:
        from ansible_collections.bakehouse.images.plugins.plugin_utils._build_host import BuildHost
        from ansible_collections.bakehouse.images.plugins.plugin_utils._command_wrapper import wrapper_words
        from ansible_collections.bakehouse.images.plugins.plugin_utils._directory_sandbox import open_directory
        from ansible_collections.bakehouse.images.plugins.plugin_utils._sandbox_session import attach_to_sandbox

        build_host = BuildHost.from_option(self._option("build_host"))
        transport = build_host.to_transport(
            wrapper_words(self._option("command_wrapper")),
            login_password=self.asked_login,
            sudo_password=self.asked_sudo,
        )
        sandbox, root = self._option("sandbox"), self._root()
        if sandbox:
            return attach_to_sandbox(transport, sandbox, closed_reason=self._option("closed_reason"))
        if root:
            return open_directory(
                transport, root, watch_pid=self._playbook_pid, idle_seconds=self._option("idle_timeout")
            )
        reason, address = self._option("closed_reason"), self._option("remote_addr") or ""
        raise AnsibleError(f"The image of {address} is closed. {reason}" if reason else NO_IMAGE.format(address))

    def _root(self) -> str | None:
        address = self._option("remote_addr") or ""
        return self._option("root") or (address if os.path.isabs(address) else None)

    def _with_agent(self, session: SandboxSession) -> SandboxSession:
        if not self._wants_agent():
            return session
        from ansible_collections.bakehouse.images.plugins.plugin_utils._agent import AgentAccess

        agent = AgentAccess(
            transport=session.transport,
            record=session.record,
            idle_seconds=self._option("agent_idle_timeout"),
            say=self._say,
            subject=self._route_subject(),
        )
        return dataclasses.replace(session, agent=agent)

    def _wants_agent(self) -> bool:
        return bool(self._option("agent")) and not self._option("command_wrapper")

    def _say(self, sentence: str) -> None:
        display.vvvv(sentence, host=self._option("remote_addr"))

    def _route_subject(self) -> list[str]:
        """All that decides which agent a command gets to."""
        root = self._root() or ""
        place = self._option("sandbox") or f"{root}:{os.path.realpath(root)}"
        return [place, repr(self._option("build_host")), str(self._playbook_pid)]

    def _run(
        self,
        argv: list[str],
        user: str,
        *,
        stdin: bytes | t.BinaryIO | None = None,
        stdout: t.BinaryIO | None = None,
        payload: ModulePayload | None = None,
    ) -> Outcome:
        feed = stdin if stdin is None or isinstance(stdin, bytes) else Replay(stdin)
        try:
            outcome = None
            if not self._session and self._wants_agent():
                outcome = self._run_by_known_route(argv, user, payload=payload, stdin=feed, stdout=stdout)
            if outcome is None:
                outcome = self._open_session().run(argv, user=user, payload=payload, stdin=feed, stdout=stdout)
        except BuildError as exc:
            raise _task_error(exc) from None
        return outcome

    def _run_by_known_route(
        self, argv: list[str], user: str, *, payload: ModulePayload | None, **streams: t.Any
    ) -> Outcome | None:
        line = self._line or connect_by_known_route(*self._route_subject())
        if not line or not line.route.is_for(user, payload):
            return None
        self._line = None
        try:
            return line.run(argv, user, payload=payload, say=self._say, **streams)
        except AgentDied as exc:
            raise self._open_session().explain(exc) from None

    def _close_line(self) -> None:
        if self._line:
            self._line.close()
            self._line = None

    def _note(self, left_out: str, wanted: str) -> None:
        """Note what a module has left out, beside what the stand-ins of commands note."""
        from ansible_collections.bakehouse.images.plugins.module_utils._sandbox.stand_ins import NOTES

        if wanted == "no":
            return
        note = f"echo {shlex.quote(left_out)} >> {NOTES}"
        self._run([self._option("executable"), "-c", note], "root")
        if wanted == "fail":
            raise AnsibleError(NOT_STARTED.format(left_out))

    def _file_argv(self, script: str, path: str) -> list[str]:
        return [self._option("executable"), "-c", script, "sh", path]

    def _user_and_command(self, cmd: str, sudoable: bool) -> tuple[str, str]:
        """Whom to enter as, and what to run."""
        if not sudoable:
            return self._housekeeping_user(), cmd
        if self.become and self.become.name == CHROOT_USER:
            unmarked = t.cast("BecomeModule", self.become).unmarked(cmd)
            if unmarked is not None:
                return self._become_user(), unmarked
        return self._login_user(), cmd

    def _login_user(self) -> str:
        return self._option("remote_user") or "root"

    def _become_user(self) -> str:
        user = self.become.get_option("become_user") if self.become else None
        return user or "root"

    def _housekeeping_user(self) -> str:
        """Who handles the temporary files of a task.

        Files for an ordinary user are made by one user and read by another. Ansible then hands them over by ACL or
        chown; done by root, chown never fails, and no ACL tools, shared group or readable-for-all files are needed.
        """
        login = self._login_user()
        return login if not self.become or self._become_user() in ("root", login) else "root"

    def _exec_with_dialogue(self, argv: list[str], user: str, in_data: bytes | None) -> tuple[int, bytes, bytes]:
        """A command that first asks for a password: ansible-core's own dialogue, around our command."""
        try:
            session = self._open_session()
            words = session.argv(argv, user=user)
            if session.transport.holds_dialogues:
                return self._exec_with_own_dialogue(session.transport, words, in_data)
            # A session of its own, as in Transport.run: the image gets no way to the user's terminal.
            command = ["exec", "setsid", *session.transport.argv(words)]
            rc, out, err = super().exec_command(shlex.join(command), in_data, sudoable=True)
        except (AnsibleConnectionFailure, BuildError) as exc:
            raise _task_error(exc) from None
        return (rc if rc >= 0 else 128 - rc), out, err

    def _exec_with_own_dialogue(
        self, transport: Transport, words: list[str], in_data: bytes | None
    ) -> tuple[int, bytes, bytes]:
        from ansible_collections.bakehouse.images.plugins.plugin_utils._become_dialogue import Dialogue

        become = t.cast("BecomeBase", self.become)
        password = str(become.get_option("become_pass", playcontext=self._play_context))
        dialogue = Dialogue(become, password, in_data or b"", self._option("become_success_timeout"))
        rc = transport.run_dialogue(words, dialogue)
        return (rc, *dialogue.outputs(stripped=self._option("become_strip_preamble")))


def _task_error(exc: Exception) -> AnsibleError:
    """To be raised C(from None): a failed login among an error's causes makes the host unreachable since
    ansible-core 2.19, and neither C(rescue) nor C(always) would run."""
    return AnsibleError(str(exc))


def _check_transfer(deed: str, rc: int, err: bytes) -> None:
    if rc != 0:
        text = err.decode(errors="replace").strip()
        raise AnsibleError(f"Cannot {deed} the image (status {rc}): {text or 'no message.'}")
