# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs the user's own commands on the build host."""

from __future__ import annotations

import shlex
import typing as t

from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.bakehouse.images.plugins.module_utils._errors import Invalid
from ansible_collections.bakehouse.images.plugins.plugin_utils._command_wrapper import wrapper_words
from ansible_collections.bakehouse.images.plugins.plugin_utils._module_action import unreachable_result

display = Display()


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
        for number, command in enumerate(commands, start=1):
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
                    "msg": _failure(number, len(commands), command, ended),
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


def _failure(number: int, count: int, command: str, ended: dict[str, t.Any]) -> str:
    said = (ended.get("stderr") or ended.get("stdout") or ended.get("msg") or "it printed nothing").strip()
    return f"Command {number} of {count} failed with status {ended.get('rc')}: {command}\n{said}"
