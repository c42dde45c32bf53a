# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Opening a sandbox, from the build host's side."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import sys
import typing as t

from ansible_collections.bakehouse.images.plugins.module_utils._errors import (
    BuildError,
    Busy,
    Conflict,
    Invalid,
    NotFound,
    Refused,
)
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox import (
    checking,
    custom_mount,
    image_mounts,
    network,
    stand_ins,
    state,
)
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox.agent_state import forget_dead_agents
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox.closing import clear_dead
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox.entry import ENVIRONMENT
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox.holder import HolderRequest
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox.image import require_absolute
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox.lent_files import files_to_lend
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox.mounts import DEFAULT_MOUNTS, BlockNode, Mount
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox.starting import started_holder
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox.state import directory_name

if t.TYPE_CHECKING:
    from ansible_collections.bakehouse.images.plugins.module_utils._disk.logical_volumes import OpenVolumes
    from ansible_collections.bakehouse.images.plugins.module_utils._disk.roots import RootFilesystem
    from ansible_collections.bakehouse.images.plugins.module_utils._run import Runner


# How long a device may be in use before that counts, in seconds.
BUSY_GRACE_SECONDS = 3.0


@dataclasses.dataclass(frozen=True)
class OpenRequest:
    """What sandbox to open. Exactly one of C(device) and C(root) is given.

    Args:
        name: what the sandbox is called; C(directory_name(root)) for one nobody has named.
        device: path of a block device; its root file system is found.
        root: path of a directory that holds a root file system.
        partition: number of the root's partition on C(device); None finds it.
        mount_options: for the root of C(device).
        mount_command, unmount_command: shell text to mount the root of C(device) with, in place of the sandbox's own
            way, and to unmount it; empty for that. See custom_mount.
        chroot_mounts: [type, source, target] each, in place of the sandbox's own mounts; none for those.
        copy_files: files of the build host that the image is lent; None for /etc/resolv.conf.
        dev: C(private), or C(host) for all devices of the build host.
        user_namespace: False leaves out the user namespace, and with it the strongest part of the isolation.
        network: C(host) for the build host's, C(none) for one in which there is nothing else.
        on_not_done: C(ignore) what only a running machine can do, or C(fail).
        watch_pid: close with this process of the build host.
        idle_seconds: close when nothing was entered for so long; 0 for never.
        owner: the owner of its build, to be noted.
        expires: until when the build is kept, to be noted, in a sandbox that is open too.
    """

    name: str
    device: t.Optional[str] = None
    root: t.Optional[str] = None
    partition: t.Optional[int] = None
    mount_options: t.Tuple[str, ...] = ()
    mount_command: str = ""
    unmount_command: str = ""
    chroot_mounts: t.Tuple[t.Sequence[str], ...] = ()
    copy_files: t.Optional[t.Tuple[str, ...]] = None
    dev: str = "private"
    user_namespace: bool = True
    network: str = network.HOST
    on_not_done: str = stand_ins.IGNORE
    build_id: t.Optional[str] = None
    watch_pid: t.Optional[int] = None
    idle_seconds: float = 0
    owner: str = ""
    expires: t.Optional[int] = None


@dataclasses.dataclass(frozen=True)
class OpenResult:
    """An open sandbox, whether it was opened just now and with which mounts, and what the user should know."""

    record: state.SandboxRecord
    changed: bool
    mounts: t.Tuple[Mount, ...] = ()
    warnings: t.Tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class OpenPlan:
    """What opening would do: nothing but return C(record), or start a holder with C(request); then C(record), if
    any, is what a dead holder has left.

    C(partition) is the root's, as found. C(custom) mounts it, before the holder starts.
    """

    record: t.Optional[state.SandboxRecord]
    request: t.Optional[HolderRequest]
    partition: t.Optional[int] = None
    warnings: t.Tuple[str, ...] = ()
    custom: t.Optional[custom_mount.CustomMount] = None

    @property
    def mounts(self) -> t.Tuple[Mount, ...]:
        """The mounts that would be made."""
        return self.request.image_mounts + self.request.virtual_mounts if self.request else ()


