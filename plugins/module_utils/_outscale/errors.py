# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Errors of Outscale's API in our own words: what was tried, what it said, what to do.

Codes and types: https://docs.outscale.com/en/userguide/OUTSCALE-API-Error-Codes.html
"""

from __future__ import annotations

import typing as t

from ansible_collections.bakehouse.images.plugins.module_utils._cloud.errors import (
    OutcomeUnknown,
    Throttled,
    error_code,
)
from ansible_collections.bakehouse.images.plugins.module_utils._errors import (
    BuildError,
    Busy,
    Conflict,
    Invalid,
    NotFound,
    Refused,
)

# https://docs.outscale.com/en/userguide/API-Throttling.html: the whole platform's limit, an account's, an action's.
THROTTLED = frozenset(["6", "24", "25"])
THROTTLED_STATUS = 429
# An access key that Outscale does not know.
UNKNOWN_KEY = "4120"
# A token that came with other parameters before.
OTHER_PARAMETERS = "4091"

# Of the kind ResourceConflict, those that say of a name that it is taken; the others pass.
_TAKEN = frozenset(["9000", "9009", "9011", "9015"])
_KINDS: t.Tuple[t.Tuple[str, t.Type[BuildError]], ...] = (
    ("InvalidParameter", Invalid),
    ("MissingParameter", Invalid),
    ("UnexpectedParameter", Invalid),
    ("InvalidResource", NotFound),
    ("InvalidState", Busy),
    ("ResourceConflict", Busy),
)


def first_error(body: t.Any) -> t.Dict[str, str]:
    """Code, type and details of an answer that is an error."""
    errors = body.get("Errors") if isinstance(body, dict) else None
    error = errors[0] if errors and isinstance(errors[0], dict) else {}
    return {key: str(error.get(key) or "") for key in ("Code", "Type", "Details")}


def is_throttled(status: int, body: t.Any) -> bool:
    """Whether the call was not carried out because there were too many."""
    return status == THROTTLED_STATUS or (status == 503 and first_error(body)["Code"] in THROTTLED)


def translate(action: str, status: int, body: t.Any, doing: str) -> BuildError:
    """An answer that is an error as one of ours."""
    error = first_error(body)
    code, kind = error["Code"], error["Type"]
    said = " ".join(word for word in (error["Details"].rstrip("."), "(%s)" % (kind + " " + code).strip()) if word)
    if not (code or kind):
        said = "it answered with status %d and no reason" % status
    facts: t.Dict[str, t.Any] = {"error_code": code, "error_type": kind, "operation": action}
    message = "Cannot %s: %s." % (doing, said)
    if status == 401 or code == UNKNOWN_KEY or (kind == "AccessDenied" and status != 403):
        return _refused_keys(message, action, **facts)
    if status == 403 or kind == "AccessDenied":
        hint = "The keys in use may not do %s: an EIM policy has to allow api:%s." % (action, action)
        return Refused(message, hint=hint, **facts)
    if is_throttled(status, body):
        return Throttled(message, hint="There are too many calls at the same time. Try again later.", **facts)
    return _by_type(message, code, kind, facts)


def _by_type(message: str, code: str, kind: str, facts: t.Dict[str, t.Any]) -> BuildError:
    if kind.startswith("TooManyResources") or (len(code) == 5 and code.startswith("10")):
        return Refused(message, hint="Have this quota raised, or remove what is no longer needed.", **facts)
    if code in _TAKEN:
        return Conflict(message, **facts)
    for beginning, error in _KINDS:
        if kind.startswith(beginning):
            if error is Invalid:
                malformed = Invalid([message])
                malformed.facts.update(facts)
                return malformed
            return error(message, **facts)
    return BuildError(message, **facts)


def _refused_keys(message: str, action: str, **facts: t.Any) -> Refused:
    return Refused(
        message,
        hint="Outscale does not accept the access key, its secret, or their right to %s. Check both, the region, and"
        " the clock of the machine that makes the call." % action,
        **facts,
    )


__all__ = (
    "OTHER_PARAMETERS",
    "OutcomeUnknown",
    "error_code",
    "first_error",
    "is_throttled",
    "translate",
)
