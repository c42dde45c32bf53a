# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest

from tools import check_documents


def findings(folder: Path, text: str) -> list[str]:
    """What is found in a README.md with this text, without the path."""
    document = folder / "README.md"
    document.write_text(text, encoding="utf-8")
    return [finding.removeprefix(f"{document}:") for finding in check_documents.findings(document)]


@pytest.mark.parametrize(
    "text",
    [
        "```yaml\n- name: right\n  vault: !vault |\n    secret\n```\n",
        "```\nnot: yaml: at all\n```\n",
        "1. In a list\n\n   ```yaml\n   a:\n     b: 1\n   ```\n",
        "[itself](README.md), [a heading](#here), [the web](https://example.org/a)\n",
    ],
)
def test_says_nothing_about_what_is_right(tmp_path: Path, text: str) -> None:
    assert findings(tmp_path, text) == []


def test_finds_yaml_that_does_not_parse(tmp_path: Path) -> None:
    (found,) = findings(tmp_path, "text\n\n```yaml\na: b: c\n```\n")
    assert found.startswith("3: the YAML does not parse")


def test_finds_a_link_to_nothing(tmp_path: Path) -> None:
    assert findings(tmp_path, "[gone](docs/gone.md#part)") == ["1: link to docs/gone.md, which does not exist"]


def test_compares_a_block_with_the_file_that_it_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "play.yml").write_text("---\na: 1\n", encoding="utf-8")
    shown = "<!-- file: play.yml -->\n```yaml\n---\na: %d\n```\n"
    assert findings(tmp_path, shown % 1) == []
    assert findings(tmp_path, shown % 2) == ["2: shows play.yml otherwise than it is"]
    (tmp_path / "play.yml").unlink()
    assert findings(tmp_path, shown % 1) == ["2: shows play.yml, which does not exist"]
