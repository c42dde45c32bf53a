# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs the user's own commands on the build host."""

from __future__ import annotations

import re
import shlex
import typing as t

from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.bakehouse.images.plugins.module_utils._errors import Invalid
from ansible_collections.bakehouse.images.plugins.plugin_utils._command_wrapper import wrapper_words
from ansible_collections.bakehouse.images.plugins.plugin_utils._module_action import unreachable_result

display = Display()

MOUNT = {
    "source": {"type": "path", "required": True},
    "path": {"type": "path", "required": True},
    "options": {"type": "list", "elements": "str", "default": []},
}
# What is said of the command that failed, on a line of its own.
MARK = "host_commands: command %s failed"
FAILED = re.compile(f"^{MARK % '([0-9]+)'}\n?", re.MULTILINE)


class ActionModule(ActionBase):
    """See the module of the same name."""

    _supports_check_mode = True

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Run the commands in order; the first that fails ends it."""
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        _validation, given = self.validate_argument_spec(
            argument_spec={
                "commands": {"type": "list", "elements": "str", "required": True},
                "command_wrapper": {"type": "raw"},
                "mount": {"type": "dict", "options": MOUNT},
            }
        )
        commands: list[str] = given["commands"]
        try:
            wrapper = wrapper_words(given["command_wrapper"])
        except Invalid as exc:
            return {**result, "failed": True, **exc.to_result()}
        if self._task.check_mode:
            return {**result, "changed": bool(commands), "results": []}
        done: list[dict[str, t.Any]] = []
        texts = [mounted(commands, **given["mount"])] if given["mount"] and commands else commands
        for number, command in enumerate(texts, start=1):
            try:
                ended = self._shell(command, wrapper, task_vars)
            except AnsibleConnectionFailure as exc:
                return {**result, "results": done, **unreachable_result(self._task.delegate_to, exc)}
            done.append({"cmd": command, **{key: ended.get(key) for key in ("rc", "stdout", "stderr")}})
            if ended.get("failed"):
                return {
                    **result,
                    "failed": True,
                    "results": done,
                    "msg": _failure(number, commands, ended),
                }
        return {**result, "changed": bool(done), "results": done}

    def _shell(self, command: str, wrapper: list[str], task_vars: dict[str, t.Any] | None) -> dict[str, t.Any]:
        # The whole command, not only the first of several in it, is what the wrapper goes around.
        text = shlex.join([*wrapper, "/bin/sh", "-c", command]) if wrapper else command
        arguments = {"_raw_params": text, "_uses_shell": True}
        ended: dict[str, t.Any] = self._execute_module(
            module_name="ansible.legacy.command", module_args=arguments, task_vars=task_vars
        )
        for line in (ended.get("stdout") or "").splitlines():
            display.v(f"{self._task.delegate_to or ''}: {line}")
        return ended


def mounted(commands: list[str], source: str, path: str, options: list[str]) -> str:
    """One command that runs these where a file system is mounted for them alone."""
    inner = "\n".join(
        f"/bin/sh -c {shlex.quote(command)} || {{ rc=$?; echo '{MARK % number}' >&2; exit $rc; }}"
        for number, command in enumerate(commands, start=1)
    )
    mount = shlex.join(["mount", *(word for option in options for word in ("-o", option)), source, path])
    # Processes of their own, because one that is left would keep the file system busy.
    alone = shlex.join(["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "/bin/sh", "-c", inner])
    outer = f"{mount} || exit\n{alone}; rc=$?\numount --recursive {shlex.quote(path)} || exit\nexit $rc"
    unshare = shlex.join(["unshare", "--mount", "--propagation", "private", "/bin/sh", "-c", outer])
    folder = shlex.quote(path)
    return f"mkdir -p {folder} || exit\n{unshare}; rc=$?\nrmdir {folder}\nexit $rc"


def _failure(number: int, commands: list[str], ended: dict[str, t.Any]) -> str:
    said = (ended.get("stderr") or ended.get("stdout") or ended.get("msg") or "it printed nothing").strip()
    marked = FAILED.search(said)
    if marked:
        number, said = int(marked[1]), FAILED.sub("", said).strip()
    return f"Command {number} of {len(commands)} failed with status {ended.get('rc')}: {commands[number - 1]}\n{said}"
