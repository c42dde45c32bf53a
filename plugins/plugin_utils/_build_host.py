# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""How a connection plugin reaches the build host, read from its option C(build_host)."""

from __future__ import annotations

import dataclasses
import difflib
import os
import shlex
import typing as t

from ansible import constants as C
from ansible.plugins.loader import become_loader, connection_loader
from ansible_collections.bakehouse.images.plugins.module_utils._errors import Invalid
from ansible_collections.bakehouse.images.plugins.plugin_utils._bytecode import from_bytecode
from ansible_collections.bakehouse.images.plugins.plugin_utils._run_notes import read_note, write_note
from ansible_collections.bakehouse.images.plugins.plugin_utils._transport import LocalTransport, Transport

# An attribute that Ansible makes when it starts, which no type checker sees.
_CONFIG: t.Any = C.config

TRANSPORTS = ("local", "ssh")
SUDO = ("sudo", "ansible.builtin.sudo")

# Variables of a host that say how Ansible reaches it, and are no option of a plugin.
OF_ANSIBLE = ("ansible_become", "ansible_become_method", "ansible_connection", "ansible_python_interpreter")
# Where Ansible's sudo plugin finds a password.
PASSWORD_VARIABLES = ("ansible_become_password", "ansible_become_pass", "ansible_sudo_pass")
PASSWORD_ENVIRONMENT = ("ANSIBLE_BECOME_PASS", "ANSIBLE_SUDO_PASS")
# Where the name of the host to log in to is looked for.
ADDRESSES = ("ansible_host", "ansible_ssh_host", "inventory_hostname")


@dataclasses.dataclass(frozen=True)
class BuildHost:
    """What the option says.

    Args:
        transport: how commands get there: C(local), the controller itself, or C(ssh).
        become: whether commands need privilege escalation there; None means when the user there is not root.
        become_method: how; C(sudo) only.
        become_exe: the command, when it is not found under its own name.
        variables: the build host's own variables, as Ansible's ssh and sudo plugins know them. They may hold secrets.
    """

    transport: str = "local"
    become: bool | None = None
    become_method: str = "sudo"
    become_exe: str | None = None
    variables: t.Mapping[str, t.Any] = dataclasses.field(default_factory=dict, repr=False)

    @classmethod
    def from_option(cls, value: t.Mapping[str, t.Any] | None) -> BuildHost:
        """Read the option.

        Raises:
            Invalid: unknown keys, or values of the wrong kind. No value of a variable is repeated.
        """
        given = dict(value or {})
        variables = given.get("variables") or {}
        # Each task has the same, and knowing the variables takes Ansible's plugins longer than the task.
        subject = ("build host", repr(given))
        if read_note(*subject) is None:
            cls._check(given, variables)
            write_note("", *subject)
        become = given.get("become")
        if become is None:
            become = _to_bool(variables.get("ansible_become"))
        return cls(**{**given, "become": become, "variables": dict(variables)})

    @classmethod
    def _check(cls, given: dict[str, t.Any], variables: t.Any) -> None:
        problems = [*_key_problems(cls, given), *_value_problems(given)]
        if isinstance(variables, t.Mapping):
            problems += _variable_problems(given.get("transport", "local"), variables)
        else:
            problems.append("variables must be a dictionary of variables of the build host.")
        if problems:
            raise Invalid(problems, subject="build_host (ansible_chroot_build_host)")

    @property
    def escalates(self) -> bool:
        """Whether commands are run through the become method, where the build host is the controller."""
        return os.geteuid() != 0 if self.become is None else self.become

    def to_transport(
        self,
        wrapper: t.Sequence[str] = (),
        *,
        login_password: str | None = None,
        sudo_password: str | None = None,
    ) -> Transport:
        """The way to the build host.

        Args:
            wrapper: stands before each command, inside the privilege escalation.
            login_password: of C(--ask-pass), used when the variables have none.
            sudo_password: of C(--ask-become-pass), likewise.
        """
        if self.transport == "ssh":
            # Loaded only where it is used: most build hosts are the controller.
            with from_bytecode():
                from ansible_collections.bakehouse.images.plugins.plugin_utils._ssh_transport import SshTransport
            return SshTransport(
                self.variables,
                become=self.become,
                become_exe=self.become_exe,
                wrapper=wrapper,
                login_password=login_password,
                sudo_password=sudo_password,
            )
        if self.escalates and self._has_password(sudo_password):
            with from_bytecode():
                from ansible_collections.bakehouse.images.plugins.plugin_utils._sudo_transport import SudoTransport
            return SudoTransport(
                self.variables,
                become_exe=self.become_exe,
                prefix=self._sudo(),
                wrapper=wrapper,
                password=sudo_password,
            )
        return LocalTransport([*(self._sudo() if self.escalates else []), *wrapper])

    def _has_password(self, asked: str | None) -> bool:
        """Whether there is one for sudo. Ansible's plugin, which knows, takes longer to load than a task."""
        return bool(
            asked
            or any(self.variables.get(name) for name in PASSWORD_VARIABLES)
            or any(os.environ.get(name) for name in PASSWORD_ENVIRONMENT)
        )

    def _sudo(self) -> list[str]:
        flags = self.variables.get("ansible_become_flags") or self.variables.get("ansible_sudo_flags") or ""
        given = self.variables.get("ansible_become_exe") or self.variables.get("ansible_sudo_exe")
        return [self.become_exe or given or "sudo", *shlex.split(str(flags)), "-n", "--"]


