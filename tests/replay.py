# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A Runner that replays recorded output and fails on a command that was not recorded."""

from __future__ import annotations

import shlex
import typing as t

from ansible_collections.bakehouse.images.plugins.module_utils._run import Completed, check_completed


class ReplayRunner:
    """Answers commands from a table: the command line as a shell would show it, then its output, status and stderr."""

    def __init__(self, answers: t.Mapping[str, str | tuple[str, int] | tuple[str, int, str]]) -> None:
        self.answers = dict(answers)
        self.calls: list[str] = []
        self.inputs: dict[str, str | None] = {}

    def run(
        self,
        argv: t.Sequence[str],
        *,
        stdin: str | None = None,
        check: bool = True,
        timeout_seconds: float | None = None,
    ) -> Completed:
        """See Runner.run."""
        line = shlex.join(list(argv))
        self.calls.append(line)
        self.inputs[line] = stdin
        if line not in self.answers:
            raise AssertionError("This command was not expected: %s" % line)
        answer = self.answers[line]
        recorded: tuple[t.Any, ...] = (answer,) if isinstance(answer, str) else answer
        out, rc, err = (recorded + (0, "")[len(recorded) - 1 :])[:3]
        completed = Completed(list(argv), rc, out, err)
        if check:
            check_completed(completed)
        return completed


class StillClock:
    """A clock on which waiting takes no time."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> float:
        """See Clock.now."""
        return self.seconds

    def sleep(self, seconds: float) -> None:
        """See Clock.sleep."""
        self.seconds += seconds


__all__ = ("ReplayRunner", "StillClock")
