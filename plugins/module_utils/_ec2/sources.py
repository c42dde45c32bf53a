# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""The image that a build starts from: exactly one, or an error that says what matched."""

from __future__ import annotations

import csv
import typing as t
from dataclasses import dataclass, field, replace

from ansible_collections.bakehouse.images.plugins.module_utils._ec2.api import Ec2Api, filter_list
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.images import Image, read_uefi_data
from ansible_collections.bakehouse.images.plugins.module_utils._errors import Conflict, Invalid, NotFound

# More than these are counted only, so that an error stays readable.
LISTED = 20
_OWNER_FILTERS = ("owner-id", "owner-alias", "image-id")


@dataclass(frozen=True)
class SourceRequest:
    """What is known of the source image."""

    image_id: t.Optional[str] = None
    filters: t.Mapping[str, t.Sequence[str]] = field(default_factory=dict)
    owners: t.Sequence[str] = ()
    most_recent: bool = False
    include_deprecated: bool = False

    @classmethod
    def from_params(cls, params: t.Mapping[str, t.Any]) -> SourceRequest:
        """From a module's options."""
        return cls(
            image_id=params["image_id"],
            filters={str(name): filter_values(value) for name, value in (params["filters"] or {}).items()},
            owners=tuple(params["owners"] or ()),
            most_recent=params["most_recent"],
            include_deprecated=params["include_deprecated"],
        )

    def problems(self) -> t.List[str]:
        """All mistakes that can be seen without asking EC2."""
        problems = []
        if not self.image_id and not self.filters:
            problems.append("Give image_id, or filters, or both: without them every image would match.")
        if self.image_id and not self.image_id.startswith("ami-"):
            problems.append("image_id %r does not start with ami-." % self.image_id)
        if self.filters and not self.image_id and not self.owners and not set(self.filters) & set(_OWNER_FILTERS):
            problems.append(
                "filters without owners match the images of anyone who chose such a name."
                " Give owners: account ids, self, amazon, or aws-marketplace."
            )
        for name, values in sorted(self.filters.items()):
            if not [value for value in values if value]:
                problems.append("filter %s has no value." % name)
        return problems

    def asked(self) -> str:
        """What was asked, in words."""
        parts = []
        if self.image_id:
            parts.append("image_id %s" % self.image_id)
        parts += ["%s=%s" % (name, ",".join(values)) for name, values in sorted(self.filters.items())]
        if self.owners:
            parts.append("owners %s" % ", ".join(self.owners))
        return "; ".join(parts)


def source_argument_spec() -> t.Dict[str, t.Any]:
    """The options that modules take for a source, in Ansible's terms."""
    return {
        "image_id": {"type": "str"},
        "filters": {"type": "dict"},
        "owners": {"type": "list", "elements": "str"},
        "most_recent": {"type": "bool", "default": False},
        "include_deprecated": {"type": "bool", "default": False},
    }


def filter_values(value: t.Any) -> t.List[str]:
    """The values of one filter: a list, or text in which commas separate values.

    Text is read as one line of CSV, so that a value in quotes may have commas in it.
    """
    if isinstance(value, (list, tuple)):
        return [_text(one) for one in value]
    if not isinstance(value, str):
        return [_text(value)]
    rows = list(csv.reader([value], skipinitialspace=True))
    return rows[0] if rows else []


def _text(value: t.Any) -> str:
    """EC2 writes booleans in lower case."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def find_source(api: Ec2Api, request: SourceRequest) -> Image:
    """Find the one image that is asked for.

    Raises:
        Invalid: the request is malformed.
        NotFound: no image matches.
        Conflict: several match, or the one that does cannot be built on.
    """
    problems = request.problems()
    if problems:
        raise Invalid(problems, subject="The source image is not described well")
    image = choose(_matching(api, request), request, api.region)
    check_usable(image)
    if (image.boot_mode or "").startswith("uefi"):
        image = replace(image, uefi_data=read_uefi_data(api, str(image.image_id)))
    return image


def _matching(api: Ec2Api, request: SourceRequest) -> t.List[Image]:
    filters = dict(request.filters)
    if request.image_id is None:
        # An image still being made, or one that has failed, is no source. One named by its id is, with an error.
        filters.setdefault("state", ["available"])
    found = api.find(
        "describe_images",
        "Images",
        "find the source image",
        ImageIds=[request.image_id] if request.image_id else None,
        Owners=list(request.owners) or None,
        Filters=filter_list(filters) or None,
        IncludeDeprecated=request.include_deprecated or None,
    )
    return [Image.from_api(one) for one in found]


def choose(images: t.Sequence[Image], request: SourceRequest, region: str) -> Image:
    """The one image, or the newest when that is asked for."""
    if not images:
        hint = "Look for a deprecated image with include_deprecated: true, or in another region."
        raise NotFound("No image in %s matches: %s." % (region, request.asked()), hint=hint)
    newest_first = sorted(images, key=lambda image: (image.creation_date or "", image.image_id or ""), reverse=True)
    if len(images) > 1 and not request.most_recent:
        raise Conflict(
            "%d images in %s match: %s.\n%s" % (len(images), region, request.asked(), _listing(newest_first)),
            hint="Narrow the filters down, or give most_recent: true.",
            image_ids=[image.image_id for image in newest_first],
        )
    return newest_first[0]


def _listing(images: t.Sequence[Image]) -> str:
    lines = ["- %s %s %s" % (image.image_id, image.creation_date, image.name) for image in images[:LISTED]]
    if len(images) > LISTED:
        lines.append("- and %d more" % (len(images) - LISTED))
    return "\n".join(lines)


def check_usable(image: Image) -> None:
    """Raise Conflict for an image whose root volume cannot be made again."""
    what = "Image %s (%s)" % (image.image_id, image.name)
    problem = ""
    if image.state != "available":
        problem = "is in state %s%s." % (image.state, ": " + image.state_reason if image.state_reason else "")
    elif image.root_device_type != "ebs":
        problem = "has a root device of type %s; only images backed by EBS can be built on." % image.root_device_type
    elif image.root_device is None:
        names = ", ".join(device.device_name for device in image.devices) or "no device"
        problem = "says that %s is its root device, but maps %s." % (image.root_device_name, names)
    elif not image.root_device.snapshot_id:
        problem = "has no snapshot for its root device %s." % image.root_device_name
    if problem:
        raise Conflict("%s %s" % (what, problem), image_id=image.image_id)


__all__ = ("SourceRequest", "check_usable", "choose", "filter_values", "find_source", "source_argument_spec")
