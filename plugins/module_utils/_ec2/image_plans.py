# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Having the image of a build: observe, decide, plan, apply."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field, replace

from ansible_collections.bakehouse.images.plugins.module_utils._ec2.api import Ec2Api
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.image_attributes import (
    ChangeImage,
    ImageTarget,
    plan_attributes,
)
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.image_definitions import (
    Definition,
    Registration,
    compose,
)
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.image_removal import plan_snapshot_removal
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.image_requests import (
    ImageRequest,
    is_same,
    name_taken,
)
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.images import (
    Image,
    await_image,
    check_not_failed,
    describe_image,
    image_named,
)
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.registration import RegisterImage, ReplaceImage
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.tagging import plan_tags
from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError, Conflict, Invalid
from ansible_collections.bakehouse.images.plugins.module_utils._plan import Operation
from ansible_collections.bakehouse.images.plugins.module_utils._tags import is_ours


@dataclass
class ImagePlan:
    """What is there, what has to be done, and the image: predicted, or real once applied."""

    existing: t.Optional[Image]
    operations: t.List[Operation]
    image: Image
    target: ImageTarget
    warnings: t.List[str] = field(default_factory=list)

    def diff(self) -> t.Dict[str, t.Any]:
        """What changes, by attribute."""
        before: t.Dict[str, t.Any] = {}
        after: t.Dict[str, t.Any] = {}
        for operation in self.operations:
            if isinstance(operation, ChangeImage):
                before[operation.what], after[operation.what] = operation.before, operation.after
            else:
                after.setdefault("actions", []).append(operation.describe())
        return {"before": before, "after": after}


def plan_present(api: Ec2Api, request: ImageRequest) -> ImagePlan:
    """Plan to have the image.

    Raises:
        Invalid: the request is malformed.
        Conflict: the name is taken by another image, or the image has failed.
    """
    existing = _existing(api, request)
    composed = None
    problems = request.problems()
    if existing is None or (request.replace and not is_same(existing, request)):
        composed = compose(request.definition, request.all_tags())
        problems += composed.problems
        if not request.build_id:
            problems.append("build_id is required to register an image.")
    if problems:
        raise Invalid(problems, subject="This image cannot be registered")
    if composed is None:
        return _plan_converge(api, request, t.cast("Image", existing))
    if existing is not None:
        _check_replaceable(existing, request)
    return _plan_register(api, request, composed.registration, existing, composed.warnings)


def _existing(api: Ec2Api, request: ImageRequest) -> t.Optional[Image]:
    if request.image_id:
        return describe_image(api, request.image_id, new=request.build_id is not None)
    return image_named(api, str(request.name))


def _check_replaceable(existing: Image, request: ImageRequest) -> None:
    if not existing.belongs_to(str(request.name)):
        raise Conflict(
            "The name %s is taken by image %s, which no build of this collection made."
            % (request.name, existing.image_id),
            hint="Choose another name. Such an image is never replaced.",
            image_id=existing.image_id,
        )
    if existing.is_protected:
        raise Conflict(
            "Image %s (%s) is protected against deregistration, so it cannot be replaced."
            % (existing.image_id, existing.name),
            hint="Switch deregistration_protection off for it first.",
            image_id=existing.image_id,
        )


def _plan_converge(api: Ec2Api, request: ImageRequest, existing: Image) -> ImagePlan:
    if not is_same(existing, request):
        raise name_taken(existing, request)
    check_not_failed(existing)
    if request.image_id and request.name and existing.name != request.name:
        raise Conflict("Image %s is called %s; EC2 cannot rename it." % (existing.image_id, existing.name))
    if not request.fingerprint:
        _check_unchangeable(existing, request.definition)
    target = ImageTarget(existing.image_id)
    # Whose build an image is stays as it is: the one that finds it unchanged did not make it.
    wanted = request.all_tags()
    tags = {key: value for key, value in wanted.items() if not (is_ours(key) and key in existing.tags)}
    operations: t.List[Operation] = list(plan_attributes(api, existing, request.attributes, target))
    operations += plan_tags(api, str(existing.image_id), existing.tags, tags, new=request.build_id is not None)
    return ImagePlan(existing, operations, existing, target)


def _check_unchangeable(existing: Image, definition: Definition) -> None:
    differences = []
    for name in ("architecture", "virtualization_type", "root_device_name", "boot_mode", "ena_support", "tpm_support"):
        wanted, found = getattr(definition, name), getattr(existing, name)
        if wanted is not None and wanted != found and not (wanted in (False, "none") and not found):
            differences.append("%s is %s, asked for is %s" % (name, found, wanted))
    if differences:
        raise Conflict(
            "Image %s (%s) cannot be changed to what is asked for: %s."
            % (existing.image_id, existing.name, "; ".join(differences)),
            hint="Register a new image.",
            image_id=existing.image_id,
        )


def _plan_register(
    api: Ec2Api,
    request: ImageRequest,
    registration: Registration,
    old: t.Optional[Image],
    warnings: t.List[str],
) -> ImagePlan:
    predicted = registration.predicted()
    target = ImageTarget(None)
    plan = ImagePlan(old, [], predicted, target, warnings)
    if old is None:
        plan.operations.append(RegisterImage(api, request, registration, target))
    else:
        plan.operations.append(ReplaceImage(api, request, registration, old, target))
    plan.operations += plan_attributes(api, predicted, replace(request.attributes, imds_support=None), target)
    if old is not None:
        plan.operations += plan_snapshot_removal(api, old, keep=predicted.snapshot_ids).operations
    return plan


def apply_present(plan: ImagePlan, api: Ec2Api, request: ImageRequest) -> Image:
    """Carry out a plan of C(plan_present), wait as asked, and return the image."""
    try:
        for operation in plan.operations:
            operation.execute()
        image_id = str(plan.target.image_id)
        if request.waiting.enabled and plan.image.state != "available":
            plan.image = await_image(api, image_id, request.waiting, new=True)
        elif plan.operations:
            plan.image = describe_image(api, image_id, new=True)
    except BuildError as exc:
        if plan.target.image_id:
            exc.facts.setdefault("image_id", plan.target.image_id)
        raise
    return plan.image


__all__ = ("ImagePlan", "apply_present", "plan_present")
