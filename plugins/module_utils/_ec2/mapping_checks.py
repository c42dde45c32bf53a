# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""The mappings of an image that is yet to be built, against the source image and the snapshots that they name.

EC2 itself would only refuse them when the image is registered, after the whole build.
"""

from __future__ import annotations

import typing as t

from ansible_collections.bakehouse.images.plugins.module_utils._ec2.api import Ec2Api
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.block_devices import BlockDevice, mapping_problems
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.image_definitions import DEFAULT_ROOT_DEVICE_NAME
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.snapshots import describe_snapshot
from ansible_collections.bakehouse.images.plugins.module_utils._errors import Invalid, NotFound


def require_mappings(
    api: Ec2Api,
    mappings: t.Sequence[t.Mapping[str, t.Any]],
    *,
    root_device_name: t.Optional[str],
    source_root: t.Optional[str] = None,
) -> None:
    """Make sure that an image can be registered with these mappings.

    Args:
        root_device_name: as the user has it; None for the source's.
        source_root: the source image's root device; None without a source.

    Raises:
        Invalid: it cannot; all that is wrong.
    """
    devices = [BlockDevice.from_params(one) for one in mappings]
    root = root_device_name or source_root or DEFAULT_ROOT_DEVICE_NAME
    named = any(device.device_name == root for device in devices)
    problems = mapping_problems(devices, root if named else None)
    for device in devices:
        if device.snapshot_id and device.is_ebs and device.device_name != root:
            problems += _snapshot_problems(api, device)
    if problems:
        raise Invalid(problems, subject="The image's block device mappings")


def _snapshot_problems(api: Ec2Api, device: BlockDevice) -> t.List[str]:
    try:
        snapshot = describe_snapshot(api, str(device.snapshot_id))
    except (NotFound, Invalid) as exc:
        return ["%s: %s" % (device.device_name, exc.message)]
    problems = []
    if snapshot.state != "completed":
        problems.append("%s: snapshot %s is %s." % (device.device_name, snapshot.snapshot_id, snapshot.state))
    if device.size_gib and snapshot.size_gib and device.size_gib < snapshot.size_gib:
        problems.append(
            "%s: size_gib is %d, and snapshot %s has %d GiB."
            % (device.device_name, device.size_gib, snapshot.snapshot_id, snapshot.size_gib)
        )
    return problems


__all__ = ("require_mappings",)
