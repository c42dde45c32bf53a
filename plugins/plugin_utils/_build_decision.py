# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Whether an image has to be built, and why."""

from __future__ import annotations

import dataclasses
import typing as t
from collections.abc import Mapping, Sequence

from ansible_collections.bakehouse.images.plugins.module_utils._errors import Conflict

Image = Mapping[str, t.Any]


@dataclasses.dataclass(frozen=True)
class Wish:
    """What is wanted of an image.

    Attributes:
        cache: C(fingerprint): an image is right when it was made from the same definition and source.
            C(exists): an image that is there is right, unless its parent was built in this run.
        parent_built: whether the parent was built in this run, or would be.
    """

    name: str
    fingerprint: str
    replace: bool = False
    force: bool = False
    cache: str = "fingerprint"
    parent_built: bool = False


@dataclasses.dataclass(frozen=True)
class Decision:
    """What to do: C(build), C(replace) the image that is there, or leave it C(unchanged)."""

    decision: str
    reason: str
    image: Image | None = None


def decide(wish: Wish, images: Sequence[Image]) -> Decision:
    """Compare an image that is wanted with the images of its name.

    Raises:
        Conflict: the name is taken by an image that may not be replaced.
    """
    there = [image for image in images if not image.get("empty")]
    same = [image for image in there if image.get("fingerprint") == wish.fingerprint]
    if not there:
        return Decision("build", "its file is empty" if images else "there is no image of this name")
    others = [image for image in there if image.get("fingerprint") != wish.fingerprint]
    taken = there[0]
    if wish.cache == "exists" and not wish.force and not wish.parent_built:
        return Decision("unchanged", "it is there", taken)
    foreign = next((image for image in others if not image.get("fingerprint")), None)
    if foreign:
        raise Conflict(
            f"The image name {wish.name} is taken by {_where(foreign)}, which was not made by this collection.",
            hint="Choose another bake_image_name, or remove that image.",
        )
    # Where it is missing, or another is to be replaced, it is copied to.
    if same and not wish.force and wish.cache == "fingerprint" and (wish.replace or not others):
        return Decision("unchanged", "it has the fingerprint of its definition", same[0])
    taken = others[0] if others else taken
    protected = next((image for image in there if image.get("protected")), None)
    if protected and (wish.force or wish.replace):
        raise Conflict(
            f"The image {wish.name}, {_where(protected)}, is protected against deregistration: it cannot be replaced.",
            hint="Switch that off with bakehouse.images.ec2_image, or choose another bake_image_name.",
        )
    if wish.force:
        return Decision("replace", "bake_force is true", taken)
    if wish.cache == "exists":
        return Decision("replace", "its parent was built", taken)
    if wish.replace:
        return Decision("replace", "its definition, its files or its source have changed", taken)
    raise Conflict(
        f"The image name {wish.name} is taken by {_where(taken)}, which was built from another definition (its"
        f" fingerprint is {taken['fingerprint']}, the definition's is {wish.fingerprint}).",
        hint="Choose another bake_image_name, or set bake_replace: true to replace it.",
    )


def _where(image: Image) -> str:
    region = image.get("region")
    return f"{image.get('image_id')} in {region}" if region else str(image.get("image_id"))


__all__ = ("Decision", "Wish", "decide")
