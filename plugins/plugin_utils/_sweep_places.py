# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Where the images of an inventory are built, and so where their builds may have left something."""

from __future__ import annotations

import os
import typing as t
from collections.abc import Mapping

from ansible_collections.bakehouse.images.plugins.plugin_utils._build_host_choice import CHROOT, members

# What stands for the region that the AWS settings name.
DEFAULT_REGION = "default"


class Places(t.NamedTuple):
    """Build hosts, folders there, and regions."""

    build_hosts: list[str]
    directories: list[str]
    regions: list[str]


def places_of(variables: Mapping[str, t.Any]) -> Places:
    """The places of all images of the inventory.

    Args:
        variables: a host's variables, with C(groups) and C(hostvars).

    Raises:
        Invalid: an image names build hosts that are not there.
    """
    hostvars = variables["hostvars"]
    found = Places([], [], [])
    for image in variables["groups"].get("all", ()):
        own = hostvars[image]
        if own.get("ansible_connection") != CHROOT:
            continue
        found.build_hosts.extend(_build_hosts(own, variables))
        if own.get("bake_provider", "ec2") == "local":
            folder = os.path.expanduser(str(own.get("bake_output_directory", "images")))
            found.directories.append(os.path.join(own.get("inventory_dir") or os.getcwd(), folder))
        elif own.get("bake_provider", "ec2") == "ec2":
            found.regions.append(str(own.get("bake_region", DEFAULT_REGION)))
    return Places(*(list(dict.fromkeys(one)) for one in found))


def _build_hosts(own: Mapping[str, t.Any], variables: Mapping[str, t.Any]) -> list[str]:
    if "bake_build_host" in own:
        return [str(own["bake_build_host"])]
    given = own.get("bake_build_hosts", ["localhost"])
    names = [given] if isinstance(given, str) else given
    # Of no group or host of the inventory, and there all the same.
    if list(names) == ["localhost"]:
        return ["localhost"]
    return members(names, variables)


__all__ = ("DEFAULT_REGION", "Places", "places_of")
