# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Directories that hold a root file system, and the sandboxes on them."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import typing as t
import uuid
from collections.abc import Iterator
from pathlib import Path

from ansible.playbook.play_context import PlayContext
from ansible.plugins.loader import connection_loader
from ansible_collections.bakehouse.images.plugins.module_utils._run import LocalRunner
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox import entry, state
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox.closing import close_sandbox
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox.opening import OpenRequest, open_sandbox

if t.TYPE_CHECKING:
    from ansible_collections.bakehouse.images.plugins.connection.chroot import Connection

# What a root needs to run a shell and take files, on any architecture: the programs, and what they are linked with.
TINY_PROGRAMS = ("usr/bin/dash", "usr/bin/cat")
TINY_LIBRARIES = ("ld-linux*", "ld64*", "libc.so.6")


def unpack(tarball: Path, root: Path) -> Path:
    """A root file system from a tarball."""
    root.mkdir()
    subprocess.run(["tar", "--extract", "--numeric-owner", "--file", tarball, "--directory", root], check=True)
    return root


def tiny_root(source: Path, root: Path) -> Path:
    """A root with a shell and C(cat), and nothing else: no Python, no users, no /tmp."""
    files = [source / name for name in TINY_PROGRAMS]
    files += [path for name in TINY_LIBRARIES for path in (source / "usr").glob(f"lib*/**/{name}")]
    for path in files:
        target = root / path.relative_to(source)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, target)
    for name in ("bin", "lib", "lib64"):
        if (root / "usr" / name).is_dir():
            (root / name).symlink_to(f"usr/{name}")
    (root / "bin" / "sh").symlink_to("dash")
    for name in ("proc", "sys", "dev", "run"):
        (root / name).mkdir()
    return root


@contextlib.contextmanager
def opened(root: Path, **options: t.Any) -> Iterator[state.SandboxRecord]:
    """The sandbox on a directory, with these options of C(OpenRequest)."""
    name = f"test-{uuid.uuid4().hex[:12]}"
    try:
        yield open_sandbox(OpenRequest(name=name, root=str(root), **options), runner=LocalRunner()).record
    finally:
        close_sandbox(name, runner=LocalRunner())


def install(record: state.SandboxRecord, *packages: str, update: bool = True) -> None:
    """Install Debian packages in a sandbox, no more than they need."""
    apt = "apt-get -qq -o Acquire::Languages=none -o Acquire::Retries=8 -o Dpkg::Options::=--force-unsafe-io"
    script = f"{apt} install -y --no-install-recommends {' '.join(packages)}"
    argv = entry.enter_argv(
        record,
        ["/bin/sh", "-ec", f"{apt} update; {script}" if update else script],
        environment={"DEBIAN_FRONTEND": "noninteractive"},
    )
    done = subprocess.run(argv, check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@contextlib.contextmanager
def opened_device(device: str) -> Iterator[state.SandboxRecord]:
    """The sandbox on a block device."""
    name = f"test-{uuid.uuid4().hex[:12]}"
    try:
        yield open_sandbox(OpenRequest(name=name, device=device), runner=LocalRunner()).record
    finally:
        close_sandbox(name, runner=LocalRunner())


def connect(**variables: object) -> Connection:
    """A connection, as a task with these host variables gets it."""
    connection = connection_loader.get("bakehouse.images.chroot", PlayContext(), ansible_playbook_pid="1")
    connection.set_options(var_options=variables)
    return t.cast("Connection", connection)
