# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""What a block device may be: EBS volume types and their limits, mappings of images.

Limits: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateVolume.html and
https://docs.aws.amazon.com/ebs/latest/userguide/ebs-volume-types.html. All mistakes are reported at
once, before anything is created.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, replace

from ansible_collections.bakehouse.images.plugins.module_utils._cloud.mappings import problems_of_mappings


class VolumeType(t.NamedTuple):
    """The limits of one EBS volume type. Sizes in GiB, throughput in MiB/s."""

    sizes: t.Tuple[int, int]
    iops: t.Optional[t.Tuple[int, int]] = None
    iops_per_gib: int = 0
    iops_required: bool = False
    throughput: t.Optional[t.Tuple[int, int]] = None


VOLUME_TYPES = {
    "gp2": VolumeType((1, 16384)),
    "gp3": VolumeType((1, 65536), iops=(3000, 80000), iops_per_gib=500, throughput=(125, 2000)),
    "io1": VolumeType((4, 16384), iops=(100, 64000), iops_per_gib=50, iops_required=True),
    "io2": VolumeType((4, 65536), iops=(100, 256000), iops_per_gib=1000, iops_required=True),
    "sc1": VolumeType((125, 16384)),
    "st1": VolumeType((125, 16384)),
    "standard": VolumeType((1, 1024)),
}

# A gp3 volume has its base performance at any size; the ratio holds for what is bought on top.
_GP3_BASE_IOPS = 3000
# gp3: at most 0.25 MiB/s for each IOPS.
_GP3_IOPS_PER_MIBPS = 4

_KEY_ID = r"(mrk-[0-9a-f]+|[0-9a-f-]+)"
_ALIAS = r"alias/[A-Za-z0-9:/_-]+"
_KMS_KEY = re.compile(
    r"(%s|%s|arn:aws[a-z-]*:kms:[a-z0-9-]*:\d{12}:(key/%s|%s))\Z" % (_KEY_ID, _ALIAS, _KEY_ID, _ALIAS)
)


@dataclass(frozen=True)
class BlockDevice:
    """One block device mapping of an image. Sizes in GiB, throughput in MiB/s; None is not set."""

    device_name: str
    snapshot_id: t.Optional[str] = None
    size_gib: t.Optional[int] = None
    volume_type: t.Optional[str] = None
    iops: t.Optional[int] = None
    throughput: t.Optional[int] = None
    encrypted: t.Optional[bool] = None
    kms_key_id: t.Optional[str] = None
    delete_on_termination: t.Optional[bool] = None
    virtual_name: t.Optional[str] = None
    no_device: bool = False

    @property
    def is_ebs(self) -> bool:
        """Whether this is a volume, not an instance store or a suppressed mapping."""
        return not self.no_device and not self.virtual_name

    @classmethod
    def from_params(cls, params: t.Mapping[str, t.Any]) -> BlockDevice:
        """From a module option, or from a mapping that another module returned."""
        fields = cls.__dataclass_fields__
        given = {key: value for key, value in params.items() if key in fields and value is not None}
        given.setdefault("device_name", "")
        given.update((key, int(given[key])) for key in ("size_gib", "iops", "throughput") if key in given)
        return cls(**given)

    @classmethod
    def from_api(cls, mapping: t.Mapping[str, t.Any]) -> BlockDevice:
        """From DescribeImages."""
        ebs = mapping.get("Ebs") or {}
        return cls(
            device_name=str(mapping.get("DeviceName", "")),
            snapshot_id=ebs.get("SnapshotId"),
            size_gib=ebs.get("VolumeSize"),
            volume_type=ebs.get("VolumeType"),
            iops=ebs.get("Iops"),
            throughput=ebs.get("Throughput"),
            encrypted=ebs.get("Encrypted"),
            delete_on_termination=ebs.get("DeleteOnTermination"),
            virtual_name=mapping.get("VirtualName"),
            no_device=mapping.get("NoDevice") is not None,
        )

    def to_api(self) -> t.Dict[str, t.Any]:
        """As RegisterImage takes it.

        A snapshot decides on encryption by itself, and RegisterImage takes no key:
        https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_EbsBlockDevice.html
        """
        if self.no_device:
            return {"DeviceName": self.device_name, "NoDevice": ""}
        if self.virtual_name:
            return {"DeviceName": self.device_name, "VirtualName": self.virtual_name}
        limits = VOLUME_TYPES.get(self.volume_type or "")
        ebs = {
            "SnapshotId": self.snapshot_id,
            "VolumeSize": self.size_gib,
            "VolumeType": self.volume_type,
            "Iops": self.iops if limits and limits.iops else None,
            "Throughput": self.throughput if limits and limits.throughput else None,
            "Encrypted": None if self.snapshot_id else self.encrypted,
            "DeleteOnTermination": bool(self.delete_on_termination),
        }
        return {"DeviceName": self.device_name, "Ebs": {key: value for key, value in ebs.items() if value is not None}}

    def to_ansible(self) -> t.Dict[str, t.Any]:
        """As modules return it."""
        fields: t.Iterable[str] = self.__dataclass_fields__
        return {name: getattr(self, name) for name in fields if name != "kms_key_id"}

    def retyped(self, volume_type: t.Optional[str]) -> BlockDevice:
        """With another volume type; the performance of the old type does not carry over."""
        if not volume_type or volume_type == self.volume_type:
            return self
        return replace(self, volume_type=volume_type, iops=None, throughput=None)


