# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""A root file system that the user's own commands mount and unmount, which a sandbox adopts.

They run on the build host, in its mounts, so what they have mounted outlives the sandbox's process. It is known by its
place: a folder named after the sandbox, made before the command runs, with the command that takes it away again.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shlex
import subprocess
import tempfile
import typing as t

from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError, Busy, CommandFailed, NotFound
from ansible_collections.bakehouse.images.plugins.module_utils._run import Completed, check_completed, tool_environment
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox import state
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox.mounts import mounts_below
from ansible_collections.bakehouse.images.plugins.module_utils._wait import Clock, poll

if t.TYPE_CHECKING:
    from ansible_collections.bakehouse.images.plugins.module_utils._run import Runner

DEFAULT_MOUNT = "mount"
# With all that the other command has mounted below.
DEFAULT_UNMOUNT = "umount --recursive"

# How long something that was killed a moment ago, or a scanner of new mounts, may still keep it busy.
BUSY_SECONDS = 20.0


@dataclasses.dataclass(frozen=True)
class CustomMount:
    """What to run, and on what.

    Attributes:
        mount_command: shell text; options, the device and the place to mount at are added to it as words.
        unmount_command: the same, with the place only.
        source: the device, or the partition on it.
        options: each is given as C(-o).
    """

    mount_command: str
    unmount_command: str
    source: str
    options: t.Tuple[str, ...] = ()


def find_source(runner: Runner, device: str, partition: t.Optional[int]) -> t.Tuple[str, t.Optional[int]]:
    """The device that the command gets: the partition asked for, else the one that holds a root, else the whole.

    Raises:
        NotFound: there is no such partition.
    """
    from ansible_collections.bakehouse.images.plugins.module_utils._disk.nodes import with_partition_nodes
    from ansible_collections.bakehouse.images.plugins.module_utils._disk.roots import find_root

    if partition == 0:
        return device, None
    if partition is None:
        try:
            root = find_root(runner, device)
        except NotFound:  # what only the command itself can read
            return device, None
        return root.path, root.partition_number
    found = with_partition_nodes(runner, device)
    for one in found.partitions:
        if one.number == partition:
            return one.path, partition
    raise NotFound("There is no partition %d on %s." % (partition, device))


def mount_point(name: str, state_dir: str) -> str:
    """Where the file system of a sandbox is mounted on the build host."""
    return os.path.join(_folder(name, state_dir), "root")


def make(custom: CustomMount, name: str, state_dir: str) -> None:
    """Run the command that mounts.

    Raises:
        CommandFailed: it failed.
        BuildError: it ended well, and nothing is mounted.
    """
    folder, place = _folder(name, state_dir), mount_point(name, state_dir)
    # For root alone: others of the build host have no business in an image, and its set-user-id programs none there.
    for one in (os.path.dirname(folder), folder, place):
        with contextlib.suppress(FileExistsError):
            os.mkdir(one, 0o700)
    handle = os.open(os.path.join(folder, "unmount"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with open(handle, "w", encoding="utf-8") as stream:
        stream.write(custom.unmount_command)
    words = [word for option in custom.options for word in ("-o", option)]
    _run(custom.mount_command, [*words, custom.source, place])
    if not _is_mounted(place):
        raise BuildError(
            "mount_command ended well, and nothing is mounted at %s: %s" % (place, custom.mount_command),
            hint="It gets options, the device and that directory as its last words.",
        )


def take_away(name: str, state_dir: str, *, clock: t.Optional[Clock] = None) -> bool:
    """Run the command that unmounts, until nothing is mounted any more; whether there was anything.

    Raises:
        CommandFailed, Busy: it is still mounted. It can be tried again.
    """
    folder, place = _folder(name, state_dir), mount_point(name, state_dir)
    if not os.path.isdir(folder):
        return False
    last: t.List[BuildError] = []

    def attempt() -> t.Optional[bool]:
        if _is_mounted(place):
            try:
                _run(_unmount_command(folder), [place])
            except CommandFailed as exc:
                last[:] = [exc]
        return True if not _is_mounted(place) else None

    poll(
        attempt,
        timeout_seconds=BUSY_SECONDS,
        delay_seconds=0.1,
        max_delay_seconds=3,
        on_timeout=lambda waited: last[0] if last else Busy("%s is still mounted after unmount_command." % place),
        clock=clock,
    )
    with contextlib.suppress(FileNotFoundError):
        os.unlink(os.path.join(folder, "unmount"))
    try:
        with contextlib.suppress(FileNotFoundError):
            os.rmdir(place)
        os.rmdir(folder)
    except OSError as exc:
        # What is in it may be all that is left of something, so it is not removed with it.
        raise BuildError(
            "Nothing is mounted at %s any more, and it cannot be removed: %s." % (place, exc.strerror),
            hint="mount_command has made files there without, or before, mounting anything. Remove them.",
        ) from exc
    return True


def names(state_dir: str) -> t.List[str]:
    """The sandboxes whose file systems are, or were to be, mounted so."""
    try:
        return sorted(name for name in os.listdir(_folder("", state_dir)) if state.NAME_RULE.match(name))
    except FileNotFoundError:
        return []


def _folder(name: str, state_dir: str) -> str:
    # Not below the records: the holder hides those behind its own tree.
    return os.path.join(os.path.dirname(state_dir.rstrip("/")), "mounts", name).rstrip("/")


def _unmount_command(folder: str) -> str:
    try:
        with open(os.path.join(folder, "unmount"), encoding="utf-8") as stream:
            return stream.read() or DEFAULT_UNMOUNT
    except FileNotFoundError:
        return DEFAULT_UNMOUNT


def _is_mounted(place: str) -> bool:
    return any(point == place for point, _flags in mounts_below(os.path.dirname(place)))


def _run(command: str, words: t.Sequence[str]) -> None:
    """Run a user's command with further words.

    Into a file, because what it leaves running, such as the process behind a FUSE mount, keeps its output open.
    """
    argv = ["/bin/sh", "-c", '%s "$@"' % command, "sh", *words]
    with tempfile.TemporaryFile() as output:
        done = subprocess.run(
            argv, check=False, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd="/", env=tool_environment()
        )
        output.seek(0)
        said = output.read().decode("utf-8", "replace")
    shown = shlex.split(command, comments=False) if _splits(command) else [command]
    check_completed(Completed([*shown, *words], done.returncode, "", said))


def _splits(command: str) -> bool:
    try:
        shlex.split(command)
    except ValueError:
        return False
    return True


__all__ = (
    "DEFAULT_MOUNT",
    "DEFAULT_UNMOUNT",
    "CustomMount",
    "find_source",
    "make",
    "mount_point",
    "names",
    "take_away",
)
