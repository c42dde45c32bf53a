# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""docs/forests.md claims nothing of little-vm-helper's work that no test shows."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from ansible_collections.bakehouse.images.plugins.plugin_utils._forest_images import LVH_KEYS
from ansible_collections.bakehouse.images.plugins.plugin_utils._image_actions import OPERATIONS

CHECKOUT = Path(__file__).resolve().parents[3]
HEADING = "## What little-vm-helper does, and the test that shows it\n"
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")


def rows() -> list[list[str]]:
    """The cells of the table's rows, but for the headings within it."""
    section = (CHECKOUT / "docs" / "forests.md").read_text(encoding="utf-8").split(HEADING)[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")][2:]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [row for row in cells if not row[0].startswith("**")]


def has_test(path: str, name: str) -> bool:
    file = CHECKOUT / path
    return file.is_file() and any(
        isinstance(node, ast.FunctionDef) and node.name == name for node in ast.parse(file.read_text()).body
    )


def test_each_row_names_a_test_that_is_there() -> None:
    for row in rows():
        (found,) = NAMED.findall(row[2])
        assert has_test(*found), row


def test_each_field_and_each_action_has_a_row() -> None:
    first, second = " ".join(row[0] for row in rows()), " ".join(row[1] for row in rows())
    assert [key for key in LVH_KEYS if f"`{key}`" not in second] == []
    assert [kind for kind in OPERATIONS if kind not in first] == []
