# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""What RegisterImage gets: the options, what they inherit from the source image, and their mistakes."""

from __future__ import annotations

import base64
import binascii
import re
import typing as t
from dataclasses import dataclass, field, replace

from ansible_collections.bakehouse.images.plugins.module_utils._ec2.api import tag_specifications
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.block_devices import (
    VOLUME_TYPES,
    BlockDevice,
    mapping_problems,
)
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.images import Image

ARCHITECTURES = ("arm64", "arm64_mac", "i386", "x86_64", "x86_64_mac")
DEFAULT_ROOT_DEVICE_NAME = "/dev/xvda"
DEFAULT_ROOT_TYPE = "gp3"

# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RegisterImage.html, parameter Name
_NAME = re.compile(r"[A-Za-z0-9()\[\] ./\-'@_]{3,128}\Z")


@dataclass(frozen=True)
class Definition:
    """The image that is asked for. None is not set: the source image's value, else a default."""

    name: str = ""
    snapshot_id: t.Optional[str] = None
    description: t.Optional[str] = None
    architecture: t.Optional[str] = None
    virtualization_type: t.Optional[str] = None
    root_device_name: t.Optional[str] = None
    boot_mode: t.Optional[str] = None
    ena_support: t.Optional[bool] = None
    sriov_net_support: t.Optional[str] = None
    tpm_support: t.Optional[str] = None
    imds_support: t.Optional[str] = None
    uefi_data: t.Optional[str] = None
    block_device_mappings: t.Sequence[t.Mapping[str, t.Any]] = ()
    root_volume: t.Mapping[str, t.Any] = field(default_factory=dict)
    source_image: t.Mapping[str, t.Any] = field(default_factory=dict)

    @classmethod
    def from_params(cls, params: t.Mapping[str, t.Any]) -> Definition:
        """From a module's options."""
        fields = cls.__dataclass_fields__
        return cls(**{name: params[name] for name in fields if params.get(name) is not None})


@dataclass(frozen=True)
class Registration:
    """The values for RegisterImage, complete."""

    name: str
    architecture: str
    virtualization_type: str
    root_device_name: str
    devices: t.Tuple[BlockDevice, ...]
    description: t.Optional[str] = None
    boot_mode: t.Optional[str] = None
    ena_support: t.Optional[bool] = None
    sriov_net_support: t.Optional[str] = None
    tpm_support: t.Optional[str] = None
    imds_support: t.Optional[str] = None
    uefi_data: t.Optional[str] = None
    kernel_id: t.Optional[str] = None
    ramdisk_id: t.Optional[str] = None
    tags: t.Mapping[str, str] = field(default_factory=dict)

    def to_api(self) -> t.Dict[str, t.Any]:
        """As the client's method takes it; what is None is left out there."""
        return {
            "Name": self.name,
            "Description": self.description,
            "Architecture": self.architecture,
            "VirtualizationType": self.virtualization_type,
            "RootDeviceName": self.root_device_name,
            "BlockDeviceMappings": [device.to_api() for device in self.devices],
            "BootMode": self.boot_mode,
            "EnaSupport": self.ena_support,
            "SriovNetSupport": self.sriov_net_support,
            "TpmSupport": self.tpm_support,
            "ImdsSupport": self.imds_support,
            "UefiData": self.uefi_data,
            "KernelId": self.kernel_id,
            "RamdiskId": self.ramdisk_id,
            "TagSpecifications": tag_specifications(self.tags, "image"),
        }

    def predicted(self) -> Image:
        """The image that it will be."""
        given = {name: getattr(self, name) for name in self.__dataclass_fields__ if name != "name"}
        return Image(image_id=None, name=self.name, state="available", root_device_type="ebs", **given)


class Composed(t.NamedTuple):
    """A registration with what is wrong with it, and what the user should know."""

    registration: Registration
    problems: t.List[str]
    warnings: t.List[str]


def name_problems(name: str) -> t.List[str]:
    """What EC2 would refuse in an image's name."""
    if _NAME.match(name):
        return []
    if not 3 <= len(name) <= 128:
        return ["name %r has %d characters; an image's name has 3 to 128." % (name, len(name))]
    return ["name %r has characters other than ASCII letters, digits and ( ) [ ] space . / - ' @ _ in it." % name]


def compose(definition: Definition, tags: t.Mapping[str, str]) -> Composed:
    """The registration for a definition: its own values, else the source image's, else defaults."""
    source = definition.source_image

    def value(name: str, default: t.Any = None) -> t.Any:
        own = getattr(definition, name)
        return own if own is not None else source.get(name) if source.get(name) is not None else default

    virtualization = value("virtualization_type", "hvm")
    is_hvm = virtualization == "hvm"
    root_name = value("root_device_name", DEFAULT_ROOT_DEVICE_NAME)
    registration = Registration(
        name=definition.name,
        description=value("description"),
        architecture=value("architecture", "x86_64"),
        virtualization_type=virtualization,
        root_device_name=root_name,
        devices=_devices(definition, root_name),
        boot_mode=value("boot_mode"),
        # From scratch there is no reason for an image without what every current instance type needs.
        ena_support=value("ena_support", not source or None) if is_hvm else definition.ena_support,
        sriov_net_support=_unless_none(value("sriov_net_support") if is_hvm else definition.sriov_net_support),
        tpm_support=_unless_none(value("tpm_support")),
        imds_support=_unless_none(value("imds_support", "v2.0")),
        uefi_data=value("uefi_data"),
        kernel_id=None if is_hvm else source.get("kernel_id"),
        ramdisk_id=None if is_hvm else source.get("ramdisk_id"),
        tags=tags,
    )
    problems = _problems(definition, registration)
    return Composed(registration, problems, _warnings(definition, registration))


