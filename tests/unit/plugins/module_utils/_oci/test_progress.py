# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How far a transfer has come is noted while it goes on, and nothing else changes by that."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.bakehouse.images.plugins.module_utils._oci.progress import (
    NO_PROGRESS,
    BytesRead,
    Progress,
    bytes_below,
)

from tests.waiting import eventually


def test_a_note_says_how_far_it_has_come(tmp_path: Path) -> None:
    note, done = tmp_path / "progress", [1]
    with Progress(str(note), interval_seconds=0.01).during("downloading web", lambda: done[0], 10):
        eventually(note.exists)
        assert json.loads(note.read_text()) == {"doing": "downloading web", "done_bytes": 1, "total_bytes": 10}
        done[0] = 5
        eventually(lambda: json.loads(note.read_text())["done_bytes"] == 5)
    assert os.listdir(tmp_path) == ["progress"]


def test_what_cannot_be_noted_is_done_all_the_same(tmp_path: Path) -> None:
    done = []
    for progress in (NO_PROGRESS, Progress(str(tmp_path / "nowhere" / "progress"), interval_seconds=0.01)):
        with progress.during("downloading web", lambda: 1):
            done.append(progress)
    assert len(done) == 2


def test_an_error_is_that_of_what_is_done(tmp_path: Path) -> None:
    with pytest.raises(KeyError), Progress(str(tmp_path / "progress")).during("downloading web", lambda: 1):
        raise KeyError("web")


def test_nothing_is_written_through_a_link_that_is_there(tmp_path: Path) -> None:
    target = tmp_path / "target"
    (tmp_path / "progress.new").symlink_to(target)
    with Progress(str(tmp_path / "progress"), interval_seconds=0.01).during("downloading web", lambda: 1):
        pass
    assert not target.exists()


def test_files_in_a_folder_are_counted(tmp_path: Path) -> None:
    assert bytes_below(str(tmp_path / "nowhere")) == 0
    (tmp_path / "a").write_bytes(b"1234")
    (tmp_path / "b").write_bytes(b"123")
    assert bytes_below(str(tmp_path)) == 7


READER = "import sys; file = open(sys.argv[1], 'rb', buffering=0); file.read(600); sys.stdin.read()"


def test_what_a_command_has_read_is_known_until_and_after_it_ends(tmp_path: Path) -> None:
    (tmp_path / "layer").write_bytes(bytes(1000))
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "layer").write_bytes(bytes(1000))
    count, other = BytesRead(str(tmp_path)), BytesRead(str(tmp_path / "elsewhere"))
    command = [sys.executable, "-c", READER, str(tmp_path / "layer")]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        eventually(lambda: count() == 600)
        process.communicate()
    assert count() == 600
    assert other() == 0
