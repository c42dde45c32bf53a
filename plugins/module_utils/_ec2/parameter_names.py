# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Names of parameters of Systems Manager."""

from __future__ import annotations

import re
import typing as t

# https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_PutParameter.html, Name
_NAME = re.compile(r"[A-Za-z0-9_.-]+\Z|(/[A-Za-z0-9_.-]+)+\Z")
_MAX_NAME = 1011
_MAX_LEVELS = 15


def parameter_name_problems(option: str, name: str) -> t.List[str]:
    """What Systems Manager would refuse in a parameter's name."""
    problems = []
    if not _NAME.match(name) or len(name) > _MAX_NAME or name.count("/") > _MAX_LEVELS:
        problems.append(
            "%s %r is not the name of a parameter: letters, digits and _ . - only, in up to %d levels with a / before."
            % (option, name, _MAX_LEVELS)
        )
    elif re.match(r"/?(aws|ssm)", name, re.IGNORECASE):
        problems.append("%s %r begins with aws or ssm, which are reserved." % (option, name))
    return problems


__all__ = ("parameter_name_problems",)