def wanted_variables(transport: str = "ssh") -> frozenset[str]:
    """The names of a build host's variables that count for C(variables): those of Ansible's plugins, of any version."""
    names = {*OF_ANSIBLE, *_plugin_variables("become", become_loader.get("ansible.builtin.sudo"))}
    if transport == "ssh":
        names |= {"inventory_hostname", *_plugin_variables("connection", _ssh_class())}
    return frozenset(name for name in names if name.isidentifier())


def _ssh_class() -> t.Any:
    return connection_loader.get("ansible.builtin.ssh", class_only=True)


def _plugin_variables(kind: str, plugin: t.Any) -> list[str]:
    # Under which name the options of a plugin are known depends on the version of ansible-core.
    for name in dict.fromkeys((plugin._load_name, plugin._load_name.rpartition(".")[2])):
        found: list[str] = _CONFIG.get_plugin_vars(kind, name)
        if found:
            return found
    return []


def _key_problems(cls: type[BuildHost], given: t.Mapping[str, t.Any]) -> list[str]:
    known = [field.name for field in dataclasses.fields(cls)]
    return [
        "The key {!r} is not known; known are {}.".format(key, ", ".join(known)) for key in given if key not in known
    ]


def _value_problems(given: t.Mapping[str, t.Any]) -> list[str]:
    problems = []
    if given.get("transport", "local") not in TRANSPORTS:
        problems.append("transport is {!r}, but only local and ssh are known.".format(given["transport"]))
    if given.get("become_method", "sudo") not in SUDO:
        problems.append("become_method is {!r}, but only sudo is known.".format(given["become_method"]))
    if not isinstance(given.get("become"), (bool, type(None))):
        problems.append("become is {!r}, but must be true or false.".format(given["become"]))
    return problems


def _variable_problems(transport: str, variables: t.Mapping[str, t.Any]) -> list[str]:
    """What is wrong with the build host's variables. Their values may be secrets, and stay out of it."""
    known = wanted_variables()
    problems = []
    for name in variables:
        if name not in known:
            near = difflib.get_close_matches(str(name), known, n=1)
            hint = f" Did you mean {near[0]}?" if near else ""
            problems.append(f"The variable {name!r} says nothing about how a build host is reached.{hint}")
    if transport == "ssh" and not any(variables.get(name) for name in ADDRESSES):
        problems.append("transport is ssh, but variables has no ansible_host to log in to.")
    if variables.get("ansible_become_method", "sudo") not in SUDO:
        problems.append("ansible_become_method of the build host is not sudo, and only that is known.")
    return problems


def _to_bool(value: t.Any) -> bool | None:
    if value is None or isinstance(value, bool):
        return value
    return str(value).strip().lower() in ("1", "on", "t", "true", "y", "yes")


__all__ = ("BuildHost", "wanted_variables")
