# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files with holes, sent to a shell of this machine and received from it."""

from __future__ import annotations

import os
import subprocess
import typing as t
from pathlib import Path

import pytest
from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError
from ansible_collections.bakehouse.images.plugins.plugin_utils import _files
from ansible_collections.bakehouse.images.plugins.plugin_utils._files import new_file, send_file
from ansible_collections.bakehouse.images.plugins.plugin_utils._transport import LocalTransport, Outcome
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

KIB = 1 << 10
MIB = 1 << 20


def send(there: Path, here: Path, scripts: list[str] | None = None) -> Outcome:
    def run(script: str, words: list[str], stdin: t.BinaryIO) -> Outcome:
        if scripts is not None:
            scripts.append(script)
        return LocalTransport().run(["/bin/sh", "-c", script, "sh", str(here), *words], stdin=stdin)

    with there.open("rb") as source:
        return send_file(source, run)


def sparse(path: Path, size: int, parts: list[tuple[int, int]]) -> None:
    with path.open("wb") as stream:
        for place, length in parts:
            stream.seek(place)
            stream.write(os.urandom(length))
        stream.truncate(size)


def same(one: Path, other: Path) -> bool:
    return subprocess.run(["cmp", one, other], check=False).returncode == 0


# A busy machine may take its time; and the same examples each time, so that nothing fails by chance.
PATIENT = settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

PARTS = st.lists(st.tuples(st.integers(0, 5 * MIB), st.integers(1, 200 * KIB)), max_size=8)


@PATIENT
@given(parts=PARTS, beyond=st.integers(0, 4 * MIB))
def test_whatever_holes_there_are(tmp_path: Path, parts: list[tuple[int, int]], beyond: int) -> None:
    there, here = tmp_path / "there", tmp_path / "here"
    sparse(there, max((place + length for place, length in parts), default=0) + beyond, parts)
    here.write_bytes(b"old" * MIB)
    assert send(there, here) == (0, b"", b"")
    assert same(there, here)
    assert here.stat().st_blocks * 512 <= there.stat().st_blocks * 512 + len(parts) * 2 * MIB


def test_only_what_is_no_hole_is_sent(tmp_path: Path) -> None:
    sparse(tmp_path / "there", 1 << 40, [(1 << 39, 10)])
    assert send(tmp_path / "there", tmp_path / "here").rc == 0
    assert (tmp_path / "here").stat().st_size == 1 << 40
    assert (tmp_path / "here").stat().st_blocks * 512 < MIB


def test_a_file_without_holes_needs_no_more_than_cat(tmp_path: Path) -> None:
    (tmp_path / "there").write_bytes(os.urandom(MIB))
    scripts: list[str] = []
    assert send(tmp_path / "there", tmp_path / "here", scripts).rc == 0
    assert scripts == [_files.WRITE_FILE]
    assert same(tmp_path / "there", tmp_path / "here")


def test_without_a_dd_that_can_do_it_all_is_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/cat").symlink_to("/bin/cat")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    sparse(tmp_path / "there", 3 * MIB, [(MIB, 10)])
    scripts: list[str] = []
    assert send(tmp_path / "there", tmp_path / "here", scripts).rc == 0
    assert scripts == [_files.WRITE_PARTS, _files.WRITE_FILE]
    assert (tmp_path / "there").read_bytes() == (tmp_path / "here").read_bytes()


def test_an_error_in_the_image_is_the_outcome(tmp_path: Path) -> None:
    sparse(tmp_path / "there", 3 * MIB, [(MIB, 10)])
    outcome = send(tmp_path / "there", tmp_path / "no" / "place")
    assert outcome.rc not in (0, _files.CANNOT)
    assert b"no/place" in outcome.err


def receive(there: Path, here: Path) -> Outcome:
    with new_file(str(here)) as stream:
        return LocalTransport().run(["/bin/sh", "-c", _files.READ_FILE, "sh", str(there)], stdout=stream)


@PATIENT
@given(parts=PARTS, beyond=st.integers(0, 4 * MIB))
def test_whatever_holes_there_are_come_back(tmp_path: Path, parts: list[tuple[int, int]], beyond: int) -> None:
    there, here = tmp_path / "there", tmp_path / "here"
    sparse(there, max((place + length for place, length in parts), default=0) + beyond, parts)
    assert receive(there, here) == (0, b"", b"")
    assert same(there, here)
    assert here.stat().st_blocks <= there.stat().st_blocks


def test_only_what_is_no_hole_comes_back(tmp_path: Path) -> None:
    sparse(tmp_path / "there", 1 << 40, [(1 << 39, 10)])
    assert receive(tmp_path / "there", tmp_path / "here").rc == 0
    assert (tmp_path / "here").stat().st_size == 1 << 40
    assert (tmp_path / "here").stat().st_blocks * 512 < MIB


def test_without_python_and_stat_all_comes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/cat").symlink_to("/bin/cat")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    sparse(tmp_path / "there", 3 * MIB, [(MIB, 10)])
    assert receive(tmp_path / "there", tmp_path / "here") == (0, b"", b"")
    assert (tmp_path / "there").read_bytes() == (tmp_path / "here").read_bytes()


@pytest.mark.parametrize(
    "sent", [b"nonsense\n", b"parts\n-1 5\n", b"parts\n5\n", b"x" * 1000, b"parts\n" + b"9" * 30 + b" 1\n"]
)
def test_an_image_that_sends_something_else(tmp_path: Path, sent: bytes) -> None:
    with pytest.raises(BuildError, match="something else"), new_file(str(tmp_path / "here")) as stream:
        for number in range(len(sent)):
            stream.write(sent[number : number + 1])
    assert not (tmp_path / "here").exists()


def test_half_a_file_is_removed(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), new_file(str(tmp_path / "back")) as stream:
        stream.write(b"whole\nhalf")
        raise KeyboardInterrupt
    assert not (tmp_path / "back").exists()
