# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Carries out small operations in an image that need no Python there."""

from __future__ import annotations

import dataclasses
import secrets
import shlex
import tempfile
import typing as t
from pathlib import Path

from ansible import constants as C
from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase
from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError, Invalid
from ansible_collections.bakehouse.images.plugins.plugin_utils._image_action_script import (
    Outcome,
    Payload,
    PayloadMaker,
    outcomes,
)
from ansible_collections.bakehouse.images.plugins.plugin_utils._image_actions import Action, read_actions
from ansible_collections.bakehouse.images.plugins.plugin_utils._untemplated import plain

# Ansible's settings are attributes made when it starts, which no type checker sees.
SETTINGS: t.Any = C

LINES_OF_ERROR = 5


class ActionModule(ActionBase):
    """See the module of the same name."""

    _supports_check_mode = True

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Carry out the actions in order, and stop at the first that fails."""
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        _validation, given = self.validate_argument_spec(
            argument_spec={
                "actions": {"type": "list", "elements": "raw", "required": True},
                "merge": {"type": "bool", "default": True},
            }
        )
        found = read_actions(plain(given["actions"]), "image_actions")
        if found.problems:
            error = Invalid(found.problems, subject="The actions cannot be carried out")
            return {**result, "failed": True, **error.to_result()}
        if self._task.check_mode:
            return {**result, "changed": bool(found.actions)}
        try:
            actions = [self._located(action) for action in found.actions]
            done = self._carry_out(actions, merge=given["merge"])
        except BuildError as exc:
            return {**result, "failed": True, **exc.to_result()}
        return {**result, "changed": bool(done), **_report(done)}

    def _located(self, action: Action) -> Action:
        """The action with the path that Ansible finds for its file on the controller."""
        return action.with_local(self._find_needle("files", action.local)) if action.local else action

    def _carry_out(self, actions: list[Action], *, merge: bool) -> list[Outcome]:
        groups = [actions] if merge and actions else [[action] for action in actions]
        done: list[Outcome] = []
        for number, group in enumerate(groups):
            done += self._enter(group)
            if done[-1].rc != 0:
                left = [action for later in groups[number + 1 :] for action in later]
                return done + [Outcome(action.number, action.title, None) for action in left]
        return done

    def _enter(self, actions: list[Action]) -> list[Outcome]:
        token = secrets.token_hex(8)
        with tempfile.TemporaryDirectory(prefix="bakehouse-", dir=SETTINGS.DEFAULT_LOCAL_TMP) as folder:
            payload = PayloadMaker(Path(folder), token).make(actions)
            try:
                self._send(payload)
                ran = self._low_level_execute_command("/bin/sh -s", in_data=payload.script.encode())
            except AnsibleError:
                self._discard(payload)
                raise
        found = outcomes(actions, token, ran["rc"], ran["stdout"], ran["stderr"])
        if not found or found[0].rc is None:
            raise BuildError(
                f"The image cannot run a script (status {ran['rc']}): {ran['stderr'].strip() or 'no message.'}"
            )
        return found

    def _send(self, payload: Payload) -> None:
        if not payload.stage:
            return
        made = self._low_level_execute_command(f"mkdir -m 0700 {shlex.quote(payload.stage)}")
        if made["rc"] != 0:
            raise BuildError(f"No file can be written to the image: {made['stderr'].strip()}")
        for name, path in payload.files.items():
            self._connection.put_file(str(path), f"{payload.stage}/{name}")

    def _discard(self, payload: Payload) -> None:
        """Take the files out again: the script, which does that, has not run."""
        if payload.stage:
            self._low_level_execute_command(f"rm -rf {shlex.quote(payload.stage)}")


def _report(done: list[Outcome]) -> dict[str, t.Any]:
    report: dict[str, t.Any] = {"results": [dataclasses.asdict(outcome) for outcome in done]}
    failed = next((outcome for outcome in done if outcome.rc), None)
    if failed:
        printed = (failed.stderr.strip() or failed.stdout.strip()).splitlines()[-LINES_OF_ERROR:]
        message = f"Action {failed.number} ({failed.title}) failed with status {failed.rc}: "
        report.update(failed=True, rc=failed.rc, msg=message + ("\n".join(printed) or "it printed nothing."))
    return report
