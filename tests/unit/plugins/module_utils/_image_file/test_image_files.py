# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A disk image file is there whole or not at all, and nobody else's file is ever touched."""

from __future__ import annotations

import os
import typing as t

import pytest
from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError, Conflict, Invalid, Refused
from ansible_collections.bakehouse.images.plugins.module_utils._image_file import file_tags
from ansible_collections.bakehouse.images.plugins.module_utils._image_file.converting import backing_name
from ansible_collections.bakehouse.images.plugins.module_utils._image_file.looking import (
    content_digest,
    look,
    require,
    source_identity,
)
from ansible_collections.bakehouse.images.plugins.module_utils._image_file.removal import (
    files_of_build,
    plan_absent,
    plan_removal,
    remove,
)
from ansible_collections.bakehouse.images.plugins.module_utils._image_file.sparse import copy_file, data_extents
from ansible_collections.bakehouse.images.plugins.module_utils._image_file.writing import (
    FileRequest,
    plan_present,
    unfinished_path,
)
from ansible_collections.bakehouse.images.plugins.module_utils._plan import apply_plan

from tests.replay import ReplayRunner

if t.TYPE_CHECKING:
    from pathlib import Path

MIB = 1024 * 1024
BUILD = "3f9c2a7d51e84b60"
NO_COMMANDS = ReplayRunner({})


def tags(build_id: str = BUILD, fingerprint: str = "f1") -> dict[str, str]:
    return {"bakehouse:build-id": build_id, "bakehouse:fingerprint": fingerprint}


def have(path: Path, **options: t.Any) -> bool:
    """Have a file, and say whether that changed anything."""
    plan = plan_present(NO_COMMANDS, FileRequest(path=str(path), **options))
    apply_plan(plan.operations)
    return bool(plan.operations)


@pytest.fixture
def sparse(tmp_path: Path) -> Path:
    """Eight MiB, of which two stretches are data."""
    path = tmp_path / "sparse.raw"
    with path.open("wb") as stream:
        stream.truncate(8 * MIB)
        stream.seek(MIB)
        stream.write(b"begin" * 1000)
        stream.seek(5 * MIB)
        stream.write(b"end" * 1000)
    return path


def disk_bytes(path: Path) -> int:
    return path.stat().st_blocks * 512


def test_a_blank_disk_has_a_size_and_takes_no_space(tmp_path: Path) -> None:
    path = tmp_path / "new" / "blank.raw"
    assert have(path, size_bytes=64 * MIB)
    assert path.stat().st_size == 64 * MIB
    assert disk_bytes(path) < MIB
    assert not have(path, size_bytes=64 * MIB)


def test_a_copy_has_the_contents_and_the_holes(sparse: Path, tmp_path: Path) -> None:
    path = tmp_path / "copy.raw"
    assert have(path, source=str(sparse), size_bytes=16 * MIB, tags=tags())
    assert path.stat().st_size == 16 * MIB
    assert path.read_bytes()[: 8 * MIB] == sparse.read_bytes()
    assert disk_bytes(path) <= disk_bytes(sparse) + 64 * 1024
    assert sorted(it.name for it in tmp_path.iterdir()) == ["copy.raw", "sparse.raw"], "nothing beside it"
    assert not have(path, source=str(sparse), size_bytes=16 * MIB, tags=tags("0" * 16)), "the fingerprint decides"


def test_another_size_or_another_content_is_another_file(sparse: Path, tmp_path: Path) -> None:
    path = tmp_path / "copy.raw"
    have(path, source=str(sparse))
    with pytest.raises(Conflict, match="is another one than asked for"):
        have(path, source=str(sparse), size_bytes=16 * MIB)
    with sparse.open("r+b") as stream:
        stream.write(b"changed")
    with pytest.raises(Conflict, match="is another one than asked for"):
        have(path, source=str(sparse))
    assert have(path, source=str(sparse), overwrite=True)
    assert path.read_bytes() == sparse.read_bytes()


def test_what_a_copy_is_made_from_cannot_be_larger(sparse: Path, tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="A disk cannot be smaller than what it is made from"):
        have(tmp_path / "copy.raw", source=str(sparse), size_bytes=4 * MIB)
    assert not (tmp_path / "copy.raw").exists()


def test_a_moved_source_keeps_its_blocks(sparse: Path, tmp_path: Path) -> None:
    inode = sparse.stat().st_ino
    path = tmp_path / "moved.raw"
    assert have(path, source=str(sparse), remove_source=True, tags=tags())
    assert path.stat().st_ino == inode
    assert not sparse.exists()


def test_a_source_that_cannot_be_moved_stays(sparse: Path, tmp_path: Path) -> None:
    before = sparse.read_bytes()
    path = tmp_path / "moved.raw"
    plan = plan_present(NO_COMMANDS, FileRequest(path=str(path), source=str(sparse), remove_source=True, tags=tags()))
    path.write_bytes(b"another's")  # it appears between the look and the deed
    with pytest.raises(Conflict, match="has appeared while it was made"):
        apply_plan(plan.operations)
    assert path.read_bytes() == b"another's"
    assert sparse.read_bytes() == before
    assert sorted(it.name for it in tmp_path.iterdir()) == ["moved.raw", "sparse.raw"]


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_foreign_file_is_never_written_over(tmp_path: Path, overwrite: bool) -> None:
    path = tmp_path / "image.raw"
    path.write_bytes(b"mine")
    with pytest.raises(Conflict, match="was not made by this collection"):
        have(path, size_bytes=MIB, overwrite=overwrite)
    with pytest.raises(Refused, match="was not made by this collection"):
        plan_absent(NO_COMMANDS, str(path))
    assert path.read_bytes() == b"mine"


