# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Filling freshly made file systems with a root file system."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import typing as t

from ansible_collections.bakehouse.images.plugins.module_utils import _inside
from ansible_collections.bakehouse.images.plugins.module_utils._bootstrap.dnf import Dnf
from ansible_collections.bakehouse.images.plugins.module_utils._bootstrap.fstab import fstab_text
from ansible_collections.bakehouse.images.plugins.module_utils._bootstrap.mmdebstrap import Mmdebstrap
from ansible_collections.bakehouse.images.plugins.module_utils._bootstrap.request import BootstrapRequest, TargetMount
from ansible_collections.bakehouse.images.plugins.module_utils._bootstrap.workspace import Workspace
from ansible_collections.bakehouse.images.plugins.module_utils._errors import Conflict, NotFound
from ansible_collections.bakehouse.images.plugins.module_utils._os_release import read_os_release
from ansible_collections.bakehouse.images.plugins.module_utils._plan import apply_plan, plan_diff
from ansible_collections.bakehouse.images.plugins.module_utils._run import Runner

# There while the work goes on. Found afterwards, it says that an earlier run was interrupted.
UNFINISHED = ".bakehouse-unfinished"

# What mkfs leaves in an empty file system.
EMPTY_FOLDERS = {"lost+found"}

# systemd takes a name given by DHCP, as a cloud gives it, only while the machine's own is not set or is this.
PLACEHOLDER_HOSTNAME = "localhost"

RESOLVED = "/usr/lib/systemd/systemd-resolved"
STUB_RESOLVER = "../run/systemd/resolve/stub-resolv.conf"


class Method(t.Protocol):
    """A way to make a root file system."""

    name: str

    def check_tools(self) -> None:
        """Raise NotFound when a tool is missing."""
        raise NotImplementedError

    def fill(self, runner: Workspace, request: BootstrapRequest, target: str) -> t.List[str]:
        """Put a root file system into the folder C(target), and return what went wrong and did not stop it."""
        raise NotImplementedError


@dataclasses.dataclass(frozen=True)
class RootOutcome:
    """What was found, and what was done or would be done."""

    operations: t.Tuple[str, ...]
    diff: t.Dict[str, str]
    os_release: t.Dict[str, str]
    remarks: t.Tuple[str, ...] = ()

    def to_ansible(self) -> t.Dict[str, t.Any]:
        """A module's result."""
        return {
            "changed": bool(self.operations),
            "diff": self.diff,
            "operations": list(self.operations),
            "os_release": self.os_release,
        }


METHODS: t.Dict[str, t.Callable[[], Method]] = {"dnf": Dnf, "mmdebstrap": Mmdebstrap}


@dataclasses.dataclass(frozen=True)
class Fill:
    """Mount everything, let the method fill it, and finish what no method does."""

    workspace: Workspace
    request: BootstrapRequest
    method: Method
    remarks: t.List[str] = dataclasses.field(default_factory=list)

    def describe(self) -> str:
        """See Operation.describe."""
        return "fill %s with %s by %s" % (self.request.root.device, self.request.suite, self.method.name)

    def execute(self) -> None:
        """See Operation.execute."""
        target = self.workspace.path
        mount_targets(self.workspace, self.request)
        root = self.workspace.outside(target)
        write_text(root, UNFINISHED, "This root file system is being made, or was when the work was interrupted.\n")
        self.remarks.extend(self.method.fill(self.workspace, self.request, target))
        self.workspace.kill_all()
        finish(self.workspace, self.request)
        os.unlink(os.path.join(root, UNFINISHED))


def make_root(
    runner: Runner, request: BootstrapRequest, method: Method, *, check_mode: bool, parent: t.Optional[str] = None
) -> RootOutcome:
    """Fill the file systems unless they hold a system already; in check mode only say so.

    Args:
        parent: where the empty folder is made that the file systems are mounted below, for this process only.

    Raises:
        BuildError: see plan_root and the method.
    """
    with Workspace(runner, parent=parent) as workspace:
        if check_mode and not os.path.exists(request.root.device):
            # The device would be made by an earlier task, which did not run either.
            found: t.Dict[str, str] = {}
            plan = [Fill(workspace, request, method)]
        else:
            found = find_system(workspace, request.root)
            plan = plan_root(workspace, request, method, found)
        before = "%s holds %s" % (request.root.device, found.get("PRETTY_NAME", "nothing"))
        diff = plan_diff([before], plan)
        if check_mode or not plan:
            return RootOutcome(tuple(operation.describe() for operation in plan), diff, found)
        done = apply_plan(plan)
        remarks = [remark for operation in plan for remark in operation.remarks]
        return RootOutcome(tuple(done), diff, read_os_release(workspace.outside(workspace.path)) or {}, tuple(remarks))


