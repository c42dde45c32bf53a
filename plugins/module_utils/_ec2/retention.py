# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Retention: the newest images of a family stay, the others go with their snapshots, unless they are used."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.bakehouse.images.plugins.module_utils._cloud.moments import age_seconds
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.api import Ec2Api
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.image_removal import DeregisterImage
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.image_users import users_of
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.images import Image, find_images
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.leftovers import (
    is_left_over,
    used_snapshots,
)
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.snapshots import (
    RELEASE_SECONDS,
    DeleteSnapshot,
    list_snapshots,
)
from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError, Invalid
from ansible_collections.bakehouse.images.plugins.module_utils._plan import Operation
from ansible_collections.bakehouse.images.plugins.module_utils._tags import BUILD_ID_TAG, FAMILY_TAG

DAY = 24 * 3600


@dataclass(frozen=True)
class RetentionRequest:
    """Which images are of a kind, and how many of them stay.

    Attributes:
        family: the value of their tag.
        name: what their names are like, with C(*) and C(?).
        keep_image_ids: these stay, whatever their age.
        older_than_days: younger ones stay.
        remove_protected: those that are protected against deregistration go, too.
        remove_shared: those that others may launch go, too.
    """

    keep: int
    family: t.Optional[str] = None
    name: t.Optional[str] = None
    keep_image_ids: t.Sequence[str] = ()
    older_than_days: float = 0
    remove_protected: bool = False
    remove_shared: bool = False

    def problems(self) -> t.List[str]:
        """All mistakes that can be seen without asking EC2."""
        problems = []
        if not self.family and not self.name:
            problems.append("Give family or name: without them, every image would be of the same kind.")
        if self.name and not self.name.strip("*?"):
            problems.append("name %r is like every name." % self.name)
        if self.keep < 1:
            problems.append("keep must be at least 1, and is %d: the newest image always stays." % self.keep)
        if self.older_than_days < 0:
            problems.append("older_than_days must not be negative, and is %s." % self.older_than_days)
        return problems

    def filters(self) -> t.Dict[str, t.Union[str, t.Sequence[str]]]:
        """What EC2 is asked for: never more than what builds of ours have made."""
        filters: t.Dict[str, t.Union[str, t.Sequence[str]]] = {"tag-key": BUILD_ID_TAG}
        if self.family:
            filters["tag:" + FAMILY_TAG] = self.family
        if self.name:
            filters["name"] = self.name
        return filters


class Verdict(t.NamedTuple):
    """An image, and why it stays; no reason, and it goes."""

    image: Image
    reason: str

    def to_ansible(self) -> t.Dict[str, t.Any]:
        """As modules return it."""
        image = self.image
        result = {"image_id": image.image_id, "name": image.name, "creation_date": image.creation_date}
        return dict(result, snapshot_ids=image.snapshot_ids, **({"reason": self.reason} if self.reason else {}))


@dataclass
class RetentionPlan:
    """What stays and why, what goes, and what has to be done for that."""

    region: str
    verdicts: t.List[Verdict]
    kept_snapshots: t.List[t.Dict[str, str]]
    operations: t.List[Operation]

    def kept(self) -> t.List[t.Dict[str, t.Any]]:
        """The images that stay."""
        return [dict(one.to_ansible(), region=self.region) for one in self.verdicts if one.reason]

    def removed(self) -> t.List[t.Dict[str, t.Any]]:
        """The images that go."""
        return [dict(one.to_ansible(), region=self.region) for one in self.verdicts if not one.reason]

    def actions(self) -> t.List[str]:
        """What has to be done, in words."""
        return ["%s: %s" % (self.region, operation.describe()) for operation in self.operations]


