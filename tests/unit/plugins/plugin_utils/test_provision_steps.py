# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Steps are read with every mistake reported."""

from __future__ import annotations

import pytest
from ansible_collections.bakehouse.images.plugins.plugin_utils._provision_steps import parse_steps


def test_each_kind_of_step_is_read() -> None:
    steps, problems = parse_steps(
        [
            {"role": "web", "vars": {"http_port": 80}, "when": "ansible_facts.os_family == 'Debian'"},
            {"tasks": "more.yml", "when": ["a", "b"]},
            {"tasks": [{"ansible.builtin.ping": None}], "name": "say hello"},
            {"shell": ["apt-get update", "apt-get install -y nginx"]},
            {"copy": {"content": "x", "dest": "/etc/motd"}},
            {"playbook": "site.yml", "tags": ["web"]},
            {"actions": [{"type": "mkdir", "op": {"Dir": "/srv"}}]},
        ]
    )
    assert problems == []
    assert [step.kind for step in steps] == ["role", "tasks", "tasks", "shell", "copy", "playbook", "actions"]
    assert steps[0].conditions == ("ansible_facts.os_family == 'Debian'",)
    assert steps[1].conditions == ("a", "b")
    assert steps[2].name == "say hello"
    assert steps[3].name == "shell apt-get update"
    assert steps[5].extra == {"tags": ["web"]}
    assert steps[6].name == "mkdir /srv"


def test_no_steps_are_fine() -> None:
    assert parse_steps(None) == ([], [])
    assert parse_steps([]) == ([], [])


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ("web", "must be a mapping such as 'role: web'"),
        ({"rolle": "web"}, "Did you mean role?"),
        ({"role": "web", "shell": "id"}, "has role and shell; a step is exactly one of"),
        ({"role": "web", "whn": "x"}, "does not take whn. Did you mean when?"),
        ({"role": 7}, "role must be the name of a role, and is 7"),
        ({"role": ""}, "and is an empty text"),
        ({"tasks": []}, "a task file or a list of tasks, and is an empty list"),
        ({"shell": [1]}, "a command or a list of commands"),
        ({"copy": {"src": "a", "content": "b", "dest": "/c"}}, "one of src and content"),
        ({"copy": {"src": "a"}}, "a mapping with dest"),
        ({"actions": []}, "actions must be a list of actions, and is an empty list"),
        ({"actions": [{"type": "mkdri"}]}, "action 1: the type 'mkdri' is not known. Did you mean mkdir?"),
        ({"role": "web", "vars": ["a"]}, "vars must be a mapping"),
        ({"playbook": "a.yml", "environment": ["A=b"]}, "environment must be a mapping of variables to texts"),
        ({"playbook": "a.yml", "roles_path": "roles"}, "roles_path must be a list of folders, and is the text 'roles'"),
        ({"playbook": "a.yml", "group_vars": ["a"]}, "group_vars must be a folder"),
        ({"role": "web", "when": [{"a": 1}]}, "when must be an expression"),
    ],
)
def test_a_mistake_is_named_with_its_step(step: object, said: str) -> None:
    steps, problems = parse_steps([{"shell": "true"}, step])
    assert [item.number for item in steps] == [1]
    assert len(problems) == 1
    assert problems[0].startswith("bake_provision step 2")
    assert said in problems[0]


def test_all_mistakes_are_reported_at_once() -> None:
    _steps, problems = parse_steps(["a", {"role": 1}, {"shell": None}])
    assert [problem.split(":")[0].split(" must")[0] for problem in problems] == [
        "bake_provision step 1",
        "bake_provision step 2",
        "bake_provision step 3",
    ]


def test_a_list_is_asked_for() -> None:
    _steps, problems = parse_steps({"role": "web"})
    assert problems == ["bake_provision must be a list of steps such as '- role: web', and is a mapping with role."]
