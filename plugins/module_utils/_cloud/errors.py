# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.


"""What the errors of all clouds have in common."""

from __future__ import annotations

from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError, Busy


class Throttled(Busy):
    """There were too many calls, and this one was not carried out. It has been sent several times by then."""


class OutcomeUnknown(BuildError):
    """A call that must not be sent twice failed in a way that leaves open whether it was carried out."""


def error_code(error: BaseException) -> str:
    """The API's own code of a translated error, such as C(VolumeInUse) or C(5064); empty when there is none."""
    return str(error.facts.get("error_code", "")) if isinstance(error, BuildError) else ""


__all__ = ("OutcomeUnknown", "Throttled", "error_code")
