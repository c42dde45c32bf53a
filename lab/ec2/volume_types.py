# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What EC2 allows for each type of EBS volume ("Amazon EBS volume types", EBS User Guide)."""

from __future__ import annotations

from dataclasses import dataclass

from lab.ec2.errors import Ec2Error, invalid_combination, invalid_value, missing


@dataclass(frozen=True)
class VolumeType:
    """Limits: sizes in GiB, IOPS as such and for each GiB, throughput in MiB/s."""

    sizes: tuple[int, int]
    iops: tuple[int, int] | None = None
    iops_per_gib: int = 0
    default_iops: int | None = None
    throughput: tuple[int, int] | None = None
    multi_attach: bool = False


VOLUME_TYPES = {
    "standard": VolumeType((1, 1024)),
    "gp2": VolumeType((1, 16384)),
    "gp3": VolumeType((1, 65536), (3000, 80000), 500, 3000, (125, 2000)),
    "io1": VolumeType((4, 16384), (100, 64000), 50, multi_attach=True),
    "io2": VolumeType((4, 65536), (100, 256000), 1000, multi_attach=True),
    "st1": VolumeType((125, 16384)),
    "sc1": VolumeType((125, 16384)),
}
#: MiB/s of gp3 where none is asked for.
GP3_THROUGHPUT = 125


@dataclass(frozen=True)
class Performance:
    """What a volume gets: IOPS as DescribeVolumes shows them, throughput in MiB/s."""

    iops: int | None
    throughput: int | None


def check(name: str, size_gib: int, iops: int | None, throughput: int | None) -> Performance:
    """The performance of a volume with these values.

    Raises:
        Ec2Error: unknown type, size or performance out of range, or a value that the type does not take.
    """
    kind = VOLUME_TYPES.get(name)
    if kind is None:
        raise Ec2Error("UnknownVolumeType", f"Unsupported volume type '{name}' for volume creation.")
    least, most = kind.sizes
    if not least <= size_gib <= most:
        raise invalid_value(
            f"Volume of {size_gib}GiB is invalid. The volume size for {name} must be between {least} and {most} GiB."
        )
    chosen = _check_iops(name, kind, size_gib, iops)
    return Performance(chosen if kind.iops else _base_iops(name, size_gib), _check_throughput(kind, chosen, throughput))


def _check_iops(name: str, kind: VolumeType, size_gib: int, iops: int | None) -> int | None:
    if kind.iops is None:
        if iops is not None:
            raise invalid_combination(f"The parameter iops is not supported for {name} volumes.")
        return None
    if iops is None:
        if kind.default_iops is None:
            raise missing("iops")
        return kind.default_iops
    least, most = kind.iops
    if not least <= iops <= most:
        raise invalid_value(f"Volume iops of {iops} is invalid. {name} volumes take {least} to {most}.")
    # The base of a type is free of the ratio: a gp3 volume of 1 GiB has 3000 IOPS.
    if iops > max(size_gib * kind.iops_per_gib, kind.default_iops or 0):
        raise invalid_value(
            f"Iops to volume size ratio of {iops / size_gib:f} is too high; maximum is {kind.iops_per_gib}."
        )
    return iops


def _check_throughput(kind: VolumeType, iops: int | None, throughput: int | None) -> int | None:
    if kind.throughput is None:
        if throughput is not None:
            raise invalid_combination("The parameter throughput is only supported for gp3 volumes.")
        return None
    if throughput is None:
        return GP3_THROUGHPUT
    least, most = kind.throughput
    if not least <= throughput <= most:
        raise invalid_value(f"Throughput of {throughput} MiB/s is invalid. gp3 volumes take {least} to {most}.")
    if iops and throughput > max(iops // 4, GP3_THROUGHPUT):
        raise invalid_value(f"Throughput (MiB/s) to iops ratio of {throughput / iops:f} is too high; maximum is 0.25.")
    return throughput


def _base_iops(name: str, size_gib: int) -> int | None:
    return min(max(100, 3 * size_gib), 16000) if name == "gp2" else None