def open_sandbox(
    request: OpenRequest, *, runner: Runner, state_dir: str = state.STATE_DIR, python: t.Optional[str] = None
) -> OpenResult:
    """Open the sandbox, or find it open with the same root.

    Raises:
        Invalid: the request contradicts itself.
        Refused: not root, an image of another architecture, no namespaces.
        NotFound: no root file system, no shell in it, or a part of it is missing.
        Conflict: the name, or the root, belongs to another open sandbox.
        Busy: the device is in use elsewhere.
        BuildError: a mount failed. Nothing is left behind then.
    """
    check_request(request)
    with state.locked(request.name, state_dir), _volumes(request) as volumes:
        plan = plan_opening(request, runner=runner, state_dir=state_dir, volumes=volumes)
        if plan.record and not plan.request:
            return _note_expiry(request, plan.record, state_dir)
        if plan.record:
            clear_dead(plan.record, runner=runner, state_dir=state_dir)
        record = _start_on(request, plan, volumes, state_dir, python or sys.executable or "/usr/bin/python3")
        return OpenResult(record, changed=True, mounts=plan.mounts, warnings=plan.warnings + _not_mounted(plan, record))


def _note_expiry(request: OpenRequest, record: state.SandboxRecord, state_dir: str) -> OpenResult:
    if request.expires is None or request.expires == record.expires:
        return OpenResult(record, changed=False)
    noted = dataclasses.replace(record, expires=request.expires)
    state.write_record(noted, state_dir)
    return OpenResult(noted, changed=True)


def _not_mounted(plan: OpenPlan, record: state.SandboxRecord) -> t.Tuple[str, ...]:
    made = {mount.source for mount in record.mounts}
    return tuple(
        "%s is read-only and empty in the sandbox: the build host's kernel has no file system %s."
        % (mount.target, mount.filesystem)
        for mount in plan.mounts
        if mount.source not in made
    )


def check_request(request: OpenRequest) -> None:
    """Raise what can be known to be wrong before anything is looked at."""
    state.check_name(request.name)
    problems = _root_problems(request)
    if request.dev not in ("private", "host"):
        problems.append("dev is private or host, not %r." % request.dev)
    if request.network not in network.CHOICES:
        problems.append("network is host or none, not %r." % request.network)
    problems += image_mounts.parse_chroot_mounts(request.chroot_mounts)[1]
    problems += image_mounts.check_mount_options(request.mount_options)
    if problems:
        raise Invalid(problems, subject="Sandbox %s" % request.name)
    for path, option in [(request.device, "device"), (request.root, "root")]:
        if path:
            require_absolute(path, option)
    if os.geteuid() != 0:
        raise Refused("A sandbox can only be opened by root.", hint="Use become on the build host.")


def _root_problems(request: OpenRequest) -> t.List[str]:
    problems = []
    if bool(request.device) == bool(request.root):
        problems.append("Give exactly one of device and root.")
    if request.root and request.partition is not None:
        problems.append("partition belongs to device, not to root.")
    if request.root and (request.mount_command or request.unmount_command):
        problems.append("mount_command and unmount_command belong to device, not to root.")
    if request.root and request.mount_options:
        problems.append("mount_options belong to device, not to root: a directory is already mounted.")
    return problems


@contextlib.contextmanager
def _volumes(request: OpenRequest) -> t.Iterator[t.Optional[OpenVolumes]]:
    """The logical volumes of the device, open until they are mounted. Not imported for a directory."""
    if not request.device:
        yield None
        return
    from ansible_collections.bakehouse.images.plugins.module_utils._disk.logical_volumes import OpenVolumes

    with OpenVolumes() as volumes:
        yield volumes


def plan_in_check_mode(request: OpenRequest, *, runner: Runner) -> OpenPlan:
    """What opening would do."""
    with _volumes(request) as volumes:
        return plan_opening(request, runner=runner, volumes=volumes)


