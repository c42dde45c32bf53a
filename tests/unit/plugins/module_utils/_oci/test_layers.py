# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What hostile layers may not do, with archives as they would come."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
import typing as t
from pathlib import Path

import pytest
from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError, Invalid
from ansible_collections.bakehouse.images.plugins.module_utils._oci.blobs import open_layer
from ansible_collections.bakehouse.images.plugins.module_utils._oci.layers import HEADER_LIMIT, DiskFiles

Entry = t.Union[t.Tuple[str, bytes], t.Tuple[str, bytes, str]]

LINK, HARD, DEVICE, PIPE, FOLDER = tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE


def archive(*entries: t.Union[Entry, tarfile.TarInfo], form: int = tarfile.PAX_FORMAT) -> bytes:
    """An archive: files by name and content, anything else by name, type and what it links to."""
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w", format=form) as made:
        for entry in entries:
            if isinstance(entry, tarfile.TarInfo):
                made.addfile(entry, io.BytesIO(bytes(max(0, entry.size))))
                continue
            member = tarfile.TarInfo(entry[0])
            if len(entry) == 3:
                member.type, member.linkname = entry[1], entry[2]
                made.addfile(member)
            else:
                member.size = len(entry[1])
                made.addfile(member, io.BytesIO(entry[1]))
    return target.getvalue()


