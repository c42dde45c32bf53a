# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every module that calls AWS for an image gets how from the image, and no other module does."""

from __future__ import annotations

import typing as t
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from ansible.playbook.task import Task
from ansible_collections.bakehouse.images.plugins.plugin_utils._module_action import API_MODULES, ModuleAction

CHECKOUT = Path(__file__).resolve().parents[4]
ACCESS = {"secret_key": "s3cret"}


class Action(ModuleAction):
    """Made without Ansible's machinery: only the task and a templating engine are needed."""

    def __init__(self, name: str, **args: t.Any) -> None:
        self._task = t.cast(Task, SimpleNamespace(args=args, resolved_action=name))
        self._templar = t.cast(t.Any, SimpleNamespace(template=lambda value: value))

    def given(self, **variables: t.Any) -> t.Any:
        """The option, after the action has seen to it."""
        self._give_access(variables)
        return self._task.args.get("access")


def test_what_the_task_says_is_stronger_than_what_the_image_says() -> None:
    name = "bakehouse.images.ec2_volume"
    assert Action(name).given(bake_aws_access=ACCESS) == ACCESS
    assert Action(name, access={}).given(bake_aws_access=ACCESS) == {}
    assert Action(name).given() is None
    assert Action(name).given(bake_aws_access={}) is None


def test_modules_that_call_no_aws_get_nothing() -> None:
    assert Action("bakehouse.images.sandbox").given(bake_aws_access=ACCESS) is None
    assert Action("amazon.aws.ec2_vol").given(bake_aws_access=ACCESS) is None


def api_modules() -> list[str]:
    groups = yaml.safe_load((CHECKOUT / "meta/runtime.yml").read_text())["action_groups"]["aws"]
    return [name for name in groups if isinstance(name, str) and (CHECKOUT / "plugins/modules" / f"{name}.py").exists()]


@pytest.mark.parametrize("name", api_modules())
def test_no_module_of_the_group_is_forgotten(name: str) -> None:
    assert f"bakehouse.images.{name}".startswith(API_MODULES)
