# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""The one family of errors that the cores raise and that modules and plugins translate."""

from __future__ import annotations

import typing as t


class BuildError(Exception):
    """Something asked for cannot be done.

    Args:
        message: one or two sentences for a human: what was asked and what was found.
        hint: what to do about it, as a sentence; appended to the message.
        facts: plain values that go into a module's result beside C(msg), such as ids and paths.
            Never secrets: results are shown and logged.
    """

    def __init__(self, message: str, *, hint: t.Optional[str] = None, **facts: t.Any) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.facts = facts

    def __str__(self) -> str:
        return "%s %s" % (self.message, self.hint) if self.hint else self.message

    def to_result(self) -> t.Dict[str, t.Any]:
        """The error as keys of a module's result: C(msg), and the facts."""
        return dict(self.facts, msg=str(self))

    def to_plain(self) -> t.Dict[str, t.Any]:
        """The error as plain values, for another process; there C(error_from_plain) makes it an error again."""
        return {"kind": type(self).__name__, "message": self.message, "hint": self.hint, "facts": self.facts}


class NotFound(BuildError):
    """What was named does not exist."""


class Conflict(BuildError):
    """What was asked contradicts what is there: a name that is taken, a value that cannot be changed."""


class Busy(BuildError):
    """Something else uses the thing just now; the same request may succeed later."""


class WaitTimeout(BuildError):
    """A bounded wait has ended without the state waited for. What was waited for may still come."""

    def to_result(self) -> t.Dict[str, t.Any]:
        """The error as keys of a module's result, with C(timed_out) true."""
        return dict(super().to_result(), timed_out=True)


class Refused(BuildError):
    """The request is not allowed here: rights, policy, or a guard of our own."""


class Invalid(BuildError):
    """The request is malformed. C(problems) holds one sentence for each mistake."""

    def __init__(self, problems: t.Sequence[str], *, subject: str = "", hint: t.Optional[str] = None) -> None:
        self.problems = list(problems)
        lines = self.problems
        if subject:
            count = len(lines)
            head = "%s: %d mistake%s." % (subject, count, "" if count == 1 else "s")
            message = "\n".join([head] + ["- " + line for line in lines])
        else:
            message = " ".join(lines)
        super().__init__(message, hint=hint, problems=self.problems)


class CommandFailed(BuildError):
    """A command ended with a status that its caller did not expect."""

    def __init__(
        self, message: str, *, argv: t.Sequence[str], rc: int, stderr: str, hint: t.Optional[str] = None
    ) -> None:
        self.argv = list(argv)
        self.rc = rc
        super().__init__(message, hint=hint, cmd=self.argv, rc=rc, stderr=stderr)


def error_from_plain(plain: t.Mapping[str, t.Any]) -> BuildError:
    """The error that C(BuildError.to_plain) was called on, of the same kind as far as a caller can tell apart."""
    kinds = {kind.__name__: kind for kind in (NotFound, Conflict, Busy, WaitTimeout, Refused)}
    kind = kinds.get(plain["kind"], BuildError)
    return kind(plain["message"], hint=plain["hint"], **plain["facts"])


__all__ = (
    "BuildError",
    "Busy",
    "CommandFailed",
    "Conflict",
    "Invalid",
    "NotFound",
    "Refused",
    "WaitTimeout",
    "error_from_plain",
)
