# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs a whole playbook against the image that is being built."""

from __future__ import annotations

import tempfile
import typing as t
from pathlib import Path

from ansible import constants as C
from ansible import context
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible.utils.unsafe_proxy import wrap_var
from ansible_collections.bakehouse.images.plugins.plugin_utils._child_playbook import (
    ChildRun,
    inventory_text,
    recap,
    run_lines,
    write_facts,
    write_host_vars,
)
from ansible_collections.bakehouse.images.plugins.plugin_utils._untemplated import plain, to_yaml

display = Display()

# Ansible's settings are attributes made when it starts, which no type checker sees.
SETTINGS: t.Any = C

# How the image's connection reaches the build host.
BUILD_HOST = "ansible_chroot_build_host"

# Each password by all the names that Ansible's ssh and sudo plugins know it by.
PASSWORDS = {
    "ansible_password": ("ansible_password", "ansible_ssh_pass", "ansible_ssh_password"),
    "ansible_become_password": ("ansible_become_password", "ansible_become_pass", "ansible_sudo_pass"),
}

SPEC: dict[str, t.Any] = {
    "playbook": {"type": "str", "required": True},
    "variables": {"type": "dict", "default": {}},
    "tags": {"type": "list", "elements": "str", "default": []},
    "skip_tags": {"type": "list", "elements": "str", "default": []},
    "environment": {"type": "dict", "default": {}},
    "vars_files": {"type": "list", "elements": "path", "default": []},
    "roles_path": {"type": "list", "elements": "path", "default": []},
    "collections_path": {"type": "list", "elements": "path", "default": []},
    "group_vars": {"type": "path"},
    "host_vars": {"type": "path"},
    "known_as": {"type": "str"},
}


class ActionModule(ActionBase):
    """See the module of the same name."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Run it, and fail when it failed, or when it did nothing."""
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        _validation, given = self.validate_argument_spec(argument_spec=SPEC)
        variables = task_vars or {}
        host = str(variables["inventory_hostname"])
        with tempfile.TemporaryDirectory(prefix="bakehouse-", dir=SETTINGS.DEFAULT_LOCAL_TMP) as folder:
            inventory = Path(folder) / "inventory.yml"
            raw = {**variables["hostvars"].raw_get(host), **self._build_host(variables)}
            self._write_private(inventory, inventory_text(host, variables.get("group_names", []), raw))
            self._beside(given, host, Path(folder))
            facts = self._facts(variables.get("ansible_facts"), host, Path(folder))
            child = self._child(given, host, Path(folder))
            status, lines = run_lines(child, inventory, lambda line: display.display(f"    {line}"), facts)
        counts = recap(lines, host)
        result["counts"] = counts
        problem = _problem(given["playbook"], host, status, counts, lines)
        if problem:
            return {**result, "failed": True, "msg": problem}
        return {**result, "changed": counts["changed"] > 0}

    def _build_host(self, variables: dict[str, t.Any]) -> dict[str, t.Any]:
        """How the child run reaches the build host, which is not in its inventory.

        Evaluated, because the variables it is made from are not there; so it may hold passwords, those that this run
        asked for at its start among them. It goes into a file that only this user can read, for as long as the child
        runs.
        """
        if BUILD_HOST not in variables:
            return {}
        option = dict(self._templar.template(variables[BUILD_HOST]))
        # The image's connection knows them from passwords of the image. Another one has none to pass on.
        asked = {
            "ansible_password": getattr(self._connection, "asked_login", None),
            "ansible_become_password": getattr(self._connection, "asked_sudo", None),
        }
        if option.get("transport") != "ssh":
            del asked["ansible_password"]
        there = option.get("variables") or {}
        missing = {name: value for name, value in asked.items() if value and not _has_password(there, name)}
        if missing:
            option["variables"] = {**there, **missing}
        return {BUILD_HOST: wrap_var(option)}

    def _child(self, given: dict[str, t.Any], host: str, folder: Path) -> ChildRun:
        extra = list(context.CLIARGS.get("extra_vars") or ())
        if given["variables"]:
            path = folder / "variables.yml"
            self._write_private(path, to_yaml(plain(given["variables"])))
            extra.insert(0, f"@{path}")
        extra[:0] = [f"@{path}" for path in given["vars_files"]]
        return ChildRun(
            playbook=given["playbook"],
            host=host,
            extra_vars=tuple(extra),
            tags=tuple(given["tags"]),
            skip_tags=tuple(given["skip_tags"]),
            check=bool(self._task.check_mode),
            diff=bool(self._task.diff),
            verbosity=display.verbosity,
            vault_files=self._vault_files(folder),
            environment={str(name): str(value) for name, value in given["environment"].items()},
            roles_path=tuple(given["roles_path"]),
            collections_path=tuple(given["collections_path"]),
        )

    @staticmethod
    def _beside(given: dict[str, t.Any], host: str, folder: Path) -> None:
        """Put the user's folders of variables beside the inventory, where Ansible looks for them."""
        if given["group_vars"]:
            (folder / "group_vars").symlink_to(given["group_vars"])
        if given["host_vars"]:
            write_host_vars(Path(given["host_vars"]), host, given["known_as"], folder / "host_vars")

    @staticmethod
    def _facts(facts: t.Any, host: str, folder: Path) -> Path | None:
        """A folder with what is known of the image; None where nothing was gathered."""
        if not facts or "/" in host:
            return None
        (folder / "facts").mkdir(mode=0o700)
        write_facts(facts, host, folder / "facts")
        return folder / "facts"

    def _vault_files(self, folder: Path) -> tuple[str, ...]:
        """The secrets that this run was given, as files that only this user can read."""
        vault = getattr(self._loader, "_vault", None)
        named = []
        for number, (label, secret) in enumerate(getattr(vault, "secrets", None) or []):
            path = folder / f"vault-{number}"
            self._write_private(path, secret.bytes.decode("utf-8", "surrogateescape"))
            named.append(f"{label or 'default'}@{path}")
        return tuple(named)

    @staticmethod
    def _write_private(path: Path, text: str) -> None:
        path.touch(mode=0o600)
        path.write_text(text, encoding="utf-8", errors="surrogateescape")


def _has_password(variables: t.Mapping[str, t.Any], name: str) -> bool:
    return any(variables.get(alias) for alias in PASSWORDS[name])


def _problem(playbook: str, host: str, status: int, counts: dict[str, int], lines: list[str]) -> str | None:
    name = Path(playbook).name
    if status != 0:
        said = [line for line in lines if line.startswith(("fatal:", "ERROR!", "[ERROR]"))]
        return f"The playbook {name} failed with status {status}. {said[-1] if said else 'Its output is above.'}"
    if not counts:
        return (
            f"No play of the playbook {name} matched the image {host}, so nothing was provisioned. Its plays must name"
            f" the host {host}, one of its groups, or all."
        )
    if counts.get("ok", 0) == 0:
        return f"The playbook {name} ran no task on the image {host}. Look at its conditions and tags."
    return None
