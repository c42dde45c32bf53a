# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Tags of what exists already. What is created carries its tags from the create call on."""

from __future__ import annotations

import typing as t

from ansible_collections.bakehouse.images.plugins.module_utils._ec2.api import Ec2Api, tags_to_set
from ansible_collections.bakehouse.images.plugins.module_utils._errors import Refused
from ansible_collections.bakehouse.images.plugins.module_utils._tags import BUILD_ID_TAG


class SetTags:
    """Set tags that are missing or differ."""

    def __init__(self, api: Ec2Api, resource_id: str, tags: t.Mapping[str, str], *, new: bool) -> None:
        self.api = api
        self.resource_id = resource_id
        self.tags = tags
        self.new = new

    def describe(self) -> str:
        """See Operation.describe."""
        return "tag %s: %s" % (self.resource_id, ", ".join("%s=%s" % item for item in sorted(self.tags.items())))

    def execute(self) -> None:
        """See Operation.execute."""
        tags = [{"Key": key, "Value": value} for key, value in sorted(self.tags.items())]
        self.api.retry_missing(
            lambda: self.api.call("create_tags", "tag %s" % self.resource_id, Resources=[self.resource_id], Tags=tags),
            new=self.new,
        )


def plan_tags(
    api: Ec2Api, resource_id: str, current: t.Mapping[str, str], wanted: t.Mapping[str, str], *, new: bool = False
) -> t.List[SetTags]:
    """Plan to have these tags on a resource; others stay.

    Args:
        new: made by this build, so that EC2 may not know it everywhere yet.
    """
    missing = tags_to_set(current, wanted)
    return [SetTags(api, resource_id, missing, new=new)] if missing else []


def check_ownership(what: str, tags: t.Mapping[str, str], build_id: t.Optional[str], **facts: t.Any) -> None:
    """Nothing, where the resource carries the tag of this build, or no build was given.

    Args:
        what: the resource, as the error's first words.

    Raises:
        Refused: it belongs to another build, or to none.
    """
    if build_id and tags.get(BUILD_ID_TAG) != build_id:
        raise Refused(
            "%s does not belong to the build %s: its tag %s is %s."
            % (what, build_id, BUILD_ID_TAG, tags.get(BUILD_ID_TAG, "not set")),
            **facts,
        )


__all__ = ("SetTags", "check_ownership", "plan_tags")
