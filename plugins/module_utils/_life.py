# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Whether a build still lives: its owner, and what a machine can say of an owner.

A build lives and dies with one process, the C(ansible-playbook) that runs it: its owner. What a build makes carries
the owner as a tag, and any machine can be asked about it. Only two answers are ever acted upon, and each needs proof:

C(alive): a process of this number, started at this moment, is there.

C(dead): it cannot be there any more. Either this is the same boot of the same kernel and the same namespace of process
numbers, and there is no such process, or the number belongs to one that was started at another moment; or this is the
same machine, and it has been started anew since.

All else is C(unknown): another machine, another container, a C(/proc) that hides processes, an owner that cannot be
read. No clock is ever compared with another: moments are ticks since boot, as the kernel counts them.
"""

from __future__ import annotations

import enum
import hashlib
import os
import re
import socket
import typing as t
from dataclasses import dataclass

from ansible_collections.bakehouse.images.plugins.module_utils._sandbox.state import (
    boot_id,
    process_start_time,
)

# The inode of the first namespace of process numbers (PROC_PID_INIT_INO, linux/proc_ns.h). Elsewhere, in a container,
# neither hardware nor name tell which machine this is.
FIRST_PID_NAMESPACE = "4026531836"

_TEXT = re.compile(
    r"host=(?P<host>\S*) boot=(?P<boot>[0-9a-f-]{36}) ns=(?P<namespace>[0-9]+[.][0-9]*) pid=(?P<pid>[0-9]+)"
    r" start=(?P<start>[0-9]+)(?: machine=(?P<machine>[0-9a-f]{16}))?\Z"
)

# A tag's value has at most 256 characters.
MAX_HOST_CHARACTERS = 64


class Life(enum.Enum):
    """What is known of an owner."""

    ALIVE = "alive"
    DEAD = "dead"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Place:
    """Where process numbers mean something: a boot of a machine, and a namespace there.

    Args:
        boot: the kernel's name for this boot.
        namespace: the inodes of the namespaces of process numbers and of time.
        machine: a hash that no other machine has, and that stays when this one is started anew; empty where there is
            nothing to make one of.
        host: the machine's name, for people.
    """

    boot: str
    namespace: str
    machine: str
    host: str


@dataclass(frozen=True)
class Owner:
    """The process that a build lives and dies with."""

    place: Place
    pid: int
    start_time: int

    def to_text(self) -> str:
        """The owner as a tag's value."""
        place = self.place
        words = ["host=" + place.host, "boot=" + place.boot, "ns=" + place.namespace]
        words += ["pid=%d" % self.pid, "start=%d" % self.start_time]
        return " ".join(words + (["machine=" + place.machine] if place.machine else []))

    @classmethod
    def from_text(cls, text: str) -> t.Optional[Owner]:
        """What C(to_text) made; None for anything else."""
        found = _TEXT.match(text)
        if found is None:
            return None
        place = Place(found["boot"], found["namespace"], found["machine"] or "", found["host"])
        return cls(place, int(found["pid"]), int(found["start"]))


class Verdict(t.NamedTuple):
    """What a machine says of an owner, and why, as the end of a sentence."""

    life: Life
    reason: str


def this_place() -> Place:
    """Where this process is."""
    namespace = _namespace("pid")
    return Place(
        boot=boot_id(),
        namespace="%s.%s" % (namespace, _namespace("time")),
        machine=machine_id() if namespace == FIRST_PID_NAMESPACE else "",
        host=re.sub(r"\s", "-", socket.gethostname())[:MAX_HOST_CHARACTERS],
    )


def owner_of(pid: int) -> t.Optional[Owner]:
    """A process as an owner; None when it has ended."""
    started = process_start_time(pid)
    return None if started is None else Owner(this_place(), pid, started)


def machine_id(root: str = "/") -> str:
    """A hash of what this machine has and no clone of it; empty where there is no telling.

    Two machines made from one image may have the same id, the same name, and, on networks of their own, even the same
    addresses. What counts is what the hypervisor or the maker gives to each: without that there is no hash. Only root
    can read it, but for the instance id that EC2 puts there.
    """
    given = _read(os.path.join(root, "sys/class/dmi/id/board_asset_tag"))
    if not given.startswith("i-"):
        given = _read(os.path.join(root, "sys/class/dmi/id/product_uuid"))
    own = _read(os.path.join(root, "etc/machine-id"))
    addresses = _hardware_addresses(os.path.join(root, "sys/class/net"))
    if not (given and own and any(addresses)):
        return ""
    return hashlib.sha256("\n".join([given, own, socket.gethostname(), *addresses]).encode("utf-8")).hexdigest()[:16]


def _hardware_addresses(folder: str) -> t.List[str]:
    """Of network hardware; a container has none."""
    try:
        names = [name for name in sorted(os.listdir(folder)) if os.path.exists(os.path.join(folder, name, "device"))]
    except OSError:
        return []
    return [_read(os.path.join(folder, name, "address")) for name in names]


def judge(text: str, here: t.Optional[Place] = None) -> Verdict:
    """What this machine can say of the owner in a tag."""
    owner = Owner.from_text(text)
    if owner is None:
        return Verdict(Life.UNKNOWN, "no owner is noted" if not text else "its owner %r cannot be read" % text)
    here = here or this_place()
    who = "process %d on %s" % (owner.pid, owner.place.host)
    if owner.place.boot == here.boot and owner.place.namespace == here.namespace:
        return _judge_process(owner, who)
    if owner.place.boot != here.boot and owner.place.machine and owner.place.machine == here.machine:
        return Verdict(Life.DEAD, "%s has been started anew since" % owner.place.host)
    return Verdict(Life.UNKNOWN, "%s cannot be seen from %s" % (who, here.host))


def merge(verdicts: t.Iterable[Verdict]) -> Verdict:
    """What several machines say of one owner: who has seen it alive is right, then who can tell that it is not."""
    ranked = list(verdicts)
    for life in (Life.ALIVE, Life.DEAD, Life.UNKNOWN):
        for verdict in ranked:
            if verdict.life is life:
                return verdict
    return Verdict(Life.UNKNOWN, "nobody was asked")


def _judge_process(owner: Owner, who: str) -> Verdict:
    if os.path.basename(os.path.realpath("/proc/self")) != str(os.getpid()):
        return Verdict(Life.UNKNOWN, "/proc on this machine is that of another namespace")
    if not os.path.exists("/proc/%d/stat" % owner.pid) and _is_there(owner.pid):
        # Mounted with hidepid, /proc shows no processes of other users.
        return Verdict(Life.UNKNOWN, "/proc on this machine hides %s" % who)
    started = process_start_time(owner.pid)
    if started == owner.start_time:
        return Verdict(Life.ALIVE, "%s runs" % who)
    return Verdict(Life.DEAD, "%s has ended" % who if started is None else "%s is another one by now" % who)


def _is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _namespace(kind: str) -> str:
    try:
        return "".join(filter(str.isdigit, os.readlink("/proc/self/ns/" + kind)))
    except OSError:
        return ""


def _read(path: str) -> str:
    try:
        with open(path, encoding="ascii") as stream:
            return stream.read().strip()
    except (OSError, ValueError):
        return ""


__all__ = ("Life", "Owner", "Place", "Verdict", "judge", "machine_id", "merge", "owner_of", "this_place")
