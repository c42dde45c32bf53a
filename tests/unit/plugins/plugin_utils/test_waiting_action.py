# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Waiting in pieces: the same thing is waited for, each piece says how far it is, and the limit holds."""

from __future__ import annotations

import typing as t
from types import SimpleNamespace

import pytest
from ansible.playbook.task import Task
from ansible_collections.bakehouse.images.plugins.plugin_utils import _waiting_action
from ansible_collections.bakehouse.images.plugins.plugin_utils._module_action import ModuleAction


class Action(_waiting_action.WaitingAction):
    """Made without Ansible's machinery: only the task's arguments are needed."""

    default_timeout = 90

    def __init__(self, args: dict[str, t.Any]) -> None:
        self._task = t.cast(Task, SimpleNamespace(args=args))


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    lines: list[str] = []
    monkeypatch.setattr(_waiting_action.display, "display", lines.append)
    return lines


def answers(monkeypatch: pytest.MonkeyPatch, *results: dict[str, t.Any]) -> list[int]:
    """The module gives these results in turn; the list gets the time limit of each run."""
    limits: list[int] = []
    pending = list(results)

    def run(self: Action, tmp: t.Any = None, task_vars: t.Any = None) -> dict[str, t.Any]:
        limits.append(self._task.args["wait_timeout"])
        return pending.pop(0)

    monkeypatch.setattr(ModuleAction, "run", run)
    return limits


PENDING = {"failed": True, "timed_out": True, "msg": "Snapshot snap-1 is still pending: 40% done."}


def test_progress_is_shown_until_the_module_is_done(monkeypatch: pytest.MonkeyPatch, shown: list[str]) -> None:
    limits = answers(monkeypatch, *[PENDING] * 5, {"changed": False, "snapshot": {"snapshot_id": "snap-1"}})
    given = {"wait_timeout": 3600, "volume_id": "vol-1"}
    action = Action(given)
    result = action.run(task_vars={"inventory_hostname": "web"})
    assert result == {"changed": True, "snapshot": {"snapshot_id": "snap-1"}}
    assert limits == [30, 30, 60, 120, 120, 120], "rarer as time goes by"
    assert shown == ["[web] Snapshot snap-1 is still pending: 40% done."] * 5
    assert action._task.args == given


def test_throttled_calls_of_the_pieces_add_up(monkeypatch: pytest.MonkeyPatch, shown: list[str]) -> None:
    answers(monkeypatch, {**PENDING, "throttled_calls": 3}, PENDING, {"changed": False, "throttled_calls": 4})
    assert Action({}).run()["throttled_calls"] == 7
    answers(monkeypatch, {**PENDING, "throttled_calls": 3}, {"failed": True, "throttled_calls": 0})
    assert Action({}).run()["throttled_calls"] == 3


def test_the_whole_limit_holds(monkeypatch: pytest.MonkeyPatch, shown: list[str]) -> None:
    limits = answers(monkeypatch, PENDING, PENDING)
    result = Action({"wait_timeout": 45}).run()
    assert result["failed"] is True
    assert limits == [30, 15]
    assert len(shown) == 1


def test_another_error_ends_it_at_once(monkeypatch: pytest.MonkeyPatch, shown: list[str]) -> None:
    limits = answers(monkeypatch, {"failed": True, "msg": "Snapshot snap-1 is in state error."})
    assert Action({}).run()["failed"] is True
    assert limits == [30]
    assert shown == []
