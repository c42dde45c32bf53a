# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an image says was not done."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.bakehouse.images.plugins.module_utils._sandbox import stand_ins


def test_notes_are_told_once_and_only_as_far_as_they_can_be_read(tmp_path: Path) -> None:
    assert stand_ins.read_notes(str(tmp_path)) == ()
    (tmp_path / "run/bakehouse").mkdir(parents=True)
    notes = ["modprobe a", "sysctl -p", "modprobe a", "", "\033[31mred", "x" * 1000, *map(str, range(1000))]
    (tmp_path / "run/bakehouse/not-done").write_text("\n".join(notes), encoding="utf-8")
    told = stand_ins.read_notes(str(tmp_path))
    assert told[:3] == ("modprobe a", "sysctl -p", "x" * stand_ins.MAX_NOTE_LENGTH)
    assert len(told) == stand_ins.MAX_NOTES


def test_stand_ins_are_written_into_the_image_and_not_where_its_links_lead(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    outside.mkdir()
    root.mkdir()
    (root / "run").symlink_to(outside)
    stand_ins.put_in_place(str(root))
    assert list(outside.iterdir()) == []
    written = root / str(outside).strip("/") / "bakehouse/bin"
    assert sorted(path.name for path in written.iterdir()) == sorted((*stand_ins.COMMANDS, "stand-in"))
