# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Tells modules that call Outscale's API how to, where an image's variable says it."""

from __future__ import annotations

import typing as t

from ansible_collections.bakehouse.images.plugins.plugin_utils._module_action import ModuleAction
from ansible_collections.bakehouse.images.plugins.plugin_utils._waiting_action import WaitingAction

# The image's variable, which the modules take as their option "access".
ACCESS_VARIABLE = "bake_outscale_access"


class _WithAccess:
    """In one place, so that no task of a build can do without it."""

    _task: t.Any
    _templar: t.Any

    def give_access(self, variables: t.Mapping[str, t.Any]) -> None:
        """Add the variable to the task's arguments."""
        if "access" not in self._task.args and variables.get(ACCESS_VARIABLE):
            access = self._templar.template(variables[ACCESS_VARIABLE])
            self._task.args = {**self._task.args, "access": access}


class OutscaleAction(_WithAccess, ModuleAction):
    """The action of a module that the role delegates."""

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Run the module."""
        self.give_access(task_vars or {})
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        return result


class OutscaleWaitingAction(_WithAccess, WaitingAction):
    """The same of one that waits for long."""

    default_timeout = 21600

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Run the module until it no longer times out."""
        self.give_access(task_vars or {})
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        return result


__all__ = ("ACCESS_VARIABLE", "OutscaleAction", "OutscaleWaitingAction")
