# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Where the images of an inventory are built, and so where their builds may have left something."""

from __future__ import annotations

import json
import os
import typing as t
from collections.abc import Mapping, Sequence

from ansible_collections.bakehouse.images.plugins.plugin_utils._build_host_choice import CHROOT, members
from ansible_collections.bakehouse.images.plugins.plugin_utils._module_action import ACCESS_VARIABLE
from ansible_collections.bakehouse.images.plugins.plugin_utils._outscale_action import (
    ACCESS_VARIABLE as OUTSCALE_ACCESS,
)

# What stands for the region that the settings of AWS, or of Outscale, name.
DEFAULT_REGION = "default"
# What a region of Outscale is marked with among others.
OUTSCALE = "outscale:"


# Of each provider that has regions, what they are marked with, and the variable that says how its API is called.
CLOUDS = {"ec2": ("", ACCESS_VARIABLE), "outscale": (OUTSCALE, OUTSCALE_ACCESS)}


class Places(t.NamedTuple):
    """Build hosts, folders there, and regions.

    Attributes:
        calls: for each region, as it is called in C(regions), its C(region), and the C(image) whose way to call the API
            is the one to take there; empty for the usual one. No secret is in it.
    """

    build_hosts: list[str]
    directories: list[str]
    regions: list[str]
    calls: dict[str, dict[str, str]]


def places_of(
    variables: Mapping[str, t.Any], regions: Sequence[str] | None = None, *, own_access: t.Collection[str] = ()
) -> Places:
    """The places of all images of the inventory.

    Args:
        variables: a host's variables, with C(groups) and C(hostvars).
        regions: the regions to look at, in place of the images'.
        own_access: the variables in whose place the user says how an API is called.

    Raises:
        Invalid: an image names build hosts that are not there.
    """
    hostvars = variables["hostvars"]
    found = Places([], [], [], {})
    ways: dict[tuple[str, str], str] = {}
    for image in variables["groups"].get("all", ()):
        own = hostvars[image]
        if own.get("ansible_connection") != CHROOT:
            continue
        found.build_hosts.extend(_build_hosts(own, variables))
        if own.get("bake_provider", "ec2") == "local":
            folder = os.path.expanduser(str(own.get("bake_output_directory", "images")))
            found.directories.append(os.path.join(own.get("inventory_dir") or os.getcwd(), folder))
        elif own.get("bake_provider", "ec2") in CLOUDS:
            mark, variable = CLOUDS[own.get("bake_provider", "ec2")]
            access = {} if variable in own_access else own.get(variable) or {}
            way = json.dumps(access, sort_keys=True, default=str)
            # Where it is built, and where it is copied to.
            for region in (own.get("bake_region", DEFAULT_REGION), *(own.get("bake_image_regions") or ())):
                ways.setdefault((mark + str(region), way), str(image) if access else "")
    for region in regions if regions is not None else ():
        if not any(region == one for one, _access in ways):
            ways[region, ""] = ""
    for (region, _access), image in ways.items():
        if regions is None or region in regions:
            where = region if region not in found.calls else f"{region} as {image or 'usual'}"
            found.calls[where] = {"region": region, "image": image}
    hosts, directories = (list(dict.fromkeys(one)) for one in (found.build_hosts, found.directories))
    return Places(hosts, directories, list(found.calls), found.calls)


def usual_calls(regions: Sequence[str]) -> dict[str, dict[str, str]]:
    """C(calls) of regions that are called in the usual way."""
    return {region: {"region": region, "image": ""} for region in regions}


def _build_hosts(own: Mapping[str, t.Any], variables: Mapping[str, t.Any]) -> list[str]:
    if "bake_build_host" in own:
        return [str(own["bake_build_host"])]
    given = own.get("bake_build_hosts", ["localhost"])
    names = [given] if isinstance(given, str) else given
    # Of no group or host of the inventory, and there all the same.
    if list(names) == ["localhost"]:
        return ["localhost"]
    return members(names, variables)


__all__ = ("DEFAULT_REGION", "Places", "places_of", "usual_calls")
