# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A large file into a root file system and out of it, beside cp."""

from __future__ import annotations

import os
import subprocess
import time
import typing as t
from collections.abc import Callable
from pathlib import Path

from ansible.playbook.play_context import PlayContext
from ansible.plugins.loader import connection_loader

from tests.integration.roots import connect, opened

MEBIBYTE = 1 << 20
SIZE_MEBIBYTES = 1024


def race_transfers(root: Path, folder: Path, warm_ups: int, runs: int) -> dict[str, list[float]]:
    """MiB/s of each run, by what was done. Each writes a new file, of one that is in memory."""
    source, target = folder / "source", folder / "back"
    _fill(source)
    speeds: dict[str, list[float]] = {}
    with opened(root) as record:
        ours = connect(ansible_chroot_sandbox=record.name)
        theirs = _community(root)
        inside = "/var/large"
        deeds: dict[str, Callable[[], t.Any]] = {
            "cp into the root": lambda: _cp(source, root / "var/large"),
            "put, ours": lambda: ours.put_file(str(source), inside),
            "put, community.general.chroot": lambda: theirs.put_file(str(source), inside),
            "cp out of the root": lambda: _cp(root / "var/large", target),
            "fetch, ours": lambda: ours.fetch_file(inside, str(target)),
            "fetch, community.general.chroot": lambda: theirs.fetch_file(inside, str(target)),
        }
        for number in range(warm_ups + runs):
            for name, deed in deeds.items():
                made = target if "fetch" in name or "out of" in name else root / "var/large"
                made.unlink(missing_ok=True)
                speed = SIZE_MEBIBYTES / _seconds(deed)
                if number >= warm_ups:
                    speeds.setdefault(name, []).append(speed)
                if made.stat().st_size != SIZE_MEBIBYTES * MEBIBYTE:
                    raise AssertionError(f"{name}: the copy has {made.stat().st_size} bytes.")
    return speeds


def _fill(path: Path) -> None:
    """Random bytes: no holes to leave out."""
    with path.open("wb") as stream:
        for _number in range(SIZE_MEBIBYTES // 16):
            stream.write(os.urandom(16 * MEBIBYTE))


def _cp(source: Path, target: Path) -> None:
    subprocess.run(["cp", "--reflink=never", source, target], check=True)


def _community(root: Path) -> t.Any:
    context = PlayContext()
    context.remote_addr = str(root)
    connection = connection_loader.get("community.general.chroot", context, "/dev/null")
    connection.set_options(var_options={"ansible_host": str(root)})
    return connection


def _seconds(deed: Callable[[], t.Any]) -> float:
    # What others still have to write would fall on this one.
    os.sync()
    start = time.monotonic()
    deed()
    return time.monotonic() - start


__all__ = ("race_transfers",)
