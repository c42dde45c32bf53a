# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""The holder: the one process that keeps a sandbox open, and with whose end everything of it is gone.

C(opening.py) starts it as a fresh interpreter, with a socket as standard input for the request and the
answers. It makes the namespaces and forks; the child is process 1 of the sandbox. That one mounts, pivots
into a tree of its own, and unshares the user namespace; a chrooted process may not, hence the pivot. Its
parent writes the identity maps, which the child itself is not allowed to, and ends.

The holder keeps another root than the image, so that C(/proc/1/root) is not C(/) and what looks there
concludes that it runs in a chroot; and it is called C(init), so that those who look for the service manager
in C(/proc/1/comm) look at the image instead.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import socket
import typing as t

from ansible_collections.bakehouse.images.plugins.module_utils import _errors
from ansible_collections.bakehouse.images.plugins.module_utils import _inside as paths
from ansible_collections.bakehouse.images.plugins.module_utils import _system_calls as ns
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox import lending, mounts, network, stand_ins
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox.holding import hold
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox.image import inspect_image
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox.state import IMAGE_PATH

# Who owns the user namespace: an id that nobody has. A process that joins a namespace of its own user can at once be
# looked into by all of root's processes in there: /proc/PID/exe would lead to the build host's nsenter, to be
# overwritten. Of another's namespace it cannot, until it runs a program of the image (commit_creds() in the kernel's
# kernel/cred.c, and ptrace(2), "access mode checking").
NAMESPACE_OWNER = 4294967293

# Namespaces of cgroups that may be made inside: none. With one, root inside could mount the cgroups that the process
# which entered is in, and freeze or kill what else is in them.
CGROUP_NAMESPACES_LIMIT = "/proc/sys/user/max_cgroup_namespaces"

# What must still be the image's own when the sandbox's mounts are made.
VITAL_PATHS = ("/", "/bin/sh", "/etc", "/usr")

# uid_map: all ids as they are. The last id, 4294967295, means "no id" to the kernel and cannot be mapped.
IDENTITY_MAP = "0 0 4294967295\n"


@dataclasses.dataclass(frozen=True)
class HolderRequest:
    """What the holder is to open.

    Args:
        base: a directory of the build host that the holder's own tree is mounted over, in its namespace only.
        image_mounts: the root, with target C(/), and what lies below it, in order.
        virtual_mounts: the file systems of the sandbox itself, made after the image was looked at.
        nodes: block devices the image gets nodes for.
        lent: files to lend.
        network: see network.CHOICES.
        on_not_done: see stand_ins.
        watch_pid: close when this process ends.
        idle_seconds: close when nothing was entered for so long; 0 for never.
    """

    base: str
    image_mounts: t.Tuple[mounts.Mount, ...]
    virtual_mounts: t.Tuple[mounts.Mount, ...]
    nodes: t.Tuple[mounts.BlockNode, ...] = ()
    lent: t.Tuple[lending.LentFile, ...] = ()
    user_namespace: bool = True
    network: str = network.HOST
    on_not_done: str = stand_ins.IGNORE
    watch_pid: t.Optional[int] = None
    idle_seconds: float = 0

    def to_json(self) -> str:
        """The request as one line."""
        plain = dataclasses.asdict(self)
        plain["lent"] = [lent.to_plain() for lent in self.lent]
        return json.dumps(plain)

    @classmethod
    def from_json(cls, text: str) -> HolderRequest:
        """What to_json made."""
        plain = json.loads(text)
        plain["image_mounts"] = tuple(mounts.Mount(**mount) for mount in plain["image_mounts"])
        plain["virtual_mounts"] = tuple(mounts.Mount(**mount) for mount in plain["virtual_mounts"])
        plain["nodes"] = tuple(mounts.BlockNode(**dict(node, links=tuple(node["links"]))) for node in plain["nodes"])
        plain["lent"] = tuple(lending.LentFile.from_plain(lent) for lent in plain["lent"])
        return cls(**plain)


