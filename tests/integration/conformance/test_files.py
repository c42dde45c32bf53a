# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files that come and go: any content, any size, any name."""

from __future__ import annotations

import hashlib
import os
import typing as t
from pathlib import Path

import pytest
from ansible.errors import AnsibleError

if t.TYPE_CHECKING:
    from ansible_collections.bakehouse.images.plugins.connection.chroot import Connection

MIB = 1 << 20

# All that a shell, ssh or sftp could take for something else. The last is no text at all.
NAMES = [
    "two words",
    "-rf",
    "--help",
    "it's",
    'say "$HOME"',
    "new\nline",
    "$(touch pwned)",
    "`touch pwned`",
    "back\\slash\\",
    "汉语 ä ☃",
    "a;b&&c|d>e<f",
    "*?[x]{a,b}~!#%^",
    "\t\x01\x7f",
    os.fsdecode(b"\xff\xfe"),
]


def digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def bytes_on_disk(path: Path) -> int:
    return path.stat().st_blocks * 512


class Memory:
    """The most memory that this process uses while something happens, above what it used before."""

    def __enter__(self) -> Memory:
        Path("/proc/self/clear_refs").write_text("5")
        self.before = self._peak()
        return self

    def __exit__(self, *_exc: object) -> None:
        self.mib = self._peak() - self.before

    def _peak(self) -> int:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) >> 10


@pytest.mark.parametrize("size", [0, 1, 64 * 1024, 3 * MIB + 1])
def test_every_byte_of_a_file(connection: Connection, root: Path, tmp_path: Path, size: int) -> None:
    there, back = tmp_path / "there", tmp_path / "back"
    there.write_bytes((bytes(range(256)) * (size // 256 + 1))[:size])
    connection.put_file(str(there), "/srv/exact")
    assert (root / "srv/exact").read_bytes() == there.read_bytes()
    connection.fetch_file("/srv/exact", str(back))
    assert back.read_bytes() == there.read_bytes()


def test_names_are_nothing_but_names(connection: Connection, root: Path, tmp_path: Path) -> None:
    place = root / "srv/names"
    place.mkdir(exist_ok=True)
    for name in NAMES:
        (tmp_path / name).write_text("text")
        connection.put_file(str(tmp_path / name), f"/srv/names/{name}")
        assert os.listdir(place) == [name]
        (tmp_path / name).unlink()
        connection.fetch_file(f"/srv/names/{name}", str(tmp_path / name))
        assert (tmp_path / name).read_text() == "text"
        (place / name).unlink()


def test_a_file_replaces_a_longer_one(connection: Connection, root: Path, tmp_path: Path) -> None:
    (tmp_path / "long").write_bytes(os.urandom(MIB))
    (tmp_path / "short").write_bytes(b"short")
    for name in ("long", "short"):
        connection.put_file(str(tmp_path / name), "/srv/replaced")
        connection.fetch_file("/srv/replaced", str(tmp_path / "back"))
        assert (tmp_path / "back").read_bytes() == (tmp_path / name).read_bytes()


def test_a_sparse_file_of_5_gib_stays_sparse(connection: Connection, root: Path, tmp_path: Path) -> None:
    """Such as a disk image: nothing is kept in memory, and no disk is filled."""
    there, back, inside = tmp_path / "there", tmp_path / "back", root / "srv/sparse"
    # What lies there already must not show through the holes.
    inside.write_bytes(b"old" * MIB)
    data = os.urandom(MIB)
    with there.open("wb") as stream:
        for offset in (0, (3 << 30) + 4097):
            stream.seek(offset)
            stream.write(data)
        stream.truncate(5 << 30)

    with Memory() as memory:
        connection.put_file(str(there), "/srv/sparse")
        connection.fetch_file("/srv/sparse", str(back))

    assert back.stat().st_size == inside.stat().st_size == 5 << 30
    assert max(bytes_on_disk(back), bytes_on_disk(inside)) < 16 * MIB
    for copy in (inside, back):
        with copy.open("rb") as stream:
            for offset in (0, (3 << 30) + 4097):
                stream.seek(offset)
                assert stream.read(MIB) == data
                assert stream.read(MIB) == bytes(MIB)
    assert memory.mib < 64
    inside.unlink()
    back.unlink()


def test_a_sparse_file_goes_into_an_image_that_cannot_make_holes(
    connection: Connection, root: Path, tmp_path: Path
) -> None:
    dd = root / "usr/bin/dd"
    dd.rename(root / "usr/bin/dd.gnu")
    dd.write_text("#!/bin/sh\necho 'dd: unknown operand' >&2\nexit 1\n")
    dd.chmod(0o755)
    try:
        with (tmp_path / "there").open("wb") as stream:
            stream.write(b"start")
            stream.truncate(8 * MIB)
        connection.put_file(str(tmp_path / "there"), "/srv/filled")
    finally:
        (root / "usr/bin/dd.gnu").rename(dd)
    assert digest(root / "srv/filled") == digest(tmp_path / "there")


def test_a_controller_that_cannot_take_the_file(connection: Connection, tmp_path: Path) -> None:
    with pytest.raises(AnsibleError, match="Cannot write .*/no/such/place on the controller: No such file"):
        connection.fetch_file("/etc/hostname", str(tmp_path / "no/such/place"))
    with pytest.raises(AnsibleError, match="Cannot write /dev/full on the controller: No space left"):
        connection.fetch_file("/etc/passwd", "/dev/full")
    assert Path("/dev/full").is_char_device()
