# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Having an image in many regions at once: observe, plan, copy where it is missing, converge everywhere."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.bakehouse.images.plugins.module_utils._ec2.api import Ec2Api
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.distribution_requests import DistributionRequest
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.images import Image, await_image
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.places import Place
from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError, Conflict, Invalid, WaitTimeout

Connect = t.Callable[[str], Ec2Api]

# What of a region's error the whole's result has too.
FACTS = ("missing_permission", "error_code")


@dataclass
class DistributionPlan:
    """What is there and what has to be done, by region; once applied, what has become of it."""

    request: DistributionRequest
    source: Image
    places: t.List[Place]

    def actions(self) -> t.List[str]:
        """What has to be done, in words."""
        return ["%s: %s" % (place.region, line.describe()) for place in self.places for line in place.lines]

    def diff(self) -> t.Dict[str, t.Any]:
        """What changes, by region."""
        before, after = {}, {}
        for place in self.places:
            if place.lines:
                before[place.region], after[place.region] = place.differences()
        return {"before": before, "after": after}

    def images(self) -> t.Dict[str, t.Dict[str, t.Any]]:
        """The images that are there, by region."""
        return {place.region: place.image.to_ansible() for place in self.places if place.image}


def plan_distribution(connect: Connect, request: DistributionRequest) -> DistributionPlan:
    """Look at every region, and plan.

    Args:
        connect: makes the API of a region.

    Raises:
        Invalid: the request is malformed.
        NotFound: there is no source image.
        Conflict: in some regions, which are all named, the name is another image's.
    """
    problems = request.problems()
    if problems:
        raise Invalid(problems, subject="This image cannot be distributed")
    apis = {request.source_region: connect(request.source_region)}
    # It may have been registered a moment ago.
    source = await_image(apis[request.source_region], request.image_id, request.waiting, new=True)
    places = []
    errors: t.List[BuildError] = []
    for region in request.regions:
        if region in request.exclude_regions:
            continue
        if region not in apis:
            apis[region] = connect(region)
        place = Place(apis[region], request, source)
        errors += _observed(place)
        places.append(place)
    if errors:
        raise _refused(request, errors)
    for place in places:
        place.plan()
    return DistributionPlan(request, source, places)


def _observed(place: Place) -> t.List[BuildError]:
    """What is wrong in a region; a call that fails there is one of several mistakes, too."""
    try:
        return place.observe()
    except BuildError as exc:
        named = BuildError("In %s: %s" % (place.region, exc.message), hint=exc.hint)
        named.facts.update(exc.facts)
        return [named]


def _refused(request: DistributionRequest, errors: t.Sequence[BuildError]) -> BuildError:
    if len(errors) == 1:
        return errors[0]
    lines = "\n".join("- %s" % one for one in errors)
    return Conflict("The image %s cannot be distributed: %d mistakes.\n%s" % (request.name, len(errors), lines))


def apply_distribution(plan: DistributionPlan) -> None:
    """Carry out a plan. Regions go on whatever becomes of others.

    Raises:
        WaitTimeout: copies are still being made; running this again goes on waiting for them.
        BuildError: some regions have failed; C(failed_regions) and C(images) of its facts say which and which have not.
    """
    places = plan.places
    if not places:
        return
    clock = places[0].api.clock

    def probe() -> t.Optional[bool]:
        for place in places:
            place.advance()
        return True if all(place.is_done or place.error for place in places) else None

    try:
        plan.request.waiting.until(probe, on_timeout=lambda waited: _still_copying(plan, waited), clock=clock)
    except WaitTimeout:
        if not plan.request.remove_unfinished:
            raise
        for place in places:
            if not place.is_done and not place.error:
                place.give_up(BuildError("Only %s was there in time, and was removed." % _state(place)))
    if any(place.error for place in places):
        raise _failure(plan)


def _state(place: Place) -> str:
    if place.error:
        return "nothing (failed)"
    if place.is_done:
        return "all"
    if place.image is None and place.interim is None:
        return "nothing (the region makes too many copies at present)"
    return "%d%%" % place.percent


def _still_copying(plan: DistributionPlan, waited: float) -> WaitTimeout:
    progress = {place.region: _state(place) for place in plan.places}
    lines = ", ".join("%s %s" % item for item in progress.items())
    return WaitTimeout(
        "After %d seconds, there is of the image %s: %s." % (waited, plan.request.name, lines),
        hint="Copies go on by themselves. Run this task again to wait further, or raise wait_timeout.",
        actions=plan.actions(),
        failed_regions={place.region: str(place.error) for place in plan.places if place.error},
        images=plan.images(),
        progress=progress,
    )


def _failure(plan: DistributionPlan) -> BuildError:
    failed = {place.region: place.error for place in plan.places if place.error}
    done = [place.region for place in plan.places if not place.error]
    facts = {key: error.facts[key] for error in failed.values() for key in FACTS if error.facts.get(key)}
    return BuildError(
        "The image %s is not as it shall be in %d of %d regions.\n%s"
        % (
            plan.request.name,
            len(failed),
            len(plan.places),
            "\n".join("- %s: %s" % (region, error) for region, error in failed.items()),
        ),
        hint="What was not complete there is removed. It is complete in %s. Running this again does only what is "
        "missing." % (", ".join(done) or "no region"),
        images=plan.images(),
        failed_regions={region: str(error) for region, error in failed.items()},
        **facts,
    )


__all__ = ("DistributionPlan", "apply_distribution", "plan_distribution")
