# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Observe, plan, apply: what a module would do is what it does.

A core looks at what is there, compares it with what was asked, and returns a plan: a list of
operations. A module applies the plan unless it runs in check mode; C(changed) is whether the plan
has any operations, and the diff is what they say of themselves. So check mode cannot drift.
"""

from __future__ import annotations

import typing as t


class Described(t.Protocol):
    """What can say in one line what it is."""

    def describe(self) -> str:
        """The line, for diffs and logs: 'create partition 1 (512 MiB, esp)'."""
        raise NotImplementedError


class Operation(Described, t.Protocol):
    """One change, not yet made; its description says what it changes."""

    def execute(self) -> None:
        """Make the change."""
        raise NotImplementedError


def plan_diff(before: t.Iterable[str], planned: t.Iterable[Described]) -> t.Dict[str, str]:
    """A module's diff: the state found, line by line, and what is planned, or was done, after it."""
    lines = list(before)
    added = [change.describe() for change in planned]
    return {
        "before": "".join(line + "\n" for line in lines),
        "after": "".join(line + "\n" for line in lines + added),
    }


def apply_plan(operations: t.Iterable[Operation]) -> t.List[str]:
    """Execute the operations in order and return their descriptions. The first error ends it."""
    done = []
    for operation in operations:
        operation.execute()
        done.append(operation.describe())
    return done


__all__ = ("Described", "Operation", "apply_plan", "plan_diff")