def volume_problems(  # noqa: PLR0913
    *,
    volume_type: t.Optional[str],
    size_gib: t.Optional[int] = None,
    iops: t.Optional[int] = None,
    throughput: t.Optional[int] = None,
    encrypted: t.Optional[bool] = None,
    kms_key_id: t.Optional[str] = None,
    subject: str = "",
) -> t.List[str]:
    """What EC2 would refuse in a volume, one sentence for each mistake.

    Args:
        subject: put before each sentence, such as C(/dev/sdb).
    """
    problems: t.List[str] = []
    if volume_type is not None and volume_type not in VOLUME_TYPES:
        problems.append("volume_type %r is none of %s." % (volume_type, ", ".join(sorted(VOLUME_TYPES))))
    else:
        # EC2's default, https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateVolume.html
        problems += _size_problems(volume_type, size_gib)
        problems += _iops_problems(volume_type or "gp2", size_gib, iops)
        problems += _throughput_problems(volume_type or "gp2", iops, throughput)
    problems += key_problems(encrypted, kms_key_id)
    return ["%s: %s" % (subject, problem) if subject else problem for problem in problems]


def _size_problems(volume_type: t.Optional[str], size_gib: t.Optional[int]) -> t.List[str]:
    if size_gib is None:
        return []
    if volume_type is None:
        return [] if size_gib >= 1 else ["size_gib %d is less than 1." % size_gib]
    smallest, largest = VOLUME_TYPES[volume_type].sizes
    if smallest <= size_gib <= largest:
        return []
    return ["size_gib %d: a %s volume has %d to %d GiB." % (size_gib, volume_type, smallest, largest)]


def _iops_problems(volume_type: str, size_gib: t.Optional[int], iops: t.Optional[int]) -> t.List[str]:
    limits = VOLUME_TYPES[volume_type]
    if iops is None:
        return ["iops is required for volume_type %s." % volume_type] if limits.iops_required else []
    if limits.iops is None:
        return ["iops cannot be set for volume_type %s, only for gp3, io1 and io2." % volume_type]
    problems = []
    lowest, highest = limits.iops
    if not lowest <= iops <= highest:
        problems.append("iops %d: a %s volume has %d to %d." % (iops, volume_type, lowest, highest))
    if size_gib is not None and iops > max(limits.iops_per_gib * size_gib, _base_iops(volume_type)):
        problems.append(
            "iops %d: a %s volume of %d GiB has at most %d (%d for each GiB)."
            % (iops, volume_type, size_gib, limits.iops_per_gib * size_gib, limits.iops_per_gib)
        )
    return problems


def _base_iops(volume_type: str) -> int:
    return _GP3_BASE_IOPS if volume_type == "gp3" else 0


def _throughput_problems(volume_type: str, iops: t.Optional[int], throughput: t.Optional[int]) -> t.List[str]:
    if throughput is None:
        return []
    limits = VOLUME_TYPES[volume_type]
    if limits.throughput is None:
        return ["throughput can be set for volume_type gp3 only, not for %s." % volume_type]
    lowest, highest = limits.throughput
    if not lowest <= throughput <= highest:
        return ["throughput %d: a %s volume has %d to %d MiB/s." % (throughput, volume_type, lowest, highest)]
    most = (iops or _GP3_BASE_IOPS) // _GP3_IOPS_PER_MIBPS
    if throughput > most:
        return ["throughput %d: with %d IOPS it is at most %d MiB/s." % (throughput, iops or _GP3_BASE_IOPS, most)]
    return []


def key_problems(
    encrypted: t.Optional[bool], kms_key_id: t.Optional[str], *, option: str = "kms_key_id"
) -> t.List[str]:
    """What is wrong with a KMS key beside an encryption setting."""
    if not kms_key_id:
        return []
    problems = []
    if not encrypted:
        problems.append("%s needs encrypted to be true." % option)
    if not _KMS_KEY.match(kms_key_id):
        problems.append("%s %r is neither a key id, nor alias/NAME, nor the ARN of either." % (option, kms_key_id))
    return problems


def mapping_problems(devices: t.Sequence[BlockDevice], root_device_name: t.Optional[str]) -> t.List[str]:
    """What EC2 would refuse, or silently not use, in an image's mappings.

    Args:
        root_device_name: the mapping that gets the new snapshot.
    """
    return problems_of_mappings(devices, root_device_name, _device_problems)


def _device_problems(device: BlockDevice, subject: str, *, is_root: bool) -> t.List[str]:
    if not device.is_ebs:
        problems = []
        if is_root:
            problems.append("%s: the root device must be an EBS volume." % subject)
        if device.virtual_name and not re.match(r"ephemeral\d+\Z", device.virtual_name):
            problems.append("%s: virtual_name %r is not ephemeral0, ephemeral1, ..." % (subject, device.virtual_name))
        return problems
    problems = volume_problems(
        volume_type=device.volume_type,
        size_gib=device.size_gib,
        iops=device.iops,
        throughput=device.throughput,
        encrypted=device.encrypted,
        kms_key_id=device.kms_key_id,
        subject=subject,
    )
    if not is_root and not device.snapshot_id and not device.size_gib:
        problems.append("%s: give snapshot_id or size_gib, or both." % subject)
    return problems


__all__ = ("VOLUME_TYPES", "BlockDevice", "VolumeType", "key_problems", "mapping_problems", "volume_problems")
