# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""An image in one region, on its way from what is there to what shall be."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field, replace

from ansible_collections.bakehouse.images.plugins.module_utils._cloud.errors import Throttled
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.api import Ec2Api
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.copies import (
    copy_progress,
    remove_copy,
    start_copy,
)
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.distribution_requests import DistributionRequest
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.distribution_rules import copy_name
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.fast_restore import plan_fast_restore
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.image_attributes import (
    Attributes,
    ChangeImage,
    ImageTarget,
    plan_attributes,
)
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.image_definitions import Registration
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.image_removal import (
    deregister,
    plan_snapshot_removal,
)
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.image_requests import ImageRequest, name_taken
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.images import (
    FAILED_STATES,
    Image,
    describe_image,
    find_images,
    read_uefi_data,
)
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.registration import (
    ReplaceImage,
    finish_registration,
    register,
)
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.snapshots import list_snapshots
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.tagging import plan_tags
from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError, Conflict
from ansible_collections.bakehouse.images.plugins.module_utils._plan import Described, Operation
from ansible_collections.bakehouse.images.plugins.module_utils._tags import (
    BUILD_ID_TAG,
    INTERMEDIARY_TAG,
    is_ours,
)


@dataclass
class Place:
    """One region: what was found there, and what has become of it.

    Attributes:
        image: the one asked for, once it is there; it may be pending.
        old: another image of the name, which is to be replaced.
        interim: while there is an old one, the copy that will take its place.
        failed: copies that came to nothing before.
        percent: how much of a pending copy is there.
        lines: what has to be done, as planned.
    """

    api: Ec2Api
    request: DistributionRequest
    source: Image
    image: t.Optional[Image] = None
    old: t.Optional[Image] = None
    interim: t.Optional[Image] = None
    failed: t.List[Image] = field(default_factory=list)
    percent: int = 0
    lines: t.List[Described] = field(default_factory=list)
    is_done: bool = False
    error: t.Optional[BuildError] = None

    @property
    def region(self) -> str:
        """The region's name."""
        return self.api.region

    @property
    def interim_name(self) -> str:
        """The name that a copy has while an older image has its own."""
        return copy_name(self.request.name, self.source.tags.get(BUILD_ID_TAG, str(self.source.image_id)), "copy")

    def observe(self) -> t.List[BuildError]:
        """Look what is there; what forbids to have the image here."""
        found = find_images(self.api, {"name": [self.request.name, self.interim_name]})
        self.failed = [one for one in found if one.state in FAILED_STATES and BUILD_ID_TAG in one.tags]
        for image in found:
            if image.state in FAILED_STATES:
                continue
            if image.name == self.interim_name and INTERMEDIARY_TAG in image.tags:
                self.interim = image
            elif self.request.is_wanted(image, self.source):
                self.image = image
            elif image.name == self.request.name:
                self.old = image
        return [self._not_replaceable(self.old)] if self.old and not self._may_replace(self.old) else []

    def _may_replace(self, old: Image) -> bool:
        return self.request.replace and old.belongs_to(self.request.name) and not old.is_protected

    def _not_replaceable(self, old: Image) -> BuildError:
        if self.request.replace and old.is_protected:
            return Conflict(
                "In %s, image %s (%s) is protected against deregistration, so it cannot be replaced."
                % (self.region, old.image_id, old.name),
                hint="Switch deregistration_protection off for it first.",
            )
        taken = name_taken(old, ImageRequest(name=self.request.name))
        return Conflict("In %s: %s" % (self.region, taken.message), hint=taken.hint)

    # What has to be done, in words and as it will be.

    def plan(self) -> None:
        """Find out what has to be done, without doing it."""
        self.lines = self._planned()

    def _planned(self) -> t.List[Described]:
        if self.image is not None:
            if self.image.state != "pending":
                return list(self._changes(self.image))
            return [_Text("wait for %s" % _words(self.image)), *self._planned_attributes()]
        request = self.request.copy_for(self.source, self.region, self.request.name)
        lines: t.List[Described] = [_Text("remove %s, which has failed" % _words(one)) for one in self.failed]
        lines.append(_Text(request.describe(self.region)))
        if self.old is not None:
            lines.append(_Text("replace %s by it" % _words(self.old)))
        return lines + self._planned_attributes()

    def _planned_attributes(self) -> t.List[Described]:
        request = self.request
        predicted = replace(
            self.source, image_id=None, devices=(), description=request.attributes.description,
            product_codes=(), deprecation_time=None, deregistration_protection=None,
        )  # fmt: skip
        lines: t.List[Described] = list(plan_attributes(self.api, predicted, self._attributes(), ImageTarget(None)))
        if any((request.attributes.snapshot_permissions or {}).values()):
            lines.append(_Text("share its snapshots"))
        zones = request.zones_in(self.region)
        if zones:
            lines.append(_Text("enable fast restore of its snapshots in %s" % ", ".join(zones)))
        return lines

    def _attributes(self) -> Attributes:
        """What the image shall have; EC2 does not copy everything that a source has."""
        wanted = self.request.attributes
        support = wanted.imds_support or ("v2.0" if self.source.imds_support == "v2.0" else None)
        return replace(wanted, imds_support=support)

    def _changes(self, image: Image) -> t.List[Operation]:
        target = ImageTarget(image.image_id)
        attributes = self._attributes()
        wanted = self.request.tags_from(self.source)
        tags = {key: value for key, value in wanted.items() if not (is_ours(key) and key in image.tags)}
        # Protection comes last: until then, what goes wrong can still be taken back.
        changes: t.List[Operation] = list(
            plan_attributes(self.api, image, replace(attributes, deregistration_protection=None), target)
        )
        changes += plan_tags(self.api, str(image.image_id), image.tags, tags, new=True)
        ours = [one for one in image.snapshot_ids if one not in self._snapshots_of_others(image)]
        changes += plan_fast_restore(self.api, ours, self.request.zones_in(self.region))
        protection = Attributes(deregistration_protection=attributes.deregistration_protection)
        return changes + list(plan_attributes(self.api, image, protection, target))

    def _snapshots_of_others(self, image: Image) -> t.Set[str]:
        """A source image's mappings of further volumes keep their snapshots."""
        if not self.request.zones_in(self.region):
            return set()
        found = list_snapshots(self.api, {"snapshot-id": image.snapshot_ids})
        return {str(one.snapshot_id) for one in found if BUILD_ID_TAG not in one.tags}

    def differences(self) -> t.Tuple[t.Dict[str, t.Any], t.Dict[str, t.Any]]:
        """What changes, by attribute, before and after."""
        before: t.Dict[str, t.Any] = {}
        after: t.Dict[str, t.Any] = {}
        for one in self.lines:
            if isinstance(one, ChangeImage):
                before[one.what], after[one.what] = one.before, one.after
            else:
                after.setdefault("actions", []).append(one.describe())
        return before, after

    # Doing it, a step at a time.

    def advance(self) -> None:
        """Do what can be done now. An error ends the work here, and takes back what is not complete."""
        if self.is_done or self.error:
            return
        try:
            self._advance()
        except Throttled:
            return  # the next round asks again
        except BuildError as exc:
            self.error = exc
            self._clear(exc)

    def _advance(self) -> None:
        while self.failed:
            remove_copy(self.api, self.failed[-1])
            self.failed.pop()
        copy = self.image or self.interim
        if copy is None:
            self._start()
            return
        if copy.state == "pending":
            copy = describe_image(self.api, str(copy.image_id), new=True)
            self._keep(copy)
            _check_not_failed(copy)
            if copy.state == "pending":
                self.percent = copy_progress(self.api, copy)
                return
        if self.image is None:
            self._swap(copy)
        self._converge(t.cast("Image", self.image))
        self.is_done = True

    def _converge(self, image: Image) -> None:
        changes = self._changes(image)
        for change in changes:
            change.execute()
        if changes:
            self.image = describe_image(self.api, str(image.image_id), new=True)

    def _keep(self, copy: Image) -> None:
        if self.image is None:
            self.interim = copy
        else:
            self.image = copy

    def _start(self) -> None:
        name = self.request.name if self.old is None else self.interim_name
        image_id = start_copy(self.api, self.request.copy_for(self.source, self.region, name))
        if image_id is None:
            return
        started = Image(image_id=image_id, name=name, state="pending", tags=self.source.tags)
        if self.old is None:
            self.image = started
        else:
            self.interim = started

    def _swap(self, interim: Image) -> None:
        """Register the copy's snapshots under the old image's name. EC2 cannot rename images."""
        fields = set(Registration.__dataclass_fields__) - {"uefi_data", "name", "tags"}
        registration = Registration(
            name=self.request.name,
            uefi_data=read_uefi_data(self.api, str(interim.image_id)) if interim.boot_mode else None,
            tags=self.request.tags_from(self.source),
            **{name: getattr(interim, name) for name in fields},
        )
        self.image = describe_image(self.api, self._register(registration), new=True)
        deregister(self.api, str(interim.image_id))
        self.interim = None
        if self.old is not None:
            for operation in plan_snapshot_removal(self.api, self.old, keep=interim.snapshot_ids).operations:
                operation.execute()

    def _register(self, registration: Registration) -> str:
        waiting = self.request.waiting
        if self.old is None:  # an earlier run was ended between the two
            image_id = register(self.api, registration)
            finish_registration(self.api, image_id, waiting)
            return image_id
        target = ImageTarget(None)
        build_id = self.source.tags.get(BUILD_ID_TAG, str(self.source.image_id))
        wanted = ImageRequest(name=self.request.name, build_id=build_id, waiting=waiting)
        ReplaceImage(self.api, wanted, registration, self.old, target).execute()
        return str(target.image_id)

    def give_up(self, error: BuildError) -> None:
        """End the work here, because the time is up."""
        self.error = error
        self._clear(error)

    def _clear(self, error: BuildError) -> None:
        """Take back a copy that is not complete. One that is complete stays, whatever was wrong with its attributes."""
        image = self.image
        unfinished = [self.interim] if self.interim else []
        if image is not None and image.state in ("pending", *FAILED_STATES):
            unfinished.append(image)
        for one in unfinished:
            try:
                remove_copy(self.api, one)
            except BuildError as exc:
                error.message += " Its copy %s could not be removed: %s" % (one.image_id, exc)
            else:
                self.interim = None
                self.image = None if one is image else self.image


def _check_not_failed(copy: Image) -> None:
    if copy.state in FAILED_STATES:
        raise Conflict(
            "Image %s (%s) is in state %s: %s"
            % (copy.image_id, copy.name, copy.state, copy.state_reason or "EC2 gave no reason.")
        )


class _Text:
    """A line for what will be done."""

    def __init__(self, text: str) -> None:
        self.text = text

    def describe(self) -> str:
        """See Described.describe."""
        return self.text


def _words(image: Image) -> str:
    return "image %s (%s)" % (image.image_id, image.name)


__all__ = ("Place",)