def plan_opening(
    request: OpenRequest,
    *,
    runner: Runner,
    state_dir: str = state.STATE_DIR,
    volumes: t.Optional[OpenVolumes] = None,
) -> OpenPlan:
    """Look at what is there, and say what opening would do. Changes nothing."""
    known = state.read_record(request.name, state_dir)
    if known and state.is_alive(known):
        _require_same_root(request, known)
        return OpenPlan(known, None)
    _require_unused(request, state_dir)
    virtual = _virtual_mounts(request)
    lent = files_to_lend(request.copy_files)
    nodes: t.Tuple[BlockNode, ...] = ()
    warnings: t.Tuple[str, ...] = ()
    partition = None
    custom = None
    if request.root:
        own: t.Tuple[Mount, ...] = (_directory_mount(request.root),)
    elif request.mount_command or request.unmount_command:
        custom, partition = _custom_mount(request, runner)
        own = (Mount(custom_mount.mount_point(request.name, state_dir), "/", "rbind"),)
        nodes = _nodes_of(request, runner)
    else:
        root = _find_root(request, runner, volumes)
        own, warnings = image_mounts.choose_image_mounts(root, request.mount_options)
        nodes = image_mounts.block_nodes(root.device)
        partition = root.partition_number
    taken = {mount.target for mount in own}
    planned = HolderRequest(
        base=state_dir,
        image_mounts=own,
        virtual_mounts=tuple(mount for mount in virtual if mount.target not in taken),
        nodes=nodes,
        lent=lent,
        user_namespace=request.user_namespace,
        network=request.network,
        on_not_done=request.on_not_done,
        watch_pid=request.watch_pid,
        idle_seconds=request.idle_seconds,
    )
    return OpenPlan(known, planned, partition, warnings, custom)


def _custom_mount(request: OpenRequest, runner: Runner) -> t.Tuple[custom_mount.CustomMount, t.Optional[int]]:
    device = _settled_device(request)
    source, partition = custom_mount.find_source(runner, device, request.partition)
    mount_command = request.mount_command or custom_mount.DEFAULT_MOUNT
    unmount_command = request.unmount_command or custom_mount.DEFAULT_UNMOUNT
    return custom_mount.CustomMount(mount_command, unmount_command, source, request.mount_options), partition


def _nodes_of(request: OpenRequest, runner: Runner) -> t.Tuple[BlockNode, ...]:
    from ansible_collections.bakehouse.images.plugins.module_utils._disk.devices import read_device

    return image_mounts.block_nodes(read_device(runner, os.path.realpath(request.device or "")))


def _require_same_root(request: OpenRequest, known: state.SandboxRecord) -> None:
    asked = os.path.realpath(request.device or request.root or "")
    found = known.device or known.root
    if asked != found:
        raise Conflict(
            "The sandbox %s is open on %s, not on %s." % (request.name, found, asked),
            hint="Close it first (state=absent), or choose another name.",
        )
    if request.partition is not None and request.partition != known.partition:
        raise Conflict(
            "The sandbox %s is open on partition %s of %s, not on %s."
            % (request.name, known.partition, found, request.partition),
            hint="Close it first (state=absent).",
        )


def _require_unused(request: OpenRequest, state_dir: str) -> None:
    asked = os.path.realpath(request.device or request.root or "")
    for other in state.list_records(state_dir):
        if other.name != request.name and asked in (other.root, other.device) and state.is_alive(other):
            raise Conflict(
                "%s is already the root of the open sandbox %s." % (asked, other.name),
                hint="Use that one, or close it first.",
            )


def _virtual_mounts(request: OpenRequest) -> t.Tuple[Mount, ...]:
    if request.chroot_mounts:
        given = image_mounts.parse_chroot_mounts(request.chroot_mounts)[0]
        # What is lent is not to leave directories in the image's own /run.
        run = [one for one in DEFAULT_MOUNTS if one.target == "/run"]
        return given if any(one.target == "/run" for one in given) else (*given, *run)
    if request.dev == "private":
        return DEFAULT_MOUNTS
    own_dev = (
        Mount("/dev", "/dev", "rbind"),
        Mount("devpts", "/dev/pts", "devpts"),
        Mount("shm", "/dev/shm", "tmpfs", "nosuid,nodev,mode=1777"),  # noqa: S108 - the image's
    )
    return tuple(mount for one in DEFAULT_MOUNTS for mount in (own_dev if one.filesystem == "private-dev" else (one,)))


