# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Packer's provisioners C(shell) and C(shell-local) as steps.

Scripts run by C(raw), so that the image needs no Python, as with Packer.
"""

from __future__ import annotations

import os
import re
import typing as t

from ansible_collections.bakehouse.images.plugins.module_utils._errors import Invalid
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_go import GoTemplates
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_late import LATE, late, quoted
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_options import Row
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_provisioner import (
    Provisioner,
    is_hidden,
    raw,
    sleep,
)

SCRIPTS = {
    "inline": Row("list"),
    "inline_shebang": Row(),
    "script": Row(),
    "scripts": Row("list"),
    "environment_vars": Row("list"),
    "env": Row("map"),
    "execute_command": Row(),
    "valid_exit_codes": Row("ints"),
    "env_var_format": Row(),
    "binary": Row("bool"),
}
SHELL = {
    **SCRIPTS,
    "remote_folder": Row(),
    "remote_file": Row(),
    "remote_path": Row(),
    "skip_clean": Row("bool"),
    "use_env_var_file": Row("bool"),
    "pause_after": Row("seconds"),
    "expect_disconnect": Row("bool", note="an image in a chroot does not disconnect"),
    "start_retry_timeout": Row("seconds", note="an image in a chroot needs no time to answer"),
}
SHELL_LOCAL = {
    **SCRIPTS,
    "command": Row(),
    "execute_command": Row("list"),
    "only_on": Row("list"),
    "tempfile_extension": Row(note="it is for Windows"),
    "use_linux_pathing": Row("bool", note="it is for Windows"),
    "keep_input_artifact": Row("bool", note="an image is always kept"),
}
DEFAULT_COMMAND = "chmod +x {{.Path}}; {{.Vars}} {{.Path}}"
DEFAULT_COMMAND_WITH_FILE = "chmod +x {{.Path}}; . {{.EnvVarFile}} && {{.Path}}"
DEFAULT_LOCAL_COMMAND = ["/bin/sh", "-c", "{{.Vars}} {{.Script}}"]
VARIABLE = re.compile(r"([A-Za-z_]\w*)=(.*)", re.DOTALL)
LATER = ("execute_command",)
# A single quote between single quotes of a shell.
QUOTE, QUOTE_INSIDE = "'", "'\"'\"'"
HERE: dict[str, t.Any] = {"delegate_to": "localhost", "become": False, "vars": {"ansible_become": False}}


def shell_steps(it: Provisioner) -> list[dict[str, t.Any]]:
    """The steps of a C(shell) provisioner."""
    sources = _sources(it)
    variables = _variables(it)
    steps: list[dict[str, t.Any]] = []
    for count, (script, file, title) in enumerate(sources, start=1):
        path = _remote_path(it, count)
        if file:
            upload = {"type": "upload", "op": {"File": file, "Dest": path}}
            steps.append({"name": it.title(f"upload {os.path.basename(file)}"), "actions": [upload]})
        tasks = it.pause() if count == 1 else []
        tasks += _put(script, path) if script is not None else _unix_lines(it, file, path)
        tasks += _run(it, path, variables, title)
        clean = {
            "name": "Remove the script",
            **raw(f"rm -f {_word(path)} {_word(_variables_file(it))}"),
            "changed_when": False,
        }
        held = {"name": it.title(title), "block": tasks}
        steps.append(
            {"name": it.title(title), "tasks": [held if it.values.get("skip_clean") else {**held, "always": [clean]}]}
        )
    if steps and it.values.get("pause_after"):
        steps.append({"name": it.title("wait"), "tasks": sleep(it.values["pause_after"])})
    return steps


def _sources(it: Provisioner) -> list[tuple[str | None, str, str]]:
    """Each script: its text or its file, and its title."""
    values = it.values
    given = [name for name in ("inline", "script", "scripts", "command") if values.get(name)]
    if len(given) != 1:
        kinds = "inline, script or scripts" + (", or a command" if it.component.kind == "shell-local" else "")
        it.says(f"{it.component.kind} has exactly one of {kinds}, and this has {' and '.join(given) or 'none'}.")
        return []
    if given[0] in ("inline", "command"):
        lines = values["inline"] if given[0] == "inline" else [values["command"]]
        shebang = values.get("inline_shebang", "/bin/sh -e").removeprefix("#!")
        return [("\n".join([f"#!{shebang}", *lines, ""]), "", lines[0])]
    names = [values["script"]] if given[0] == "script" else values["scripts"]
    found: list[tuple[str | None, str, str]] = []
    for number, name in enumerate(names):
        path = it.local(name, *(("script",) if given[0] == "script" else ("scripts", number)))
        if path and path.is_file():
            found.append((None, str(path), f"script {name}"))
        elif path:
            it.says(f"{given[0]}: {name} is no file.", given[0])
    return found


def _variables(it: Provisioner) -> dict[str, str]:
    """The variables of scripts. Packer's own come first, and its author's may replace them."""
    found = {
        "PACKER_BUILD_NAME": it.surroundings.build_name,
        "PACKER_BUILDER_TYPE": it.surroundings.builder_type,
    }
    for number, text in enumerate(it.values.get("environment_vars") or []):
        match = VARIABLE.fullmatch(text)
        if match:
            found[match[1]] = match[2]
        else:
            it.says("environment_vars: each is NAME=value.", "environment_vars", number)
    found.update(it.values.get("env") or {})
    return dict(sorted(found.items()))


def _remote_path(it: Provisioner, count: int) -> str:
    folder = str(it.values.get("remote_folder", "/tmp"))  # noqa: S108 - the image's own, which is private to the build
    name = it.values.get("remote_file") or f"packer-script-{it.number}-{count}.sh"
    return str(it.values.get("remote_path") or f"{folder.rstrip('/')}/{name}")


def _variables_file(it: Provisioner) -> str:
    return f"/tmp/packer-variables-{it.number}.sh"  # noqa: S108 - as above


def _word(text: str) -> str:
    """A text as one word of a shell, also where parts of it are known only later."""
    pieces = LATE.split(text)
    quoted = [late(f"({it}) | string | quote") if number % 2 else _quoted(it) for number, it in enumerate(pieces)]
    return "".join(quoted) or "''"


def _quoted(text: str) -> str:
    if not text:
        return ""
    return text if re.fullmatch(r"[\w@%+=:,./-]+", text) else "'" + text.replace(QUOTE, QUOTE_INSIDE) + "'"


def _put(script: str, path: str) -> list[dict[str, t.Any]]:
    """The task that writes a script of the template."""
    command = f"printf %s {_word(script)} > {_word(path)}"
    return [
        {
            "name": "Write the script",
            **raw(command),
            "changed_when": False,
            **is_hidden(command),
        }
    ]


def _unix_lines(it: Provisioner, file: str, path: str) -> list[dict[str, t.Any]]:
    """The task that takes out the line ends of Windows, as Packer does with texts."""
    with open(file, "rb") as stream:
        if it.values.get("binary") or b"\r\n" not in stream.read():
            return []
    command = f"sed -i 's/\\r$//' {_word(path)}"
    return [{"name": "Take out the line ends of Windows", **raw(command), "changed_when": False}]


def _assignments(it: Provisioner, variables: dict[str, str], form: str) -> str:
    given = str(it.values.get("env_var_format") or form)
    if given.count("%s") != 2:
        it.says("env_var_format has two places %s, for the name and the value.", "env_var_format")
        return ""
    before, between, after = given.split("%s")
    # The places for values stand between single quotes; a quote in a value must not end them.
    return "".join(f"{before}{name}{between}{_inside(value)}{after}" for name, value in variables.items())


def _inside(value: str) -> str:
    pieces = []
    for number, piece in enumerate(LATE.split(value)):
        if number % 2:
            pieces.append(late(f"({piece}) | string | replace({quoted(QUOTE)}, {quoted(QUOTE_INSIDE)})"))
        else:
            pieces.append(piece.replace(QUOTE, QUOTE_INSIDE))
    return "".join(pieces)


def _run(it: Provisioner, path: str, variables: dict[str, str], title: str) -> list[dict[str, t.Any]]:
    """The tasks that run a script that is there."""
    tasks = []
    with_file = bool(it.values.get("use_env_var_file"))
    if with_file:
        tasks += _put(_assignments(it, variables, "export %s='%s'\n"), _variables_file(it))
    pattern = it.values.get("execute_command") or (DEFAULT_COMMAND_WITH_FILE if with_file else DEFAULT_COMMAND)
    data = {"Path": path, "Vars": _assignments(it, variables, "%s='%s' "), "EnvVarFile": _variables_file(it)}
    command = _rendered(it, pattern, data)
    codes = it.values.get("valid_exit_codes") or [0]
    is_right = f"packer_ran.rc in {codes}"
    tasks.append(
        {
            "name": it.title(title),
            **raw(command),
            "changed_when": True,
            "failed_when": f"packer_ran.rc not in {codes}",
            **it.retries(is_right, "packer_ran"),
            **it.limits(),
            **is_hidden(command),
        }
    )
    return tasks


def _rendered(it: Provisioner, pattern: str, data: dict[str, str], *path: str | int) -> str:
    go: GoTemplates = it.surroundings.go.knowing(**data)
    try:
        return go.render(pattern, it.component.at("execute_command", *path))
    except Invalid as exc:
        it.problems += exc.problems
        return pattern


def local_tasks(it: Provisioner) -> list[dict[str, t.Any]]:
    """The tasks of a C(shell-local): on the machine that runs Ansible, where Packer would run it."""
    only_on = it.values.get("only_on")
    if only_on and "linux" not in only_on:
        return []
    variables = _variables(it)
    tasks = it.pause()
    for script, file, title in _sources(it):
        path = file or late("packer_script.path")
        data = {"Script": path, "Path": path, "Vars": _assignments(it, variables, "%s='%s' ")}
        words = it.values.get("execute_command") or DEFAULT_LOCAL_COMMAND
        argv = [_rendered(it, word, {**data, "Command": path}, number) for number, word in enumerate(words)]
        codes = it.values.get("valid_exit_codes") or [0]
        run = {
            "name": it.title(title),
            "ansible.builtin.command": {"argv": argv, "chdir": os.getcwd()},
            "changed_when": True,
            "failed_when": f"packer_ran.rc not in {codes}",
            **it.retries(f"packer_ran.rc in {codes}", "packer_ran"),
            **it.limits(),
            **is_hidden(argv),
            **HERE,
        }
        tasks += [run] if script is None else [_with_script(it, script, title, run)]
    return tasks


def _with_script(it: Provisioner, script: str, title: str, run: dict[str, t.Any]) -> dict[str, t.Any]:
    """The script of a template in a file of its own while it runs."""
    place = {"name": "Make a place for the script", "ansible.builtin.tempfile": {"suffix": ".sh"}, **HERE}
    copy = {"content": script, "dest": late("packer_script.path"), "mode": "0700"}
    remove = {"path": late("packer_script.path"), "state": "absent"}
    quiet = {"changed_when": False}
    return {
        "name": it.title(title),
        "block": [
            {**place, "register": "packer_script", **quiet},
            {"name": "Write the script", "ansible.builtin.copy": copy, **quiet, **is_hidden(script), **HERE},
            run,
        ],
        "always": [{"name": "Remove the script", "ansible.builtin.file": remove, **quiet, **HERE}],
    }


__all__ = ("LATER", "SHELL", "SHELL_LOCAL", "local_tasks", "shell_steps")