def plan_retention(api: Ec2Api, request: RetentionRequest, connect_ssm: t.Callable[[str], Ec2Api]) -> RetentionPlan:
    """Find what stays and what goes in one region.

    Raises:
        Invalid: the request is malformed.
    """
    problems = request.problems()
    if problems:
        raise Invalid(problems)
    found = find_images(api, request.filters(), doing="list the images of a kind")
    # Those that came to nothing are no generation, and the sweep's business.
    images = sorted(
        (one for one in found if not is_left_over(one) and BUILD_ID_TAG in one.tags),
        key=lambda one: (one.creation_date or "", one.image_id or ""),
        reverse=True,
    )
    ready = [one for one in images if one.state in ("available", "disabled")]
    newest = [one.image_id for one in ready[: request.keep]]
    reasons = {str(one.image_id): _reason_by_itself(one, newest, request) for one in images}
    asked = [one for one in images if not reasons[str(one.image_id)]]
    users = users_of(api, asked, connect_ssm, shared=not request.remove_shared)
    verdicts = [Verdict(one, reasons[str(one.image_id)] or users.get(str(one.image_id), "")) for one in images]
    return _planned(api, verdicts)


def _reason_by_itself(image: Image, newest: t.Collection[t.Optional[str]], request: RetentionRequest) -> str:
    if image.image_id in newest:
        return "it is one of the newest %d" % request.keep
    if image.image_id in request.keep_image_ids:
        return "it is in keep_image_ids"
    if image.state == "pending":
        return "it is pending"
    age = age_seconds(image.creation_date)
    if request.older_than_days and (age is None or age < request.older_than_days * DAY):
        return "it is younger than %g days" % request.older_than_days
    if image.is_protected and not request.remove_protected:
        return "it is protected against deregistration"
    return ""


class Unprotect:
    """Switch the protection of an image off."""

    def __init__(self, api: Ec2Api, image: Image) -> None:
        self.api = api
        self.image = image

    def describe(self) -> str:
        """See Operation.describe."""
        return "switch off the protection of image %s (%s)" % (self.image.image_id, self.image.name)

    def execute(self) -> None:
        """See Operation.execute."""
        self.api.call("disable_image_deregistration_protection", self.describe(), ImageId=self.image.image_id)


def _planned(api: Ec2Api, verdicts: t.List[Verdict]) -> RetentionPlan:
    """The operations, and which snapshots stay.

    Only snapshots that a build made, and that no image uses but those that go.
    """
    going = [one.image for one in verdicts if not one.reason]
    operations: t.List[Operation] = []
    for image in going:
        if image.is_protected:
            operations.append(Unprotect(api, image))
        operations.append(DeregisterImage(api, image))
    snapshot_ids = list(dict.fromkeys(one for image in going for one in image.snapshot_ids))
    if not snapshot_ids:
        return RetentionPlan(api.region, verdicts, [], operations)
    found = list_snapshots(api, {"snapshot-id": snapshot_ids})
    ours = {one.snapshot_id for one in found if BUILD_ID_TAG in one.tags}
    used = used_snapshots(api, snapshot_ids, without=[str(one.image_id) for one in going])
    kept = []
    for snapshot_id in snapshot_ids:
        if snapshot_id not in ours:
            kept.append({"snapshot_id": snapshot_id, "reason": "no build of this collection made it"})
        elif snapshot_id in used:
            kept.append({"snapshot_id": snapshot_id, "reason": "another image uses it"})
        else:
            operations.append(DeleteSnapshot(api, snapshot_id, release_seconds=RELEASE_SECONDS))
    return RetentionPlan(api.region, verdicts, kept, operations)


def apply_retention(plans: t.Sequence[RetentionPlan]) -> None:
    """Try every operation of every region, whatever becomes of the others.

    Raises:
        BuildError: some failed.
    """
    errors = []
    total = 0
    for plan in plans:
        held: t.Set[str] = set()
        for operation in plan.operations:
            if isinstance(operation, DeleteSnapshot) and operation.snapshot_id in held:
                continue
            total += 1
            try:
                operation.execute()
            except BuildError as exc:
                errors.append("- %s: %s" % (plan.region, exc))
                if isinstance(operation, DeregisterImage):
                    held.update(operation.image.snapshot_ids)
    if errors:
        raise BuildError(
            "%d of %d removals have failed.\n%s" % (len(errors), total, "\n".join(errors)),
            hint="Running this again tries what is left; snapshots whose image is gone are found by the sweep.",
        )


__all__ = ("RetentionPlan", "RetentionRequest", "Verdict", "apply_retention", "plan_retention")
