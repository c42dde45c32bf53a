# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""What CreateImage gets: the options, what they inherit from the source image, and their mistakes."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, field, replace

from ansible_collections.bakehouse.images.plugins.module_utils._outscale.block_devices import (
    ROOT_DEVICE_NAME,
    BlockDevice,
    mapping_problems,
)
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.images import Image

ARCHITECTURES = ("i386", "x86_64")
BOOT_MODES = ("legacy", "uefi")
DEFAULT_ROOT_TYPE = "gp2"

# The API's own description of CreateImage, parameter ImageName.
_NAME = re.compile(r"[A-Za-z0-9_ ()/.\-]{3,128}\Z")


@dataclass(frozen=True)
class Definition:
    """The image that is asked for. None is not set: the source image's value, else a default."""

    name: str = ""
    snapshot_id: t.Optional[str] = None
    description: t.Optional[str] = None
    architecture: t.Optional[str] = None
    root_device_name: t.Optional[str] = None
    boot_modes: t.Optional[t.Sequence[str]] = None
    product_codes: t.Optional[t.Sequence[str]] = None
    tpm_mandatory: t.Optional[bool] = None
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
    """The values for CreateImage, complete."""

    name: str
    architecture: str
    root_device_name: str
    devices: t.Tuple[BlockDevice, ...]
    description: t.Optional[str] = None
    boot_modes: t.Tuple[str, ...] = ()
    product_codes: t.Tuple[str, ...] = ()
    tpm_mandatory: t.Optional[bool] = None
    tags: t.Mapping[str, str] = field(default_factory=dict)

    def to_api(self) -> t.Dict[str, t.Any]:
        """As the action takes it; what is None is left out there."""
        return {
            "ImageName": self.name,
            "Description": self.description,
            "Architecture": self.architecture,
            "RootDeviceName": self.root_device_name,
            "BlockDeviceMappings": [device.to_api() for device in self.devices],
            "BootModes": list(self.boot_modes) or None,
            "ProductCodes": list(self.product_codes) or None,
            "TpmMandatory": self.tpm_mandatory,
        }

    def predicted(self) -> Image:
        """The image that it will be."""
        given = {name: getattr(self, name) for name in self.__dataclass_fields__ if name != "name"}
        return Image(image_id=None, name=self.name, state="available", root_device_type="bsu", **given)


class Composed(t.NamedTuple):
    """A registration with what is wrong with it, and what the user should know."""

    registration: Registration
    problems: t.List[str]
    warnings: t.List[str]


def name_problems(name: str) -> t.List[str]:
    """What Outscale would refuse in an image's name."""
    if _NAME.match(name):
        return []
    if not 3 <= len(name) <= 128:
        return ["name %r has %d characters; an image's name has 3 to 128." % (name, len(name))]
    return ["name %r has characters other than ASCII letters, digits and ( ) space . / - _ in it." % name]


def compose(definition: Definition, tags: t.Mapping[str, str]) -> Composed:
    """The registration for a definition: its own values, else the source image's, else defaults."""
    source = definition.source_image

    def value(name: str, default: t.Any = None) -> t.Any:
        own = getattr(definition, name)
        return own if own is not None else source.get(name) if source.get(name) is not None else default

    root_name = value("root_device_name", ROOT_DEVICE_NAME)
    registration = Registration(
        name=definition.name,
        description=value("description"),
        architecture=value("architecture", "x86_64"),
        root_device_name=root_name,
        devices=_devices(definition, root_name),
        boot_modes=tuple(sorted(value("boot_modes", ()))),
        product_codes=tuple(sorted(map(str, value("product_codes", ())))),
        tpm_mandatory=value("tpm_mandatory"),
        tags=tags,
    )
    return Composed(registration, _problems(definition, registration), _warnings(definition, registration))


def _devices(definition: Definition, root_name: str) -> t.Tuple[BlockDevice, ...]:
    """The mappings, with the root device made from the new snapshot; those of other volumes keep theirs."""
    own = [BlockDevice.from_params(one) for one in definition.block_device_mappings]
    inherited = [BlockDevice.from_params(one) for one in definition.source_image.get("block_device_mappings") or []]
    # The size of the old root; the new one has its snapshot's, which may be larger.
    inherited = [replace(one, size_gib=None) if one.device_name == root_name else one for one in inherited]
    devices = own or inherited or [BlockDevice(root_name, volume_type=DEFAULT_ROOT_TYPE)]
    return tuple(
        _root(one, definition) if one.device_name == root_name and not one.virtual_name else one for one in devices
    )


def _root(device: BlockDevice, definition: Definition) -> BlockDevice:
    wanted = {key: value for key, value in definition.root_volume.items() if value is not None}
    device = device.retyped(wanted.get("volume_type"))
    if device.volume_type != "io1":
        device = replace(device, iops=None)
    keep = True if device.delete_on_vm_deletion is None else device.delete_on_vm_deletion
    device = replace(device, snapshot_id=definition.snapshot_id or device.snapshot_id, delete_on_vm_deletion=keep)
    return replace(device, **wanted)


def _problems(definition: Definition, registration: Registration) -> t.List[str]:
    problems = name_problems(registration.name)
    if registration.architecture not in ARCHITECTURES:
        problems.append("architecture %r is none of %s." % (registration.architecture, ", ".join(ARCHITECTURES)))
    problems += [
        "boot_modes: %r is none of %s." % (mode, ", ".join(BOOT_MODES))
        for mode in registration.boot_modes
        if mode not in BOOT_MODES
    ]
    checked = registration.devices
    if not definition.block_device_mappings:
        # What the source image has is Outscale's own and needs no check, the root device excepted.
        root = [device for device in checked if device.device_name == registration.root_device_name]
        checked = tuple(root) or checked
    problems += mapping_problems(checked, registration.root_device_name)
    if [d.snapshot_id for d in checked if d.device_name == registration.root_device_name] == [None]:
        problems.append("snapshot_id is required to make an image.")
    return problems


def _warnings(definition: Definition, registration: Registration) -> t.List[str]:
    if not definition.block_device_mappings:
        return []
    own = {device.device_name for device in registration.devices}
    inherited = definition.source_image.get("block_device_mappings") or []
    lost = [str(one.get("device_name")) for one in inherited if one.get("device_name") not in own]
    return ["The source image's mappings for %s are not taken over." % ", ".join(lost)] if lost else []


__all__ = ("ARCHITECTURES", "BOOT_MODES", "Composed", "Definition", "Registration", "compose", "name_problems")
