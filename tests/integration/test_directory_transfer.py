# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Directories that are uploaded to images and hosts, and downloaded from there."""

from __future__ import annotations

import hashlib
import os
import tempfile
import typing as t
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.plays import Playbooks, Ran, closed, on
from tests.integration.roots import unpack

TRANSFER = "bakehouse.images.directory_transfer"
Hosts = dict[str, dict[str, t.Any]]


class Host(t.NamedTuple):
    """Where directories go: its inventory, and where its root directory is on this machine."""

    inventory: Hosts
    root: Path


@pytest.fixture(scope="module")
def root(debian_tarball: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    found = unpack(debian_tarball, tmp_path_factory.mktemp("transfer") / "root")
    yield found
    assert closed(found)


@pytest.fixture(params=["image", "local"])
def host(request: pytest.FixtureRequest) -> Host:
    """An image, and this machine itself."""
    if request.param == "local":
        return Host(
            {"image": {"ansible_connection": "local", "ansible_python_interpreter": "/usr/bin/python3"}}, Path("/")
        )
    root: Path = request.getfixturevalue("root")
    return Host(on(root, ansible_remote_tmp="/tmp"), root)


@pytest.fixture
def place(host: Host) -> Iterator[Path]:
    """A path, as the host sees it, of a directory of the host that is the test's own.

    Not below /tmp: an image's is the sandbox's own while it is open, and no other user can enter that of pytest.
    """
    with tempfile.TemporaryDirectory(prefix="transfer-", dir=host.root / "var/tmp") as name:
        Path(name).chmod(0o755)
        yield Path("/") / Path(name).relative_to(host.root)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    top = tmp_path / "here" / "site"
    (top / "css" / "empty").mkdir(parents=True)
    (top / ".hidden").write_text("hidden")
    (top / "two words\nand $(more)").write_text("text")
    (top / "css" / "run").write_text("#!/bin/sh\n")
    (top / "css" / "run").chmod(0o751)
    (top / "css" / "link").symlink_to("/etc/shadow")
    return top


def transfer(playbooks: Playbooks, host: Host, *options: dict[str, t.Any], env: dict[str, str] | None = None) -> Ran:
    return playbooks.succeed(host.inventory, [{TRANSFER: option} for option in options], env=env)


@pytest.fixture
def playbooks(tmp_path: Path) -> Playbooks:
    folder = tmp_path / "plays"
    folder.mkdir()
    return Playbooks(folder)


def listing(top: Path) -> dict[str, tuple[str, int, str]]:
    """What a tree is, as one sees it."""
    found = {}
    for path in sorted(top.rglob("*")):
        kind = "link" if path.is_symlink() else "directory" if path.is_dir() else "file"
        content = (
            os.readlink(path)
            if kind == "link"
            else hashlib.sha256(path.read_bytes()).hexdigest()
            if kind == "file"
            else ""
        )
        found[str(path.relative_to(top))] = (kind, 0 if kind == "link" else path.stat().st_mode & 0o7777, content)
    return found


def test_up_and_down_again_it_is_the_same(
    playbooks: Playbooks, host: Host, place: Path, source: Path, tmp_path: Path
) -> None:
    up = {"src": f"{source}/", "dest": str(place / "www")}
    down = {"mode": "pull", "src": f"{place}/www/", "dest": str(tmp_path / "back")}
    assert transfer(playbooks, host, up, down).recap("image")["changed"] == 2
    there = host.root / place.relative_to("/") / "www"
    assert listing(there) == listing(source) == listing(tmp_path / "back")
    assert transfer(playbooks, host, up, down, {**up, "compare": "time"}).recap("image")["changed"] == 0
    assert not list((host.root / "var/tmp").glob(".bakehouse-transfer-*"))


def test_without_a_slash_the_directory_itself_goes(
    playbooks: Playbooks, host: Host, place: Path, source: Path, tmp_path: Path
) -> None:
    up = {"src": str(source), "dest": str(place)}
    down = {"mode": "pull", "src": f"{place}/site", "dest": str(tmp_path / "back")}
    transfer(playbooks, host, up, down)
    assert transfer(playbooks, host, up, down).recap("image")["changed"] == 0
    assert listing(host.root / place.relative_to("/") / "site") == listing(source)
    assert listing(tmp_path / "back" / "site") == listing(source)


def test_an_empty_directory_is_no_error(playbooks: Playbooks, host: Host, place: Path, tmp_path: Path) -> None:
    (tmp_path / "nothing").mkdir()
    up = {"src": f"{tmp_path}/nothing/", "dest": str(place / "nothing")}
    assert transfer(playbooks, host, up).recap("image")["changed"] == 1
    assert listing(host.root / place.relative_to("/")) == {"nothing": ("directory", 0o755, "")}
    assert transfer(playbooks, host, up).recap("image")["changed"] == 0


def test_only_what_differs_is_named_and_check_mode_changes_nothing(
    playbooks: Playbooks, host: Host, place: Path, source: Path
) -> None:
    there = host.root / place.relative_to("/")
    up = {"src": f"{source}/", "dest": str(place), "delete": True, "exclude": ["keep/"]}
    transfer(playbooks, host, up)
    (there / "keep").mkdir()
    (there / "keep" / "mine").write_text("mine")
    (there / "old").write_text("old")
    (source / ".hidden").write_text("other")
    (source / "new").write_text("new")
    before = listing(there)
    checked = playbooks.succeed(host.inventory, [{TRANSFER: up, "check_mode": True, "diff": True}])
    assert "+ new\n~ .hidden\n- old\n" in checked.output
    assert listing(there) == before
    assert transfer(playbooks, host, up).recap("image")["changed"] == 1
    assert (there / "keep" / "mine").read_text() == "mine"
    assert not (there / "old").exists()
    assert (there / ".hidden").read_text() == "other"


def test_owners_are_kept_when_asked(playbooks: Playbooks, host: Host, place: Path, source: Path) -> None:
    os.chown(source / ".hidden", 1234, 5678)
    up = {"src": f"{source}/", "dest": str(place)}
    there = host.root / place.relative_to("/") / ".hidden"
    transfer(playbooks, host, up)
    assert (there.stat().st_uid, there.stat().st_gid) == (0, 0)
    transfer(playbooks, host, {**up, "preserve_owner": True})
    assert (there.stat().st_uid, there.stat().st_gid) == (1234, 5678)


def test_another_user_of_the_host_receives_it(playbooks: Playbooks, host: Host, place: Path, source: Path) -> None:
    there = host.root / place.relative_to("/")
    os.chown(there, 65534, 65534)
    task = {TRANSFER: {"src": f"{source}/", "dest": str(place)}, "become": True, "become_user": "nobody"}
    playbooks.succeed(host.inventory, [task])
    assert listing(there) == listing(source)
    assert {path.lstat().st_uid for path in there.rglob("*")} == {65534}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"src": "/nowhere", "dest": "/srv"}, "/nowhere"),
        ({"mode": "pull", "src": "/nowhere", "dest": "/srv"}, "There is no directory /nowhere"),
        ({"mode": "pull", "src": "relative", "dest": "/srv"}, "must be an absolute path, not relative"),
        ({"src": "/etc/", "dest": "/etc/passwd"}, "/etc/passwd is not a directory"),
    ],
)
def test_errors_say_what_is_wrong(playbooks: Playbooks, host: Host, options: dict[str, str], message: str) -> None:
    ran = playbooks.run(host.inventory, [{TRANSFER: options}])
    assert ran.rc != 0
    assert message in ran.output


def test_a_large_file_takes_no_memory(playbooks: Playbooks, root: Path, tmp_path: Path) -> None:
    """With less address space than the file has bytes, but for what Python itself takes."""
    source = tmp_path / "large"
    source.mkdir()
    with (source / "file").open("wb") as stream:
        stream.truncate(300 << 20)
    wrapper = root / "usr/local/bin/limited-python"
    wrapper.write_text('#!/bin/sh\nulimit -v 200000 && exec /usr/bin/python3 "$@"\n')
    wrapper.chmod(0o755)
    inventory = on(root, ansible_remote_tmp="/tmp", ansible_python_interpreter="/usr/local/bin/limited-python")
    playbooks.succeed(inventory, [{TRANSFER: {"src": f"{source}/", "dest": "/srv/large"}}])
    assert (root / "srv/large/file").stat().st_size == 300 << 20
    (root / "srv/large/file").unlink()
