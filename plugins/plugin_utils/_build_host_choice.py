# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Which of several build hosts builds an image.

The choice depends on nothing but names in the inventory, so that each image, and each run, comes to the same one
without asking the others. It is rendezvous hashing with a limit: an image goes to the host with the highest hash of
both names, unless that host has its share already. Without the limit, two images would meet on one of two hosts in
every other inventory.
"""

from __future__ import annotations

import hashlib
import re
import typing as t
from collections.abc import Iterable, Mapping
from difflib import get_close_matches

from ansible_collections.bakehouse.images.plugins.module_utils._errors import Invalid
from ansible_collections.bakehouse.images.plugins.plugin_utils._untemplated import plain

CHROOT = "bakehouse.images.chroot"
DEPTH = re.compile(r"depth_\d+")


def choose(image: str, names: Iterable[str], variables: Mapping[str, t.Any]) -> str:
    """The build host of an image.

    Args:
        image: the image's inventory name.
        names: hosts and groups of the inventory, C(bake_build_hosts).
        variables: a host's variables, with C(groups) and C(hostvars).

    Raises:
        Invalid: a name is unknown, or there is no host behind it.
    """
    hosts = members(names, variables)
    if len(hosts) == 1:
        return hosts[0]
    return spread(images_beside(image, variables), hosts)[image]


def members(names: Iterable[str], variables: Mapping[str, t.Any]) -> list[str]:
    """The hosts behind names of hosts and groups, each once.

    Raises:
        Invalid: a name is unknown, or there is no host behind it.
    """
    groups, hostvars = variables["groups"], variables["hostvars"]
    hosts: dict[str, None] = {}
    problems = []
    asked = list(names)
    for name in asked:
        if name in groups:
            hosts.update(dict.fromkeys(groups[name]))
            if not groups[name]:
                problems.append(f"bake_build_hosts names the group {name}, which has no hosts.")
        elif name in hostvars:
            hosts[name] = None
        else:
            near = get_close_matches(name, [*groups, *groups.get("all", ())], n=1)
            hint = f" Did you mean {near[0]}?" if near else ""
            problems.append(f"bake_build_hosts names {name}, which is no group and no host of this inventory.{hint}")
    if not asked:
        problems.append("bake_build_hosts is empty. Name a group, or hosts.")
    if problems:
        raise Invalid(problems, subject="bake_build_hosts")
    return list(hosts)


def images_beside(image: str, variables: Mapping[str, t.Any]) -> list[str]:
    """The images that share the image's build hosts and are built at the same time, itself among them.

    All of the inventory count, not only those of this run: under C(--limit) an image keeps its build host.
    """
    hostvars = variables["hostvars"]
    own = _shares(hostvars.raw_get(image))
    others = (name for name in variables["groups"].get("all", ()) if name != image)
    return [image, *(name for name in others if own == _shares(hostvars.raw_get(name)))]


def _shares(raw: Mapping[str, t.Any]) -> t.Any:
    """What images that are spread together have in common; of a host that is no image, nothing has it."""
    if raw.get("ansible_connection") != CHROOT or "bake_build_host" in raw:
        return None
    depths = sorted(name for name in raw.get("group_names", ()) if DEPTH.fullmatch(name)) or ["depth_0"]
    return plain(raw.get("bake_build_hosts")), depths


def spread(images: Iterable[str], hosts: Iterable[str]) -> dict[str, str]:
    """A host for each image; none gets more than an even share, rounded up."""
    ranked = sorted(set(images), key=_score)
    room = dict.fromkeys(sorted(set(hosts)), 0)
    share = -(-len(ranked) // len(room))
    chosen = {}
    for image in ranked:
        free = [host for host, taken in room.items() if taken < share]
        host = max(free, key=lambda host: _score(image, host))
        room[host] += 1
        chosen[image] = host
    return chosen


def _score(*names: str) -> bytes:
    return hashlib.sha256("\0".join(names).encode("utf-8", "surrogateescape")).digest()


__all__ = ("CHROOT", "choose", "images_beside", "members", "spread")