def main() -> None:
    """Open what the request on standard input asks for, and hold it."""
    channel = socket.socket(fileno=os.dup(0))
    lines = channel.makefile("r", encoding="utf-8")
    request = HolderRequest.from_json(lines.readline())
    watched = ns.pidfd_open(request.watch_pid) if request.watch_pid else None
    mapping, mapped = socket.socketpair()
    try:
        ns.unshare(ns.CLONE_NEWPID)
    except OSError as exc:
        _answer(channel, _failure(_errors.Refused("Cannot make namespaces: %s." % exc.strerror)))
        return
    child = os.fork()
    if child == 0:
        mapping.close()
        _hold_sandbox(request, channel, lines, mapped, watched)
    mapped.close()
    _answer(channel, {"pid": child})
    if mapping.recv(1):
        _finish_user_namespace(child)
        mapping.send(b"m")
    os._exit(0)


def _finish_user_namespace(child: int) -> None:
    """What only a process outside of it, and with the build host's procfs, can do for a user namespace."""
    for kind in ("uid_map", "gid_map"):
        with open("/proc/%d/%s" % (child, kind), "w", encoding="ascii") as stream:
            stream.write(IDENTITY_MAP)
    handle = os.open("/proc/%d/ns/user" % child, os.O_RDONLY)
    ns.setns(handle, ns.CLONE_NEWUSER)
    # Read anew by the kernel for each user namespace: this is not the build host's limit.
    with open(CGROUP_NAMESPACES_LIMIT, "w", encoding="ascii") as stream:
        stream.write("0")


class _Opening:
    """How far the opening has come, so that a failure can be undone from there."""

    def __init__(self, request: HolderRequest) -> None:
        self.request = request
        self.root = request.base + IMAGE_PATH
        self.loans: t.List[lending.Loan] = []

    def open(self, mapped: socket.socket) -> t.Dict[str, t.Any]:
        """Make the sandbox around this process, and return what its image says of itself."""
        request = self.request
        # Here and not before the fork: pivot_root(2) moves every process of the mount namespace.
        ns.unshare(ns.CLONE_NEWNS | (0 if request.user_namespace else ns.CLONE_NEWUTS | ns.CLONE_NEWIPC))
        # Before sysfs is mounted, which shows the interfaces of whoever has mounted it.
        if request.network == network.NONE:
            network.unshare_network()
        ns.mount(None, "/", None, ns.MS_REC | ns.MS_PRIVATE)
        ns.mount("bakehouse", request.base, "tmpfs", ns.MS_NOSUID | ns.MS_NODEV, "mode=0755")
        os.mkdir(self.root, 0o755)
        made = [mounts.make_image_mount(self.root, mount) for mount in request.image_mounts]
        facts = dict(inspect_image(self.root), image_mounts=[dataclasses.asdict(mount) for mount in made])
        self._mount_virtual()
        self._lend()
        _make_own_proc(request.base)
        _pivot(request.base)
        self.root = IMAGE_PATH
        if request.user_namespace:
            _unshare_user(mapped)
            self._cover_memory()
        mapped.close()
        ns.set_process_name("init")
        # Never the build host's: tools write the name into keys, certificates and mail set-ups.
        socket.sethostname(facts["hostname"] or "localhost")
        ns.set_domain_name("(none)")
        return facts

    def _mount_virtual(self) -> None:
        """Make the sandbox's own mounts. An image's /tmp may be a link to /, and then all else would be covered."""
        before = {path: paths.status(self.root, path) for path in VITAL_PATHS}
        for mount in self.request.virtual_mounts:
            mounts.make_mount(self.root, mount, self.request.nodes)
            for path, found in before.items():
                now = paths.status(self.root, path)
                if found and not (now and os.path.samestat(found, now)):
                    raise _errors.Refused(
                        "%s of the image is a symbolic link to %s, and a mount there would cover %s."
                        % (mount.target, paths.final_path(self.root, mount.target), path),
                        hint="Make it a directory in the image.",
                    )

    def _cover_memory(self) -> None:
        """Mount /tmp and /dev/shm once more, now in the user namespace: roles mount them anew with other options, and
        root inside may do that only to what was mounted there."""
        given = self.request.virtual_mounts
        own = {mount.target for mount in given if mount.filesystem in ("tmpfs", "private-dev")}
        used = [mount.target for mount in given] + [loan.path for loan in self.loans]
        for mount in mounts.MEMORY_MOUNTS:
            covers = any(path.startswith(mount.target + "/") for path in used)
            if not covers and (mount.target in own or os.path.dirname(mount.target) in own):
                mounts.make_mount(self.root, mount)

    def _lend(self) -> None:
        # Over whatever /run is: it may be the build host's own, where nothing may be written.
        mounts.make_mount(self.root, mounts.Mount("lent", lending.LENT_DIR, "tmpfs", "nosuid,nodev,mode=0755"))
        stand_ins.put_in_place(self.root, self.request.on_not_done)
        own_run = any(mount.target == "/run" and mount.filesystem == "tmpfs" for mount in self.request.virtual_mounts)
        if own_run:
            paths.make_directory(self.root, "/run/lock", 0o1777)
        lent = list(self.request.lent)
        if paths.status(self.root, "/usr/sbin/invoke-rc.d"):
            lent.append(lending.POLICY_RC_D)
        lent += stand_ins.files_to_lend(self.root)
        for one in lent:
            self.loans.append(lending.lend(self.root, one, own_run=own_run))

    def give_back(self) -> None:
        """Undo the loans; what cannot be undone is left to the opener, who sees the holder end."""
        for loan in reversed(self.loans):
            with contextlib.suppress(_errors.BuildError):
                lending.give_back(self.root, loan)


