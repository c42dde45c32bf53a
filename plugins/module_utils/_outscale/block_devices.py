# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""What a block device may be at Outscale: volume types and their limits, mappings of images.

Limits: https://docs.outscale.com/en/userguide/About-Volumes.html and the API's own description of CreateVolume and
CreateImage. All mistakes are reported at once, before anything is created.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, replace

from ansible_collections.bakehouse.images.plugins.module_utils._cloud.mappings import problems_of_mappings

VOLUME_TYPES = ("gp2", "io1", "standard")
SIZES_GIB = (1, 14901)
MAX_IOPS = 13000
MIN_IOPS = 100
IOPS_PER_GIB = 300
MIN_IO1_GIB = 4
ROOT_DEVICE_NAME = "/dev/sda1"
DEVICE_NAME = re.compile(r"/dev/(sd|xvd)[b-z][a-z]?\Z")


@dataclass(frozen=True)
class BlockDevice:
    """One block device mapping of an image. Sizes in GiB; None is not set."""

    device_name: str
    snapshot_id: t.Optional[str] = None
    size_gib: t.Optional[int] = None
    volume_type: t.Optional[str] = None
    iops: t.Optional[int] = None
    delete_on_vm_deletion: t.Optional[bool] = None
    virtual_name: t.Optional[str] = None

    @classmethod
    def from_params(cls, params: t.Mapping[str, t.Any]) -> BlockDevice:
        """From a module option, or from a mapping that another module returned."""
        fields = cls.__dataclass_fields__
        given = {key: value for key, value in params.items() if key in fields and value is not None}
        given.setdefault("device_name", "")
        return cls(**given)

    @classmethod
    def from_api(cls, mapping: t.Mapping[str, t.Any]) -> BlockDevice:
        """From ReadImages."""
        bsu = mapping.get("Bsu") or {}
        return cls(
            device_name=str(mapping.get("DeviceName", "")),
            snapshot_id=bsu.get("SnapshotId") or None,
            size_gib=bsu.get("VolumeSize"),
            volume_type=bsu.get("VolumeType"),
            iops=bsu.get("Iops"),
            delete_on_vm_deletion=bsu.get("DeleteOnVmDeletion"),
            virtual_name=mapping.get("VirtualDeviceName") or None,
        )

    def to_api(self) -> t.Dict[str, t.Any]:
        """As CreateImage takes it."""
        if self.virtual_name:
            return {"DeviceName": self.device_name, "VirtualDeviceName": self.virtual_name}
        bsu = {
            "SnapshotId": self.snapshot_id,
            "VolumeSize": self.size_gib,
            "VolumeType": self.volume_type,
            "Iops": self.iops if self.volume_type == "io1" else None,
            "DeleteOnVmDeletion": bool(self.delete_on_vm_deletion),
        }
        return {"DeviceName": self.device_name, "Bsu": {key: value for key, value in bsu.items() if value is not None}}

    def to_ansible(self) -> t.Dict[str, t.Any]:
        """As modules return it."""
        return dict(self.__dict__)

    def retyped(self, volume_type: t.Optional[str]) -> BlockDevice:
        """With another volume type; the performance of the old type does not carry over."""
        if not volume_type or volume_type == self.volume_type:
            return self
        return replace(self, volume_type=volume_type, iops=None)


def volume_problems(
    *,
    volume_type: t.Optional[str],
    size_gib: t.Optional[int] = None,
    iops: t.Optional[int] = None,
    subject: str = "",
) -> t.List[str]:
    """What Outscale would refuse in a volume, one sentence for each mistake.

    Args:
        subject: put before each sentence, such as C(/dev/xvdb).
    """
    problems = []
    if volume_type is not None and volume_type not in VOLUME_TYPES:
        problems.append("volume_type %r is none of %s." % (volume_type, ", ".join(VOLUME_TYPES)))
    else:
        problems += _size_problems(volume_type, size_gib)
        problems += _iops_problems(volume_type or "standard", size_gib, iops)
    return ["%s: %s" % (subject, problem) if subject else problem for problem in problems]


def _size_problems(volume_type: t.Optional[str], size_gib: t.Optional[int]) -> t.List[str]:
    if size_gib is None:
        return []
    least, most = (MIN_IO1_GIB if volume_type == "io1" else SIZES_GIB[0]), SIZES_GIB[1]
    if least <= size_gib <= most:
        return []
    return ["size_gib %d: a %s volume has %d to %d GiB." % (size_gib, volume_type or "standard", least, most)]


def _iops_problems(volume_type: str, size_gib: t.Optional[int], iops: t.Optional[int]) -> t.List[str]:
    if volume_type != "io1":
        return [] if iops is None else ["iops can be set for volume_type io1 only, not for %s." % volume_type]
    if iops is None:
        return ["iops is required for volume_type io1."]
    problems = []
    if not MIN_IOPS <= iops <= MAX_IOPS:
        problems.append("iops %d: an io1 volume has %d to %d." % (iops, MIN_IOPS, MAX_IOPS))
    if size_gib is not None and iops > IOPS_PER_GIB * size_gib:
        problems.append(
            "iops %d: an io1 volume of %d GiB has at most %d (%d for each GiB)."
            % (iops, size_gib, IOPS_PER_GIB * size_gib, IOPS_PER_GIB)
        )
    return problems


def mapping_problems(devices: t.Sequence[BlockDevice], root_device_name: t.Optional[str]) -> t.List[str]:
    """What Outscale would refuse, or silently not use, in an image's mappings.

    Args:
        root_device_name: the mapping that gets the new snapshot.
    """
    return problems_of_mappings(devices, root_device_name, _device_problems)


def _device_problems(device: BlockDevice, subject: str, *, is_root: bool) -> t.List[str]:
    problems = []
    if not is_root and device.device_name and not DEVICE_NAME.match(device.device_name):
        problems.append("%s: not a device name of Outscale, such as /dev/xvdb or /dev/sdc." % subject)
    if device.virtual_name:
        if is_root:
            problems.append("%s: the root device must be a BSU volume." % subject)
        if not re.match(r"ephemeral\d+\Z", device.virtual_name):
            problems.append("%s: virtual_name %r is not ephemeral0, ephemeral1, ..." % (subject, device.virtual_name))
        return problems
    problems += volume_problems(
        volume_type=device.volume_type, size_gib=device.size_gib, iops=device.iops, subject=subject
    )
    if not is_root and not device.snapshot_id and not device.size_gib:
        problems.append("%s: give snapshot_id or size_gib, or both." % subject)
    return problems


__all__ = ("DEVICE_NAME", "ROOT_DEVICE_NAME", "VOLUME_TYPES", "BlockDevice", "mapping_problems", "volume_problems")
