# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How often an image is entered for its actions."""

from __future__ import annotations

import pytest
from ansible_collections.bakehouse.images.plugins.action.image_actions import ActionModule
from ansible_collections.bakehouse.images.plugins.plugin_utils._image_action_script import Outcome
from ansible_collections.bakehouse.images.plugins.plugin_utils._image_actions import Action, read_actions

ACTIONS = read_actions([{"type": "run-command", "op": {"Cmd": command}} for command in ("a", "b", "c")], "").actions


class Entries(ActionModule):
    """Notes which actions an entry is for, in place of entering; the action "b" can fail."""

    def __init__(self, failing: str = "") -> None:
        self.failing = failing
        self.entered: list[list[str]] = []

    def _enter(self, actions: list[Action]) -> list[Outcome]:
        self.entered.append([action.op["Cmd"] for action in actions])
        return [Outcome(it.number, it.title, int(it.op["Cmd"] == self.failing)) for it in actions]


@pytest.mark.parametrize(("merge", "entered"), [(True, [["a", "b", "c"]]), (False, [["a"], ["b"], ["c"]])])
def test_the_image_is_entered_once_for_all_actions_or_once_for_each(merge: bool, entered: list[list[str]]) -> None:
    module = Entries()
    done = module._carry_out(ACTIONS, merge=merge)
    assert module.entered == entered
    assert [outcome.rc for outcome in done] == [0, 0, 0]


def test_after_a_failure_it_is_not_entered_again() -> None:
    module = Entries(failing="b")
    assert [outcome.rc for outcome in module._carry_out(ACTIONS, merge=False)] == [0, 1, None]
    assert module.entered == [["a"], ["b"]]