def _unshare_user(mapped: socket.socket) -> None:
    ns.keep_capabilities()
    os.seteuid(NAMESPACE_OWNER)
    try:
        ns.unshare(ns.CLONE_NEWUSER | ns.CLONE_NEWNS | ns.CLONE_NEWUTS | ns.CLONE_NEWIPC)
    except OSError as exc:
        raise _errors.Refused(
            "The build host allows no user namespace: %s." % exc.strerror,
            hint="Allow them (sysctl user.max_user_namespaces), or set user_namespace to false, which isolates less.",
        ) from exc
    mapped.send(b"m")
    if not mapped.recv(1):
        raise _errors.Refused("The identity maps of the user namespace could not be written.")
    os.seteuid(0)
    # Whatever compares / with /proc/1/root, systemctl for one, is to find out that this is a chroot.
    ns.allow_inspection()


def _hold_sandbox(
    request: HolderRequest,
    channel: socket.socket,
    lines: t.TextIO,
    mapped: socket.socket,
    watched: t.Optional[int],
) -> t.NoReturn:
    opening = _Opening(request)
    status = 1
    try:
        os.umask(0)
        facts = opening.open(mapped)
        _answer(channel, dict(facts, lent=[dataclasses.asdict(loan) for loan in opening.loans]))
        # The opener writes the record now. When it died before, nobody would ever find this sandbox.
        if lines.readline():
            _let_go_of_opener(channel, lines)
            hold(IMAGE_PATH, watched, request.idle_seconds)
        status = 0
    except _errors.BuildError as exc:
        _answer(channel, _failure(exc))
    except BaseException as exc:
        _answer(channel, _failure(_errors.BuildError("Opening the sandbox failed: %r." % exc)))
    finally:
        opening.give_back()
        os._exit(status)


def _make_own_proc(base: str) -> None:
    os.mkdir(base + "/proc", 0o755)
    ns.mount("proc", base + "/proc", "proc", ns.MS_NOSUID | ns.MS_NODEV | ns.MS_NOEXEC | ns.MS_RDONLY)


def _pivot(base: str) -> None:
    # With both arguments the same, the old root ends up on top of the new one, and is taken off at once:
    # pivot_root(2), NOTES. Nothing of the build host is left in the namespace.
    os.chdir(base)
    ns.pivot_root(".", ".")
    ns.umount(".", ns.MNT_DETACH)
    os.chdir("/")
    # Root inside finds this tree through /proc/1/root.
    ns.mount(None, "/", None, ns.MS_REMOUNT | ns.MS_BIND | ns.MS_RDONLY | ns.MS_NOSUID | ns.MS_NODEV)


def _let_go_of_opener(channel: socket.socket, lines: t.TextIO) -> None:
    """Close all that came from the build host, so that no file descriptor leads back there. In their place are
    pipes without another end: whether the image has a /dev/null, and what that is, does not matter."""
    lines.close()
    channel.close()
    reading, writing = os.pipe()
    for stream, end in ((0, reading), (1, writing), (2, writing)):
        os.dup2(end, stream)
    os.close(reading)
    os.close(writing)


def _answer(channel: socket.socket, answer: t.Mapping[str, t.Any]) -> None:
    with contextlib.suppress(OSError):
        channel.sendall((json.dumps(answer) + "\n").encode("utf-8"))


def _failure(exc: _errors.BuildError) -> t.Dict[str, t.Any]:
    return {"error": exc.to_plain()}


__all__ = ("HolderRequest", "main")