def plan_root(
    workspace: Workspace, request: BootstrapRequest, method: Method, found: t.Mapping[str, str]
) -> t.List[Fill]:
    """What is to be done: nothing, where the file system holds a system already.

    Raises:
        NotFound: a tool is missing.
    """
    if found:
        return []
    method.check_tools()
    return [Fill(workspace, request, method)]


def find_system(workspace: Workspace, root: TargetMount) -> t.Dict[str, str]:
    """The os-release of the system in a file system, empty where the file system is.

    Raises:
        NotFound: there is no such device.
        Conflict: the file system is neither empty nor a finished root.
    """
    check_device(root.device)
    workspace.mount(root.device, workspace.path, filesystem=root.filesystem, options="ro")
    try:
        folder = workspace.outside(workspace.path)
        names = set(os.listdir(folder)) - EMPTY_FOLDERS
        if UNFINISHED in names:
            raise Conflict(
                "The file system on %s holds a root file system whose making was interrupted." % root.device,
                hint="Make its file systems anew, then run this again.",
                device=root.device,
            )
        found = read_os_release(folder) or {}
        if names and not found:
            raise Conflict(
                "The file system on %s is not empty and holds no system: it has %s."
                % (root.device, ", ".join(sorted(names)[:5])),
                hint="Only an empty file system is filled.",
                device=root.device,
            )
        return found
    finally:
        workspace.unmount_all()


def mount_targets(workspace: Workspace, request: BootstrapRequest) -> None:
    """Mount all that takes packages; of the rest, an ESP for one, only the mount points are made."""
    for mount in request.mounts:
        if mount.is_swap:
            continue
        target = os.path.join(workspace.path, mount.mount_point.lstrip("/")).rstrip("/")
        workspace.run(["mkdir", "--parents", "--", target])
        if mount.holds_packages:
            check_device(mount.device)
            workspace.mount(mount.device, target, filesystem=mount.filesystem, options=mount.options)


def finish(workspace: Workspace, request: BootstrapRequest) -> None:
    """Make the system one of many: nothing in it may come from the build host or be the same in all its copies."""
    root = workspace.outside(workspace.path)
    mounts = [with_uuid(workspace, mount) for mount in request.mounts]
    write_text(root, "/etc/fstab", fstab_text(mounts))
    write_text(root, "/etc/hostname", PLACEHOLDER_HOSTNAME + "\n")
    # Empty, not absent and not "uninitialized": each machine gets its own at first boot, and systemd does not take
    # that boot for a first one, which would reset every unit to its preset (machine-id(5)).
    write_text(root, "/etc/machine-id", "", mode=0o444)
    give_resolver(root)


def give_resolver(root: str) -> None:
    """Replace the copy of the build host's resolv.conf by what the new system itself provides."""
    with _inside.opened_parent(root, "/etc/resolv.conf") as (parent, name):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name, dir_fd=parent)
        if _inside.status(root, RESOLVED):
            os.symlink(STUB_RESOLVER, name, dir_fd=parent)


def with_uuid(workspace: Workspace, mount: TargetMount) -> TargetMount:
    """The same with its UUID read from the device, unless it came with the request."""
    if mount.uuid:
        return mount
    found = workspace.run(["blkid", "--probe", "--match-tag", "UUID", "--output", "value", mount.device]).out.strip()
    return dataclasses.replace(mount, uuid=found)


def check_device(device: str) -> None:
    """Raise NotFound when there is no such device."""
    if not os.path.exists(device):
        raise NotFound("There is no device %s on the build host." % device, device=device)


def write_text(root: str, path: str, text: str, *, mode: int = 0o644) -> None:
    """Write a file of the new system anew: where a link is in its place, the link is replaced and never followed."""
    with _inside.opened_parent(root, path) as (parent, name):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name, dir_fd=parent)
        descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode, dir_fd=parent)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text)
        os.fchmod(descriptor, mode)


__all__ = ("METHODS", "Fill", "Method", "RootOutcome", "find_system", "make_root", "plan_root")
