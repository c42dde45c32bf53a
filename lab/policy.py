# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A policy as organisations have it: what is created must carry certain tags from the call that creates it on."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

#: What each call creates, by the resource type that its TagSpecifications name
#: (Service Authorization Reference, "Actions, resources, and condition keys for Amazon EC2": aws:RequestTag).
CREATES = {
    "CopyImage": ("image", "snapshot"),
    "CopySnapshot": ("snapshot",),
    "CreateImage": ("image", "snapshot"),
    "CreateSnapshot": ("snapshot",),
    "CreateVolume": ("volume",),
    "RegisterImage": ("image",),
}


def missing_tags(action: str, parameters: Mapping[str, str], required: Iterable[str]) -> list[str]:
    """The tags that the policy asks for and the call does not have, as C(resource type:key).

    Args:
        action: name of the EC2 action.
        parameters: of the call, as the query protocol has them: C(TagSpecification.1.Tag.2.Key).
        required: keys of the tags.
    """
    given = _given_tags(parameters)
    return [f"{kind}:{key}" for kind in CREATES.get(action, ()) for key in required if (kind, key) not in given]


def _given_tags(parameters: Mapping[str, str]) -> set[tuple[str, str]]:
    found = set()
    for name, value in parameters.items():
        match = re.fullmatch(r"(TagSpecification\.\d+)\.Tag\.\d+\.Key", name)
        if match:
            found.add((parameters.get(f"{match.group(1)}.ResourceType", ""), value))
    return found


__all__ = ("CREATES", "missing_tags")
