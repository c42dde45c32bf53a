# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Distributions of RPM packages, by dnf --installroot."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
import typing as t

from ansible_collections.bakehouse.images.plugins.module_utils import _inside
from ansible_collections.bakehouse.images.plugins.module_utils._bootstrap.failures import explain
from ansible_collections.bakehouse.images.plugins.module_utils._bootstrap.mmdebstrap import FILESYSTEM_PACKAGES
from ansible_collections.bakehouse.images.plugins.module_utils._bootstrap.repositories import configuration
from ansible_collections.bakehouse.images.plugins.module_utils._bootstrap.request import BootstrapRequest
from ansible_collections.bakehouse.images.plugins.module_utils._bootstrap.rpm_database import (
    HOME,
    hand_over_database,
)
from ansible_collections.bakehouse.images.plugins.module_utils._bootstrap.workspace import Workspace
from ansible_collections.bakehouse.images.plugins.module_utils._errors import NotFound
from ansible_collections.bakehouse.images.plugins.module_utils._os_release import read_os_release
from ansible_collections.bakehouse.images.plugins.module_utils._run import tool_environment

RPM_ARCHITECTURES = {"amd64": "x86_64", "arm64": "aarch64"}

# What a machine in a cloud and Ansible need to work.
DEFAULT_PACKAGES = (
    "ca-certificates",
    "dbus",
    "dnf",
    "glibc-minimal-langpack",
    "iproute",
    "kmod",
    "python3",
    "rpm",
    "system-release",
    "systemd",
    "systemd-udev",
    "util-linux",
)

HINTS = (
    (
        ("more space needed", "No space left on device"),
        "The file system is too small for these packages: make the volume or the partition larger.",
    ),
    (
        ("is not signed", "GPG check FAILED", "Public key for", "repomd.xml GPG signature"),
        "The packages are not signed with the keys that the repository has as C(gpgkey): check both.",
    ),
    (
        ("No match for argument", "Unable to find a match", "is not available"),
        "Check the names in O(packages) and O(groups), and that O(repositories) has them.",
    ),
    (
        ("nothing provides", "conflicting requests"),
        "Packages need others that O(repositories) does not have: name the distribution's base repository too.",
    ),
    (
        ("Failed to download metadata", "Cannot download", "Could not resolve host", "Curl error"),
        "The repository cannot be reached from the build host, or is not there: check its URL, with O(suite) in the"
        " place of C($releasever), the network and the proxy.",
    ),
)

# Groups that no repository has do not make dnf fail.
MISSING = re.compile(r"^(Module or Group .* is not available|No match for group .*)", re.MULTILINE)

FAILED_SCRIPTLET = re.compile(r"^(Error in \S+ scriptlet in rpm package \S+)", re.MULTILINE)

# What installed packages ask for. /dev has what every Linux has, and no disk of the build host. There is no /sys: a
# package owns that folder, so that it would have to be writable, and it is the build host's.
KERNEL_MOUNTS = (
    ("proc", "/proc", "proc", "nosuid,nodev,noexec"),
    ("tmpfs", "/dev", "tmpfs", "mode=0755,nosuid"),
    ("tmpfs", "/run", "tmpfs", "mode=0755,nosuid,nodev"),
)
DEVICES = ("full", "null", "random", "tty", "urandom", "zero")

# What dnf keeps for its next run, and the image's own makes anew. Beside it, /var/lib/dnf says why each package is
# there, and stays.
CACHES = ("/var/cache/dnf", "/var/cache/libdnf5")
LOGS = re.compile(r"dnf.*\.log.*|hawkey\.log.*")


