# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

from tools import check_sizes


def findings(folder: Path, text: str) -> list[str]:
    """What is found in a module with this text, without the path."""
    module = folder / "module.py"
    module.write_text(text, encoding="utf-8")
    return [finding.removeprefix(str(module)) for finding in check_sizes.findings(module)]


def function(lines: int) -> str:
    """A function of so many lines."""
    return "def long():\n" + "    pass\n" * (lines - 1)


def test_finds_what_is_too_long_and_nothing_shorter(tmp_path: Path) -> None:
    assert findings(tmp_path, function(45)) == []
    assert findings(tmp_path, function(46)) == [":1: long has 46 lines of code, at most 45"]
    assert findings(tmp_path, "pass\n" * 400) == []
    assert findings(tmp_path, "pass\n" * 401) == [": 401 lines of code, at most 400: split it by subject"]


def test_does_not_count_documentation(tmp_path: Path) -> None:
    text = '"""\n' + "words\n" * 300 + '"""\n'
    assert findings(tmp_path, text + "DOCUMENTATION = " + text + "pass\n" * 300) == []
    assert findings(tmp_path, "value = " + text + text + "pass\n" * 300) == [
        ": 602 lines of code, at most 400: split it by subject"
    ]
