# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Debian and its relatives, by mmdebstrap."""

from __future__ import annotations

import os
import shutil
import typing as t

from ansible_collections.bakehouse.images.plugins.module_utils._bootstrap.failures import explain
from ansible_collections.bakehouse.images.plugins.module_utils._bootstrap.request import BootstrapRequest
from ansible_collections.bakehouse.images.plugins.module_utils._errors import CommandFailed, NotFound
from ansible_collections.bakehouse.images.plugins.module_utils._run import Completed, Runner, tool_environment

# What a machine in a cloud and Ansible need to work.
DEFAULT_PACKAGES = (
    "ca-certificates",
    "dbus",
    "iproute2",
    "kmod",
    "netbase",
    "python3",
    "python3-apt",
    "systemd-resolved",
    "systemd-sysv",
    "udev",
)

# What checks and grows each file system. A minimal system brings none of them.
FILESYSTEM_PACKAGES = {
    "btrfs": "btrfs-progs",
    "ext2": "e2fsprogs",
    "ext3": "e2fsprogs",
    "ext4": "e2fsprogs",
    "vfat": "dosfstools",
    "xfs": "xfsprogs",
}

HINTS = (
    (
        ("No space left on device", "not enough free space"),
        "The file system is too small for these packages: make the volume or the partition larger.",
    ),
    (
        ("does not have a Release file", "cannot find distro for suite", "404  Not Found", "unknown suite"),
        "Check that the mirror has this suite, and name a mirror with O(mirrors) when the suite is not Debian's.",
    ),
    (
        ("NO_PUBKEY", "is not signed", "keyring"),
        "The archive's key is not known here: install its keyring package or name the file with O(keyring).",
    ),
    (
        (
            "Temporary failure resolving",
            "Could not resolve",
            "Could not connect",
            "Failed to fetch",
            "Unable to connect",
        ),
        "The mirror cannot be reached from the build host: check its name, the network and the proxy of apt.",
    ),
    (("Unable to locate package", "has no installation candidate"), "Check the names in O(packages)."),
)


class Mmdebstrap:
    """Fills a folder by mmdebstrap(1)."""

    name = "mmdebstrap"

    def check_tools(self) -> None:
        """Raise NotFound when the tool is missing, before anything is touched."""
        if shutil.which("mmdebstrap", path=tool_environment()["PATH"]) is None:
            raise NotFound(
                "The command mmdebstrap is not installed on the build host.", hint="Install the package mmdebstrap."
            )

    def argv(self, request: BootstrapRequest, target: str) -> t.List[str]:
        """The command that fills C(target).

        The folder holds mount points already, hence C(check/empty): whether it is empty was looked at before.
        The tool's own clean-up empties /etc/machine-id, apt's lists and its cache of packages.
        """
        command = ["mmdebstrap", "--mode=root", "--format=directory", "--skip=check/empty"]
        command.append("--variant=%s" % request.variant)
        packages = self.packages(request)
        if packages:
            command.append("--include=%s" % ",".join(packages))
        if request.components:
            command.append("--components=%s" % ",".join(request.components))
        if request.architecture:
            command.append("--architectures=%s" % request.architecture)
        if request.keyring:
            command.append("--keyring=%s" % request.keyring)
        return command + [request.suite, target] + list(request.mirrors)

    def packages(self, request: BootstrapRequest) -> t.List[str]:
        """The packages asked for, and those that the file systems need, each once."""
        needed = [FILESYSTEM_PACKAGES.get(mount.filesystem, "") for mount in request.mounts]
        given = DEFAULT_PACKAGES if request.packages is None else request.packages
        return sorted({name for name in list(given) + needed if name})

    def fill(self, runner: Runner, request: BootstrapRequest, target: str) -> t.List[str]:
        """Run the tool.

        Raises:
            CommandFailed: it failed, with the end of what it said and a hint where the cause is known.
        """
        done = runner.run(self.argv(request, target), check=False, timeout_seconds=request.timeout_seconds)
        if done.rc != 0:
            raise self.explain(done, request)
        # The lists are gone again. Their folder's time is what says how old they are, to Ansible's apt module for one.
        runner.run(["touch", "--no-create", "--date=@0", "--", os.path.join(target, "var/lib/apt/lists")])
        return []

    def explain(self, done: Completed, request: BootstrapRequest) -> CommandFailed:
        """The error for a failed run."""
        return explain("mmdebstrap", "the suite %s" % request.suite, done, HINTS)


__all__ = ("DEFAULT_PACKAGES", "FILESYSTEM_PACKAGES", "Mmdebstrap")
