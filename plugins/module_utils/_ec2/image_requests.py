# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""The image that a build asks for, and whether the one that is there is that image."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.bakehouse.images.plugins.module_utils._cloud.waiting import Waiting
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.image_attributes import Attributes
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.image_definitions import Definition
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.images import FAILED_STATES, Image
from ansible_collections.bakehouse.images.plugins.module_utils._errors import Conflict
from ansible_collections.bakehouse.images.plugins.module_utils._tags import (
    BUILD_ID_TAG,
    FINGERPRINT_TAG,
    build_id_problems,
    ownership_tags,
    tag_problems,
    text_tags,
)


@dataclass(frozen=True)
class ImageRequest:
    """An image that a build wants, or one to remove."""

    name: t.Optional[str] = None
    image_id: t.Optional[str] = None
    build_id: t.Optional[str] = None
    fingerprint: t.Optional[str] = None
    replace: bool = False
    tags: t.Mapping[str, str] = field(default_factory=dict)
    definition: Definition = field(default_factory=Definition)
    attributes: Attributes = field(default_factory=Attributes)
    waiting: Waiting = field(default_factory=Waiting)

    @classmethod
    def from_params(cls, params: t.Mapping[str, t.Any]) -> ImageRequest:
        """From a module's options."""
        attributes = {name: params[name] for name in Attributes.__dataclass_fields__ if name != "snapshot_tags"}
        return cls(
            definition=Definition.from_params(params),
            attributes=Attributes(snapshot_tags=text_tags(params["snapshot_tags"]), **attributes),
            waiting=Waiting.from_params(params),
            tags=text_tags(params["tags"]),
            **{name: params[name] for name in ("name", "image_id", "build_id", "fingerprint", "replace")},
        )

    def all_tags(self) -> t.Dict[str, str]:
        """The tags of the image, the build's own included."""
        return dict(self.tags, **self.own_tags())

    def own_tags(self) -> t.Dict[str, str]:
        """The tags that say whose image it is."""
        if not self.build_id:
            return {}
        return ownership_tags(build_id=self.build_id, image_name=self.name, fingerprint=self.fingerprint)

    def problems(self) -> t.List[str]:
        """All mistakes that do not depend on whether the image exists."""
        problems = build_id_problems(self.build_id)
        problems += tag_problems(self.tags, ours=self.own_tags())
        return problems + self.attributes.problems()


def is_same(existing: Image, request: ImageRequest) -> bool:
    """Whether an image is the one asked for: by id, by fingerprint, else by build."""
    if request.image_id:
        return True
    if not existing.belongs_to(str(request.name)) or existing.state in FAILED_STATES:
        return False
    if request.fingerprint:
        return existing.tags.get(FINGERPRINT_TAG) == request.fingerprint
    return existing.tags.get(BUILD_ID_TAG) == request.build_id


def name_taken(existing: Image, request: ImageRequest) -> Conflict:
    if not existing.belongs_to(str(request.name)):
        message = "The name %s is taken by image %s, which no build of this collection made."
        hint = "Choose another name. Such an image is never replaced."
    elif existing.state in FAILED_STATES:
        message = "Image %%s (%%s) is in state %s." % existing.state
        return Conflict(
            message % (existing.image_id, existing.name),
            hint="Deregister it, or give replace: true.",
            image_id=existing.image_id,
            state_reason=existing.state_reason,
        )
    else:
        message = "The image %s exists already, as %s, made from another definition."
        hint = "Choose another name, or give replace: true."
    return Conflict(message % (existing.name, existing.image_id), hint=hint, image_id=existing.image_id)


__all__ = ("ImageRequest", "is_same", "name_taken")
