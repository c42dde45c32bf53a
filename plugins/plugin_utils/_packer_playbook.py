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
import re
import shlex
import typing as t
from pathlib import Path

import yaml
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_options import Row
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_provisioner import Provisioner

CONNECTED = "the image's own connection is used"
OWN_RUN = "give it to the ansible-playbook that builds, or to its ansible.cfg"
INSTALL_FIRST = "run ansible-galaxy install before the build"

SHARED = {
    "playbook_file": Row(),
    "extra_arguments": Row("list"),
    "galaxy_file": Row(reason=INSTALL_FIRST),
    "galaxy_command": Row(note=INSTALL_FIRST),
    "command": Row(note="the Ansible that builds also runs the playbook"),
}
ANSIBLE = {
    **SHARED,
    "groups": Row("list"),
    "host_alias": Row(),
    "ansible_env_vars": Row("list", reason="set them in the environment of the ansible-playbook that builds"),
    "collections_path": Row(reason=OWN_RUN),
    "roles_path": Row(reason=OWN_RUN),
    "empty_groups": Row("list", note="a playbook may name groups that are not there"),
    "galaxy_force_install": Row("bool", note=INSTALL_FIRST),
    "galaxy_force_with_deps": Row("bool", note=INSTALL_FIRST),
    "inventory_directory": Row(reason="put group_vars and host_vars beside the playbook"),
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
    "collection_paths": Row("list", reason=OWN_RUN),
    "group_vars": Row(reason="put group_vars beside the playbook"),
    "host_vars": Row(reason="put host_vars beside the playbook"),
    "inventory_file": Row(reason="the inventory is this image alone"),
    "inventory_groups": Row("list"),
    "clean_staging_directory": Row("bool", note="nothing is copied into the image"),
    "staging_directory": Row(note="nothing is copied into the image"),
    "galaxy_roles_path": Row(note=INSTALL_FIRST),
    "galaxy_collections_path": Row(note=INSTALL_FIRST),
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
    steps: list[dict[str, t.Any]] = []
    for file in files:
        option = "playbook_file" if file == values.get("playbook_file") else "playbook_files"
        path = it.local(file, option)
        if path is None:
            continue
        if is_local:
            _check_local_playbook(it, path, option)
            _check_roles(it, path)
        named = {
            "packer_build_name": it.surroundings.build_name,
            "packer_builder_type": it.surroundings.builder_type,
        }
        steps.append(
            {
                "name": it.title(file),
                "playbook": str(path),
                "vars": {**named, **extra.variables},
                **({"tags": extra.tags} if extra.tags else {}),
                **({"skip_tags": extra.skip_tags} if extra.skip_tags else {}),
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


def _check_roles(it: Provisioner, playbook: Path) -> None:
    for number, name in enumerate(it.values.get("role_paths") or []):
        role = it.local(name, "role_paths", number)
        if role is not None and role.parent not in (playbook.parent, playbook.parent / "roles"):
            it.says(
                f"role_paths: {name} is not in the folder of the playbook or in roles beside it. Move it there, or "
                "name its folder in roles_path of ansible.cfg.",
                "role_paths",
                number,
            )


class _Arguments:
    """The arguments for ansible-playbook, as far as a step can have them."""

    def __init__(self, it: Provisioner) -> None:
        self.it = it
        self.variables: dict[str, t.Any] = {}
        self.tags: list[str] = []
        self.skip_tags: list[str] = []

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
            self.it.says(
                "extra_arguments: files of variables (@file) are not supported; name them in vars_files of the "
                "playbook.",
                "extra_arguments",
                at,
            )
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
