# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Paths of an image stay in the image, with the kernel's help and without."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.bakehouse.images.plugins.module_utils import _inside as paths
from ansible_collections.bakehouse.images.plugins.module_utils import _system_calls


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """An image with links that would lead out of it, and a secret outside."""
    (tmp_path / "secret").write_text("outside")
    root = tmp_path / "image"
    for folder in ("etc", "usr/lib", "var", "run/systemd"):
        (root / folder).mkdir(parents=True)
    (root / "usr/lib/os-release").write_text("ID=inside")
    (root / "secret").write_text("inside")
    (root / "lib").symlink_to("usr/lib")
    (root / "etc/os-release").symlink_to("../usr/lib/os-release")
    (root / "etc/up").symlink_to("../../../../../secret")
    (root / "etc/absolute").symlink_to(str(tmp_path / "secret"))
    (root / "etc/slash").symlink_to("/secret")
    (root / "var/run").symlink_to("/run")
    (root / "etc/dangling").symlink_to("../var/run/systemd/resolv.conf")
    (root / "loop").symlink_to("loop")
    return root


@pytest.fixture(params=["openat2", "walking"], autouse=True)
def kernel(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The two ways a path is opened; the second is for kernels older than 5.6."""
    if request.param == "walking":

        def missing(*_args: object, **_more: object) -> int:
            raise OSError(errno.ENOSYS, "not there")

        monkeypatch.setattr(_system_calls, "openat2", missing)
    before = len(os.listdir("/proc/self/fd"))
    yield request.param
    assert len(os.listdir("/proc/self/fd")) == before, "a file descriptor was left open"


@pytest.mark.parametrize(
    ("path", "contents"),
    [
        ("/secret", b"inside"),
        ("../../secret", b"inside"),
        ("/etc/up", b"inside"),
        ("/etc/slash", b"inside"),
        ("/etc/../etc/./slash", b"inside"),
        ("/lib/os-release", b"ID=inside"),
        ("/etc/os-release", b"ID=inside"),
        ("/etc/absolute", None),
        ("/etc/dangling", None),
        ("/loop", None),
        ("/etc", None),
        ("/secret/below", None),
    ],
)
def test_reading(image: Path, path: str, contents: bytes | None) -> None:
    assert paths.read_bytes(str(image), path) == contents


def test_reading_never_waits_for_a_fifo(image: Path) -> None:
    os.mkfifo(image / "fifo")
    assert paths.read_bytes(str(image), "/fifo") is None


def test_a_loop_of_links_ends(image: Path) -> None:
    with pytest.raises(OSError, match="Too many levels"):
        paths.open_in_root(str(image), "/loop")
    with pytest.raises(OSError, match="Too many levels"):
        paths.final_path(str(image), "/loop/below")


@pytest.mark.parametrize(
    ("path", "final"),
    [
        ("/etc/dangling", "/run/systemd/resolv.conf"),
        ("/etc/up", "/secret"),
        ("/var/run/x/../y", "/run/y"),
        ("/nothing/here", "/nothing/here"),
        ("/../..", "/"),
    ],
)
def test_where_a_path_leads(image: Path, path: str, final: str) -> None:
    assert paths.final_path(str(image), path) == final


def test_links_and_what_they_lead_to(image: Path) -> None:
    assert paths.read_link(str(image), "/etc/up") == "../../../../../secret"
    assert paths.read_link(str(image), "/secret") is None
    assert paths.read_link(str(image), "/nothing") is None
    assert paths.status(str(image), "/etc/dangling") is None
    assert paths.status(str(image), "/etc/dangling", follow=False) is not None


def test_directories_are_made_inside(image: Path, tmp_path: Path) -> None:
    (image / "out").symlink_to(tmp_path / "elsewhere")
    place, made = paths.make_directory(str(image), "/out/deep/er", 0o1777)
    assert place == f"{tmp_path}/elsewhere/deep/er"
    assert not (tmp_path / "elsewhere").exists()
    assert made[-1] == place
    assert (image / place.lstrip("/")).stat().st_mode & 0o7777 == 0o1777
    assert paths.make_directory(str(image), "/out/deep/er") == (place, [])


def test_names_are_changed_where_the_folder_really_is(image: Path) -> None:
    with paths.opened_parent(str(image), "/var/run/new") as (folder, name):
        os.symlink("x", name, dir_fd=folder)
    assert os.readlink(image / "run/new") == "x"
