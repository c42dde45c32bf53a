# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading snapshots block by block."""

from __future__ import annotations

import io
import typing as t
from pathlib import Path

import pytest
from ansible_collections.bakehouse.images.plugins.module_utils._ebs.blocks import checksum, list_blocks
from ansible_collections.bakehouse.images.plugins.module_utils._ebs.download import (
    PER_WORKER,
    DownloadRequest,
    download_snapshot,
)
from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError, Conflict, Refused

BLOCK = 512 * 1024
GIB = 1024**3
SNAPSHOT = "snap-0123456789abcdef0"


class FakeEbs:
    """A snapshot of one GiB in memory, listed in pages of two blocks."""

    def __init__(self, blocks: dict[int, bytes]) -> None:
        self.blocks = blocks
        self.reads: list[int] = []
        self.pages = 0
        # Per block: how many times more it arrives damaged.
        self.damaged: dict[int, int] = {}
        self.refused: set[int] = set()

    def call(self, method: str, doing: str, **params: t.Any) -> dict[str, t.Any]:
        return t.cast("dict[str, t.Any]", getattr(self, method)(doing, **params))

    def list_snapshot_blocks(self, doing: str, *, NextToken: str | None, **_: t.Any) -> dict[str, t.Any]:  # noqa: N803
        self.pages += 1
        start = int(NextToken or 0)
        indexes = sorted(self.blocks)
        page: dict[str, t.Any] = {
            "Blocks": [{"BlockIndex": index, "BlockToken": f"token-{index}"} for index in indexes[start : start + 2]],
            "BlockSize": BLOCK,
            "VolumeSize": 1,
        }
        return {**page, "NextToken": str(start + 2)} if start + 2 < len(indexes) else page

    def get_snapshot_block(self, doing: str, *, BlockIndex: int, BlockToken: str, **_: t.Any) -> dict[str, t.Any]:  # noqa: N803
        assert BlockToken == f"token-{BlockIndex}"
        self.reads.append(BlockIndex)
        if BlockIndex in self.refused:
            raise Refused(f"Cannot {doing}: not allowed.")
        data = self.blocks[BlockIndex]
        sent = data
        if self.damaged.get(BlockIndex, 0):
            self.damaged[BlockIndex] -= 1
            sent = b"!" + data[1:]
        return {"BlockData": io.BytesIO(sent), "Checksum": checksum(data), "DataLength": len(data)}


@pytest.fixture
def api() -> FakeEbs:
    return FakeEbs({0: b"a" * BLOCK, 5: b"b" * BLOCK, 7: bytes(BLOCK), 2047: b"z" * BLOCK})


def test_all_pages_are_listed(api: FakeEbs) -> None:
    found = list_blocks(api, SNAPSHOT)

    assert [block.index for block in found.blocks] == [0, 5, 7, 2047]
    assert api.pages == 2
    assert (found.volume_bytes, found.block_bytes) == (GIB, BLOCK)


def test_a_block_beyond_the_volume_is_an_error(api: FakeEbs) -> None:
    api.blocks[2048] = b"x" * BLOCK

    with pytest.raises(BuildError, match="block 2048 .* lies beyond its 1 GiB"):
        list_blocks(api, SNAPSHOT)