def test_an_empty_file_is_none(tmp_path: Path) -> None:
    path = tmp_path / "image.raw"
    path.touch()
    assert have(path, size_bytes=MIB)
    assert path.stat().st_size == MIB
    path.write_bytes(b"")
    with pytest.raises(Invalid, match="is empty"):
        require(NO_COMMANDS, str(path))


def test_what_is_no_regular_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="is not a regular file"):
        look(NO_COMMANDS, str(tmp_path))
    dangling = tmp_path / "link"
    dangling.symlink_to("nowhere")
    with pytest.raises(Invalid, match="leads nowhere"):
        look(NO_COMMANDS, str(dangling))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "it is not known how large the disk is"),
        ({"size_bytes": MIB, "backing_file": "/x"}, "backing_file needs the format qcow2"),
        ({"size_bytes": MIB, "compress": True}, "compress needs the format qcow2"),
        ({"size_bytes": MIB, "remove_source": True}, "remove_source needs source"),
        ({"size_bytes": MIB, "tags": {"bakehouse:build-id": "x"}}, "a build id has 16"),
    ],
)
def test_a_request_that_makes_no_sense_is_explained(tmp_path: Path, options: dict[str, t.Any], said: str) -> None:
    with pytest.raises(Invalid, match=said):
        have(tmp_path / "image.raw", **options)


def test_a_file_that_was_written_to_since_is_known_by_its_contents(sparse: Path, tmp_path: Path) -> None:
    path = tmp_path / "image.raw"
    have(path, source=str(sparse), tags=tags(), checksum=True)
    image = require(NO_COMMANDS, str(path))
    assert (image.modified, source_identity(image)) == (False, "f1")
    assert image.checksum is not None
    with path.open("r+b") as stream:
        stream.write(b"by hand")
    changed = require(NO_COMMANDS, str(path))
    assert (changed.modified, changed.checksum) == (True, None)
    assert source_identity(changed) == content_digest(str(path))


def test_a_digest_is_of_the_contents_and_not_of_the_holes(sparse: Path, tmp_path: Path) -> None:
    full = tmp_path / "full.raw"
    full.write_bytes(sparse.read_bytes())
    assert disk_bytes(full) > disk_bytes(sparse)
    assert content_digest(str(full)) == content_digest(str(sparse))
    with full.open("r+b") as stream:
        stream.seek(3 * MIB)
        stream.write(b"x")
    assert content_digest(str(full)) != content_digest(str(sparse))


def test_data_is_found_between_holes(sparse: Path) -> None:
    with sparse.open("rb") as stream:
        extents = list(data_extents(stream.fileno()))
    assert [start for start, _end in extents] == [MIB, 5 * MIB]


def test_a_copy_over_a_file_fails(sparse: Path, tmp_path: Path) -> None:
    target = tmp_path / "there"
    target.write_bytes(b"something")
    with pytest.raises(BuildError, match="Cannot copy"):
        copy_file(str(sparse), str(target))


def test_a_sidecar_counts_for_its_own_file_only(tmp_path: Path) -> None:
    path = tmp_path / "image.raw"
    path.write_bytes(b"x")
    held = dict(tags(), **{file_tags.WRITTEN_TAG: str(path.stat().st_mtime_ns)})
    file_tags.write_sidecar(str(path), held)
    assert file_tags.read_tags(str(path)) == held
    moved = tmp_path / "moved.raw"
    file_tags.move_tags(str(path), str(moved))
    path.rename(moved)
    file_tags.forget_tags(str(path))
    assert file_tags.read_tags(str(moved)) == held
    moved.unlink()
    moved.write_bytes(b"another file of this name, perhaps of this inode")
    assert file_tags.read_tags(str(moved)) == {}


def test_only_what_a_build_has_made_is_removed(tmp_path: Path) -> None:
    image, disk = tmp_path / "web.raw", tmp_path / (".web.raw.%s.disk" % BUILD)
    unfinished = unfinished_path(str(image), BUILD)
    have(image, size_bytes=MIB, tags=tags())
    have(disk, size_bytes=MIB, tags={"bakehouse:build-id": BUILD})
    with open(unfinished, "w"):
        pass
    have(tmp_path / "other.raw", size_bytes=MIB, tags=tags("0" * 16))
    (tmp_path / "mine").touch()
    assert len(files_of_build(str(tmp_path), BUILD)) == 3
    remove(plan_removal(NO_COMMANDS, str(tmp_path), BUILD, keep=str(image), timeout_seconds=0))
    assert sorted(os.listdir(str(tmp_path))) == ["mine", "other.raw", "web.raw"]
    remove(plan_removal(NO_COMMANDS, str(tmp_path), BUILD, keep=None, timeout_seconds=0))
    assert sorted(os.listdir(str(tmp_path))) == ["mine", "other.raw"]


@pytest.mark.parametrize(
    ("path", "backing", "name"),
    [
        ("/srv/images/k8s.qcow2", "/srv/images/base.raw", "base.raw"),
        ("/srv/images/k8s.qcow2", "/srv/base.raw", "/srv/base.raw"),
        ("/srv/images/k8s.qcow2", "/srv/images/nbd:base", "./nbd:base"),
    ],
)
def test_a_backing_file_is_named_so_that_a_folder_can_be_moved(path: str, backing: str, name: str) -> None:
    assert backing_name(path, backing) == name
