# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Directory trees: what is read, what differs, what is carried over, and what a hostile archive cannot do."""

from __future__ import annotations

import io
import json
import os
import tarfile
from pathlib import Path

import pytest
from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError, Conflict, Refused
from ansible_collections.bakehouse.images.plugins.module_utils._tree.carrying import Placing, pack, place
from ansible_collections.bakehouse.images.plugins.module_utils._tree.comparing import compare
from ansible_collections.bakehouse.images.plugins.module_utils._tree.scanning import (
    Entry,
    Excludes,
    Tree,
    from_wire,
    require,
    scan,
    to_wire,
)
from ansible_collections.bakehouse.images.plugins.module_utils._tree.steps import run_step


def tree(top: Path, *excludes: str) -> Tree:
    return require(scan(str(top), Excludes(excludes), digest=True), str(top))


def carry(source: Path, target: Path, *excludes: str, delete: bool = False) -> None:
    """What a transfer does, without the way between."""
    wanted = tree(source, *excludes)
    found = tree(target, *excludes) if target.exists() else {}
    changes = compare(wanted, found, delete=delete, by_time=False, owner=False)
    archive = io.BytesIO()
    pack(str(source), sorted(changes.sent), archive)
    archive.seek(0)
    part = {name: wanted[name] for name in (*changes.added, *changes.changed)}
    place(Placing(str(target), 0o755, False), part, changes.removed, archive)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    top = tmp_path / "source"
    (top / "sub" / "empty").mkdir(parents=True)
    (top / ".hidden").write_text("hidden")
    (top / "program").write_text("#!/bin/sh\n")
    (top / "program").chmod(0o755)
    (top / "sub" / "data").write_bytes(bytes(range(256)) * 1000)
    (top / "sub" / "link").symlink_to("/etc/passwd")
    (top / "sub" / "dangling").symlink_to("nowhere")
    return top


def test_a_tree_is_carried_over_as_it_is(source: Path, tmp_path: Path) -> None:
    (source / "sub" / "empty").chmod(0o500)
    os.utime(source / "program", ns=(1, 1_600_000_000_123_456_789))
    carry(source, tmp_path / "made" / "target")
    assert tree(tmp_path / "made" / "target") == tree(source)
    assert os.readlink(tmp_path / "made/target/sub/link") == "/etc/passwd"


def test_nothing_differs_afterwards(source: Path, tmp_path: Path) -> None:
    carry(source, tmp_path / "target")
    changes = compare(tree(source), tree(tmp_path / "target"), delete=True, by_time=True, owner=True)
    assert not changes
    assert changes.sent == frozenset()


@pytest.mark.parametrize("name", [b"new\nline", b"-n", b"\xff\xfe", "\u2603".encode(), b"a b'c\"d$e", b"*"])
def test_names_are_only_bytes(tmp_path: Path, name: bytes) -> None:
    source = tmp_path / "source"
    source.mkdir()
    path = os.path.join(os.fsencode(source), name)
    with open(path, "w") as stream:
        stream.write("text")
    scanned = scan(str(source), Excludes([]), digest=True)
    assert from_wire(json.loads(json.dumps(to_wire(scanned)))) == scanned
    carry(source, tmp_path / "target")
    assert os.listdir(os.fsencode(tmp_path / "target")) == [name]


def test_a_changed_mode_sends_no_contents(source: Path, tmp_path: Path) -> None:
    carry(source, tmp_path / "target")
    (source / "program").chmod(0o700)
    changes = compare(tree(source), tree(tmp_path / "target"), delete=False, by_time=False, owner=False)
    assert changes == ((), (b"program",), (), frozenset())


