# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Finding the one image that a build starts from."""

from __future__ import annotations

import csv
import fnmatch
import typing as t
from dataclasses import dataclass, field

from ansible_collections.bakehouse.images.plugins.module_utils._errors import Conflict, Invalid, NotFound
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.api import OutscaleApi
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.images import Image, find_images

# More than these are counted only, so that an error stays readable.
LISTED = 20

# Names as they are usual elsewhere, and those of ReadImages' own filters.
FILTERS = {
    "account-alias": "AccountAliases",
    "account-id": "AccountIds",
    "architecture": "Architectures",
    "boot-mode": "BootModes",
    "description": "Descriptions",
    "image-id": "ImageIds",
    "image-name": "ImageNames",
    "name": "ImageNames",
    "product-code": "ProductCodes",
    "root-device-type": "RootDeviceTypes",
    "state": "States",
    "tag-key": "TagKeys",
    "virtualization-type": "VirtualizationTypes",
}
_OWNER_FILTERS = ("account-id", "account-alias", "image-id")


@dataclass(frozen=True)
class SourceRequest:
    """What is known of the source image."""

    image_id: t.Optional[str] = None
    filters: t.Mapping[str, t.Sequence[str]] = field(default_factory=dict)
    owners: t.Sequence[str] = ()
    most_recent: bool = False

    @classmethod
    def from_params(cls, params: t.Mapping[str, t.Any]) -> SourceRequest:
        """From a module's options."""
        return cls(
            image_id=params["image_id"],
            filters={str(name): filter_values(value) for name, value in (params["filters"] or {}).items()},
            owners=tuple(params["owners"] or ()),
            most_recent=params["most_recent"],
        )

    def problems(self) -> t.List[str]:
        """All mistakes that can be seen without asking Outscale."""
        problems = []
        if not self.image_id and not self.filters:
            problems.append("Give image_id, or filters, or both: without them every image would match.")
        if self.image_id and not self.image_id.startswith("ami-"):
            problems.append("image_id %r does not start with ami-." % self.image_id)
        if self.filters and not self.image_id and not self.owners and not set(self.filters) & set(_OWNER_FILTERS):
            problems.append(
                "filters without owners match the images of anyone who chose such a name."
                " Give owners: account ids, account aliases, such as Outscale, or self."
            )
        for name, values in sorted(self.filters.items()):
            if name not in FILTERS and not name.startswith("tag:"):
                problems.append("filter %s is none of %s, tag:KEY." % (name, ", ".join(sorted(FILTERS))))
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
    }


def find_source(api: OutscaleApi, request: SourceRequest) -> Image:
    """Find the one image that is asked for.

    Raises:
        Invalid: the request is malformed.
        NotFound: no image matches.
        Conflict: several match, or the one that does cannot be built on.
    """
    problems = request.problems()
    if problems:
        raise Invalid(problems, subject="The source image is not described well")
    image = choose(matching(api, request), request, api.region)
    check_usable(image)
    return image


def filter_values(value: t.Any) -> t.List[str]:
    """The values of one filter: a list, or text in which commas separate values, and quotes keep a comma."""
    if isinstance(value, (list, tuple)):
        return [str(one) for one in value]
    rows = list(csv.reader([str(value)], skipinitialspace=True))
    return rows[0] if rows else []


def matching(api: OutscaleApi, request: SourceRequest) -> t.List[Image]:
    """The images that match all that is given: an id does not switch the filters off, nor they the id."""
    filters: t.Dict[str, t.List[str]] = {}
    patterns: t.List[t.List[str]] = []
    for name, values in request.filters.items():
        key = "Tags" if name.startswith("tag:") else FILTERS[name]
        wanted = ["%s=%s" % (name[4:], value) for value in values] if key == "Tags" else list(values)
        if key == "ImageNames" and any(set(value) & set("*?[") for value in wanted):
            patterns.append(wanted)
        else:
            # Two names of one filter: both have to hold.
            filters[key] = [one for one in filters.get(key, wanted) if one in wanted]
    if request.image_id:
        ids = [request.image_id]
        filters["ImageIds"] = [one for one in filters.get("ImageIds", ids) if one in ids]
    else:
        # An image still being made, or one that has failed, is no source. One named by its id is, with an error.
        filters.setdefault("States", ["available"])
    if [] in filters.values():
        return []
    found = [image for one in _owner_filters(api, request.owners) for image in _ask(api, filters, one)]
    return [image for image in {str(one.image_id): one for one in found}.values() if _is_named(image, patterns)]


def _is_named(image: Image, patterns: t.Sequence[t.Sequence[str]]) -> bool:
    """Whether the name matches: the API compares names as they are, and knows no wildcards."""
    return all(any(fnmatch.fnmatchcase(image.name, one) for one in each) for each in patterns)


def _ask(api: OutscaleApi, filters: t.Mapping[str, t.List[str]], owner: t.Mapping[str, t.List[str]]) -> t.List[Image]:
    both = {key: [one for one in filters[key] if one in owner[key]] for key in owner if key in filters}
    if [] in both.values():
        return []
    return find_images(api, "find the source image", **dict(filters, **dict(owner, **both)))


def _owner_filters(api: OutscaleApi, owners: t.Sequence[str]) -> t.List[t.Dict[str, t.List[str]]]:
    """The filters for owners: ids and aliases cannot be asked for in one call."""
    ids = [api.own_account() if one == "self" else one for one in owners if one.isdigit() or one == "self"]
    aliases = [one for one in owners if not one.isdigit() and one != "self"]
    found = [{"AccountIds": ids}] if ids else []
    return (found + ([{"AccountAliases": aliases}] if aliases else [])) or [{}]


def choose(images: t.Sequence[Image], request: SourceRequest, region: str) -> Image:
    """The one image, or the newest when that is asked for."""
    if not images:
        raise NotFound(
            "No image in %s matches: %s." % (region, request.asked()),
            hint="Images of other accounts must be public, or shared with this one.",
        )
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
    elif image.root_device_type not in ("bsu", "ebs", None):
        problem = "has a root device of type %s; only images of BSU volumes can be built on." % image.root_device_type
    elif image.root_device is None:
        names = ", ".join(device.device_name for device in image.devices) or "no device"
        problem = "says that %s is its root device, but maps %s." % (image.root_device_name, names)
    elif not image.root_device.snapshot_id:
        problem = "has no snapshot for its root device %s." % image.root_device_name
    if problem:
        raise Conflict("%s %s" % (what, problem), image_id=image.image_id)


__all__ = ("SourceRequest", "check_usable", "choose", "filter_values", "find_source", "source_argument_spec")
