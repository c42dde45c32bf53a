# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.


"""What is wrong with an image's block device mappings, in any cloud."""

from __future__ import annotations

import typing as t


class Device(t.Protocol):
    """What is mapped, as far as it matters here."""

    @property
    def device_name(self) -> t.Optional[str]:
        """None where it was not given."""
        raise NotImplementedError


D = t.TypeVar("D", bound=Device)
D_contra = t.TypeVar("D_contra", bound=Device, contravariant=True)


class DeviceProblems(t.Protocol[D_contra]):
    """What a cloud would refuse in one mapping; each begins with the subject."""

    def __call__(self, device: D_contra, subject: str, *, is_root: bool) -> t.List[str]:
        """See above."""
        raise NotImplementedError


def problems_of_mappings(
    devices: t.Sequence[D], root_device_name: t.Optional[str], device_problems: DeviceProblems[D]
) -> t.List[str]:
    """All mistakes in an image's mappings, each with the device it is about.

    Args:
        root_device_name: the mapping that gets the new snapshot.
    """
    problems = []
    names = [device.device_name for device in devices]
    for index, device in enumerate(devices):
        subject = device.device_name or "block_device_mappings, entry %d" % (index + 1)
        if not device.device_name:
            problems.append("%s: device_name is required." % subject)
        elif names.index(device.device_name) != index:
            problems.append("%s: mapped twice." % subject)
        problems += device_problems(device, subject, is_root=device.device_name == root_device_name)
    if root_device_name and root_device_name not in names:
        problems.append(
            "root_device_name is %s, but there is a mapping only for %s; the new snapshot would be used nowhere."
            % (root_device_name, ", ".join(str(name) for name in names) or "no device")
        )
    return problems


__all__ = ("problems_of_mappings",)
