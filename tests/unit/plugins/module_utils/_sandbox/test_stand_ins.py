# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an image says was not done."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
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
    assert "BAKEHOUSE_STAND_INS:=ignore" in (written / "sysctl").read_text(encoding="ascii")
    names = stand_ins.stand_ins_for(str(root))
    assert sorted(path.name for path in written.iterdir()) == sorted((*names, "stand-in"))
    assert {"sysctl", "service", "init.d"} <= set(names)


@pytest.mark.parametrize("program", ["usr/bin/systemctl", "sbin/openrc-run"])
def test_nothing_pretends_that_the_image_has_a_service_manager(tmp_path: Path, program: str) -> None:
    name = program.rpartition("/")[2]
    assert name not in stand_ins.stand_ins_for(str(tmp_path))
    (tmp_path / program).parent.mkdir(parents=True)
    (tmp_path / program).touch()
    assert name in stand_ins.stand_ins_for(str(tmp_path))


def test_what_scripts_of_services_pass_through_is_lent_where_there_is_something_like_it(tmp_path: Path) -> None:
    assert stand_ins.files_to_lend(str(tmp_path)) == ()
    (tmp_path / "lib/lsb/init-functions.d").mkdir(parents=True)
    (tmp_path / "sbin").mkdir()
    (tmp_path / "sbin/openrc-run").touch()
    lent = stand_ins.files_to_lend(str(tmp_path))
    assert [(one.path, oct(one.mode)) for one in lent] == [
        ("/lib/lsb/init-functions.d/00-bakehouse", "0o644"),
        ("/sbin/openrc-run", "0o755"),
    ]


@pytest.mark.parametrize("name", ["stand-in", "hook"])
def test_the_scripts_are_understood_by_any_shell(name: str) -> None:
    text = {"stand-in": stand_ins.SCRIPT.encode("ascii"), "hook": stand_ins.LSB_HOOK}[name]
    assert subprocess.run(["sh", "-n"], input=text, capture_output=True, check=False).stderr == b""
