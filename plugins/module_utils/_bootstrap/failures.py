# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""The error for a tool that could not make a root file system."""

from __future__ import annotations

import typing as t

from ansible_collections.bakehouse.images.plugins.module_utils._errors import CommandFailed
from ansible_collections.bakehouse.images.plugins.module_utils._run import STDERR_TAIL_LINES, Completed

# What a tool says, and what to do about it. The first that is found counts.
Hints = t.Sequence[t.Tuple[t.Tuple[str, ...], str]]


def explain(tool: str, what: str, done: Completed, hints: Hints) -> CommandFailed:
    """The error for a failed run, with the end of what the tool said and a hint where the cause is known.

    Args:
        what: what it should have made a root file system of.
    """
    tail = "\n".join(done.err.strip().splitlines()[-STDERR_TAIL_LINES:])
    hint = next((advice for signs, advice in hints if any(sign in done.err for sign in signs)), None)
    return CommandFailed(
        "%s cannot make a root file system of %s: %s" % (tool, what, tail or "it said nothing."),
        argv=done.argv,
        rc=done.rc,
        stderr=tail,
        hint=hint,
    )


__all__ = ("Hints", "explain")
