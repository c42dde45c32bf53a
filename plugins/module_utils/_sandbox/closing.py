# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Closing a sandbox: end what runs inside, give back, trim, let go, and look at what is left."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import fcntl
import functools
import os
import signal
import struct
import typing as t

from ansible_collections.bakehouse.images.plugins.module_utils import _inside as paths
from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError, Busy
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox import (
    checking,
    custom_mount,
    lending,
    mounts,
    stand_ins,
    state,
)
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox.agent_state import (
    end_agent,
    forget_agent,
    forget_dead_agents,
)
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox.entry import image_root
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox.processes import (
    Killed,
    end_processes,
    sandbox_processes,
)
from ansible_collections.bakehouse.images.plugins.module_utils._system_calls import sync_file_system
from ansible_collections.bakehouse.images.plugins.module_utils._wait import poll

if t.TYPE_CHECKING:
    from ansible_collections.bakehouse.images.plugins.module_utils._run import Runner

# How long the kernel may take to write back and let go of a device.
RELEASE_TIMEOUT_SECONDS = 120.0

# FITRIM, linux/fs.h: _IOWR('X', 121, struct fstrim_range), and that structure.
FITRIM = 0xC0185879
FSTRIM_RANGE = "QQQ"


@dataclasses.dataclass(frozen=True)
class CloseReport:
    """How a sandbox was closed.

    Args:
        changed: whether there was anything to close.
        killed: what still ran inside.
        not_done: commands for a running machine, which ended well and did nothing.
        trimmed_bytes: what the file systems told the device they do not need.
        checked: one result for each file system that was mounted.
        problems: a sentence for each step that failed; the others were done all the same.
    """

    changed: bool
    killed: t.Tuple[Killed, ...] = ()
    not_done: t.Tuple[str, ...] = ()
    trimmed_bytes: int = 0
    checked: t.Tuple[checking.Checked, ...] = ()
    problems: t.Tuple[str, ...] = ()

    def to_result(self) -> t.Dict[str, t.Any]:
        """The report as a module's result."""
        return {
            "killed": [one.to_result() for one in self.killed],
            "not_done": list(self.not_done),
            "trimmed_bytes": self.trimmed_bytes,
            "checked": [dataclasses.asdict(one) for one in self.checked],
            "problems": list(self.problems),
        }


def close_sandbox(
    name: str, *, runner: Runner, state_dir: str = state.STATE_DIR, trim: bool = True, check: bool = True
) -> CloseReport:
    """Close the sandbox C(name). One that is not open is none to close; one whose holder died is cleaned up.

    Never fails for what runs or is mounted inside. What fails nevertheless is in the report's C(problems).

    Args:
        trim: tell the device which blocks are free, while the file systems are still mounted.
        check: ask the kernel whether all that was written has arrived on the disks, and check the file systems,
            read-only, when they are no longer mounted.
    """
    with state.locked(name, state_dir):
        record = state.read_record(name, state_dir)
        if record is None:
            return CloseReport(changed=custom_mount.take_away(name, state_dir))
        closing = _Closing(record, runner, state_dir)
        if state.is_alive(record):
            closing.end_processes()
            closing.give_back()
            if check:
                closing.write_back()
            if trim:
                closing.trim()
            closing.read_notes()
            closing.end_holder()
        else:
            closing.repair()
        # What is still mounted will not be let go of.
        if closing.unmount():
            closing.release()
        if check:
            closing.check()
            if record.volumes:
                closing.release()
        forget_agent(name)
        forget_dead_agents()
        state.remove_record(name, state_dir)
        return closing.report()


def find_open(name: str, state_dir: str = state.STATE_DIR) -> t.List[str]:
    """What closing the sandbox would take away: a line for each mount; none when there is nothing to close."""
    record = state.read_record(name, state_dir)
    if record is None:
        return []
    return [mounts.Mount(**dataclasses.asdict(one)).describe() for one in record.mounts]


def clear_dead(record: state.SandboxRecord, *, runner: Runner, state_dir: str = state.STATE_DIR) -> None:
    """Take back what a sandbox left whose holder died, and forget it."""
    closing = _Closing(record, runner, state_dir)
    closing.repair()
    closing.unmount()
    forget_agent(record.name)
    state.remove_record(record.name, state_dir)


