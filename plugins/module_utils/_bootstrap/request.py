# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""What is asked for: which file systems to fill, and with what."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.bakehouse.images.plugins.module_utils._bootstrap.repositories import (
    Repository,
    repository,
    repository_problems,
)
from ansible_collections.bakehouse.images.plugins.module_utils._errors import Invalid

# EC2 and the kernel say x86_64 and aarch64, Debian says amd64 and arm64.
DEBIAN_ARCHITECTURES = {"amd64": "amd64", "x86_64": "amd64", "arm64": "arm64", "aarch64": "arm64"}

# Options that say something to one tool only.
ONLY_FOR = {
    "components": "mmdebstrap",
    "groups": "dnf",
    "keyring": "mmdebstrap",
    "mirrors": "mmdebstrap",
    "repositories": "dnf",
    "variant": "mmdebstrap",
    "weak_dependencies": "dnf",
}


@dataclasses.dataclass(frozen=True)
class TargetMount:
    """One file system of the new machine.

    Args:
        device: the block device as the build host sees it now.
        mount_point: where the new machine mounts it; empty for swap.
        filesystem: its type as mount(8) calls it.
        options: mount options as in fstab; empty for the defaults of the type.
        uuid: the file system's UUID; empty when it is not known yet.
    """

    device: str
    mount_point: str
    filesystem: str
    options: str = ""
    uuid: str = ""

    @property
    def is_swap(self) -> bool:
        """Whether this is swap space, which is not mounted."""
        return self.filesystem == "swap"

    @property
    def holds_packages(self) -> bool:
        """Whether packages can be unpacked there: FAT keeps neither owners, modes nor links."""
        return not self.is_swap and self.filesystem not in ("vfat", "msdos", "exfat")


@dataclasses.dataclass(frozen=True)
class BootstrapRequest:
    """A whole request.

    Args:
        mounts: the file systems in the order in which they are mounted.
        suite: the release; for dnf, the value of C($releasever).
        packages: what is installed; None for what a machine in a cloud and Ansible need.
        architecture: as Debian calls it; empty for the build host's.
    """

    mounts: t.Tuple[TargetMount, ...]
    suite: str
    components: t.Tuple[str, ...] = ()
    mirrors: t.Tuple[str, ...] = ()
    variant: str = "minbase"
    packages: t.Optional[t.Tuple[str, ...]] = None
    repositories: t.Tuple[Repository, ...] = ()
    groups: t.Tuple[str, ...] = ()
    weak_dependencies: bool = False
    architecture: str = ""
    keyring: str = ""
    timeout_seconds: float = 1800.0

    @property
    def root(self) -> TargetMount:
        """The file system mounted on /."""
        return self.mounts[0]


def request_from_params(params: t.Mapping[str, t.Any]) -> BootstrapRequest:
    """The request in a module's parameters.

    Raises:
        Invalid: with every mistake found.
    """
    given = [target_mount(item) for item in params["mounts"]]
    problems = mount_problems(given)
    if problems:
        raise Invalid(problems, subject="mounts")
    repositories = [repository(item) for item in params.get("repositories") or ()]
    problems = method_problems(params) + repository_problems(repositories)
    if problems:
        raise Invalid(problems, subject="method")
    return BootstrapRequest(
        # Swap sorts after everything that is mounted, and / before what lies below it.
        mounts=tuple(sorted(given, key=lambda mount: (mount.is_swap, mount.mount_point.rstrip("/")))),
        suite=params["suite"],
        components=tuple(params["components"] or ()),
        mirrors=tuple(params["mirrors"] or ()),
        variant=params["variant"] or BootstrapRequest.variant,
        packages=None if params["packages"] is None else tuple(params["packages"]),
        repositories=tuple(repositories),
        groups=tuple(params.get("groups") or ()),
        weak_dependencies=bool(params.get("weak_dependencies")),
        architecture=DEBIAN_ARCHITECTURES.get(params["architecture"] or "", ""),
        keyring=params["keyring"] or "",
        timeout_seconds=float(params["wait_timeout"]),
    )


def method_problems(params: t.Mapping[str, t.Any]) -> t.List[str]:
    """What is wrong with the options for the tool chosen, one sentence each."""
    method = params.get("method") or "mmdebstrap"
    problems = [
        "The option %s is for the method %s, and the method is %s." % (name, tool, method)
        for name, tool in ONLY_FOR.items()
        if tool != method and params.get(name) is not None
    ]
    if method == "dnf" and not params.get("repositories"):
        problems.append("The method dnf needs repositories: those of the build host are not used.")
    return problems


def target_mount(item: t.Mapping[str, t.Any]) -> TargetMount:
    """One entry of the option C(mounts)."""
    return TargetMount(
        device=item["device"],
        mount_point=item.get("mount_point") or "",
        filesystem=item["filesystem"],
        options=item.get("options") or "",
        uuid=item.get("uuid") or "",
    )


def mount_problems(mounts: t.Sequence[TargetMount]) -> t.List[str]:
    """What is wrong with a list of file systems, one sentence each."""
    problems = []
    points = [mount.mount_point.rstrip("/") or "/" for mount in mounts if not mount.is_swap]
    if "/" not in points:
        problems.append("No file system has the mount point /.")
    problems += [
        "The mount point %s is given twice." % point for point in sorted({p for p in points if points.count(p) > 1})
    ]
    for mount in mounts:
        if mount.is_swap:
            continue
        if not mount.mount_point.startswith("/") or ".." in mount.mount_point.split("/"):
            problems.append("%s: the mount point must be an absolute path, not %r." % (mount.device, mount.mount_point))
        elif mount.mount_point == "/" and not mount.holds_packages:
            problems.append("%s: a root file system cannot be %s." % (mount.device, mount.filesystem))
    return problems


__all__ = (
    "DEBIAN_ARCHITECTURES",
    "BootstrapRequest",
    "TargetMount",
    "method_problems",
    "mount_problems",
    "request_from_params",
)
