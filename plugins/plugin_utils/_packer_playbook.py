# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Packer's provisioners C(ansible) and C(ansible-local) as C(playbook) steps.

Both run from outside the image, through its own connection, so it needs no Ansible and no SSH.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import typing as t
from pathlib import Path

import yaml
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_options import Row
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_provisioner import Provisioner
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_requirements import missing_requirements

CONNECTED = "the image's own connection is used"
OWN_RUN = "give it to the ansible-playbook that builds, or to its ansible.cfg"
INSTALLED_BEFORE = "what galaxy_file names is looked for, and not installed"

SHARED = {
    "playbook_file": Row(),
    "extra_arguments": Row("list"),
    "galaxy_file": Row(),
    "galaxy_command": Row(note=INSTALLED_BEFORE),
    "command": Row(note="the Ansible that builds also runs the playbook"),
}
ANSIBLE = {
    **SHARED,
    "groups": Row("list"),
    "host_alias": Row(),
    "ansible_env_vars": Row("list"),
    "collections_path": Row(),
    "roles_path": Row(),
    "empty_groups": Row("list", note="a playbook may name groups that are not there"),
    "galaxy_force_install": Row("bool", note=INSTALLED_BEFORE),
    "galaxy_force_with_deps": Row("bool", note=INSTALLED_BEFORE),
    "inventory_directory": Row(),
    "inventory_file": Row(reason="the inventory is this image alone"),
    "inventory_file_template": Row(note=CONNECTED),
    "keep_inventory_file": Row("bool", note="there is no file of Packer's to be kept"),
    "user": Row(note="the playbook begins as root of the image, and become_user is any other"),
    "skip_version_check": Row("bool", note="the Ansible that builds also runs the playbook"),
    "extra_ssh_args": Row(note=CONNECTED),
    **{
        name: Row("list" if name == "ansible_ssh_extra_args" else "text", note=CONNECTED)
        for name in (
            "adapter_key_type",
            "ansible_proxy_bind_address",
            "ansible_proxy_host",
            "ansible_proxy_key_type",
            "ansible_ssh_extra_args",
            "local_port",
            "sftp_command",
            "ssh_authorized_key_file",
            "ssh_host_key_file",
        )
    },
    "use_proxy": Row("bool", note=CONNECTED),
    "use_sftp": Row("bool", note=CONNECTED),
}
ANSIBLE_LOCAL = {
    **SHARED,
    "playbook_files": Row("list"),
    "playbook_dir": Row(),
    "playbook_paths": Row("list", note="files are found where they are"),
    "role_paths": Row("list"),
    "collection_paths": Row("list"),
    "group_vars": Row(),
    "host_vars": Row(),
    "inventory_file": Row(reason="the inventory is this image alone"),
    "inventory_groups": Row("list"),
    "clean_staging_directory": Row("bool", note="nothing is copied into the image"),
    "staging_directory": Row(note="nothing is copied into the image"),
    "galaxy_roles_path": Row(note=INSTALLED_BEFORE),
    "galaxy_collections_path": Row(note=INSTALLED_BEFORE),
}

SHORT = {"-e": "--extra-vars", "-t": "--tags", "-c": "--connection", "-b": "--become", "-u": "--user", "-l": "--limit"}
WITHOUT_VALUE = {"--become", "--diff", "--force-handlers"}
NEEDLESS = {
    "--become": "the playbook begins as root",
    "--connection": CONNECTED,
    "--user": CONNECTED,
    "--ssh-common-args": CONNECTED,
    "--ssh-extra-args": CONNECTED,
    "--scp-extra-args": CONNECTED,
}
THIS_MACHINE = ("localhost", "127.0.0.1", "::1")
# What Packer's inventory calls the machine where Ansible runs in the image.
LOCAL_HOST = "127.0.0.1"
# Settings of connections, and of output that is read line by line.
CONNECTING = (
    "ANSIBLE_HOST_KEY_CHECKING",
    "ANSIBLE_SSH_ARGS",
    "ANSIBLE_SCP_IF_SSH",
    "ANSIBLE_SSH_TRANSFER_METHOD",
    "ANSIBLE_REMOTE_USER",
    "ANSIBLE_FORCE_COLOR",
    "ANSIBLE_NOCOLOR",
    "PYTHONUNBUFFERED",
)


class _Loader(yaml.SafeLoader):
    """Reads plays for their hosts; tagged values do not matter."""


