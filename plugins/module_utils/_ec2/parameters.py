# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Publishing an image's id where its users look: a parameter of Systems Manager, in each of its regions."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from ansible_collections.bakehouse.images.plugins.module_utils._ec2.api import Ec2Api
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.distribution_rules import region_problems
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.parameter_names import parameter_name_problems
from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError, Invalid, NotFound, WaitTimeout
from ansible_collections.bakehouse.images.plugins.module_utils._wait import poll

# Systems Manager looks for the image before it takes the value, after it has answered the call:
# https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-ec2-aliases.html
DATA_TYPE = "aws:ec2:image"
CHECK_SECONDS = 120.0

_IMAGE_ID = re.compile(r"ami-[0-9a-f]{8}([0-9a-f]{9})?\Z")


@dataclass(frozen=True)
class ParameterRequest:
    """A parameter that shall name the image of its region.

    Attributes:
        images: the image's id in each region.
    """

    name: str
    images: t.Mapping[str, str]
    description: t.Optional[str] = None

    def problems(self) -> t.List[str]:
        """All mistakes that can be seen without asking AWS."""
        problems = parameter_name_problems("name", self.name) + region_problems("images", self.images)
        problems += [
            "images: %r, for %s, is not the id of an image." % (image_id, region)
            for region, image_id in sorted(self.images.items())
            if not _IMAGE_ID.match(str(image_id))
        ]
        return problems


class Publish:
    """Have the parameter of one region name the image."""

    def __init__(self, api: Ec2Api, request: ParameterRequest, former: t.Optional[str]) -> None:
        self.api = api
        self.request = request
        self.former = former
        self.image_id = request.images[api.region]
        self.is_put = False

    def describe(self) -> str:
        """See Operation.describe."""
        return "%s: set parameter %s to %s" % (self.api.region, self.request.name, self.image_id)

    def execute(self) -> None:
        """See Operation.execute."""
        _put(self.api, self.request.name, self.image_id, self.request.description)
        self.is_put = True
        _await_value(self.api, self.request.name, self.image_id)

    def take_back(self) -> None:
        """Have what was there before."""
        name = self.request.name
        if self.former is not None:
            _put(self.api, name, self.former, None)
        else:
            self.api.call("delete_parameter", "delete the parameter %s" % name, Name=name)


def _put(api: Ec2Api, name: str, value: str, description: t.Optional[str]) -> None:
    api.call(
        "put_parameter",
        "set the parameter %s in %s" % (name, api.region),
        Name=name,
        Value=value,
        Type="String",
        DataType=DATA_TYPE,
        Description=description,
        Overwrite=True,
    )


def read_parameter(api: Ec2Api, name: str) -> t.Optional[str]:
    """The value of a parameter; None where there is none."""
    try:
        answer = api.call("get_parameter", "read the parameter %s in %s" % (name, api.region), Name=name)
    except NotFound:
        return None
    return t.cast("t.Optional[str]", (answer.get("Parameter") or {}).get("Value"))


def _await_value(api: Ec2Api, name: str, value: str) -> None:
    poll(
        lambda: True if read_parameter(api, name) == value else None,
        timeout_seconds=CHECK_SECONDS,
        delay_seconds=0.5,
        max_delay_seconds=10,
        on_timeout=lambda waited: WaitTimeout(
            "The parameter %s in %s does not name %s after %d seconds: Systems Manager has not accepted it."
            % (name, api.region, value, waited),
            hint="It takes only ids of images that this account can use in the region, and needs ec2:DescribeImages.",
        ),
        clock=api.clock,
    )


def plan_parameter(connect: t.Callable[[str], Ec2Api], request: ParameterRequest) -> t.List[Publish]:
    """Look at every region, and plan what differs.

    Args:
        connect: makes the API of Systems Manager in a region.

    Raises:
        Invalid: the request is malformed.
    """
    problems = request.problems()
    if problems:
        raise Invalid(problems, subject="The image cannot be published")
    changes = []
    for region, image_id in request.images.items():
        api = connect(region)
        former = read_parameter(api, request.name)
        if former != image_id:
            changes.append(Publish(api, request, former))
    return changes


def apply_parameter(changes: t.Sequence[Publish]) -> None:
    """Set the parameters. When one cannot be set, those set before it get their former values again.

    Raises:
        BuildError: one could not be set.
    """
    done: t.List[Publish] = []
    for change in changes:
        done.append(change)
        try:
            change.execute()
        except BuildError as exc:
            # Whether the last one has come to be is not known when it could not be read.
            exc.message += _taken_back([one for one in done if one.is_put])
            raise


def _taken_back(changes: t.Sequence[Publish]) -> str:
    texts = []
    for change in changes:
        region = change.api.region
        try:
            change.take_back()
            texts.append(" In %s it is %s again." % (region, change.former or "not there"))
        except NotFound:
            texts.append(" In %s it is not there." % region)
        except BuildError as exc:
            texts.append(" In %s it could not be set back: %s" % (region, exc))
    return "".join(texts)


__all__ = (
    "ParameterRequest",
    "Publish",
    "apply_parameter",
    "plan_parameter",
    "read_parameter",
)
