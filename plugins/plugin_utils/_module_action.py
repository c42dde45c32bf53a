# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Runs one of this collection's modules, and keeps an unreachable machine from ending the build unnoticed.

When a task cannot reach the host it is delegated to, Ansible drops the task's own host: neither
C(rescue) nor C(always) runs, and what the build has made so far stays behind. The machines that our
modules are delegated to are not the image, so for the image this is a failure like any other.
"""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.action.normal import ActionModule as NormalAction
from ansible_collections.bakehouse.images.plugins.plugin_utils._controller_agent import use_agent
from ansible_collections.bakehouse.images.plugins.plugin_utils._throttling import add_throttled, throttled_calls

# The image's variable that says how AWS is called, and the modules that take it as their option access: all of the
# action group bakehouse.images.aws that have an action plugin.
ACCESS_VARIABLE = "bake_aws_access"
API_MODULES = ("bakehouse.images.ec2_", "bakehouse.images.ebs_")


class ModuleAction(NormalAction):
    """The action of a module that the role delegates."""

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Run the module; a machine that cannot be reached is a failed task."""
        use_agent(self._connection)
        self._give_access(task_vars or {})
        try:
            result: dict[str, t.Any] = self._counted(super().run(tmp, task_vars), task_vars or {})
        except AnsibleConnectionFailure as exc:
            return unreachable_result(self._task.delegate_to, exc)
        if result.get("unreachable"):
            return unreachable_result(self._task.delegate_to, result.get("msg"))
        return result

    def _counted(self, result: dict[str, t.Any], variables: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
        """Add the module's throttled calls to those of its image. In one place, so that no task is forgotten."""
        add_throttled(str(variables.get("inventory_hostname")), throttled_calls(result))
        return result

    def _give_access(self, variables: t.Mapping[str, t.Any]) -> None:
        """Tell a module that calls AWS how to. In one place, so that no task of a build can do without it."""
        if "access" not in self._task.args and str(self._task.resolved_action).startswith(API_MODULES):
            access = self._templar.template(variables.get(ACCESS_VARIABLE))
            if access:
                self._task.args = {**self._task.args, "access": access}


def unreachable_result(host: str | None, reason: t.Any) -> dict[str, t.Any]:
    """The failed result of a task whose machine cannot be reached."""
    return {
        "failed": True,
        "cannot_be_reached": True,
        "msg": f"The machine {host or 'of this task'} cannot be reached: {reason}",
    }


__all__ = ("ACCESS_VARIABLE", "API_MODULES", "ModuleAction", "unreachable_result")