_Loader.add_multi_constructor("!", lambda _loader, _suffix, _node: None)


def playbook_steps(it: Provisioner, groups: set[str]) -> list[dict[str, t.Any]]:
    """The steps of the provisioner; the groups that its playbooks may name are added to C(groups)."""
    values = it.values
    is_local = it.component.kind == "ansible-local"
    files = [*([values["playbook_file"]] if values.get("playbook_file") else []), *(values.get("playbook_files") or [])]
    if not files:
        it.says(f"{it.component.kind} has a playbook_file.")
    if is_local:
        groups.update(_valid_groups(it, "inventory_groups"))
    else:
        groups.update(_valid_groups(it, "groups"))
        groups.add(_group(values.get("host_alias") or "default"))
    extra = _Arguments(it).read()
    beside = _beside(it, is_local)
    steps: list[dict[str, t.Any]] = []
    for file in files:
        option = "playbook_file" if file == values.get("playbook_file") else "playbook_files"
        path = it.local(file, option)
        if path is None:
            continue
        if is_local:
            _check_local_playbook(it, path, option)
        named = {
            "packer_build_name": it.surroundings.build_name,
            "packer_builder_type": it.surroundings.builder_type,
        }
        steps.append(
            {
                "name": it.title(file),
                "playbook": str(path),
                "vars": {**named, **extra.variables},
                **extra.keys(),
                **beside,
            }
        )
    for option in ("max_retries", "timeout"):
        if values.get(option):
            it.says(f"{option} is not supported for playbooks.", option)
    waiting = it.pause()
    return [{"name": it.title("wait"), "tasks": waiting}, *steps] if waiting else steps


def _group(name: str) -> str:
    return re.sub(r"\W", "_", name)


def _valid_groups(it: Provisioner, option: str) -> list[str]:
    for number, name in enumerate(it.values.get(option) or []):
        if name != _group(name) or name in ("all", "ungrouped"):
            it.says(
                f"{option}: {name!r} is no name for a group of Ansible: letters, digits and _ only.", option, number
            )
    return [_group(name) for name in it.values.get(option) or []]


def _check_local_playbook(it: Provisioner, path: Path, option: str) -> None:
    """A play for localhost would mean the image to ansible-local, and means the controller here."""
    try:
        plays = yaml.load(path.read_text(encoding="utf-8"), _Loader)  # noqa: S506 - derives from SafeLoader
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return  # the role reports what is wrong with files of steps
    for play in plays if isinstance(plays, list) else []:
        hosts = play.get("hosts") if isinstance(play, dict) else None
        named = hosts if isinstance(hosts, list) else str(hosts).split(",")
        if any(str(name).strip() in THIS_MACHINE for name in named):
            it.says(
                f"{option}: {path.name} has a play with 'hosts: {hosts}', which is the image where ansible-local runs "
                "it, and this machine here. Write 'hosts: all'.",
                option,
            )


def _beside(it: Provisioner, is_local: bool) -> dict[str, t.Any]:
    """What a playbook is run with: roles, collections, variables of groups and hosts, its environment."""
    found: dict[str, t.Any] = {"environment": _environment(it)}
    if is_local:
        # Roles are named one by one, and found by the folder they are in.
        named = _folders(it, "role_paths")
        found["roles_path"] = list(dict.fromkeys(str(Path(role).parent) for role in named))
        given = map(Path, _folders(it, "collection_paths"))
        found["collections_path"] = [str(it.parent if it.name == "ansible_collections" else it) for it in given]
        found.update({key: folder[0] for key in ("group_vars", "host_vars") if (folder := _folders(it, key))})
        name = LOCAL_HOST
    else:
        found["roles_path"] = _folders(it, "roles_path")
        found["collections_path"] = _folders(it, "collections_path")
        for place in _folders(it, "inventory_directory"):
            beside = {key: Path(place, key) for key in ("group_vars", "host_vars")}
            found.update({key: str(path) for key, path in beside.items() if path.is_dir()})
        name = it.values.get("host_alias") or "default"
    if "host_vars" in found:
        found["known_as"] = name
    _check_requirements(it, found)
    return {key: value for key, value in found.items() if value}


def _folders(it: Provisioner, option: str) -> list[str]:
    given = it.values.get(option) or []
    names = given if isinstance(given, list) else given.split(os.pathsep)
    places = [it.local(name, *((option, number) if given is names else (option,))) for number, name in enumerate(names)]
    return [str(place) for place in places if place is not None]


