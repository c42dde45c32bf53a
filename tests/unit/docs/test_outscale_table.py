# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""docs/outscale.md claims nothing that no test shows, and leaves out no variable that the provider has."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import yaml

CHECKOUT = Path(__file__).resolve().parents[3]
DOCUMENT = (CHECKOUT / "docs" / "outscale.md").read_text(encoding="utf-8")
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")
HEADINGS = ("## Packer's options, and the test that shows each", "## What is better than with Packer")


def rows(heading: str) -> list[str]:
    section = DOCUMENT.split(heading)[1].split("\n## ")[0]
    return [line for line in section.splitlines() if line.startswith("| ")][2:]


def has_test(path: str, name: str) -> bool:
    file = CHECKOUT / path
    return file.is_file() and any(
        isinstance(node, ast.FunctionDef) and node.name == name for node in ast.parse(file.read_text()).body
    )


def test_each_row_names_a_test_that_is_there() -> None:
    for heading in HEADINGS:
        for row in rows(heading):
            (found,) = NAMED.findall(row)
            assert has_test(*found), row


def test_each_variable_of_the_provider_is_named() -> None:
    text = (CHECKOUT / "roles/bake/meta/argument_specs.yml").read_text(encoding="utf-8")
    options = yaml.safe_load(text)["argument_specs"]["outscale"]["options"]
    # It has no counterpart with Packer.
    assert [name for name in options if f"`{name}`" not in DOCUMENT] == ["bake_image_tpm_mandatory"]
