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

Local images are files of the build host, so one that is made from another goes where that one is: what is spread are
the topmost images, each with all that is made from it.
"""

from __future__ import annotations

import hashlib
import re
import typing as t
from collections.abc import Iterable, Mapping
from difflib import get_close_matches

from ansible.errors import AnsibleError
from ansible_collections.bakehouse.images.plugins.module_utils._errors import Invalid
from ansible_collections.bakehouse.images.plugins.plugin_utils._untemplated import has_template, plain

CHROOT = "bakehouse.images.chroot"
DEPTH = re.compile(r"depth_\d+")

# The provider whose images are files of the build host.
LOCAL = "local"

# What the role says of an image whose file is on its build host now.
THERE = ("built", "planned", "unchanged")


def choose(image: str, names: Iterable[str], variables: Mapping[str, t.Any]) -> str:
    """The build host of an image without a C(bake_build_host) of its own.

    Args:
        image: the image's inventory name.
        names: hosts and groups of the inventory, C(bake_build_hosts).
        variables: a host's variables, with C(groups) and C(hostvars).

    Raises:
        Invalid: a name is unknown, there is no host behind it, or the image's parent is built elsewhere.
    """
    hosts = members(names, variables)
    parent = parent_of(image, variables)
    if parent is not None:
        there = place_of(parent, variables)
        if there not in hosts and "bake_build_hosts" in variables["hostvars"].raw_get(image):
            raise Invalid([_apart("bake_build_hosts", ", ".join(hosts), parent, there)], subject="bake_build_hosts")
        return there
    if len(hosts) == 1:
        return hosts[0]
    return spread(images_beside(image, variables), hosts)[image]


def place_of(image: str, variables: Mapping[str, t.Any]) -> str:
    """The build host of any image of the inventory: where this run has built it, else what the inventory says.

    Raises:
        Invalid: see choose, or the variable that says it cannot be evaluated.
    """
    there = variables["hostvars"][image]
    if there.get("__bake_status") in THERE:
        return str(there["__bake_build_host"])
    try:
        if "bake_build_host" in variables["hostvars"].raw_get(image):
            return str(there["bake_build_host"])
        names = there.get("bake_build_hosts", ["localhost"])
    except AnsibleError as exc:
        reason = str(exc).strip().partition("\n")[0]
        raise Invalid([f"Where {image} is built cannot be evaluated: {reason}"], subject="bake_build_host") from exc
    return choose(image, [names] if isinstance(names, str) else names, variables)


def place_problems(image: str, build_host: str, variables: Mapping[str, t.Any]) -> list[str]:
    """What is wrong with the C(bake_build_host) that an image has of its own: it must be its parent's."""
    parent = parent_of(image, variables)
    if parent is None:
        return []
    try:
        there = place_of(parent, variables)
    except Invalid:
        return []  # the parent's own build says what is wrong with it
    return [] if there == build_host else [_apart("bake_build_host", build_host, parent, there)]


def _apart(option: str, wanted: str, parent: str, there: str) -> str:
    return (
        f"{option} is {wanted}, but {parent}, which this image is made from, is built on {there}, and its file is"
        " there. Give both the same build host, or leave the option out for this image."
    )


def parent_of(image: str, variables: Mapping[str, t.Any]) -> str | None:
    """The image of the inventory whose file this one is made from.

    A parent that goes in a circle, or that cannot be evaluated, counts as none: the image's own checks say so.
    """
    above = _parent(image, variables)
    seen = {image}
    at = above
    while at is not None and at not in seen:
        seen.add(at)
        at = _parent(at, variables)
    return above if at is None else None


def _parent(image: str, variables: Mapping[str, t.Any]) -> str | None:
    # What a play says of its own hosts is in the variables of their tasks alone.
    mine = image == variables.get("inventory_hostname")
    raw = variables if mine else variables["hostvars"].raw_get(image)
    try:
        if _value("bake_provider", raw, image, variables) != LOCAL:
            return None
        source = _value("bake_source", raw, image, variables)
    except AnsibleError:
        return None
    parent = source.get("parent") if isinstance(source, Mapping) else None
    return str(parent) if parent is not None and parent in variables["hostvars"] else None


def _value(name: str, raw: Mapping[str, t.Any], image: str, variables: Mapping[str, t.Any]) -> t.Any:
    value = raw.get(name)
    return variables["hostvars"][image].get(name) if has_template(value) else value


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

    Images that go where their parent is are not spread. All others of the inventory count, not only those of this
    run: under C(--limit) an image keeps its build host.
    """
    hostvars = variables["hostvars"]
    own = _shares(hostvars.raw_get(image))
    others = (name for name in variables["groups"].get("all", ()) if name != image)
    alike = (name for name in others if own == _shares(hostvars.raw_get(name)))
    return [image, *(name for name in alike if parent_of(name, variables) is None)]


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


__all__ = ("CHROOT", "choose", "images_beside", "members", "parent_of", "place_of", "place_problems", "spread")