def _environment(it: Provisioner) -> dict[str, str]:
    found = {}
    for number, text in enumerate(it.values.get("ansible_env_vars") or []):
        name, equals, value = text.partition("=")
        if not equals or not re.fullmatch(r"\w+", name):
            it.says(f"ansible_env_vars: {text!r} is not NAME=value.", "ansible_env_vars", number)
        elif name in CONNECTING:
            it.warnings.append(it.component.at("ansible_env_vars", number).says(f"{name} has no effect: {CONNECTED}."))
        else:
            found[name] = value
    return found


def _check_requirements(it: Provisioner, beside: t.Mapping[str, t.Any]) -> None:
    """Packer installs what the file names; here it has to be there, as all else that a build needs."""
    path = it.local(it.values["galaxy_file"], "galaxy_file") if it.values.get("galaxy_file") else None
    if path is None:
        return
    roles, collections = beside.get("roles_path") or [], beside.get("collections_path") or []
    try:
        missing = missing_requirements(path, roles, collections)
    except ValueError as exc:
        it.says(f"galaxy_file: {exc}.", "galaxy_file")
        return
    commands = []
    for kind, folders in (("role", roles), ("collection", collections)):
        if any(it.startswith(f"the {kind} ") for it in missing):
            commands.append(" ".join([f"ansible-galaxy {kind} install -r {path}", *(f"-p {it}" for it in folders[:1])]))
    if missing:
        verb = "is" if len(missing) == 1 else "are"
        it.says(
            f"galaxy_file: {', '.join(missing)} {verb} not installed. Before the build, run {' and '.join(commands)}.",
            "galaxy_file",
        )


class _Arguments:
    """The arguments for ansible-playbook, as far as a step can have them."""

    def __init__(self, it: Provisioner) -> None:
        self.it = it
        self.variables: dict[str, t.Any] = {}
        self.tags: list[str] = []
        self.skip_tags: list[str] = []
        self.files: list[str] = []

    def keys(self) -> dict[str, t.Any]:
        """Those that are keys of a step."""
        given = {"tags": self.tags, "skip_tags": self.skip_tags, "vars_files": self.files}
        return {key: value for key, value in given.items() if value}

    def read(self) -> _Arguments:
        """Take in all of them; what cannot be had is a mistake."""
        words = list(self.it.values.get("extra_arguments") or [])
        number = 0
        while number < len(words):
            at = number
            name, equals, value = words[number].partition("=")
            if re.fullmatch(r"-[etcul]..*", words[number]) and not equals:
                name, value, equals = words[number][:2], words[number][2:], "="
            name = SHORT.get(name, name)
            if not equals and name not in WITHOUT_VALUE and not re.fullmatch("-v+|--verbose", name):
                number += 1
                value = words[number] if number < len(words) else ""
            number += 1
            self._take(name, value, at)
        return self

    def _take(self, name: str, value: str, at: int) -> None:
        if name == "--extra-vars":
            self._variables(value, at)
        elif name == "--tags":
            self.tags += value.split(",")
        elif name == "--skip-tags":
            self.skip_tags += value.split(",")
        elif re.fullmatch("-v+|--verbose", name):
            self._warn(f"{name} is taken from the ansible-playbook that builds", at)
        elif name in NEEDLESS:
            self._warn(f"{name} has no effect: {NEEDLESS[name]}", at)
        else:
            self.it.says(f"extra_arguments: {name} is not supported: {OWN_RUN}.", "extra_arguments", at)

    def _warn(self, text: str, at: int) -> None:
        self.it.warnings.append(self.it.component.at("extra_arguments", at).says(f"extra_arguments: {text}."))

    def _variables(self, text: str, at: int) -> None:
        if text.startswith("@"):
            path = self.it.local(text[1:], "extra_arguments", at)
            self.files += [str(path)] if path is not None else []
            return
        try:
            if text.lstrip().startswith("{"):
                found = json.loads(text)
            else:
                pairs = [word.partition("=") for word in shlex.split(text)]
                found = {name: value for name, equals, value in pairs if equals}
        except ValueError as exc:
            self.it.says(f"extra_arguments: {text!r} are no variables: {exc}.", "extra_arguments", at)
            return
        if found.pop("ansible_connection", None):
            self._warn(f"ansible_connection has no effect: {CONNECTED}", at)
        self.variables.update(found)


__all__ = ("ANSIBLE", "ANSIBLE_LOCAL", "playbook_steps")
