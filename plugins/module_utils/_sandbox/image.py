# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""What an image's root file system says about itself, and whether this machine can run it."""

from __future__ import annotations

import glob
import os
import re
import struct
import typing as t

from ansible_collections.bakehouse.images.plugins.module_utils import _inside as paths
from ansible_collections.bakehouse.images.plugins.module_utils._errors import Invalid, NotFound, Refused
from ansible_collections.bakehouse.images.plugins.module_utils._os_release import read_os_release

# ELF e_machine, and the class (1: 32 bit, 2: 64 bit), as uname(1) names the machine. From elf(5) and elf.h.
ELF_MACHINES = {
    (62, 2): "x86_64",
    (62, 1): "x86_64",  # x32
    (3, 1): "i386",
    (183, 2): "aarch64",
    (40, 1): "armv7l",
    (243, 2): "riscv64",
    (21, 2): "ppc64le",
    (22, 2): "s390x",
    (258, 2): "loongarch64",
}

# What a machine runs besides its own kind.
ALSO_RUNS = {"x86_64": ("i386",), "aarch64": ("armv7l",)}

BINFMT_DIR = "/proc/sys/fs/binfmt_misc"

PYTHONS = ("/usr/bin/python3", "/usr/local/bin/python3", "/usr/libexec/platform-python", "/bin/python3")


def inspect_image(root: str) -> t.Dict[str, t.Any]:
    """What is known of the image mounted at C(root).

    Returns:
        C(architecture), C(kernels) (newest last), C(os_release), C(hostname) or None, C(image_python) or None.

    Raises:
        NotFound: this is no root file system, or one without a shell.
        Refused: it is made for a machine that this one cannot run.
    """
    os_release = read_os_release(root) or {}
    shell = paths.read_bytes(root, "/bin/sh", 64)
    if shell is None:
        _no_shell(root, os_release)
    architecture = elf_architecture(shell or b"")
    machine = os.uname().machine
    if architecture and not can_run(architecture, machine, shell or b""):
        raise Refused(
            "The image is made for %s, and this build host is %s." % (architecture, machine),
            hint="Use a build host of that architecture, or register an emulator with the F flag (binfmt_misc; "
            "Debian's qemu-user-static does it).",
        )
    return {
        "architecture": architecture or machine,
        "kernels": kernels(root),
        "os_release": os_release,
        "hostname": hostname(root),
        "image_python": next((path for path in PYTHONS if paths.status(root, path)), None),
    }


def _no_shell(root: str, os_release: t.Mapping[str, str]) -> t.NoReturn:
    names = sorted(os.listdir(root))[:10]
    if os_release or paths.status(root, "/usr") or paths.status(root, "/etc"):
        raise NotFound(
            "The image has no /bin/sh, so nothing can be run in it.",
            hint="An image needs a shell to be built in; add one (dash, bash, busybox), or choose another source.",
        )
    raise NotFound(
        "This does not look like a root file system: there is neither /bin/sh nor /etc/os-release, only %s."
        % (", ".join(names) or "nothing at all"),
        hint="Name the partition or directory that holds the root.",
    )


def elf_architecture(head: bytes) -> t.Optional[str]:
    """The machine an ELF file is made for, as uname(1) names it; None for what is no ELF file."""
    if len(head) < 20 or head[:4] != b"\x7fELF":
        return None
    order = ">" if head[5] == 2 else "<"
    (machine,) = struct.unpack_from(order + "H", head, 18)
    return ELF_MACHINES.get((machine, head[4]), "unknown (ELF machine %d)" % machine)


def can_run(architecture: str, machine: str, head: bytes, binfmt_dir: str = BINFMT_DIR) -> bool:
    """Whether this machine runs such programs, itself or through an emulator that works in a chroot."""
    native = "i386" if re.match(r"^i[3-6]86$", machine) else machine
    if architecture == native or architecture in ALSO_RUNS.get(native, ()):
        return True
    return any(_emulates(path, head) for path in glob.glob(os.path.join(glob.escape(binfmt_dir), "*")))


def _emulates(path: str, head: bytes) -> bool:
    """Whether the handler takes files that begin so. F: the kernel holds the emulator open, so it need not be
    in the image (Documentation/admin-guide/binfmt-misc.rst)."""
    try:
        with open(path, encoding="ascii", errors="replace") as stream:
            lines = stream.read().splitlines()
    except OSError:
        return False
    fields = dict(line.partition(" ")[::2] for line in lines)
    if "enabled" not in lines or "F" not in fields.get("flags:", "") or "magic" not in fields:
        return False
    magic = bytes.fromhex(fields["magic"])
    mask = bytes.fromhex(fields["mask"]) if "mask" in fields else b"\xff" * len(magic)
    start = int(fields.get("offset", "0"))
    part = head[start : start + len(magic)]
    return len(part) == len(magic) and all(byte & bits == want & bits for byte, bits, want in zip(part, mask, magic))


def kernels(root: str) -> t.List[str]:
    """The versions of the kernels installed, by their module directories, oldest first."""
    try:
        handle = paths.open_in_root(root, "/lib/modules", os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return []
    try:
        names = os.listdir(handle)
    finally:
        os.close(handle)
    return sorted(names, key=_version_key)


def _version_key(version: str) -> t.List[t.Tuple[int, int, str]]:
    parts = re.findall(r"\d+|[a-z]+", version)
    return [(1, int(part), "") if part.isdigit() else (0, 0, part) for part in parts]


def hostname(root: str) -> t.Optional[str]:
    """The name in the image's /etc/hostname, when that holds one."""
    for line in (paths.read_text(root, "/etc/hostname") or "").splitlines():
        name = line.strip()
        if name and not name.startswith("#"):
            return name if re.match(r"^[A-Za-z0-9._-]{1,64}$", name) else None
    return None


def require_absolute(path: str, option: str) -> None:
    """Raise Invalid unless C(path) is absolute and has no C(..)."""
    if not path.startswith("/") or ".." in path.split("/"):
        raise Invalid(["%s must be an absolute path without '..', not %r." % (option, path)])


__all__ = (
    "can_run",
    "elf_architecture",
    "hostname",
    "inspect_image",
    "kernels",
    "require_absolute",
)
