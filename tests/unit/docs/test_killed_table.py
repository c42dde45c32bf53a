# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""docs/killed.md promises nothing that no test keeps."""

from __future__ import annotations

import re
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[3]
DOCUMENT = CHECKOUT / "docs/killed.md"
NAME = re.compile(r"`(test_\w+\.py)`")
#: What the tables are below, whose last column says what shows the row.
SECTIONS = ("...a build is ended", "...an end looks green", "...something goes wrong in EC2, or on the build host")


def promises() -> list[str]:
    """The rows of the tables."""
    document = DOCUMENT.read_text(encoding="utf-8")
    sections = [document.split(f"\n## {heading}\n")[1].split("\n## ")[0] for heading in SECTIONS]
    lines = [line for section in sections for line in section.splitlines() if line.startswith("| ")]
    return [line for line in lines if not line.startswith(("| when ", "| --- "))]


def test_each_promise_has_a_test() -> None:
    assert len(promises()) > 30
    assert [row for row in promises() if not NAME.search(row.split("|")[-2])] == []


def test_the_tests_are_there_and_those_that_take_long_are_marked() -> None:
    paths = list(CHECKOUT.glob("tests/**/test_*.py"))
    long = {path.name for path in paths if "torture" in path.parts}
    quick = {path.name for path in paths if "torture" not in path.parts}
    for row in promises():
        for name in NAME.findall(row):
            assert name in (long if f"*`{name}`*" in row else quick), row
