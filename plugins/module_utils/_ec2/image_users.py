# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Who uses an image: instances, launch templates, other accounts. EC2 deregisters it all the same."""

from __future__ import annotations

import typing as t

from ansible_collections.bakehouse.images.plugins.module_utils._ec2.api import Ec2Api, filter_list
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.image_attributes import read_launch_permissions
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.images import Image
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.leftovers import VALUES_AT_ONCE
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.parameters import read_parameter

# A terminated instance is listed for a while, and starts no more.
_LIVING = ("pending", "running", "shutting-down", "stopping", "stopped")
_BY_PARAMETER = "resolve:ssm:"


def users_of(
    api: Ec2Api, images: t.Sequence[Image], connect_ssm: t.Callable[[str], Ec2Api], *, shared: bool = True
) -> t.Dict[str, str]:
    """Which of these images are in use, and by what.

    Args:
        connect_ssm: makes the API of Systems Manager in a region, for launch templates that name a parameter.
        shared: an image that others may launch counts as used.
    """
    if not images:
        return {}
    ids = [str(image.image_id) for image in images]
    users: t.Dict[str, str] = {}
    for image in images if shared else ():
        others = _shared_with(api, image)
        if others:
            users[str(image.image_id)] = "it is shared with %s" % others
    users.update(_in_launch_templates(api, connect_ssm))
    users.update(_in_instances(api, ids))
    return {image_id: users[image_id] for image_id in ids if image_id in users}


def _in_instances(api: Ec2Api, ids: t.Sequence[str]) -> t.Dict[str, str]:
    found: t.Dict[str, str] = {}
    for start in range(0, len(ids), VALUES_AT_ONCE):
        filters = {"image-id": list(ids[start : start + VALUES_AT_ONCE]), "instance-state-name": _LIVING}
        reservations = api.find(
            "describe_instances", "Reservations", "find the instances of images", Filters=filter_list(filters)
        )
        for reservation in reservations:
            for instance in reservation.get("Instances") or []:
                found[str(instance.get("ImageId"))] = "the instance %s is of it" % instance.get("InstanceId")
    return found


def _in_launch_templates(api: Ec2Api, connect_ssm: t.Callable[[str], Ec2Api]) -> t.Dict[str, str]:
    """The default and the latest version of every launch template: those that instances are started of."""
    versions = api.find(
        "describe_launch_template_versions",
        "LaunchTemplateVersions",
        "find the images of launch templates",
        Versions=["$Default", "$Latest"],
        MaxResults=200,
    )
    found = {}
    parameters: t.Dict[str, t.Optional[str]] = {}
    for version in versions:
        named = str((version.get("LaunchTemplateData") or {}).get("ImageId") or "")
        who = "the launch template %s (%s) starts instances of it" % (
            version.get("LaunchTemplateName"),
            version.get("LaunchTemplateId"),
        )
        if named.startswith(_BY_PARAMETER):
            # A name may be followed by a version or a label, which GetParameter takes as it is.
            name = named[len(_BY_PARAMETER) :]
            if name not in parameters:
                parameters[name] = read_parameter(connect_ssm(api.region), name)
            named = str(parameters[name])
            who += ", through the parameter %s" % name
        found[named] = who
    return found


def _shared_with(api: Ec2Api, image: Image) -> str:
    permissions = read_launch_permissions(api, str(image.image_id))
    return ", ".join("everyone" if one == "all" else one for values in permissions.values() for one in values)


__all__ = ("users_of",)
