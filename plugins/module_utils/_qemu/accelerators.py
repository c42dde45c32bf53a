# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Whether virtualisation by the CPU can be used, found out by using it."""

from __future__ import annotations

import os
import tempfile
import typing as t

from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError, CommandFailed, Refused
from ansible_collections.bakehouse.images.plugins.module_utils._qemu.machine import QEMU
from ansible_collections.bakehouse.images.plugins.module_utils._run import Runner

# A boot sector: mov al, 0x10; mov dx, 0xf4; out dx, al; jmp $. The device at that port ends QEMU with status
# 2 * 0x10 + 1, which only a guest whose firmware has run and read the disk can bring about.
PROBE_CODE = bytes.fromhex("b010baf400eeebfe")
PROBE_STATUS = 33

# TCG needs 0.3 seconds for it. There are hosts that have KVM, nested in another hypervisor that emulates what the
# guest does, where it takes 14: there TCG is the fast one.
PROBE_SECONDS = 3.0


def choose_accelerator(runner: Runner, wanted: str) -> str:
    """C(kvm) or C(tcg), for C(auto) the first of them that works.

    Raises:
        Refused: KVM is asked for and does not work.
    """
    if wanted == "tcg":
        return "tcg"
    reason = kvm_problem(runner)
    if not reason:
        return "kvm"
    if wanted == "kvm":
        raise Refused("KVM cannot be used: %s." % reason, hint="Use accelerator=tcg, which needs nothing, or auto.")
    return "tcg"


def kvm_problem(runner: Runner, device: str = "/dev/kvm") -> str:
    """Why KVM cannot be used on this host; empty when it can."""
    if not os.access(device, os.R_OK | os.W_OK):
        return "%s %s" % (device, "may not be opened" if os.path.exists(device) else "does not exist")
    with tempfile.TemporaryDirectory(prefix="bakehouse-") as folder:
        disk = os.path.join(folder, "probe.raw")
        write_probe(disk)
        try:
            done = runner.run(probe_argv(disk), check=False, timeout_seconds=PROBE_SECONDS)
        except CommandFailed:
            return "a boot sector did not run within %g seconds" % PROBE_SECONDS
        except BuildError as exc:
            return str(exc)
    if done.rc != PROBE_STATUS:
        return done.err.strip() or "QEMU ended with status %d" % done.rc
    return ""


def write_probe(path: str) -> None:
    """Write a disk of one sector that holds nothing but the boot sector."""
    with open(path, "wb") as stream:
        stream.write(PROBE_CODE.ljust(510, b"\0") + b"\x55\xaa")


def probe_argv(disk: str) -> t.List[str]:
    """The command that boots the sector and ends by itself."""
    # fmt: off
    return [
        QEMU, "-machine", "pc", "-accel", "kvm", "-m", "64",
        "-nodefaults", "-no-user-config", "-nic", "none", "-display", "none", "-no-reboot",
        "-device", "isa-debug-exit,iobase=0xf4,iosize=1",
        "-drive", "if=ide,format=raw,readonly=on,file=" + disk.replace(",", ",,"),
    ]
    # fmt: on


__all__ = ("choose_accelerator", "kvm_problem")
