# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Throttled calls of all tasks of a build add up, and another build begins at 0."""

from __future__ import annotations

import threading
import typing as t
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from ansible.errors import AnsibleConnectionFailure
from ansible.playbook.task import Task
from ansible.plugins.action.normal import ActionModule as NormalAction
from ansible_collections.bakehouse.images.plugins.plugin_utils import _module_action
from ansible_collections.bakehouse.images.plugins.plugin_utils._throttling import (
    add_throttled,
    forget_throttled,
    noted_throttled,
)


class Action(_module_action.ModuleAction):
    """Made without Ansible's machinery."""

    def __init__(self) -> None:
        self._task = t.cast(Task, SimpleNamespace(args={}, resolved_action="", delegate_to="localhost"))
        self._connection = t.cast(t.Any, SimpleNamespace(transport="ssh"))


@pytest.fixture(autouse=True)
def _from_the_start() -> Iterator[None]:
    yield
    for image in ("web", "db"):
        forget_throttled(image)


def run(monkeypatch: pytest.MonkeyPatch, outcome: dict[str, t.Any] | Exception, image: str = "web") -> dict[str, t.Any]:
    """A task of an image, whose module has this result."""

    def module(*_arguments: t.Any) -> dict[str, t.Any]:
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    monkeypatch.setattr(NormalAction, "run", module)
    return Action().run(task_vars={"inventory_hostname": image})


def test_tasks_add_up_also_those_that_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    assert noted_throttled("web") == 0
    result = {"changed": True, "throttled_calls": 2}
    assert run(monkeypatch, result) == result
    run(monkeypatch, {"failed": True, "msg": "No.", "throttled_calls": 10})
    run(monkeypatch, {"changed": False, "throttled_calls": 0})
    run(monkeypatch, {"changed": False})
    run(monkeypatch, AnsibleConnectionFailure("no route"))
    run(monkeypatch, {"changed": False, "throttled_calls": 5}, image="db")
    assert (noted_throttled("web"), noted_throttled("db")) == (12, 5)


def test_another_build_of_the_image_begins_at_0() -> None:
    add_throttled("web", 3)
    forget_throttled("web")
    assert noted_throttled("web") == 0


def test_workers_do_not_lose_numbers() -> None:
    def add() -> None:
        for _ in range(20):
            add_throttled("web", 1)

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert noted_throttled("web") == 80
