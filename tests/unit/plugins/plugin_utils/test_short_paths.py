# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Short names for sockets in folders with long ones."""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.bakehouse.images.plugins.plugin_utils import _short_paths
from ansible_collections.bakehouse.images.plugins.plugin_utils._short_paths import MAX_SOCKET_PATH, short_path


@pytest.fixture
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where short names are made, and nowhere else."""
    with tempfile.TemporaryDirectory() as name:
        monkeypatch.setenv("XDG_RUNTIME_DIR", name)
        monkeypatch.setattr(_short_paths, "TEMPORARY", "not absolute")
        monkeypatch.setattr(tempfile, "tempdir", "not absolute")
        yield Path(name)


@pytest.fixture
def deep(tmp_path: Path) -> Path:
    folder = tmp_path / ("d" * 120)
    folder.mkdir()
    return folder


def links(runtime: Path) -> list[Path]:
    return sorted((runtime / f"bakehouse-{os.geteuid()}").iterdir())


def test_a_short_one_stays_as_it_is(runtime: Path) -> None:
    assert short_path("/run/x/socket") == "/run/x/socket"
    assert not list(runtime.iterdir())


def test_a_long_one_leads_to_the_same_place(runtime: Path, deep: Path) -> None:
    short = short_path(str(deep / "socket"))
    assert short == short_path(str(deep / "socket"))
    assert short
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(short)
    assert (deep / "socket").is_socket()
    assert [link.is_symlink() for link in links(runtime)] == [True]
    assert links(runtime)[0].parent.stat().st_mode & 0o777 == 0o700


def test_room_is_left_for_what_is_added(runtime: Path) -> None:
    path = "/" + "x" * (MAX_SOCKET_PATH - 4)
    assert short_path(path, spare=3) == path
    assert short_path(path, spare=4) != path


def test_links_of_runs_that_have_ended_go(runtime: Path, deep: Path, tmp_path: Path) -> None:
    assert short_path(str(deep / "socket"))
    before = links(runtime)
    deep.rmdir()
    other = tmp_path / ("e" * 120)
    other.mkdir()
    assert short_path(str(other / "socket"))
    after = links(runtime)
    assert len(after) == 1
    assert after != before


@pytest.mark.parametrize("trap", ["open to others", "a link", "a file", "a link of another name"])
def test_what_others_may_have_made_is_not_used(runtime: Path, deep: Path, tmp_path: Path, trap: str) -> None:
    place = runtime / f"bakehouse-{os.geteuid()}"
    if trap == "open to others":
        place.mkdir()
        place.chmod(0o770)
    elif trap == "a link":
        place.symlink_to(tmp_path)
    elif trap == "a file":
        place.touch()
    else:
        short = short_path(str(deep / "socket"))
        assert short
        link = Path(short).parent
        link.unlink()
        link.symlink_to(tmp_path)
    assert short_path(str(deep / "socket")) is None


def test_one_place_may_be_in_the_way_of_no_other(runtime: Path, deep: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_short_paths, "TEMPORARY", str(runtime))
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/proc/nowhere")
    short = short_path(str(deep / "socket"))
    assert short
    assert short.startswith(str(runtime))
