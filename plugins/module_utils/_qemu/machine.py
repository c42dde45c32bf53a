# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""The virtual machine that a disk image is tried in: its command line and its firmware."""

from __future__ import annotations

import dataclasses
import fnmatch
import json
import os
import typing as t

from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError, Invalid, NotFound
from ansible_collections.bakehouse.images.plugins.module_utils._run import Runner

QEMU = "qemu-system-x86_64"
MACHINE = "q35"

# Firmware describes itself in these folders, the first that has a name counts (QEMU's docs/interop/firmware.json).
FIRMWARE_FOLDERS = ("/etc/qemu/firmware", "/usr/share/qemu/firmware")

# What the guest's firmware boots from. NVMe is what instances on Nitro have.
DISK_DEVICES = {"nvme": "nvme,serial=bakehouse", "virtio": "virtio-blk-pci", "sata": "ide-hd"}

# TCG has no host CPU to show; its "max" has all it can emulate, which what is built for x86-64-v2 needs.
CPU_MODELS = {"kvm": "host", "tcg": "max"}


@dataclasses.dataclass(frozen=True)
class Firmware:
    """A UEFI firmware: its code, which is only read, and the template of its variables."""

    code: str
    variables: str


@dataclasses.dataclass(frozen=True)
class Machine:
    """A virtual machine, settled in every point.

    Args:
        disk: the disk image; never written to.
        disk_format: C(raw), C(qcow2) or another that QEMU knows.
        disk_interface: a key of DISK_DEVICES.
        accelerator: C(kvm) or C(tcg).
        code: the UEFI firmware's code; empty for BIOS.
        variables: this machine's own copy of the firmware's variables; empty for BIOS.
    """

    disk: str
    disk_format: str
    disk_interface: str
    accelerator: str
    memory_mib: int
    cpus: int
    code: str = ""
    variables: str = ""

    def argv(self) -> t.List[str]:
        """The command that runs it, with its serial console on standard output."""
        # fmt: off
        command = [
            QEMU,
            "-machine", MACHINE,
            "-accel", self.accelerator,
            "-cpu", CPU_MODELS[self.accelerator],
            "-smp", str(self.cpus),
            "-m", str(self.memory_mib),
            # Nothing but what is named here: no network, and no configuration of this host's.
            "-nodefaults", "-no-user-config", "-nic", "none",
            "-display", "none", "-monitor", "none",
            # A guest that resets itself has failed: end, instead of trying again until the time is up.
            "-no-reboot",
            "-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console",
            # A guest without a source of entropy may wait for one before it lets anybody log in.
            "-device", "virtio-rng-pci",
            "-drive", drive("none", file=self.disk, format=self.disk_format, id="disk", snapshot="on"),
            "-device", "%s,drive=disk,bootindex=0" % DISK_DEVICES[self.disk_interface],
        ]
        if self.code:
            command += [
                "-drive", drive("pflash", unit="0", readonly="on", file=self.code, format="raw"),
                "-drive", drive("pflash", unit="1", file=self.variables, format="raw"),
            ]
        # fmt: on
        return command


def drive(interface: str, **settings: str) -> str:
    """The value of C(-drive). QEMU takes a doubled comma for one that belongs to the value."""
    return ",".join(
        ["if=" + interface] + ["%s=%s" % (key, value.replace(",", ",,")) for key, value in settings.items()]
    )


def detect_format(runner: Runner, path: str) -> str:
    """The format of a disk image.

    Raises:
        NotFound: there is no such file.
    """
    if not os.path.isfile(path):
        raise NotFound("There is no disk image %s on this host." % path, path=path)
    # A raw image is never probed further: QEMU would follow what a guest has written into it.
    found = json.loads(runner.run(["qemu-img", "info", "--output=json", "--", path]).out)
    return str(found["format"])


def find_firmware(folders: t.Sequence[str] = FIRMWARE_FOLDERS) -> Firmware:
    """The UEFI firmware without Secure Boot that this host has for the machine.

    Raises:
        NotFound: none is installed.
    """
    described: t.Dict[str, str] = {}
    for folder in folders:
        for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
            if name.endswith(".json"):
                described.setdefault(name, os.path.join(folder, name))
    for _name, path in sorted(described.items()):
        firmware = read_descriptor(path)
        if firmware and os.path.exists(firmware.code) and os.path.exists(firmware.variables):
            return firmware
    raise NotFound(
        "No UEFI firmware for QEMU is installed on this host.",
        hint="Install the package ovmf (Debian, Ubuntu) or edk2-ovmf (Fedora, Enterprise Linux).",
    )


def read_descriptor(path: str) -> t.Optional[Firmware]:
    """The firmware that a descriptor describes, if it is one for the machine, without Secure Boot."""
    try:
        with open(path, encoding="utf-8") as stream:
            text = stream.read()
        # An empty file in /etc masks the one of the same name in /usr.
        described = json.loads(text) if text.strip() else {}
    except ValueError as exc:
        raise BuildError("The firmware descriptor %s is not JSON: %s." % (path, exc)) from exc
    mapping = described.get("mapping", {})
    unwanted = {"requires-smm", "secure-boot", "enrolled-keys"} & set(described.get("features", ()))
    if "uefi" not in described.get("interface-types", ()) or mapping.get("device") != "flash" or unwanted:
        return None
    if not any(suits(target) for target in described.get("targets", ())):
        return None
    return Firmware(mapping["executable"]["filename"], mapping.get("nvram-template", {}).get("filename", ""))


def suits(target: t.Mapping[str, t.Any]) -> bool:
    """Whether one entry of a descriptor's targets is for the machine used here."""
    machines = target.get("machines", ())
    return target.get("architecture") == "x86_64" and any(
        fnmatch.fnmatchcase("pc-%s-1.0" % MACHINE, pattern) for pattern in machines
    )


def machine_problems(memory_mib: int, cpus: int) -> None:
    """Raise Invalid when a machine of this size makes no sense."""
    problems = []
    if memory_mib < 64:
        problems.append("memory_mib is %d; a system needs 64 at the least." % memory_mib)
    if cpus < 1:
        problems.append("cpus is %d; a machine needs one at the least." % cpus)
    if problems:
        raise Invalid(problems)


__all__ = (
    "DISK_DEVICES",
    "Firmware",
    "Machine",
    "detect_format",
    "find_firmware",
    "machine_problems",
    "read_descriptor",
)
