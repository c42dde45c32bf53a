# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Images made of files and files made of images: packed the same every time, and put only where they may be."""

from __future__ import annotations

import contextlib
import json
import os
import struct
import typing as t
from pathlib import Path

import pytest
from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError, Conflict, Invalid, NotFound
from ansible_collections.bakehouse.images.plugins.module_utils._image_file.file_tags import read_tags
from ansible_collections.bakehouse.images.plugins.module_utils._image_file.writing import FileRequest, finish
from ansible_collections.bakehouse.images.plugins.module_utils._oci.blobs import check_blob
from ansible_collections.bakehouse.images.plugins.module_utils._oci.layers import DiskFiles
from ansible_collections.bakehouse.images.plugins.module_utils._oci.limits import Allowance
from ansible_collections.bakehouse.images.plugins.module_utils._oci.manifests import (
    Descriptor,
    digest_of,
    parse_manifest,
    parse_platform,
)
from ansible_collections.bakehouse.images.plugins.module_utils._oci.packing import PackedFile, PackedImage, pack
from ansible_collections.bakehouse.images.plugins.module_utils._oci.pull import PullRequest, place_files
from ansible_collections.bakehouse.images.plugins.module_utils._oci.pulled import (
    Placed,
    files_to_place,
    link_problem,
    whole_image,
)
from ansible_collections.bakehouse.images.plugins.module_utils._oci.push import PushRequest
from ansible_collections.bakehouse.images.plugins.module_utils._oci.qcow2 import foreign_file
from ansible_collections.bakehouse.images.plugins.module_utils._oci.references import parse_reference
from ansible_collections.bakehouse.images.plugins.module_utils._oci.staging import staging_folder

from tests.replay import ReplayRunner

RUNNER = ReplayRunner({})
DIGEST = "sha256:" + "d" * 64
WEB = parse_reference("localhost:5000/web").pinned(DIGEST)


def packed(folder: Path, **files: bytes) -> PackedImage:
    """An image of files that are not compressed."""
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    wanted = [PackedFile(str(folder / name), name, None) for name in files]
    return pack(RUNNER, wanted, str(folder / "image"), platform=parse_platform("linux/arm/v7"), annotations={"b": "ü"})


def test_the_same_files_make_the_same_image(tmp_path: Path) -> None:
    first = packed(tmp_path / "one", a=b"a" * 1000, b=b"")
    os.utime(tmp_path / "one/a", (1, 1))
    second = packed(tmp_path / "two", a=b"a" * 1000, b=b"")
    assert first.digest == second.digest
    assert packed(tmp_path / "three", a=b"a" * 1000, b=b"x").digest != first.digest


def test_an_image_holds_what_was_put_into_it(tmp_path: Path) -> None:
    made = packed(tmp_path / "made", a=b"a" * 1000, b=b"b" * 512, c=b"")
    folder = Path(made.folder)
    manifest = parse_manifest((folder / "manifest.json").read_bytes(), "made")
    assert manifest.digest == made.digest
    assert manifest.config
    config = json.loads((folder / manifest.config.file_name).read_text(encoding="utf-8"))
    assert (config["os"], config["architecture"], config["variant"]) == ("linux", "arm", "v7")
    disks = DiskFiles(str(tmp_path))
    for layer, diff_id in zip(manifest.layers, config["rootfs"]["diff_ids"]):
        with open(check_blob(made.folder, layer, "layer"), "rb") as stream:
            assert disks.add_layer(stream) == diff_id
    found = {parts[-1]: Path(path).read_bytes() for parts, path in disks.files().items()}
    assert found == {"a": b"a" * 1000, "b": b"b" * 512, "c": b""}


