# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Whose an image's name is in other regions than the one that is built in."""

from __future__ import annotations

import typing as t

from ansible_collections.bakehouse.images.plugins.module_utils._ec2.api import Ec2Api
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.builds import Leftovers
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.images import FAILED_STATES, find_images
from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError, Invalid


def find_elsewhere(
    connect: t.Callable[[str], Ec2Api], regions: t.Sequence[str], image_name: str
) -> t.List[t.Dict[str, t.Any]]:
    """The account's own images of this name in these regions, as C(Leftovers) returns them, each with its C(region).

    Raises:
        Invalid: some regions cannot be asked, because of their names or because of rights; all of them are named.
    """
    found: t.List[t.Dict[str, t.Any]] = []
    problems = []
    for region in regions:
        try:
            images = find_images(connect(region), {"name": image_name})
        except BuildError as exc:
            problems.append("%s: %s" % (region, exc))
            continue
        usable = tuple(one for one in images if one.state not in FAILED_STATES)
        found += [dict(one, region=region) for one in Leftovers(images=usable).to_ansible(image_name)["images"]]
    if problems:
        raise Invalid(problems, subject="The image cannot be looked for in every region")
    return found


__all__ = ("find_elsewhere",)