def test_the_file_has_each_block_at_its_place_and_holes_elsewhere(api: FakeEbs, tmp_path: Path) -> None:
    path = tmp_path / "disk.raw"
    steps: list[tuple[int, int]] = []

    outcome = download_snapshot(
        api,
        DownloadRequest(SNAPSHOT, str(path)),
        check_mode=False,
        progress=lambda done, total: steps.append((done, total)),
    )

    assert outcome.to_ansible() == {
        "changed": True,
        "diff": {
            "before": f"{path} holds nothing\n",
            "after": f"{path} holds nothing\ndownload {SNAPSHOT} to {path}\n",
        },
        "path": str(path),
        "snapshot_id": SNAPSHOT,
        "size_bytes": GIB,
        "blocks": 4,
        "bytes_downloaded": 4 * BLOCK,
    }
    with path.open("rb") as stream:
        for index, wanted in [(0, b"a"), (1, b"\0"), (5, b"b"), (7, b"\0"), (2047, b"z")]:
            stream.seek(index * BLOCK)
            assert stream.read(BLOCK) == wanted * BLOCK
    assert path.stat().st_blocks * 512 == 3 * BLOCK
    assert steps == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_the_second_run_reads_nothing(api: FakeEbs, tmp_path: Path) -> None:
    request = DownloadRequest(SNAPSHOT, str(tmp_path / "disk.raw"))
    download_snapshot(api, request, check_mode=False)
    api.pages, api.reads = 0, []

    outcome = download_snapshot(api, request, check_mode=False)

    assert (outcome.to_ansible()["changed"], outcome.size_bytes, api.pages, api.reads) == (False, GIB, 0, [])


def test_check_mode_says_what_it_would_do_and_makes_no_call(api: FakeEbs, tmp_path: Path) -> None:
    outcome = download_snapshot(api, DownloadRequest(SNAPSHOT, str(tmp_path / "disk.raw")), check_mode=True)

    assert outcome.to_ansible()["changed"]
    assert (api.pages, list(tmp_path.iterdir())) == (0, [])


def test_a_damaged_block_is_asked_for_again(api: FakeEbs, tmp_path: Path) -> None:
    api.damaged[5] = 2
    path = tmp_path / "disk.raw"

    download_snapshot(api, DownloadRequest(SNAPSHOT, str(path)), check_mode=False)

    assert api.reads.count(5) == 3
    with path.open("rb") as stream:
        stream.seek(5 * BLOCK)
        assert stream.read(BLOCK) == b"b" * BLOCK


def test_a_block_that_stays_damaged_is_an_error_and_leaves_no_file(api: FakeEbs, tmp_path: Path) -> None:
    api.damaged[5] = 99

    with pytest.raises(BuildError, match="Block 5 of snap-0123456789abcdef0 was received 3 times"):
        download_snapshot(api, DownloadRequest(SNAPSHOT, str(tmp_path / "disk.raw")), check_mode=False)

    assert list(tmp_path.iterdir()) == []


def test_the_first_refusal_ends_the_download(tmp_path: Path) -> None:
    api = FakeEbs({index: b"x" * BLOCK for index in range(500)})
    api.refused = set(range(500))

    with pytest.raises(Refused, match="read block"):
        download_snapshot(api, DownloadRequest(SNAPSHOT, str(tmp_path / "disk.raw"), workers=3), check_mode=False)

    assert 1 <= len(api.reads) <= 3 * PER_WORKER


def test_a_file_from_elsewhere_is_only_replaced_by_force(api: FakeEbs, tmp_path: Path) -> None:
    path = tmp_path / "disk.raw"
    path.write_text("mine")

    with pytest.raises(Conflict, match="was not downloaded from a snapshot"):
        download_snapshot(api, DownloadRequest(SNAPSHOT, str(path)), check_mode=False)
    assert path.read_text() == "mine"

    download_snapshot(api, DownloadRequest(SNAPSHOT, str(path), force=True), check_mode=False)
    assert path.stat().st_size == GIB


def test_where_the_file_system_keeps_no_attributes_a_file_beside_it_says_the_origin(
    api: FakeEbs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_attributes(*_: t.Any) -> t.NoReturn:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("os.setxattr", no_attributes)
    request = DownloadRequest(SNAPSHOT, str(tmp_path / "disk.raw"))
    download_snapshot(api, request, check_mode=False)

    assert not download_snapshot(api, request, check_mode=False).operations

    # A file that took its place since is not taken for it.
    (tmp_path / "other").write_text("mine")
    (tmp_path / "other").rename(request.path)
    with pytest.raises(Conflict):
        download_snapshot(api, request, check_mode=False)
