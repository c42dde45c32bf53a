# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""How a build host is reached, read from the variables it has in the inventory.

A connection sees only the variables of its own host, and only those that its documentation declares. So an image's
connection gets its build host's in one option. Variables of the image itself never count here: there, C(ansible_user)
and C(ansible_become_*) mean users of the image.
"""

from __future__ import annotations

import os
import typing as t
from collections.abc import Mapping
from difflib import get_close_matches

from ansible import constants as C
from ansible import context
from ansible.errors import AnsibleError
from ansible.plugins.connection.local import Connection as LocalConnection
from ansible.plugins.loader import connection_loader
from ansible_collections.bakehouse.images.plugins.plugin_utils._build_host import wanted_variables
from ansible_collections.bakehouse.images.plugins.plugin_utils._build_host_choice import CHROOT

# Ansible's settings are attributes made when it starts, which no type checker sees.
SETTINGS: t.Any = C

SSH = ("ansible.builtin.ssh", "ansible.builtin.smart", "smart", "ssh")
SUDO = ("ansible.builtin.sudo", "sudo")
INTERPRETER = "ansible_python_interpreter"

# They say something else here: the transport has a key of its own, root is always needed, and the interpreter is looked
# at below.
NOT_TAKEN = frozenset(
    {
        "ansible_become",
        "ansible_become_method",
        "ansible_become_user",
        "ansible_connection",
        "ansible_sudo_user",
        INTERPRETER,
    }
)

WINDOWS = ("psrp", "winrm")
CONTAINERS = ("buildah", "docker", "docker_api", "incus", "kubectl", "lxc", "lxd", "nsenter", "oc", "podman")

Kind = t.Literal["local", "ssh"]


def connection_option(name: str, variables: Mapping[str, t.Any]) -> dict[str, t.Any]:
    """The value of the connection's option C(build_host) for a build host of the inventory.

    It holds the secrets that are needed to get there, in the clear.

    Args:
        variables: those of the image's task, with C(hostvars).

    Raises:
        AnsibleError: the host is not known, it is not reached in a way that we can go, or one of the variables that
            matter cannot be evaluated.
    """
    hostvars = variables["hostvars"]
    if name not in hostvars:
        raise AnsibleError(f"The build host {name} is not a host of this inventory.")
    there = hostvars[name]
    kind = kind_of(connection_of(there))
    if kind is None:
        raise AnsibleError(
            f"The build host {name} is reached by {connection_of(there)}, and only ssh and local are known."
        )
    found = {key: _value(there, key, name) for key in sorted(wanted_variables(kind) - NOT_TAKEN) if key in there}
    python = _interpreter(there) if kind == "ssh" else None
    if python:
        found[INTERPRETER] = python
    return {"transport": kind, "variables": found} if found else {"transport": kind}


def problems_of(name: str, variables: Mapping[str, t.Any]) -> list[str]:
    """Why images cannot be built on a host: one sentence for each reason, with what to do."""
    hostvars = variables["hostvars"]
    if name not in hostvars:
        near = get_close_matches(name, variables["groups"].get("all", ()), n=1)
        return [f"bake_build_host {name} is not a host of this inventory.{f' Did you mean {near[0]}?' if near else ''}"]
    there = hostvars[name]
    try:
        connection = connection_of(there)
        if connection == CHROOT:
            return [
                f"bake_build_host {name} is itself an image (its ansible_connection is {CHROOT}). Name the machine"
                " that images are built on."
            ]
        kind = kind_of(connection)
        if kind is None:
            return [f"bake_build_host {name} is reached by {connection}. {_instead_of(connection)}"]
        return _become_problems(name, there, kind)
    except AnsibleError as exc:
        return [f"How bake_build_host {name} is reached cannot be evaluated: {str(exc).strip().splitlines()[0]}"]


def connection_of(there: Mapping[str, t.Any]) -> str:
    """The connection plugin of a host, as Ansible would take it for a task."""
    if "ansible_connection" in there:
        return str(there["ansible_connection"])
    return str(context.CLIARGS.get("connection") or SETTINGS.DEFAULT_TRANSPORT)


def kind_of(connection: str) -> Kind | None:
    """The transport for a connection plugin; None when there is none."""
    if connection in SSH:
        return "ssh"
    if connection == CHROOT:
        return None
    plugin = connection_loader.get(connection, class_only=True)
    # A plugin made from Ansible's own runs commands on the controller as well.
    return "local" if isinstance(plugin, type) and issubclass(plugin, LocalConnection) else None


def _instead_of(connection: str) -> str:
    name = connection.rpartition(".")[2]
    if name in WINDOWS:
        return "A build host runs Linux: name one that is reached by ssh, or localhost."
    if name.startswith("paramiko"):
        return "Set ansible_connection: ssh for it, which reaches the same machines by OpenSSH."
    if name in CONTAINERS:
        return (
            "Let the machine that the container runs on be the build host, by ssh, or run ansible-playbook in the"
            " container."
        )
    if name == "aws_ssm":
        return (
            "Set ansible_connection: ssh for it, and lead ssh through the Session Manager with a ProxyCommand in"
            " ansible_ssh_common_args."
        )
    return "A build host is the controller (ansible_connection: local) or reached by ssh (ansible_connection: ssh)."


def _become_problems(name: str, there: Mapping[str, t.Any], kind: Kind) -> list[str]:
    login = there.get("ansible_user", there.get("ansible_ssh_user")) if kind == "ssh" else None
    login = login or context.CLIARGS.get("remote_user") or SETTINGS.DEFAULT_REMOTE_USER
    if login == "root" if kind == "ssh" else os.geteuid() == 0:
        return []
    problems = []
    method = str(
        there.get("ansible_become_method") or context.CLIARGS.get("become_method") or SETTINGS.DEFAULT_BECOME_METHOD
    )
    if method not in SUDO:
        problems.append(
            f"bake_build_host {name} gives root rights by {method} (ansible_become_method), and only sudo is known."
            " Set ansible_become_method: sudo for it, or log in as root."
        )
    user = there.get("ansible_become_user", "root")
    if user != "root":
        problems.append(
            f"bake_build_host {name} has ansible_become_user: {user}, and a build needs root there. Leave it out, or"
            " set it where it is meant."
        )
    # Whom ssh logs in as without a user named is up to its own configuration: that may be root.
    if there.get("ansible_become") is False and login:
        problems.append(
            f"bake_build_host {name} has ansible_become: false, and {login} is not root. A build needs root there:"
            " leave ansible_become out."
        )
    return problems


def _value(there: Mapping[str, t.Any], key: str, host: str) -> t.Any:
    try:
        return _bare(there[key])
    except AnsibleError as exc:
        raise AnsibleError(f"The variable {key} of the build host {host} cannot be evaluated: {exc}") from exc


def _bare(value: t.Any) -> t.Any:
    """The value without what Ansible knows of its origin: a decrypted text would be taken for its ciphertext."""
    if isinstance(value, Mapping):
        return {str(key): _bare(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_bare(item) for item in value]
    if value is None or isinstance(value, bool):
        return value
    return int(value) if isinstance(value, int) else float(value) if isinstance(value, float) else "".join(str(value))


def _interpreter(there: Mapping[str, t.Any]) -> str | None:
    """The Python to use there; None where nothing is said, or where Ansible would have to look for it."""
    python = there.get(INTERPRETER) or SETTINGS.config.get_config_value("INTERPRETER_PYTHON")
    if str(python).startswith("auto"):
        python = there.get("ansible_facts", {}).get("discovered_interpreter_python")
    return str(python) if python else None


__all__ = ("connection_of", "connection_option", "kind_of", "problems_of")
