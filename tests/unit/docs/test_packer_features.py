# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""docs/packer-features.md claims nothing of Packer's work that no test shows."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_amazon_options import OPTIONS

CHECKOUT = Path(__file__).resolve().parents[3]
TEXT = (CHECKOUT / "docs" / "packer-features.md").read_text(encoding="utf-8")
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")


@cache
def named_tests(path: str) -> set[str]:
    file = CHECKOUT / path
    tree = ast.parse(file.read_text()) if file.is_file() else ast.parse("")
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_each_row_names_tests_that_are_there() -> None:
    rows = [line for line in TEXT.splitlines() if line.startswith("| ") and not line.startswith(("| **", "| ---"))]
    rows = [row for row in rows if not row.endswith("| test |")]
    assert len(rows) > 100
    assert [row for row in rows if not NAMED.search(row)] == []
    assert [found for found in NAMED.findall(TEXT) if found[1] not in named_tests(found[0])] == []


def test_each_option_is_there() -> None:
    assert [name for name in OPTIONS if f"`{name}`" not in TEXT] == []