class _Closing:
    """The steps of closing. Each collects its errors, so that the next is done too."""

    def __init__(self, record: state.SandboxRecord, runner: Runner, state_dir: str) -> None:
        self.record = record
        self.runner = runner
        self.state_dir = state_dir
        self.root = image_root(record)
        self.killed: t.List[Killed] = []
        self.not_done: t.Tuple[str, ...] = ()
        self.trimmed_bytes = 0
        self.checked: t.List[checking.Checked] = []
        self.problems: t.List[str] = []

    def report(self) -> CloseReport:
        return CloseReport(
            changed=True,
            killed=tuple(self.killed),
            not_done=self.not_done,
            trimmed_bytes=self.trimmed_bytes,
            checked=tuple(self.checked),
            problems=tuple(self.problems),
        )

    def end_processes(self) -> None:
        found = sandbox_processes(self.record)
        end_agent(self.record.name)
        self.killed += found
        stubborn = end_processes(found)
        # Whatever a dying process has started meanwhile ends with the holder.
        if stubborn:
            self.problems += ["Process %d (%s) does not die." % (one.pid, one.name) for one in stubborn]

    def give_back(self) -> None:
        for plain in reversed(self.record.lent):
            self._try(functools.partial(lending.give_back, self.root, lending.Loan.from_plain(plain)))

    def write_back(self) -> None:
        """Nothing else tells of data that a disk did not take: programs have ended well long before that."""
        for mount in self._disks():
            self._try(functools.partial(_write_back, self.root, mount))

    def trim(self) -> None:
        for mount in self._disks():
            self.trimmed_bytes += _trim(self.root, mount.target)

    def _disks(self) -> t.List[state.MountRecord]:
        """The mounts of the image's own file systems."""
        return [one for one in self.record.mounts[: len(self.record.devices)] if one.source in self.record.devices]

    def read_notes(self) -> None:
        self.not_done = stand_ins.read_notes(self.root)

    def end_holder(self) -> None:
        try:
            os.kill(self.record.pid, signal.SIGKILL)
        except ProcessLookupError:
            return
        self._try(self._wait_for_holder)

    def _wait_for_holder(self) -> None:
        poll(
            lambda: state.has_ended(self.record) or None,
            timeout_seconds=RELEASE_TIMEOUT_SECONDS,
            delay_seconds=0.01,
            max_delay_seconds=0.2,
            on_timeout=lambda waited: Busy(
                "The holder of the sandbox (process %d) has not ended %d s after it was killed."
                % (self.record.pid, waited)
            ),
        )

    def repair(self) -> None:
        """Give back on the bare image, mounted for the moment where nobody else sees it."""
        self._try(self._wait_for_holder)
        if any(plain["replaced"] for plain in self.record.lent):
            self._try(lambda: _repair(self.record))

    def unmount(self) -> bool:
        """Have the user's own command take away what it has mounted; whether nothing of it is left."""
        self._try(functools.partial(custom_mount.take_away, self.record.name, self.state_dir))
        return self.record.name not in custom_mount.names(self.state_dir)

    def release(self) -> None:
        whole = (self.record.device,) if self.record.device else ()
        volumes = [one["path"] for one in self.record.volumes]
        # The paths of logical volumes may be others' by now; while one is open, its device is in use.
        for device in dict.fromkeys(self.record.devices + whole):
            if device in volumes:
                continue
            self._try(functools.partial(checking.wait_until_free, device, RELEASE_TIMEOUT_SECONDS))

    def check(self) -> None:
        seen = set()
        for mount in self.record.mounts:
            if mount.source in self.record.devices and mount.source not in seen:
                seen.add(mount.source)
                self._try(functools.partial(self._check, mount))

    def _check(self, mount: state.MountRecord) -> None:
        with _volumes(self.record, mount.source) as paths:
            device = paths.get(mount.source, mount.source)
            self.checked.append(checking.check_filesystem(self.runner, device, mount.filesystem))

    def _try(self, step: t.Callable[[], object]) -> None:
        try:
            step()
        except BuildError as exc:
            self.problems.append(str(exc))
        except OSError as exc:
            self.problems.append("Closing the sandbox %s: %s." % (self.record.name, exc))


