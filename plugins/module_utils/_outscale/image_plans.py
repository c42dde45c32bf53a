# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Having the image of a build: observe, decide, plan, apply."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field, replace

from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError, Conflict, Invalid
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.api import OutscaleApi
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.image_changes import (
    Change,
    Target,
    plan_changes,
)
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.image_definitions import (
    Definition,
    Registration,
    compose,
)
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.image_removal import plan_snapshot_removal
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.image_requests import (
    ImageRequest,
    is_same,
    name_taken,
)
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.images import (
    Image,
    await_image,
    check_not_failed,
    images_named,
    read_image,
)
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.registration import CreateImage, ReplaceImage
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.tagging import plan_tags
from ansible_collections.bakehouse.images.plugins.module_utils._plan import Operation
from ansible_collections.bakehouse.images.plugins.module_utils._tags import is_ours


@dataclass
class ImagePlan:
    """What is there, what has to be done, and the image: predicted, or real once applied."""

    operations: t.List[Operation]
    image: Image
    target: Target
    warnings: t.List[str] = field(default_factory=list)

    def diff(self) -> t.Dict[str, t.Any]:
        """What changes, by attribute."""
        before: t.Dict[str, t.Any] = {}
        after: t.Dict[str, t.Any] = {}
        for operation in self.operations:
            if isinstance(operation, Change):
                before[operation.what] = operation.before
                after.setdefault(operation.what, []).append(operation.after)
            else:
                after.setdefault("actions", []).append(operation.describe())
        return {"before": before, "after": after}


def plan_present(api: OutscaleApi, request: ImageRequest) -> ImagePlan:
    """Plan to have the image.

    Raises:
        Invalid: the request is malformed.
        Conflict: the name is taken by another image of this account, or the image has failed.
    """
    account = api.own_account()
    existing = _existing(api, request, account)
    composed = None
    problems = request.problems()
    same = next((one for one in existing if is_same(one, request)), None)
    if not existing or (request.replace and same is None):
        composed = compose(request.definition, request.all_tags())
        problems += composed.problems
        if not request.build_id:
            problems.append("build_id is required to make an image.")
    if problems:
        raise Invalid(problems, subject="This image cannot be made")
    if composed is None:
        return _plan_converge(api, request, same or existing[0])
    for one in existing:
        if not one.belongs_to(str(request.name)):
            raise name_taken(one, request)
    return _plan_make(api, request, composed.registration, existing, composed.warnings, account)


def _existing(api: OutscaleApi, request: ImageRequest, account: str) -> t.List[Image]:
    if request.image_id:
        return [read_image(api, request.image_id, new=request.build_id is not None)]
    return images_named(api, str(request.name), account)


def _plan_converge(api: OutscaleApi, request: ImageRequest, existing: Image) -> ImagePlan:
    if not is_same(existing, request):
        raise name_taken(existing, request)
    check_not_failed(existing)
    if request.image_id and request.name and existing.name != request.name:
        raise Conflict("Image %s is called %s; Outscale cannot rename it." % (existing.image_id, existing.name))
    if not request.fingerprint:
        _check_unchangeable(existing, request.definition)
    target = Target(existing.image_id)
    # Whose build an image is stays as it is: the one that finds it unchanged did not make it.
    tags = {key: value for key, value in request.all_tags().items() if not (is_ours(key) and key in existing.tags)}
    operations: t.List[Operation] = list(plan_changes(api, existing, request.attributes, target))
    operations += plan_tags(api, str(existing.image_id), existing.tags, tags, new=request.build_id is not None)
    return ImagePlan(operations, existing, target)


def _check_unchangeable(existing: Image, definition: Definition) -> None:
    differences = []
    for name in ("architecture", "root_device_name", "boot_modes", "tpm_mandatory"):
        wanted, found = getattr(definition, name), getattr(existing, name)
        if wanted is not None and (sorted(wanted) != sorted(found) if name == "boot_modes" else wanted != found):
            differences.append("%s is %s, asked for is %s" % (name, found, wanted))
    if differences:
        raise Conflict(
            "Image %s (%s) cannot be changed to what is asked for: %s."
            % (existing.image_id, existing.name, "; ".join(differences)),
            hint="Make a new image.",
            image_id=existing.image_id,
        )


def _plan_make(  # noqa: PLR0913
    api: OutscaleApi,
    request: ImageRequest,
    registration: Registration,
    old: t.List[Image],
    warnings: t.List[str],
    account: str,
) -> ImagePlan:
    predicted = registration.predicted()
    target = Target()
    plan = ImagePlan([], predicted, target, warnings)
    if old:
        plan.operations.append(ReplaceImage(api, request, registration, old, target, account))
    else:
        plan.operations.append(CreateImage(api, request, registration, target, account))
    # Texts and codes go with the call that makes it.
    plan.operations += plan_changes(
        api, predicted, replace(request.attributes, description=None, product_codes=None), target
    )
    if old:
        plan.operations += plan_snapshot_removal(api, old, keep=predicted.snapshot_ids).operations
    return plan


def apply_present(plan: ImagePlan, api: OutscaleApi, request: ImageRequest) -> Image:
    """Carry out a plan of C(plan_present), wait as asked, and return the image."""
    try:
        for operation in plan.operations:
            operation.execute()
        image_id = str(plan.target.image_id)
        if request.waiting.enabled and plan.image.state != "available":
            plan.image = await_image(api, image_id, request.waiting, new=True)
        elif plan.operations:
            plan.image = read_image(api, image_id, new=True)
    except BuildError as exc:
        if plan.target.image_id:
            exc.facts.setdefault("image_id", plan.target.image_id)
        raise
    return plan.image


__all__ = ("ImagePlan", "apply_present", "plan_present")