def entry(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


def contents(folder: Path, *layers: bytes) -> t.Dict[str, bytes]:
    """The files that these layers make."""
    disks = DiskFiles(str(folder))
    for layer in layers:
        assert disks.add_layer(io.BytesIO(layer)) == "sha256:" + hashlib.sha256(layer).hexdigest()
    return {"/".join(parts): Path(path).read_bytes() for parts, path in disks.files().items()}


def test_files_below_the_folder_are_taken_and_others_are_not(tmp_path: Path) -> None:
    layer = archive(
        entry("./data/images", FOLDER),
        ("./data/images/a.raw", b"a"),
        ("data/images/deep/b.raw", b"b"),
        ("etc/passwd", b"root"),
        ("data/other", b"x"),
        entry("bin/sh", LINK, "/bin/bash"),
    )
    assert contents(tmp_path, layer) == {"data/images/a.raw": b"a", "data/images/deep/b.raw": b"b"}
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize(
    ("layer", "said"),
    [
        (archive(("/data/images/a", b"")), "would lead out"),
        (archive(("/etc/cron.d/a", b"")), "would lead out"),
        (archive(("data/images/../../../etc/a", b"")), "would lead out"),
        (archive(("data/images/..", b"")), "would lead out"),
        (archive(("../a", b"")), "would lead out"),
        (archive(entry("data/images/a", LINK, "/etc/shadow")), "a symbolic link to '/etc/shadow'"),
        (archive(entry("data", LINK, "/etc"), ("data/images/a", b"")), "a symbolic link to '/etc'"),
        (archive(entry("data/images", LINK, "../../etc")), "a symbolic link"),
        (archive(entry("data/images", HARD, "etc")), "a hard link"),
        (archive(entry("data/images/a", HARD, "/etc/shadow")), "a hard link to '/etc/shadow'"),
        (archive(entry("data/images/a", DEVICE)), "a device"),
        (archive(entry("data/images/a", PIPE)), "a named pipe"),
        (archive(entry("data/images/a", b"Z")), "something unknown"),
        (archive(("data/images", b"x")), "a file, where only folders"),
        (archive(("data/images/.wh.", b"")), "hides nothing"),
        (archive(("data/images/.wh...", b"")), "hides nothing"),
        (archive(("data/images/.wh.a/../b", b"")), "would lead out"),
        (archive(("data/images/.a.bakehouse.json", b"")), "no file here may have"),
        (archive(("data/images/.oci.a.part", b"")), "no file here may have"),
        (archive(("data/images/.zst", b"")), "no file here may have"),
        (archive(("data/images/..zst", b"")), "no file here may have"),
        (archive(("data/images/...zst", b"")), "no file here may have"),
        (archive(("data/images/a\x1b[2J", b"")), "no file here may have"),
        (archive(("data/images/a", b"x"), ("data/images/a/b", b"x")), "both as a file and as a folder"),
    ],
)
def test_hostile_entries_are_refused(tmp_path: Path, layer: bytes, said: str) -> None:
    with pytest.raises(Invalid, match="The image was refused") as caught:
        contents(tmp_path, layer)
    assert said in str(caught.value)


def test_all_that_is_wrong_is_told_at_once_and_nothing_more_is_written(tmp_path: Path) -> None:
    layer = archive(entry("data/images/a", LINK, "/etc"), ("../b", b""), ("data/images/c", b"content"))
    with pytest.raises(Invalid) as caught:
        contents(tmp_path, layer)
    assert len(caught.value.problems) == 2
    assert list(tmp_path.iterdir()) == []


def test_a_later_layer_replaces_and_hides_what_earlier_ones_have(tmp_path: Path) -> None:
    first = archive(*((f"data/images/{name}", b"old") for name in ("a", "b", "deep/c", "deep/d", "e")))
    second = archive(
        ("data/images/a", b"new"),
        ("data/images/.wh.b", b""),
        # What a layer has itself stays, whether it comes before what hides the others or after.
        ("data/images/deep/d", b"new"),
        ("data/images/deep/.wh..wh..opq", b""),
        ("data/images/e/f", b"new"),
        ("data/images/.wh..wh.plnk", b""),
    )
    found = contents(tmp_path, first, second)
    assert found == {"data/images/a": b"new", "data/images/deep/d": b"new", "data/images/e/f": b"new"}
    assert len(list(tmp_path.iterdir())) == 3, "what is hidden takes no room"


@pytest.mark.parametrize("name", [".wh.data", "data/.wh.images", ".wh..wh..opq"])
def test_folders_above_can_be_hidden_too(tmp_path: Path, name: str) -> None:
    assert contents(tmp_path, archive(("data/images/a", b"x")), archive((name, b""))) == {}


def test_a_folder_can_become_a_file_and_back(tmp_path: Path) -> None:
    layers = [archive(("data/images/a/b", b"1")), archive(("data/images/a", b"2")), archive(("data/images/a/c", b"3"))]
    assert contents(tmp_path, *layers[:2]) == {"data/images/a": b"2"}
    (tmp_path / "again").mkdir()
    assert contents(tmp_path / "again", *layers) == {"data/images/a/c": b"3"}


def test_of_two_entries_with_one_name_the_later_counts(tmp_path: Path) -> None:
    assert contents(tmp_path, archive(("data/images/a", b"1"), ("data/images/a", b"2"))) == {"data/images/a": b"2"}
    assert len(list(tmp_path.iterdir())) == 1


def test_zeros_become_holes(tmp_path: Path) -> None:
    content = bytes(8 * 1024 * 1024) + b"x" * 65536 + bytes(1024 * 1024 + 7)
    assert contents(tmp_path, archive(("data/images/a.raw", content))) == {"data/images/a.raw": content}
    (path,) = tmp_path.iterdir()
    assert path.stat().st_blocks * 512 <= 256 * 1024


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_archives_of_all_kinds_are_read(tmp_path: Path, form: int) -> None:
    name = "data/images/" + "long-" * 12 + "/" + "n" * 90
    assert contents(tmp_path, archive((name, b"x"), form=form)) == {name: b"x"}


def sparse_entry() -> bytes:
    """GNU's old way of writing a file with holes: here one of 8 EiB that has no data at all."""
    member = tarfile.TarInfo("data/images/a")
    header = bytearray(member.tobuf(format=tarfile.GNU_FORMAT))
    header[156:157] = tarfile.GNUTYPE_SPARSE
    header[386:482] = bytes(96)
    header[483:495] = b"\x80" + (2**62).to_bytes(11, "big")
    header[148:156] = b"%06o\0 " % (sum(header[:148]) + 8 * 0x20 + sum(header[156:512]))
    return bytes(header) + bytes(1024)


def headers_without_end() -> bytes:
    """A name that is larger than anyone's memory would have to be."""
    member = tarfile.TarInfo("././@LongLink")
    member.type, member.size = tarfile.GNUTYPE_LONGNAME, 64 * HEADER_LIMIT
    return member.tobuf(format=tarfile.GNU_FORMAT) + b"a" * member.size


def chained_headers() -> bytes:
    member = tarfile.TarInfo("././@LongLink")
    member.type, member.size = tarfile.GNUTYPE_LONGNAME, 1
    return (member.tobuf(format=tarfile.GNU_FORMAT) + b"a".ljust(512, b"\0")) * 5000


def negative_size() -> bytes:
    member = tarfile.TarInfo("data/images/a")
    member.pax_headers = {"size": "-1024"}
    return archive(member)


@pytest.mark.parametrize(
    "layer",
    [
        sparse_entry(),
        headers_without_end(),
        chained_headers(),
        negative_size(),
        b"no archive at all",
        b"x" * 2048,
        b"",
        archive(("data/images/a", b"x" * 5000))[:3000],
        archive(*((f"data/images/{number}", b"") for number in range(257))),
    ],
    ids=["sparse", "endless", "chained", "negative", "short", "long", "empty", "cut", "many"],
)
def test_what_is_no_honest_archive_is_one_error(tmp_path: Path, layer: bytes) -> None:
    with pytest.raises(BuildError):
        contents(tmp_path, layer)


def test_a_compressed_layer_that_is_cut_off_is_one_error(tmp_path: Path) -> None:
    path = tmp_path / "layer"
    path.write_bytes(gzip.compress(archive(("data/images/a", bytes(range(256)) * 500)))[:400])
    with open_layer(str(path)) as stream, pytest.raises(Invalid, match="A layer cannot be read"):
        DiskFiles(str(tmp_path)).add_layer(stream)
