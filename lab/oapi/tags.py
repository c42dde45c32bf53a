# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""CreateTags, DeleteTags, ReadTags ("About Tags", Outscale user guide)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lab.ec2.models import Tags
from lab.oapi.errors import error, missing, not_there
from lab.oapi.filters import Reader, page, select
from lab.oapi.state import Action, Answer, OscRegion, Request, World, check_id

#: Prefixes of ids, with what ReadTags calls what they are of.
TYPES = {"ami": "image", "i": "instance", "snap": "snapshot", "vol": "volume"}
LONGEST = 255
MOST_TAGS = 50


@dataclass(frozen=True)
class Tag:
    """One line of ReadTags."""

    resource_id: str
    key: str
    value: str

    @property
    def resource_type(self) -> str:
        return TYPES[self.resource_id.split("-", 1)[0]]


class TagCalls:
    """The calls for tags of anything."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._lock = world.cloud.lock

    def actions(self) -> dict[str, Action]:
        return {"CreateTags": self.create, "DeleteTags": self.delete, "ReadTags": self.read}

    def create(self, request: Request) -> Answer:
        tags = {tag["Key"]: tag["Value"] for tag in request.params["Tags"]}
        if not tags:
            raise missing("Tags")
        for key, value in tags.items():
            if not 1 <= len(key) <= LONGEST:
                raise error("4069", f"The tag's key '{key}' is not of 1 to {LONGEST} characters.")
            if len(value) > LONGEST:
                raise error("4071", f"The value of the tag '{key}' is longer than {LONGEST} characters.")
        with self._lock:
            for resource_id in self._resources(request):
                together: Tags = {**request.where.tags.get(resource_id, {}), **tags}
                if len(together) > MOST_TAGS:
                    raise error("10041", f"The resource '{resource_id}' would have more than {MOST_TAGS} tags.")
            request.where.create_tags(request.params["ResourceIds"], tags)
        return {}

    def delete(self, request: Request) -> Answer:
        with self._lock:
            for resource_id in self._resources(request):
                present = request.where.tags.get(resource_id, {})
                for tag in request.params["Tags"]:
                    # A value, when there is one, has to be the tag's.
                    if tag["Value"] in ("", present.get(tag["Key"])):
                        present.pop(tag["Key"], None)
        return {}

    def _resources(self, request: Request) -> list[str]:
        ids = request.params["ResourceIds"]
        if not ids:
            raise missing("ResourceIds")
        for resource_id in ids:
            self._check(request, resource_id)
        return list(ids)

    def _check(self, request: Request, resource_id: str) -> None:
        prefix = resource_id.split("-", 1)[0]
        if prefix not in TYPES:
            raise not_there("5044", "ResourceId", resource_id)
        check_id(resource_id, prefix, "ResourceId")
        if prefix == "ami":
            self._world.image(request, resource_id)
        elif prefix == "snap":
            self._world.snapshot(request, resource_id)
        elif prefix == "vol":
            self._world.volume(request, resource_id)
        else:
            request.where.get_instance(resource_id)

    def read(self, request: Request) -> Answer:
        with self._lock:
            some, following = page(
                select(list(_tags(request.where)), request.params, READERS, "ReadTags"), request.params
            )
        shown = [
            {"ResourceId": tag.resource_id, "ResourceType": tag.resource_type, "Key": tag.key, "Value": tag.value}
            for tag in some
        ]
        return {"Tags": shown, **following}


def _tags(where: OscRegion) -> Iterator[Tag]:
    for resource_id, tags in where.tags.items():
        for key, value in tags.items():
            yield Tag(resource_id, key, value)


READERS: dict[str, Reader[Tag]] = {
    "Keys": lambda tag: [tag.key],
    "ResourceIds": lambda tag: [tag.resource_id],
    "ResourceTypes": lambda tag: [tag.resource_type],
    "Values": lambda tag: [tag.value],
}