def test_a_blob_is_what_its_manifest_says(tmp_path: Path) -> None:
    blob = Descriptor("x", digest_of(b"right"), 5)
    (tmp_path / blob.file_name).write_bytes(b"wrong")
    with pytest.raises(BuildError, match="The layer has the digest"):
        check_blob(str(tmp_path), blob, "The layer")
    (tmp_path / blob.file_name).write_bytes(b"longer")
    with pytest.raises(BuildError, match="has 6 bytes, and its manifest says 5"):
        check_blob(str(tmp_path), blob, "The layer")
    (tmp_path / blob.file_name).unlink()
    with pytest.raises(BuildError, match="was not downloaded"):
        check_blob(str(tmp_path), blob, "The layer")


def qcow2(path: Path, *, backing: bytes = b"", features: int = 0) -> Path:
    header = struct.pack(">4sIQI", b"QFI\xfb", 3, 200 if backing else 0, len(backing)).ljust(72, b"\0")
    path.write_bytes((header + struct.pack(">Q", features)).ljust(200, b"\0") + backing)
    return path


def test_images_that_refer_to_other_files_are_known(tmp_path: Path) -> None:
    path = tmp_path / "a.qcow2"
    assert foreign_file(str(qcow2(path))) is None
    assert foreign_file(str(qcow2(path, backing=b"/etc/shadow"))) == "refers to the file '/etc/shadow'"
    assert foreign_file(str(qcow2(path, features=4))) == "keeps its data in another file"
    path.write_bytes(b"QFI\xfb")
    assert foreign_file(str(path)) is None
    path.write_bytes(b"")
    assert foreign_file(str(path)) is None


def staged(folder: Path, *names: str) -> t.Dict[t.Tuple[str, ...], str]:
    for number, name in enumerate(names):
        (folder / str(number)).write_text(name)
    return {("data", "images", *name.split("/")): str(folder / str(number)) for number, name in enumerate(names)}


def request(folder: Path, **options: t.Any) -> PullRequest:
    return PullRequest(name="localhost:5000/web", directory=str(folder), **options)


@pytest.mark.parametrize("names", [("a", "a.zst"), ("a/b", "a.zst")])
def test_a_file_that_would_be_there_twice_is_refused(tmp_path: Path, names: t.Tuple[str, ...]) -> None:
    with pytest.raises(Invalid, match="'data/images/a' is there twice, compressed and not"):
        place_files(request(tmp_path), WEB, staged(tmp_path, *names), Allowance())


def test_an_image_that_reads_files_of_this_machine_is_refused(tmp_path: Path) -> None:
    path = qcow2(tmp_path / "a", backing=b"/etc/shadow")
    with pytest.raises(Invalid, match="/data/images/a refers to the file '/etc/shadow', which would be one of this"):
        place_files(request(tmp_path), WEB, {("data", "images", "a"): str(path)}, Allowance())


def test_an_image_without_disk_images_says_so(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="holds no file below /data/images"):
        place_files(request(tmp_path), WEB, {}, Allowance())


def pulled(folder: Path, name: str, *, count: int = 1, digest: str = DIGEST) -> Placed:
    """A file as it is when it was pulled."""
    one = Placed("images/" + name, str(folder / "images" / name), str(folder / "staged"))
    Path(one.path).parent.mkdir(exist_ok=True, parents=True)
    Path(one.staged).write_text(name)
    finish(FileRequest(path=one.path, overwrite=True, tags=one.tags("web", digest, count)), one.staged)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(one.staged)
    return one


def test_an_image_is_there_when_all_of_it_is_as_it_was_pulled(tmp_path: Path) -> None:
    def names(*, compressed: bool = False) -> t.Optional[t.List[str]]:
        found = whole_image(RUNNER, str(tmp_path), DIGEST, compressed=compressed)
        return None if found is None else [os.path.basename(image.path) for image in found]

    assert names() is None
    pulled(tmp_path, "a", count=2)
    assert names() is None
    two = pulled(tmp_path, "b", count=2)
    assert names() == names(compressed=True) == ["a", "b"]
    assert read_tags(two.path)["bakehouse:oci-name"] == "web"
    Path(two.path).write_text("other")
    assert names() is None


def place(folder: Path, one: Placed, *, overwrite: bool = False) -> t.List[Placed]:
    tags = {one.path: one.tags("web", DIGEST, 1)}
    return files_to_place(RUNNER, str(folder), [one], tags, overwrite)


