# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""docs/isolation.md promises nothing that no test shows, and leaves nothing out that one does."""

from __future__ import annotations

import ast
import re
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[3]
DOCUMENT = CHECKOUT / "docs/isolation.md"
NAME = re.compile(r"`(test_\w+)`")


def rows(heading: str) -> list[str]:
    """The rows of the table below a heading."""
    section = DOCUMENT.read_text(encoding="utf-8").split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return [line for line in section.splitlines() if line.startswith("| ")][2:]


def shown() -> list[str]:
    """The names of all tests of isolation."""
    modules = [ast.parse(path.read_text()) for path in CHECKOUT.glob("tests/integration/sandbox/test_isolation*.py")]
    return [
        node.name
        for module in modules
        for node in module.body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    ]


def test_each_row_names_a_test() -> None:
    for heading in ("Kept apart", "Links planted in the image"):
        assert [row for row in rows(heading) if len(NAME.findall(row.split("|")[-2])) != 1] == []


def test_the_document_names_each_test_once() -> None:
    assert sorted(NAME.findall(DOCUMENT.read_text(encoding="utf-8"))) == sorted(shown())
