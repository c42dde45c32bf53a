# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""What is known of an open sandbox, kept in a file that only root can read.

The file is a note, never the truth: the truth is whether the process it names still lives. Process ids
are used again, so a process is known by its id together with the moment it started (proc(5), field 22
of C(/proc/PID/stat)), and the boot it belongs to.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import hashlib
import json
import os
import re
import typing as t

from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError, Invalid
from ansible_collections.bakehouse.images.plugins.module_utils._process_stat import (
    DEAD_STATES,
    process_start_time,
    stat_fields,
)

STATE_DIR = "/run/bakehouse/sandboxes"

# Where the agents of sandboxes are reached, by the sandboxes' names.
AGENTS_DIR = "/run/bakehouse/agents"

# A change of the record that older code cannot read raises this number.
RECORD_VERSION = 1

# Names become file names and parts of unit names.
NAME_RULE = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_.@:-]{0,127}\Z")

# Where the image is mounted in the holder's own, otherwise empty tree.
IMAGE_PATH = "/image"


@dataclasses.dataclass(frozen=True)
class MountRecord:
    """One mount inside the sandbox; C(target) is a path as the image sees it."""

    source: str
    target: str
    filesystem: str
    options: str


@dataclasses.dataclass(frozen=True)
class SandboxRecord:
    """One open sandbox.

    Args:
        pid: the holder, process 1 of the sandbox, as the build host numbers it.
        start_time: when the holder started, in clock ticks since boot.
        boot_id: the boot of the build host that C(start_time) counts from.
        root: the directory on the build host that holds the root file system, when it was given one.
        device: the block device the root was found on, when it was given one.
        partition: number of the root's partition; None when the file system fills the device.
        devices: block devices whose file systems are mounted in the sandbox, in the order of mounting.
        network: C(host) for the build host's, C(none) for one of its own.
        environment: variables for everything that is run in the sandbox.
        python: the interpreter of the build host that opened the sandbox.
        image_python: the image's own interpreter as the image sees it; None when it has none.
        volumes: logical volumes among C(devices), as logical_volumes.OpenVolumes.to_plain makes them.
        lent: files lent to the image, and what was done in the image to have a place for them.
        watch_pid: the process whose end closes the sandbox, if any.
        owner: the owner of its build, as in a tag; empty when none was named.
        expires: until when a build that has failed is kept, in seconds since 1970.
    """

    name: str
    pid: int
    start_time: int
    boot_id: str
    user_namespace: bool
    root: t.Optional[str] = None
    device: t.Optional[str] = None
    partition: t.Optional[int] = None
    build_id: t.Optional[str] = None
    dev: str = "private"
    network: str = "host"
    image_path: str = IMAGE_PATH
    python: str = "/usr/bin/python3"
    image_python: t.Optional[str] = None
    architecture: t.Optional[str] = None
    kernels: t.Tuple[str, ...] = ()
    os_release: t.Dict[str, str] = dataclasses.field(default_factory=dict)
    environment: t.Dict[str, str] = dataclasses.field(default_factory=dict)
    mounts: t.Tuple[MountRecord, ...] = ()
    devices: t.Tuple[str, ...] = ()
    volumes: t.Tuple[t.Dict[str, t.Any], ...] = ()
    lent: t.Tuple[t.Dict[str, t.Any], ...] = ()
    watch_pid: t.Optional[int] = None
    owner: str = ""
    expires: t.Optional[int] = None
    version: int = RECORD_VERSION

    def to_json(self) -> str:
        """The record as the text of its file."""
        return json.dumps(dataclasses.asdict(self), sort_keys=True, indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> SandboxRecord:
        """The record from the text of its file. Keys of a later version are ignored.

        Raises:
            ValueError: the text is not a record.
        """
        values = json.loads(text)
        if not isinstance(values, dict):
            raise ValueError("a record is an object")
        known = {field.name for field in dataclasses.fields(cls)}
        kept = {key: value for key, value in values.items() if key in known}
        for key in ("kernels", "devices", "volumes", "lent"):
            kept[key] = tuple(kept.get(key) or ())
        kept["mounts"] = tuple(MountRecord(**mount) for mount in kept.get("mounts") or ())
        try:
            return cls(**kept)
        except TypeError as exc:
            raise ValueError(str(exc)) from exc


def check_name(name: str) -> None:
    """Raise Invalid unless C(name) can name a sandbox."""
    if not NAME_RULE.match(name):
        raise Invalid(
            [
                "The name %r cannot name a sandbox: it starts with a letter or digit, goes on with those or any of "
                "_ . @ : -, and is at most 128 characters long." % name
            ]
        )


def directory_name(root: str) -> str:
    """The name of the sandbox of a directory that nobody has named: the same for the same directory."""
    return "dir-" + hashlib.sha256(os.fsencode(os.path.realpath(root))).hexdigest()[:16]


def record_path(name: str, state_dir: str = STATE_DIR) -> str:
    """Where the record of the sandbox C(name) is kept."""
    check_name(name)
    return os.path.join(state_dir, name + ".json")


def ensure_state_dir(state_dir: str = STATE_DIR) -> None:
    """Make the directory of the records, for root alone. Through its parent others pass to the agents' sockets."""
    parent = os.path.dirname(state_dir.rstrip("/"))
    for folder, mode in ((parent, 0o711), (state_dir, 0o700)):
        try:
            os.mkdir(folder, mode)
        except FileExistsError:
            os.chmod(folder, mode)
        except OSError as exc:
            raise BuildError("Cannot make the directory %s: %s." % (folder, exc.strerror)) from exc


def write_record(record: SandboxRecord, state_dir: str = STATE_DIR) -> None:
    """Keep the record; readers see the old one or the new one, never half of it."""
    ensure_state_dir(state_dir)
    path = record_path(record.name, state_dir)
    draft = path + ".new"
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with open(handle, "w", encoding="utf-8") as stream:
        stream.write(record.to_json())
    os.rename(draft, path)


def read_record(name: str, state_dir: str = STATE_DIR) -> t.Optional[SandboxRecord]:
    """The record of the sandbox C(name), or None. Whether it still lives: C(is_alive).

    Raises:
        BuildError: there is a file, but no record in it.
    """
    path = record_path(name, state_dir)
    try:
        with open(path, encoding="utf-8") as stream:
            return SandboxRecord.from_json(stream.read())
    except FileNotFoundError:
        return None
    except ValueError as exc:
        raise BuildError(
            "The file %s is not the record of a sandbox: %s." % (path, exc), hint="Remove the file.", path=path
        ) from exc
    except OSError as exc:
        raise BuildError("Cannot read %s: %s." % (path, exc.strerror), path=path) from exc


def remove_record(name: str, state_dir: str = STATE_DIR) -> None:
    """Forget the sandbox; one that is not known is none to forget."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(record_path(name, state_dir))


def list_records(state_dir: str = STATE_DIR) -> t.List[SandboxRecord]:
    """All records, by name; those of dead holders too."""
    try:
        files = sorted(os.listdir(state_dir))
    except FileNotFoundError:
        return []
    records = (read_record(file[: -len(".json")], state_dir) for file in files if file.endswith(".json"))
    return [record for record in records if record]


def has_ended(record: SandboxRecord) -> bool:
    """Whether nothing of the sandbox's processes is left: its holder ends after all others have."""
    fields = stat_fields(record.pid)
    return fields is None or fields[0] in DEAD_STATES or int(fields[19]) != record.start_time


def boot_id() -> str:
    """The kernel's name for this boot."""
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as stream:
        return stream.read().strip()


def is_alive(record: SandboxRecord) -> bool:
    """Whether the holder that the record names still lives, and not another process under its id."""
    return record.boot_id == boot_id() and process_start_time(record.pid) == record.start_time


@contextlib.contextmanager
def locked(name: str, state_dir: str = STATE_DIR, *, wait: bool = True) -> t.Iterator[None]:
    """Hold the lock of the sandbox C(name): opening and closing it happen one at a time.

    Args:
        wait: for whoever has it; else BlockingIOError is raised.

    The kernel drops the lock with the process that holds it. The lock's file goes with the record, so whoever
    has waited makes sure that what it locked is still the file of that name.
    """
    check_name(name)
    ensure_state_dir(state_dir)
    path = os.path.join(state_dir, name + ".lock")
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            raise
        if is_file(handle, path):
            break
        os.close(handle)
    try:
        yield
    finally:
        if not os.path.exists(record_path(name, state_dir)):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
        os.close(handle)


def is_file(handle: int, path: str) -> bool:
    """Whether the open file is still the one of that name."""
    try:
        return os.path.samestat(os.fstat(handle), os.stat(path))
    except FileNotFoundError:
        return False


__all__ = (
    "AGENTS_DIR",
    "IMAGE_PATH",
    "RECORD_VERSION",
    "STATE_DIR",
    "MountRecord",
    "SandboxRecord",
    "boot_id",
    "check_name",
    "directory_name",
    "ensure_state_dir",
    "has_ended",
    "is_alive",
    "is_file",
    "list_records",
    "locked",
    "process_start_time",
    "read_record",
    "record_path",
    "remove_record",
    "write_record",
)
