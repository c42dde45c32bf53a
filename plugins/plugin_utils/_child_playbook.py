# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""An ansible-playbook of its own, on an inventory with exactly one image."""

from __future__ import annotations

import dataclasses
import os
import re
import subprocess
import sys
import typing as t
from collections.abc import Mapping
from pathlib import Path

from ansible import constants as C
from ansible.plugins.loader import cache_loader
from ansible_collections.bakehouse.images.plugins.plugin_utils._untemplated import plain, to_yaml

# Ansible's settings are attributes made when it starts, which no type checker sees.
SETTINGS: t.Any = C

# Variables that Ansible makes for each host of each run anew.
MAGIC = frozenset(C.INTERNAL_STATIC_VARS) | {
    "ansible_check_mode",
    "ansible_config_file",
    "ansible_diff_mode",
    "ansible_facts",
    "ansible_forks",
    "ansible_inventory_sources",
    "ansible_limit",
    "ansible_playbook_python",
    "ansible_run_tags",
    "ansible_skip_tags",
    "ansible_verbosity",
    "ansible_version",
    "group_names",
    "groups",
    "inventory_dir",
    "inventory_file",
    "inventory_hostname",
    "inventory_hostname_short",
    "omit",
    "playbook_dir",
}

# What the names of files of variables end in.
VARIABLE_FILES = (".yml", ".yaml", ".json")


@dataclasses.dataclass(frozen=True)
class ChildRun:
    """One run of a playbook.

    Attributes:
        playbook: absolute path of the playbook.
        host: name of the image.
        extra_vars: values for C(--extra-vars), as the user gave them to the parent.
        tags, skip_tags: which of its tasks to run.
        check, diff: as the parent runs.
        verbosity: how often to give C(-v).
        vault_files: C(id@path) of each vault secret.
        environment: variables for it, over those of this process.
        roles_path, collections_path: folders to look in before Ansible's own.
    """

    playbook: str
    host: str
    extra_vars: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    skip_tags: tuple[str, ...] = ()
    check: bool = False
    diff: bool = False
    verbosity: int = 0
    vault_files: tuple[str, ...] = ()
    environment: Mapping[str, str] = dataclasses.field(default_factory=dict)
    roles_path: tuple[str, ...] = ()
    collections_path: tuple[str, ...] = ()

    def argv(self, inventory: Path) -> list[str]:
        """The command. The parent's own interpreter runs it, so that both are the same Ansible."""
        command = [sys.executable, "-m", "ansible", "playbook", "--inventory", str(inventory)]
        for option, values in (
            ("--vault-id", self.vault_files),
            ("--extra-vars", self.extra_vars),
            ("--tags", self.tags),
            ("--skip-tags", self.skip_tags),
        ):
            for value in values:
                command += [option, value]
        flags = (("--check", self.check), ("--diff", self.diff), (f"-{'v' * self.verbosity}", self.verbosity > 0))
        return [*command, *(flag for flag, wanted in flags if wanted), self.playbook]


def inventory_text(host: str, groups: t.Iterable[str], variables: Mapping[str, t.Any]) -> str:
    """A YAML inventory with one host, its groups, and its variables as their authors wrote them."""
    facts = {f"ansible_{name}" for name in variables.get("ansible_facts") or {}}
    skipped = MAGIC | facts
    own = {
        plain(name): plain(value)
        for name, value in variables.items()
        if name not in skipped and not str(name).startswith(("bake_", "__bake_"))
    }
    name = plain(host)
    children: dict[str, t.Any] = {
        plain(group): {"hosts": {name: {}}} for group in groups if group not in ("all", "ungrouped")
    }
    return to_yaml({"all": {"hosts": {name: own}, "children": children}})


def write_facts(facts: Mapping[str, t.Any], host: str, folder: Path) -> None:
    """Write the image's facts into an empty folder, as Ansible's own cache of facts keeps them."""
    cached = {name if name == "ansible_local" else f"ansible_{name}": plain(value) for name, value in facts.items()}
    cache = cache_loader.get("jsonfile", _uri=str(folder), _prefix="", _timeout=0)
    cache.set(host, {**cached, "_ansible_facts_gathered": True})


def write_host_vars(folder: Path, host: str, known_as: str | None, target: Path) -> None:
    """Make a folder C(host_vars) for a child run, in which the image has the files of the name it is known by.

    Args:
        folder: the user's own folder.
        host: name of the image.
        known_as: how the user's files call it; None for its own name.
        target: where to make it.
    """
    target.mkdir()
    for entry in folder.iterdir():
        name = entry.name
        if known_as and (name == known_as or (entry.stem == known_as and entry.suffix in VARIABLE_FILES)):
            name = host + name[len(known_as) :]
        (target / name).symlink_to(entry)


def environment(child: ChildRun, facts: Path | None = None) -> dict[str, str]:
    """The parent's environment and search paths, and the child's own; output that can be read line by line.

    Args:
        child: the run.
        facts: the folder of write_facts. The plays take those facts instead of gathering, which in a chroot finds the
            build host's kernel and devices.
    """
    env = {**os.environ, **child.environment}
    env.update(
        ANSIBLE_COLLECTIONS_PATH=os.pathsep.join([*child.collections_path, *(SETTINGS.COLLECTIONS_PATHS or ())]),
        ANSIBLE_INVENTORY_ENABLED="yaml",
        ANSIBLE_NOCOLOR="1",
        ANSIBLE_ROLES_PATH=os.pathsep.join([*child.roles_path, *(SETTINGS.DEFAULT_ROLES_PATH or ())]),
        ANSIBLE_STDOUT_CALLBACK="default",
        PYTHONUNBUFFERED="1",
    )
    if facts:
        env.update(
            ANSIBLE_CACHE_PLUGIN="jsonfile",
            ANSIBLE_CACHE_PLUGIN_CONNECTION=str(facts),
            ANSIBLE_CACHE_PLUGIN_PREFIX="",
            ANSIBLE_CACHE_PLUGIN_TIMEOUT="0",
            ANSIBLE_GATHERING="smart",
        )
    if SETTINGS.CONFIG_FILE:
        env["ANSIBLE_CONFIG"] = str(SETTINGS.CONFIG_FILE)
    return env


def run_lines(
    child: ChildRun, inventory: Path, show: t.Callable[[str], None], facts: Path | None = None
) -> tuple[int, list[str]]:
    """Run it, show each line as it comes, and return its status and the lines."""
    lines = []
    with subprocess.Popen(
        child.argv(inventory),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environment(child, facts),
        encoding="utf-8",
        errors="replace",
    ) as process:
        for line in process.stdout or ():
            text = line.rstrip("\n")
            lines.append(text)
            show(text)
    return process.returncode, lines


def recap(lines: t.Iterable[str], host: str) -> dict[str, int]:
    """The counts of the closing line for the host; empty when the playbook never came to it."""
    pattern = re.compile(rf"{re.escape(host)}\s+: (ok=.*)")
    found = [match.group(1) for match in map(pattern.fullmatch, map(str.rstrip, lines)) if match]
    if not found:
        return {}
    return {name: int(count) for name, count in re.findall(r"(\w+)=(\d+)", found[-1])}


__all__ = ("ChildRun", "inventory_text", "recap", "run_lines", "write_facts", "write_host_vars")