@contextlib.contextmanager
def _volumes(record: state.SandboxRecord, path: str = "") -> t.Iterator[t.Dict[str, str]]:
    """Logical volumes of the sandbox, opened again: their paths at that time, and now.

    Args:
        path: only this one's.
    """
    wanted = [one for one in record.volumes if path in ("", one["path"])]
    if not wanted:
        yield {}
        return
    from ansible_collections.bakehouse.images.plugins.module_utils._disk.logical_volumes import OpenVolumes

    for physical in sorted({one["physical"] for one in wanted}):
        checking.wait_until_free(physical, RELEASE_TIMEOUT_SECONDS)
    with OpenVolumes() as volumes:
        yield volumes.again(wanted)


def _write_back(root: str, mount: state.MountRecord) -> None:
    """Have all arrive on the disk.

    Raises:
        BuildError: something did not.
    """
    try:
        handle = paths.open_in_root(root, mount.target, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return  # somebody in the image has unmounted it
    try:
        error = _sync(handle)
    finally:
        os.close(handle)
    if error:
        raise BuildError(
            "What was written to %s of the image has not all arrived on %s: %s." % (mount.target, mount.source, error),
            hint="The image cannot be used. Where its disk is a file, the file system with that file may be full; the"
            " kernel's log of the build host (dmesg) says more.",
        )


def _sync(handle: int) -> str:
    """What the kernel says; empty when all is well.

    In a process of its own: one that waits for a disk cannot be ended.
    """
    child = os.fork()
    if child == 0:
        _sync_and_exit(handle)

    def ended() -> t.Optional[int]:
        pid, status = os.waitpid(child, os.WNOHANG)
        if not pid:
            return None
        return os.WEXITSTATUS(status) if os.WIFEXITED(status) else errno.EINTR

    try:
        number = poll(
            ended,
            timeout_seconds=RELEASE_TIMEOUT_SECONDS,
            delay_seconds=0.01,
            max_delay_seconds=0.5,
            on_timeout=lambda waited: Busy("the disk has not taken it in %d seconds" % waited),
        )
    except Busy as exc:
        return exc.message
    return os.strerror(number) if number else ""


def _sync_and_exit(handle: int) -> t.NoReturn:
    error = errno.EIO
    try:
        # Neither a lock nor whoever reads our output may have to wait for this process.
        for name in os.listdir("/proc/self/fd"):
            if int(name) != handle:
                with contextlib.suppress(OSError):
                    os.close(int(name))
        sync_file_system(handle)
        error = 0
    except OSError as exc:
        error = exc.errno or error
    finally:
        os._exit(error)


def _trim(root: str, target: str) -> int:
    """FITRIM on the mounted file system: bytes trimmed, 0 where it or the device cannot."""
    try:
        handle = paths.open_in_root(root, target, os.O_RDONLY | os.O_DIRECTORY)
        try:
            asked = bytearray(struct.pack(FSTRIM_RANGE, 0, 0xFFFFFFFFFFFFFFFF, 0))
            fcntl.ioctl(handle, FITRIM, asked)
        finally:
            os.close(handle)
    except OSError:
        return 0
    return int(struct.unpack(FSTRIM_RANGE, asked)[1])


def _repair(record: state.SandboxRecord) -> None:
    from ansible_collections.bakehouse.images.plugins.module_utils._disk.private_mounts import in_private_mounts

    def work(place: str) -> None:
        with _volumes(record) as paths:
            for one in record.mounts:
                if one.target == "/" or one.source in record.devices:
                    source = paths.get(one.source, one.source)
                    mounts.make_mount(place, mounts.Mount(source, one.target, one.filesystem, one.options))
        for plain in reversed(record.lent):
            lending.give_back(place, lending.Loan.from_plain(plain))

    in_private_mounts(work)


__all__ = ("CloseReport", "clear_dead", "close_sandbox", "find_open")