class Dnf:
    """Fills a folder by dnf(8)."""

    name = "dnf"

    def check_tools(self) -> None:
        """Raise NotFound when a tool is missing, before anything is touched."""
        for tool, package in (("dnf", "dnf"), ("rpm", "rpm")):
            if shutil.which(tool, path=tool_environment()["PATH"]) is None:
                raise NotFound(
                    "The command %s is not installed on the build host." % tool,
                    hint="Install the package %s, which Debian has too." % package,
                )

    def argv(self, request: BootstrapRequest, target: str, folder: str) -> t.List[str]:
        """The command that fills C(target) by the files that C(configure) has written to C(folder)."""
        command = ["env", "HOME=%s" % HOME, "dnf", "--quiet", "--assumeyes", "--config=%s/dnf.conf" % folder]
        command += ["--installroot=%s" % target, "--releasever=%s" % request.suite]
        if request.architecture:
            command.append("--forcearch=%s" % RPM_ARCHITECTURES[request.architecture])
        return command + ["install", "--"] + self.packages(request)

    def packages(self, request: BootstrapRequest) -> t.List[str]:
        """The packages and groups asked for, and what the file systems need (named as in Debian), each once."""
        needed = [FILESYSTEM_PACKAGES.get(mount.filesystem, "") for mount in request.mounts]
        given = DEFAULT_PACKAGES if request.packages is None else request.packages
        groups = ["@" + name.lstrip("@") for name in request.groups]
        return sorted({name for name in list(given) + needed if name}) + sorted(set(groups))

    def configure(self, request: BootstrapRequest, folder: str) -> None:
        """Write a configuration of our own: what the build host's says is about the build host."""
        nothing = os.path.join(folder, "empty")
        os.mkdir(nothing)
        main = {
            "gpgcheck": "1",
            "install_weak_deps": "1" if request.weak_dependencies else "0",
            "keepcache": "0",
            "plugins": "0",
            "reposdir": nothing,
            "varsdir": nothing,
        }
        write(os.path.join(folder, "dnf.conf"), configuration(main, request.repositories))

    def fill(self, runner: Workspace, request: BootstrapRequest, target: str) -> t.List[str]:
        """Run the tool.

        Returns:
            What went wrong and did not stop it.

        Raises:
            CommandFailed: it failed, or did less than it was asked for.
            NotFound: what was installed is no system.
        """
        root = runner.outside(target)
        mount_kernel_file_systems(runner, target)
        with tempfile.TemporaryDirectory(prefix="bakehouse-dnf-", dir=os.path.dirname(target)) as folder:
            self.configure(request, folder)
            done = runner.run(self.argv(request, target, folder), check=False, timeout_seconds=request.timeout_seconds)
        if done.rc != 0 or MISSING.search(done.err):
            raise explain("dnf", "release %s" % request.suite, done, HINTS)
        if not read_os_release(root):
            raise NotFound(
                "What dnf has installed does not say what system it is: it has no os-release.",
                hint="Add the distribution's own to O(packages): system-release, or one such as fedora-release.",
            )
        runner.kill_all()
        hand_over_database(runner, target)
        remove_traces(root)
        return FAILED_SCRIPTLET.findall(done.err)


def mount_kernel_file_systems(workspace: Workspace, target: str) -> None:
    """Give the packages' scriptlets what a running system has."""
    for source, place, kind, options in KERNEL_MOUNTS:
        workspace.run(["mkdir", "--parents", "--", target + place])
        workspace.mount(source, target + place, filesystem=kind, options=options)
    for name in DEVICES:
        node = "%s/dev/%s" % (target, name)
        workspace.run(["touch", "--", node])
        workspace.mount("/dev/" + name, node, filesystem="none", options="bind")


def remove_traces(root: str) -> None:
    """Remove what dnf has written for itself."""
    for path in CACHES:
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(root + _inside.final_path(root, path))
    with contextlib.suppress(FileNotFoundError):
        logs = root + _inside.final_path(root, "/var/log")
        for name in os.listdir(logs):
            if LOGS.fullmatch(name):
                os.unlink(os.path.join(logs, name))


def write(path: str, text: str) -> None:
    """Write a file of the build host."""
    with open(path, "w", encoding="utf-8") as stream:
        stream.write(text)


__all__ = ("DEFAULT_PACKAGES", "Dnf")
