# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Tags at Outscale, and how what a build has made is known before it has any.

No create call takes tags, so they come in a call of their own. What can carry a token from its create call on does, and
the token says which build it is of: what is made is never without a mark.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.bakehouse.images.plugins.module_utils._errors import Conflict, Invalid, Refused
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.api import OutscaleApi
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.errors import OTHER_PARAMETERS, error_code
from ansible_collections.bakehouse.images.plugins.module_utils._tags import BUILD_ID_TAG

T = t.TypeVar("T")

_TOKEN = re.compile(r"bakehouse-([0-9a-f]{16})-[a-z]+-[0-9]+\Z")
# A volume that was deleted keeps its token; the next one of the build gets the next number.
SERIALS = 10


def client_token(build_id: str, kind: str, serial: int = 0) -> str:
    """The token of a create call of a build."""
    return "bakehouse-%s-%s-%d" % (build_id, kind, serial)


def client_tokens(build_id: str, kind: str) -> t.List[str]:
    """All tokens that a build can have used for such a thing."""
    return [client_token(build_id, kind, serial) for serial in range(SERIALS)]


def with_fresh_token(build_id: str, kind: str, create: t.Callable[[str], T], is_over: t.Callable[[T], bool]) -> T:
    """Create something with the first token of a build whose answer is not of something else.

    Args:
        create: makes the call with a token.
        is_over: whether the answer is of something that was made with this token and is no more.
    """
    for serial in range(SERIALS):
        try:
            made = create(client_token(build_id, kind, serial))
        except Invalid as exc:
            if error_code(exc) != OTHER_PARAMETERS:
                raise
            continue
        if not is_over(made):
            return made
    raise Conflict("All %d tokens of the build %s for a %s are used up." % (SERIALS, build_id, kind))


def tags_of(resource: t.Mapping[str, t.Any]) -> t.Dict[str, str]:
    """The tags of what the API describes."""
    return {str(tag["Key"]): str(tag["Value"]) for tag in resource.get("Tags") or []}


def build_of(resource: t.Mapping[str, t.Any]) -> str:
    """The build that something was made by: by its tag, or, while that is still to come, by its token."""
    found = _TOKEN.match(str(resource.get("ClientToken") or ""))
    return tags_of(resource).get(BUILD_ID_TAG) or (found.group(1) if found else "")


def tag_filter(key: str, value: str) -> t.List[str]:
    """The filter C(Tags) for one tag."""
    return ["%s=%s" % (key, value)]


class SetTags:
    """Set tags that are missing or differ."""

    def __init__(self, api: OutscaleApi, resource_id: str, tags: t.Mapping[str, str], *, new: bool) -> None:
        self.api = api
        self.resource_id = resource_id
        self.tags = tags
        self.new = new

    def describe(self) -> str:
        """See Operation.describe."""
        return "tag %s: %s" % (self.resource_id, ", ".join("%s=%s" % item for item in sorted(self.tags.items())))

    def execute(self) -> None:
        """See Operation.execute."""
        set_tags(self.api, self.resource_id, self.tags, new=self.new)


def set_tags(api: OutscaleApi, resource_id: str, tags: t.Mapping[str, str], *, new: bool) -> None:
    """Set tags; what was made a moment ago may not be known everywhere yet."""
    given = [{"Key": key, "Value": value} for key, value in sorted(tags.items())]
    if given:
        api.retry_missing(
            lambda: api.call("CreateTags", "tag %s" % resource_id, ResourceIds=[resource_id], Tags=given), new=new
        )


def plan_tags(
    api: OutscaleApi, resource_id: str, current: t.Mapping[str, str], wanted: t.Mapping[str, str], *, new: bool = False
) -> t.List[SetTags]:
    """Plan to have these tags on a resource; others stay."""
    missing = {key: value for key, value in wanted.items() if current.get(key) != value}
    return [SetTags(api, resource_id, missing, new=new)] if missing else []


def check_ownership(what: str, found: str, build_id: t.Optional[str], **facts: t.Any) -> None:
    """Nothing, where the resource is of this build, or no build was given.

    Args:
        what: the resource, as the error's first words.
        found: the build that it is of; empty for none.

    Raises:
        Refused: it belongs to another build, or to none.
    """
    if build_id and found != build_id:
        raise Refused(
            "%s does not belong to the build %s: its tag %s is %s."
            % (what, build_id, BUILD_ID_TAG, found or "not set"),
            **facts,
        )


__all__ = (
    "SetTags",
    "build_of",
    "check_ownership",
    "client_token",
    "client_tokens",
    "plan_tags",
    "set_tags",
    "tag_filter",
    "tags_of",
    "with_fresh_token",
)