def test_only_our_own_files_are_replaced_and_only_if_asked_to(tmp_path: Path) -> None:
    one = pulled(tmp_path, "a")
    assert place(tmp_path, one) == []
    Path(one.path).write_text("changed by its user")
    with pytest.raises(Conflict, match="was written to after it was pulled. Set overwrite"):
        place(tmp_path, one)
    assert place(tmp_path, one, overwrite=True) == [one]
    pulled(tmp_path, "a", digest="sha256:" + "e" * 64)
    with pytest.raises(Conflict, match="is another file than the image has"):
        place(tmp_path, one)
    os.unlink(one.path)
    Path(one.path).write_text("a stranger's")
    with pytest.raises(Conflict, match="was not made by this collection"):
        place(tmp_path, one, overwrite=True)
    Path(one.path).write_text("")
    assert place(tmp_path, one) == [one]


def test_nothing_is_written_through_a_link_below_the_directory(tmp_path: Path) -> None:
    elsewhere, directory = tmp_path / "elsewhere", tmp_path / "directory"
    for folder in (elsewhere, directory / "images"):
        folder.mkdir(parents=True)
    (directory / "images/deep").symlink_to(elsewhere)
    (directory / "images/file").symlink_to(elsewhere / "file")
    (tmp_path / "link").symlink_to(directory)
    for name in ("deep/a", "file"):
        one = Placed("images/" + name, str(directory / "images" / name), "")
        with pytest.raises(Conflict, match="is (no folder but )?a link"):
            place(directory, one, overwrite=True)
    assert link_problem(str(tmp_path / "link"), "images/a") is None, "the directory itself may be one"


def test_only_folders_that_nobody_holds_are_removed(tmp_path: Path) -> None:
    (tmp_path / ".oci.left.part").mkdir()
    (tmp_path / ".oci.left.part/file").touch()
    (tmp_path / ".oci.file.part").touch()
    (tmp_path / "images.part").mkdir()
    with staging_folder(str(tmp_path)) as one, staging_folder(str(tmp_path)) as other:
        assert os.path.isdir(one)
        assert one != other
        assert oct(os.stat(one).st_mode & 0o777) == "0o700"
        kept = {os.path.basename(path) for path in (one, other)} | {".oci.file.part", "images.part"}
        assert set(os.listdir(tmp_path)) == kept
    assert set(os.listdir(tmp_path)) == {".oci.file.part", "images.part"}


def test_all_mistakes_of_a_request_are_told_together(tmp_path: Path) -> None:
    with pytest.raises(Invalid) as caught:
        PullRequest(name="UPPER", directory="images", digest="1", platform="arm").reference()
    assert len(caught.value.problems) == 4
    path = qcow2(tmp_path / ".wh.a", backing=b"base.raw")
    images: t.List[t.Dict[str, t.Optional[str]]] = [
        {"path": "/nowhere", "name": "a/b"},
        {"path": str(path), "name": None},
        {"path": str(path), "name": ".wh.a"},
    ]
    found = PushRequest(name=f"web@{DIGEST}", images=images, platform="x", compression_level=20).problems()
    assert [line for line in found if "digest" in line or "platform" in line or "level" in line] == found[:3]
    assert found[3:5] == ["'a/b' cannot be the name of a file in an image.", "There is no file /nowhere."]
    assert found[5:7] == found[7:9]
    assert found[-1] == ".wh.a is the name of two images."
    assert PushRequest(name="web", images=[]).problems() == ["images is empty: there is nothing to push."]


def test_a_digest_pins_what_a_name_leads_to(tmp_path: Path) -> None:
    assert str(request(tmp_path, digest=DIGEST).reference()) == f"localhost:5000/web@{DIGEST}"
    other = f"localhost:5000/web@sha256:{'e' * 64}"
    with pytest.raises(Invalid, match="digest is another one than that in name"):
        PullRequest(name=other, directory="/srv", digest=DIGEST).reference()