def _unless_none(value: t.Optional[str]) -> t.Optional[str]:
    """Options say C(none) for what shall not be inherited."""
    return None if value == "none" else value


def _devices(definition: Definition, root_name: str) -> t.Tuple[BlockDevice, ...]:
    """The mappings, with the root device made from the new snapshot.

    Mappings of other volumes keep their snapshots, which are the source image's: they are neither
    tagged nor ever deleted by us.
    """
    own = [BlockDevice.from_params(one) for one in definition.block_device_mappings]
    inherited = [BlockDevice.from_params(one) for one in definition.source_image.get("block_device_mappings") or []]
    # EC2 tells the size of the old root; the new one has its snapshot's, which may be larger.
    inherited = [replace(one, size_gib=None) if one.device_name == root_name else one for one in inherited]
    if own and not any(one.device_name == root_name for one in own):
        # Those of further volumes only: the root's is as it would be without them.
        own = [one for one in inherited if one.device_name == root_name] + own
        own = own if own[0].device_name == root_name else [BlockDevice(root_name, volume_type=DEFAULT_ROOT_TYPE), *own]
    devices = own or inherited or [BlockDevice(root_name, volume_type=DEFAULT_ROOT_TYPE)]
    return tuple(_root(one, definition) if one.device_name == root_name and one.is_ebs else one for one in devices)


def _root(device: BlockDevice, definition: Definition) -> BlockDevice:
    wanted = {key: value for key, value in definition.root_volume.items() if value is not None}
    device = device.retyped(wanted.get("volume_type"))
    limits = VOLUME_TYPES.get(device.volume_type or "")
    if limits and limits.iops is None:
        device = replace(device, iops=None)
    keep = True if device.delete_on_termination is None else device.delete_on_termination
    device = replace(device, snapshot_id=definition.snapshot_id or device.snapshot_id, delete_on_termination=keep)
    return replace(device, **wanted)


def _problems(definition: Definition, registration: Registration) -> t.List[str]:
    problems = name_problems(registration.name)
    if registration.architecture not in ARCHITECTURES:
        problems.append("architecture %r is none of %s." % (registration.architecture, ", ".join(ARCHITECTURES)))
    if registration.virtualization_type != "hvm":
        for option in ("ena_support", "sriov_net_support"):
            if getattr(definition, option) not in (None, False, "none"):
                problems.append("%s needs virtualization_type hvm." % option)
    problems += _uefi_problems(registration)
    checked = registration.devices
    if not definition.block_device_mappings:
        # What the source image has is EC2's own and needs no check, the root device excepted.
        root = [device for device in checked if device.device_name == registration.root_device_name]
        checked = tuple(root) or checked
    problems += mapping_problems(checked, registration.root_device_name)
    root_snapshot = [d.snapshot_id for d in checked if d.device_name == registration.root_device_name]
    if root_snapshot == [None]:
        problems.append("snapshot_id is required to register an image.")
    return problems


def _uefi_problems(registration: Registration) -> t.List[str]:
    boots_uefi = registration.boot_mode in ("uefi", "uefi-preferred") or (
        registration.boot_mode is None and registration.architecture.startswith("arm64")
    )
    problems = []
    for option in ("uefi_data", "tpm_support"):
        if getattr(registration, option) and not boots_uefi:
            problems.append(
                "%s needs an image that boots by UEFI, but boot_mode is %s and the architecture %s."
                % (option, registration.boot_mode or "not set", registration.architecture)
            )
    if registration.uefi_data:
        try:
            base64.b64decode(registration.uefi_data, validate=True)
        except (binascii.Error, ValueError):
            problems.append("uefi_data is not base64 text.")
    return problems


def _warnings(definition: Definition, registration: Registration) -> t.List[str]:
    warnings = []
    source = definition.source_image
    if definition.block_device_mappings:
        own = {device.device_name for device in registration.devices}
        lost = [
            str(one.get("device_name"))
            for one in source.get("block_device_mappings") or []
            if one.get("device_name") not in own
        ]
        if lost:
            warnings.append("The source image's mappings for %s are not taken over." % ", ".join(lost))
    if any(device.kms_key_id for device in registration.devices):
        warnings.append(
            "RegisterImage takes no kms_key_id in mappings: the snapshot's key, or the default key, is used."
        )
    operation = source.get("usage_operation") or "RunInstances"
    if operation != "RunInstances":
        # https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/billing-info-fields.html
        warnings.append(
            "The source image is billed as %s (%s); an image registered from a snapshot is billed as plain Linux."
            % (source.get("platform_details"), operation)
        )
    return warnings


__all__ = ("ARCHITECTURES", "Composed", "Definition", "Registration", "compose", "name_problems")