def test_extra_names_go_only_when_asked(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "target"
    (target / "old" / "deep").mkdir(parents=True)
    (target / "old" / "deep" / "file").write_text("")
    carry(source, target)
    assert (target / "old/deep/file").exists()
    carry(source, target, delete=True)
    assert tree(target) == tree(source)


def test_excluded_names_are_left_alone_on_both_sides(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "target"
    (target / "sub" / "cache").mkdir(parents=True)
    (target / "sub" / "cache" / "kept").write_text("kept")
    (target / "gone").write_text("")
    carry(source, target, "cache/", "sub/d*", delete=True)
    assert {str(path.relative_to(target)) for path in target.rglob("*")} == {
        ".hidden",
        "program",
        "sub",
        "sub/cache",
        "sub/cache/kept",
        "sub/empty",
        "sub/link",
    }


@pytest.mark.parametrize(
    ("pattern", "name", "is_directory", "expected"),
    [
        ("*.pyc", b"a/b.pyc", False, True),
        ("a/*.pyc", b"a/b.pyc", False, True),
        ("a/*.pyc", b"c/a/b.pyc", False, False),
        ("/top", b"top", False, True),
        ("/top", b"sub/top", False, False),
        (".git/", b".git", True, True),
        (".git/", b".git", False, False),
        ("[ab]", b"c", False, False),
    ],
)
def test_patterns(pattern: str, name: bytes, is_directory: bool, expected: bool) -> None:
    assert Excludes([pattern]).match(name, is_directory) is expected


def test_kinds_change_into_one_another(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    for top in (source, target):
        top.mkdir()
    (source / "a").write_text("file")
    (source / "b").mkdir()
    (source / "c").symlink_to("a")
    (target / "a").symlink_to("/etc")
    (target / "b").write_text("file")
    (target / "c").mkdir()
    (target / "c" / "below").write_text("")
    with pytest.raises(Conflict, match="c is a link at the source and a directory at the destination. Remove"):
        carry(source, target)
    carry(source, target, delete=True)
    assert tree(target) == tree(source)


def test_devices_and_pipes_are_skipped(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    scanned = scan(str(tmp_path), Excludes([]), digest=True)
    assert scanned.tree == {}
    assert scanned.skipped == (b"pipe",)


class TestHostileArchives:
    """What a host sends that wants to write elsewhere on the controller."""

    @staticmethod
    def archive(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> io.BytesIO:
        made = io.BytesIO()
        with tarfile.open(fileobj=made, mode="w") as tar:
            info = tarfile.TarInfo(name)
            info.type, info.linkname, info.size = kind, link, 4 if kind == tarfile.REGTYPE else 0
            tar.addfile(info, io.BytesIO(b"evil"))
        made.seek(0)
        return made

    @pytest.mark.parametrize("name", ["../outside", "/outside", "sub/../../outside", "unasked"])
    def test_only_what_was_asked_for_is_written(self, tmp_path: Path, name: str) -> None:
        target = tmp_path / "target"
        with pytest.raises(BuildError, match="was not asked for"):
            place(Placing(str(target), 0o755, False), {b"asked": Entry("file", 0o644)}, [], self.archive(name))
        assert list(tmp_path.iterdir()) == [target]
        assert list(target.iterdir()) == []

    @pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE])
    def test_only_contents_of_files_are_taken(self, tmp_path: Path, kind: bytes) -> None:
        with pytest.raises(BuildError, match="was not asked for"):
            wanted = {b"asked": Entry("file", 0o644)}
            place(Placing(str(tmp_path), 0o755, False), wanted, [], self.archive("asked", kind, "/etc/passwd"))
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("name", [b"../outside", b"/outside", b"a//b", b""])
    def test_names_that_lead_out_are_refused(self, tmp_path: Path, name: bytes) -> None:
        target = tmp_path / "target"
        target.mkdir()
        with pytest.raises(BuildError, match="not a name below a directory"):
            place(Placing(str(target), 0o755, False), {name: Entry("link", 0, content="x")}, [], io.BytesIO())
        assert list(tmp_path.iterdir()) == [target]

    def test_what_is_no_archive_is_an_error(self, tmp_path: Path) -> None:
        with pytest.raises(BuildError, match="archive cannot be read"):
            place(Placing(str(tmp_path), 0o755, False), {}, [], io.BytesIO(b"garbage" * 1000))

    def test_a_link_that_was_just_made_is_not_written_through(self, tmp_path: Path) -> None:
        outside, target = tmp_path / "outside", tmp_path / "target"
        outside.mkdir()
        wanted = {
            b"way": Entry("link", 0, content=str(outside)),
            b"way/file": Entry("file", 0o644),
        }
        with pytest.raises(BuildError, match="Cannot write way/file"):
            place(Placing(str(target), 0o755, False), wanted, [], self.archive("way/file"))
        assert list(outside.iterdir()) == []


def test_only_archives_of_transfers_are_discarded(tmp_path: Path) -> None:
    with pytest.raises(Refused):
        run_step("discard", "/srv", {"archive": str(tmp_path / "file")})
    assert tmp_path.exists()
