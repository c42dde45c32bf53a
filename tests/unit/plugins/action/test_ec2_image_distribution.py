# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Copies to many regions in pieces: progress is shown, a region that has failed is left alone, nothing is forgotten."""

from __future__ import annotations

import typing as t
from types import SimpleNamespace

import pytest
from ansible.playbook.task import Task
from ansible_collections.bakehouse.images.plugins.action import ec2_image_distribution
from ansible_collections.bakehouse.images.plugins.plugin_utils._module_action import ModuleAction


class Action(ec2_image_distribution.ActionModule):
    """Made without Ansible's machinery: only the task's arguments are needed."""

    def __init__(self, args: dict[str, t.Any]) -> None:
        self._task = t.cast(Task, SimpleNamespace(args=args))


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    lines: list[str] = []
    monkeypatch.setattr(ec2_image_distribution.display, "display", lines.append)
    return lines


def answers(monkeypatch: pytest.MonkeyPatch, *results: dict[str, t.Any]) -> list[dict[str, t.Any]]:
    """The module gives these results in turn; the list gets the options of each run."""
    given: list[dict[str, t.Any]] = []
    pending = list(results)

    def run(self: Action, tmp: t.Any = None, task_vars: t.Any = None) -> dict[str, t.Any]:
        given.append(self._task.args)
        return pending.pop(0)

    monkeypatch.setattr(ModuleAction, "run", run)
    return given


def pending(**failed: str) -> dict[str, t.Any]:
    return {
        "failed": True,
        "timed_out": True,
        "failed_regions": failed,
        "progress": {"us-east-1": "40%", "eu-west-1": "all"},
        "actions": ["us-east-1: copy"],
    }


DONE = {"changed": True, "actions": ["us-east-1: share"], "images": {"us-east-1": {"image_id": "ami-1"}}}


def test_progress_is_shown_and_all_actions_are_told(monkeypatch: pytest.MonkeyPatch, shown: list[str]) -> None:
    given = answers(monkeypatch, pending(), pending(), DONE)
    args = {"regions": ["us-east-1"], "wait_timeout": 3600, "on_timeout": "remove"}
    action = Action(args)
    result = action.run(task_vars={"inventory_hostname": "web"})
    assert shown == [f"[web] After {seconds} seconds: us-east-1 40%, eu-west-1 all" for seconds in (30, 60)]
    assert [one["on_timeout"] for one in given] == ["keep"] * 3
    assert result["actions"] == ["us-east-1: copy", "us-east-1: share"]
    assert result["images"] == DONE["images"]
    assert "failed" not in result
    assert action._task.args == args


def test_only_the_last_piece_removes_what_is_not_complete(monkeypatch: pytest.MonkeyPatch, shown: list[str]) -> None:
    given = answers(monkeypatch, pending(), {"failed": True, "msg": "It is not there in time."})
    result = Action({"regions": ["us-east-1"], "wait_timeout": 45, "on_timeout": "remove"}).run()
    assert [(one["wait_timeout"], one["on_timeout"]) for one in given] == [(30, "keep"), (15, "remove")]
    assert result["failed"] is True


def test_a_region_that_has_failed_is_left_alone_and_fails_the_task(
    monkeypatch: pytest.MonkeyPatch, shown: list[str]
) -> None:
    given = answers(monkeypatch, pending(**{"ap-south-1": "It is in state failed."}), DONE)
    result = Action({"regions": ["us-east-1", "ap-south-1"]}).run()
    assert [one["exclude_regions"] for one in given] == [[], ["ap-south-1"]]
    assert result["failed"] is True
    assert "- ap-south-1: It is in state failed." in result["msg"]
    assert result["images"] == DONE["images"]
