# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""A copy of another account's image, for the time of a build.

Another account's image may be used, but not its snapshots: no volume can be made from them. The copy has snapshots of
its own. It goes with the build's other things, but for snapshots that the finished image uses.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.bakehouse.images.plugins.module_utils._cloud.waiting import Waiting
from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError, Invalid
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.api import OutscaleApi
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.errors import OutcomeUnknown
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.images import (
    Image,
    await_image,
    images_named,
    read_image,
)
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.registration import LOST_ANSWER_SECONDS
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.snapshots import read_snapshot
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.tagging import plan_tags, set_tags
from ansible_collections.bakehouse.images.plugins.module_utils._plan import Operation
from ansible_collections.bakehouse.images.plugins.module_utils._tags import (
    build_id_problems,
    ownership_tags,
    tag_problems,
    text_tags,
)
from ansible_collections.bakehouse.images.plugins.module_utils._wait import poll


def copy_name(build_id: str) -> str:
    """What the copy of a build is called, which is how it is known before it has tags."""
    return "bakehouse source of build %s" % build_id


@dataclass(frozen=True)
class CopyRequest:
    """A copy that a build wants."""

    build_id: str
    source_image_id: str
    tags: t.Mapping[str, str] = field(default_factory=dict)
    waiting: Waiting = field(default_factory=Waiting)

    @classmethod
    def from_params(cls, params: t.Mapping[str, t.Any]) -> CopyRequest:
        """From a module's options."""
        return cls(
            build_id=params["build_id"],
            source_image_id=params["source_image_id"],
            tags=text_tags(params["tags"]),
            waiting=Waiting.from_params(params),
        )

    def all_tags(self) -> t.Dict[str, str]:
        """The tags of the copy and its snapshots, the build's own included."""
        return dict(self.tags, **ownership_tags(build_id=self.build_id))


@dataclass
class CopyPlan:
    """What has to be done, and the image to build on: the source itself, or its copy."""

    operations: t.List[Operation]
    image: Image
    is_copy: bool


def plan_copy(api: OutscaleApi, request: CopyRequest) -> CopyPlan:
    """Plan to have an image that volumes can be made of. One of this account is that by itself.

    Raises:
        Invalid: the request is malformed.
        NotFound: there is no such image.
    """
    problems = build_id_problems(request.build_id) + tag_problems(
        request.tags, ours=ownership_tags(build_id=request.build_id)
    )
    if problems:
        raise Invalid(problems, subject="The source image cannot be copied")
    account = api.own_account()
    source = read_image(api, request.source_image_id)
    if source.owner_id in (None, account):
        return CopyPlan([], source, False)
    existing = images_named(api, copy_name(request.build_id), account)
    if existing:
        tags = plan_tags(api, str(existing[0].image_id), existing[0].tags, request.all_tags(), new=True)
        return CopyPlan(list(tags), existing[0], True)
    plan = CopyPlan([], source, True)
    plan.operations.append(CopyImage(api, request, source, plan, account))
    return plan


class CopyImage:
    """Copy the image, and tag the copy."""

    def __init__(self, api: OutscaleApi, request: CopyRequest, source: Image, plan: CopyPlan, account: str) -> None:
        self.api = api
        self.request = request
        self.source = source
        self.plan = plan
        self.account = account

    def describe(self) -> str:
        """See Operation.describe."""
        return "copy image %s (%s) of account %s" % (self.source.image_id, self.source.name, self.source.owner_id)

    def execute(self) -> None:
        """See Operation.execute."""
        try:
            image_id = self._copy()
        except OutcomeUnknown:
            image_id = self._look_for_lost() or self._copy()
        self.plan.image = read_image(self.api, image_id, new=True)
        set_tags(self.api, image_id, self.request.all_tags(), new=True)

    def _copy(self) -> str:
        answer = self.api.call(
            "CreateImage",
            "copy image %s" % self.source.image_id,
            SourceImageId=self.source.image_id,
            SourceRegionName=self.api.region,
            ImageName=copy_name(self.request.build_id),
            Description="Copy of %s (%s) for the time of a build" % (self.source.image_id, self.source.name),
        )
        return str(answer["Image"]["ImageId"])

    def _look_for_lost(self) -> t.Optional[str]:
        class NothingYet(Exception):
            pass

        def probe() -> t.Optional[str]:
            found = images_named(self.api, copy_name(self.request.build_id), self.account)
            return found[0].image_id if found else None

        try:
            return poll(
                probe,
                timeout_seconds=min(LOST_ANSWER_SECONDS, self.api.new_id_seconds),
                delay_seconds=2,
                on_timeout=lambda waited: NothingYet(),
                clock=self.api.clock,
            )
        except NothingYet:
            return None


def apply_copy(plan: CopyPlan, api: OutscaleApi, request: CopyRequest) -> Image:
    """Carry out a plan of C(plan_copy), wait as asked, tag the copy's snapshots, and return the image."""
    for operation in plan.operations:
        operation.execute()
    if plan.is_copy and request.waiting.enabled:
        try:
            plan.image = await_image(api, str(plan.image.image_id), request.waiting, new=True)
            for snapshot_id in plan.image.snapshot_ids:
                current = read_snapshot(api, snapshot_id, new=True).tags
                for change in plan_tags(api, snapshot_id, current, request.all_tags(), new=True):
                    change.execute()
        except BuildError as exc:
            exc.facts.setdefault("image_id", plan.image.image_id)
            raise
    return plan.image


__all__ = ("CopyPlan", "CopyRequest", "apply_copy", "copy_name", "plan_copy")