def _directory_mount(root: str) -> Mount:
    place = os.path.realpath(root)
    if place == "/":
        raise Refused("The build host's own root directory cannot be the root of a sandbox.")
    if not os.path.isdir(place):
        raise NotFound("There is no directory %s on the build host." % root)
    return Mount(place, "/", "rbind")


def _find_root(request: OpenRequest, runner: Runner, volumes: t.Optional[OpenVolumes]) -> RootFilesystem:
    # Imported here: on a directory, nothing of disks is needed.
    from ansible_collections.bakehouse.images.plugins.module_utils._disk.roots import find_root

    return find_root(runner, _settled_device(request), request.partition, volumes=volumes)


def _settled_device(request: OpenRequest) -> str:
    device = os.path.realpath(request.device or "")
    # A namespace that is just being made holds copies of all mounts for a moment, of those just taken away too.
    # Whatever lasts longer is reported by find_root.
    with contextlib.suppress(Busy):
        checking.wait_until_free(device, BUSY_GRACE_SECONDS)
    return device


def _start_on(
    request: OpenRequest, plan: OpenPlan, volumes: t.Optional[OpenVolumes], state_dir: str, python: str
) -> state.SandboxRecord:
    """Start the holder, on what the user's own command has mounted where there is one."""
    if plan.custom is None:
        return _start(request, plan, volumes, state_dir, python)
    # What an opening that was killed has left under this name.
    custom_mount.take_away(request.name, state_dir)
    try:
        custom_mount.make(plan.custom, request.name, state_dir)
        return _start(request, plan, volumes, state_dir, python)
    except BaseException:
        with contextlib.suppress(BuildError):
            custom_mount.take_away(request.name, state_dir)
        raise


def _start(
    request: OpenRequest, plan: OpenPlan, volumes: t.Optional[OpenVolumes], state_dir: str, python: str
) -> state.SandboxRecord:
    if plan.request is None:
        raise BuildError("The plan for the sandbox %s is empty." % request.name)
    state.ensure_state_dir(state_dir)
    forget_dead_agents()
    with started_holder(plan.request, name=request.name, python=python) as (pid, facts):
        record = dataclasses.replace(
            _record(request, plan.request, pid, facts),
            python=python,
            partition=plan.partition,
            volumes=tuple(volumes.to_plain(path) for path in volumes.paths) if volumes else (),
        )
        state.write_record(record, state_dir)
    return record


def _record(request: OpenRequest, asked: HolderRequest, pid: int, facts: t.Mapping[str, t.Any]) -> state.SandboxRecord:
    own = [Mount(**mount) for mount in facts["image_mounts"]]
    every = [*own, *asked.virtual_mounts]
    environment = dict(ENVIRONMENT)
    if request.on_not_done == stand_ins.FAIL:
        environment[stand_ins.VARIABLE] = stand_ins.FAIL
    return state.SandboxRecord(
        name=request.name,
        pid=pid,
        start_time=state.process_start_time(pid) or 0,
        boot_id=state.boot_id(),
        user_namespace=request.user_namespace,
        root=os.path.realpath(request.root) if request.root else None,
        device=os.path.realpath(request.device) if request.device else None,
        build_id=request.build_id,
        dev=request.dev,
        network=request.network,
        image_python=facts["image_python"],
        architecture=facts["architecture"],
        kernels=tuple(facts["kernels"]),
        os_release=facts["os_release"],
        environment=environment,
        mounts=tuple(state.MountRecord(one.source, one.target, one.filesystem, one.options) for one in every),
        devices=tuple(dict.fromkeys(one.source for one in asked.image_mounts if one.filesystem != "rbind")),
        lent=tuple(facts["lent"]),
        watch_pid=request.watch_pid,
        owner=request.owner,
        expires=request.expires,
    )


__all__ = (
    "OpenPlan",
    "OpenRequest",
    "OpenResult",
    "check_request",
    "directory_name",
    "open_sandbox",
    "plan_in_check_mode",
    "plan_opening",
)
