# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A small file can hold more than any disk has room for: what may come out of one has a limit."""

from __future__ import annotations

import gzip
import io
import subprocess
import tarfile
import typing as t
from pathlib import Path

import pytest
from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError, Invalid, Refused
from ansible_collections.bakehouse.images.plugins.module_utils._oci.blobs import open_layer, unpack_zstd
from ansible_collections.bakehouse.images.plugins.module_utils._oci.layers import DiskFiles
from ansible_collections.bakehouse.images.plugins.module_utils._oci.limits import Allowance, read_limit
from ansible_collections.bakehouse.images.plugins.module_utils._oci.pull import PullRequest
from ansible_collections.bakehouse.images.plugins.module_utils._oci.zstd import decompressed

MIB = 1024 * 1024


def zstd(content: bytes) -> bytes:
    return subprocess.run(["zstd", "-c"], check=True, input=content, capture_output=True).stdout


@pytest.mark.parametrize("compress", [gzip.compress, zstd, bytes], ids=["gzip", "zstd", "plain"])
def test_a_layer_without_end_is_refused_where_the_limit_is(
    tmp_path: Path, compress: t.Callable[[bytes], bytes]
) -> None:
    member = tarfile.TarInfo("usr/share/large")
    member.size = 64 * MIB
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as made:
        made.addfile(member, io.BytesIO(bytes(member.size)))
    path = tmp_path / "layer"
    path.write_bytes(compress(target.getvalue()))
    allowance = Allowance(MIB)
    disks = DiskFiles(str(tmp_path), allowance)
    with open_layer(str(path)) as stream, pytest.raises(Refused, match="larger than 1 MiB .1048576 bytes.") as caught:
        disks.add_layer(stream)
    assert "set max_unpacked_size to more" in str(caught.value)
    assert allowance.taken_bytes <= 2 * MIB


def test_a_file_without_end_is_refused_where_the_limit_is(tmp_path: Path) -> None:
    (tmp_path / "a.zst").write_bytes(zstd(bytes(64 * MIB)))
    with pytest.raises(Refused, match="larger than 1 MiB"):
        unpack_zstd(str(tmp_path / "a.zst"), str(tmp_path / "a"), Allowance(MIB), subject="a")
    assert (tmp_path / "a").stat().st_size <= 2 * MIB


def test_what_is_within_the_limit_comes_out_whole_and_with_holes(tmp_path: Path) -> None:
    content = b"begin".ljust(8 * MIB, b"\0") + b"end" + bytes(MIB)
    (tmp_path / "a.zst").write_bytes(zstd(content))
    unpack_zstd(str(tmp_path / "a.zst"), str(tmp_path / "a"), Allowance(len(content)), subject="a")
    assert (tmp_path / "a").read_bytes() == content
    assert (tmp_path / "a").stat().st_blocks * 512 < MIB


def test_a_damaged_file_is_one_error(tmp_path: Path) -> None:
    path = tmp_path / "a.zst"
    path.write_bytes(zstd(bytes(range(256)) * 5000)[:-8])
    with pytest.raises(BuildError, match="a cannot be decompressed with zstd: "):
        unpack_zstd(str(path), str(tmp_path / "a"), Allowance(), subject="a")


def test_who_does_not_want_the_rest_need_not_read_it(tmp_path: Path) -> None:
    path = tmp_path / "a.zst"
    path.write_bytes(zstd(bytes(64 * MIB)))
    with decompressed(str(path), subject="a") as output:
        assert output.read(10) == bytes(10)


@pytest.mark.parametrize(("text", "count"), [("1GiB", 1 << 30), ("1.5MiB", 1572864), ("4096", 4096)])
def test_limits_are_sizes_or_bytes(text: str, count: int) -> None:
    assert read_limit(text) == count


@pytest.mark.parametrize("text", ["", "0", "-1", "1GB", "much", "0MiB"])
def test_what_is_no_limit_is_told_with_the_other_mistakes(text: str) -> None:
    with pytest.raises(Invalid) as caught:
        PullRequest(name="UPPER", directory="/srv", max_unpacked_size=text).reference()
    assert caught.value.problems[1:] == [f"max_unpacked_size is {text!r}: write it like 64GiB, or in bytes."]
