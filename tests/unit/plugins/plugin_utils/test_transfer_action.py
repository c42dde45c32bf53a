# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What those who wait for a transfer are told, and that nothing comes of what cannot be told."""

from __future__ import annotations

import json
import threading
import typing as t

import pytest
from ansible_collections.bakehouse.images.plugins.plugin_utils._transfer_action import parsed, progress_line, reported

MIB = 1 << 20


def note(done: int, total: int | None) -> dict[str, t.Any]:
    return {"doing": "downloading web", "done_bytes": done, "total_bytes": total}


@pytest.mark.parametrize(
    ("given", "line"),
    [
        (note(256 * MIB, 1024 * MIB), "downloading web: 256 MiB of 1 GiB (25 %), 62 s so far"),
        (note(0, 1024 * MIB), "downloading web: 0 bytes of 1 GiB (0 %), 62 s so far"),
        # What else lies in the folder counts too, and nobody wants to hear of more than all.
        (note(1025 * MIB, 1024 * MIB), "downloading web: 1 GiB of 1 GiB (100 %), 62 s so far"),
        (note(256 * MIB, None), "downloading web: 256 MiB, 62 s so far"),
        (None, "oci_image_pull: 62 s so far"),
    ],
)
def test_the_line_says_how_far_it_is(given: dict[str, t.Any] | None, line: str) -> None:
    assert progress_line(given, "oci_image_pull", 62.4) == line


@pytest.mark.parametrize(
    "text", [None, "", "{", "[]", "{}", '{"doing": 1, "done_bytes": 1, "total_bytes": 1}', "[" * 100000]
)
def test_what_is_no_note_is_none(text: str | None) -> None:
    assert parsed(text) is None


def test_nothing_that_moves_the_cursor_comes_from_another_machine() -> None:
    found = parsed(json.dumps({**note(1, None), "doing": "\x1b[2Jdownloading\r\nweb"}))
    assert found == {**note(1, None), "doing": "[2Jdownloadingweb"}


def test_lines_come_until_it_is_over() -> None:
    heard: list[dict[str, t.Any] | None] = []
    enough = threading.Event()

    def say(found: dict[str, t.Any] | None, _seconds: float) -> None:
        heard.append(found)
        if len(heard) == 3:
            enough.set()

    with reported(lambda: json.dumps(note(1, 2)), say, 0.01):
        assert enough.wait(60)
    count = len(heard)
    assert heard == [note(1, 2)] * count


def test_what_cannot_be_read_ends_nothing() -> None:
    tried = threading.Event()

    def read() -> str:
        tried.set()
        raise ConnectionError

    with reported(read, lambda *_given: pytest.fail("there is nothing to say"), 0.01):
        assert tried.wait(60)
