# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lets a process that outlives ansible-playbook know of a build, for the case that it is ended from outside."""

from __future__ import annotations

import os
import sys
import typing as t

from ansible import constants as C
from ansible import context
from ansible.plugins.action import ActionBase
from ansible_collections.bakehouse.images.plugins.module_utils._life import Owner, owner_of
from ansible_collections.bakehouse.images.plugins.plugin_utils import _janitor_client
from ansible_collections.bakehouse.images.plugins.plugin_utils._janitor import (
    Build,
    Settings,
    command_line_of,
    pipes_of,
)
from ansible_collections.bakehouse.images.plugins.plugin_utils._module_action import ACCESS_VARIABLE
from ansible_collections.bakehouse.images.plugins.plugin_utils._outscale_action import (
    ACCESS_VARIABLE as OUTSCALE_ACCESS,
)
from ansible_collections.bakehouse.images.plugins.plugin_utils._untemplated import plain

# Ansible's settings are attributes made when it starts, which no type checker sees.
SETTINGS: t.Any = C

# Options of the command line that say how hosts are reached.
PASSED_ON = {
    "remote_user": "--user",
    "private_key_file": "--private-key",
    "ssh_common_args": "--ssh-common-args",
    "ssh_extra_args": "--ssh-extra-args",
    "become_method": "--become-method",
}

# The variables of an image that say how an API is called, with those of the role that sweeps.
SWEEP_ACCESS = {ACCESS_VARIABLE: "sweep_aws_access", OUTSCALE_ACCESS: "sweep_outscale_access"}

SPEC: dict[str, t.Any] = {
    "state": {"type": "str", "choices": ["begun", "ended"], "required": True},
    "build_id": {"type": "str", "required": True},
    "owner": {"type": "str", "default": ""},
    "image": {"type": "str", "default": ""},
    "api_host": {"type": "str", "default": "localhost"},
    "build_hosts": {"type": "list", "elements": "str", "default": []},
    "directories": {"type": "list", "elements": "str", "default": []},
    "regions": {"type": "list", "elements": "str", "default": []},
    "timeout": {"type": "int", "default": 600},
    "report": {"type": "str", "default": ""},
}

REPORT_ENDING = ".cancelled"


class ActionModule(ActionBase):
    """See the module of the same name."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Tell the janitor, and start it when need be."""
        result: dict[str, t.Any] = {**super().run(tmp, task_vars), "changed": False, "janitor": False}
        _validation, given = self.validate_argument_spec(argument_spec=SPEC)
        if self._task.check_mode:
            return result
        if given["state"] == "ended":
            _janitor_client.end(given["build_id"])
            return result
        if given["timeout"] <= 0:
            return result
        places = {name: plain(given[name]) for name in ("api_host", "build_hosts", "directories", "regions")}
        report = os.path.abspath(given["report"] + REPORT_ENDING) if given["report"] else ""
        build = Build(
            plain(given["build_id"]), plain(given["image"]), places, given["timeout"], report, self._access(task_vars)
        )
        owner = owner_of(os.getppid())
        # When the run has just ended, the parent of this worker is another process, which may never end.
        noted = Owner.from_text(given["owner"])
        if owner is None or (noted and (noted.pid, noted.start_time) != (owner.pid, owner.start_time)):
            return {**result, "failed": True, "msg": "The ansible-playbook that runs this build has ended."}
        problem = _janitor_client.begin(build, lambda: self._settings(owner))
        result["janitor"] = not problem
        if problem:
            result["warnings"] = [
                f"There is no janitor for this build: {problem}. Should ansible-playbook be killed, what the build has"
                " made stays until bakehouse.images.sweep is run."
            ]
        return result

    def _access(self, task_vars: dict[str, t.Any] | None) -> dict[str, t.Any]:
        """How APIs are called: the variables of the role that sweeps, with their values."""
        variables = task_vars or {}
        given = {
            sweeps: plain(self._templar.template(variables.get(variable)) or {})
            for variable, sweeps in SWEEP_ACCESS.items()
        }
        return {sweeps: access for sweeps, access in given.items() if access}

    def _settings(self, owner: Owner) -> Settings:
        run = owner.pid
        command, files = self._command()
        return Settings(
            pid=run,
            start_time=owner.start_time,
            command_line=command_line_of(run),
            pipes=sorted(pipes_of(run, own=True)),
            command=command,
            files=files,
            play=self._play(),
            environment=_environment(),
            directory=os.getcwd(),
            log=os.path.join(os.path.expanduser(str(SETTINGS.ANSIBLE_HOME)), "bakehouse", "janitor.log"),
            terminal=_terminal(run),
        )

    def _command(self) -> tuple[list[str], dict[str, str]]:
        """The command, and the secrets that this run was given, for files that only this user can read."""
        command = [sys.executable, "-m", "ansible", "playbook"]
        for inventory in context.CLIARGS.get("inventory") or ():
            command += ["--inventory", str(inventory)]
        for name, option in PASSED_ON.items():
            value = context.CLIARGS.get(name)
            if value:
                command += [f"{option}={value}"]
        files = {}
        vault = getattr(self._loader, "_vault", None)
        for number, (label, secret) in enumerate(getattr(vault, "secrets", None) or []):
            files[f"vault-{number}"] = secret.bytes.decode("utf-8", "surrogateescape")
            command += ["--vault-id", f"{label or 'default'}@{{folder}}/vault-{number}"]
        for option, password in (
            ("--connection-password-file", getattr(self._play_context, "password", None)),
            ("--become-password-file", getattr(self._play_context, "become_pass", None)),
        ):
            if password:
                files[option.strip("-")] = str(password)
                command += [option, f"{{folder}}/{option.strip('-')}"]
        for values in context.CLIARGS.get("extra_vars") or ():
            command += ["--extra-vars", str(values)]
        return command, files

    def _play(self) -> dict[str, t.Any]:
        """The play that sweeps, with the environment and the defaults of modules that this task has."""
        play: dict[str, t.Any] = {
            "name": "Clean up after builds that were ended",
            "hosts": "localhost",
            "gather_facts": False,
            "tasks": [{"name": "Sweep", "ansible.builtin.import_role": {"name": "bakehouse.images.sweep"}}],
        }
        for keyword in ("environment", "module_defaults"):
            merged: dict[str, t.Any] = {}
            for one in getattr(self._task, keyword, None) or ():
                value = self._templar.template(one)
                merged.update(value if isinstance(value, dict) else {})
            if merged:
                play[keyword] = plain(merged)
        return play


def _environment() -> dict[str, str]:
    """The run's environment and search paths; output that reads well in a log."""
    env = dict(os.environ)
    env.update(
        ANSIBLE_COLLECTIONS_PATH=os.pathsep.join(SETTINGS.COLLECTIONS_PATHS or ()),
        ANSIBLE_NOCOLOR="1",
        ANSIBLE_STDOUT_CALLBACK="default",
        PYTHONUNBUFFERED="1",
    )
    if SETTINGS.CONFIG_FILE:
        env["ANSIBLE_CONFIG"] = str(SETTINGS.CONFIG_FILE)
    return env


def _terminal(pid: int) -> str:
    """The terminal that the run writes its errors to; empty where that is none."""
    try:
        handle = os.open(f"/proc/{pid}/fd/2", os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK)
    except OSError:
        return ""
    try:
        return os.ttyname(handle) if os.isatty(handle) else ""
    except OSError:
        return ""
    finally:
        os.close(handle)
