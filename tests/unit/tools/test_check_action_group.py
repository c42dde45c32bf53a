# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest

from tools import check_action_group

MODULE = 'DOCUMENTATION = r"""\nextends_documentation_fragment:\n  - %s\n"""\n'


@pytest.fixture
def collection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A collection with one module of the API plane and one of the data plane, and the first in the group."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "meta").mkdir()
    (tmp_path / "plugins" / "modules").mkdir(parents=True)
    (tmp_path / "plugins/modules/ec2_thing.py").write_text(
        MODULE % "bakehouse.images._attributes.api", encoding="utf-8"
    )
    (tmp_path / "plugins/modules/disk_thing.py").write_text(
        MODULE % "bakehouse.images._attributes.build_host", encoding="utf-8"
    )
    group(tmp_path, "ec2_thing")
    return tmp_path


def group(collection: Path, *names: str) -> None:
    """Write a runtime.yml whose group aws has these modules."""
    lines = [
        "action_groups:",
        "  aws:",
        "    - metadata: {extend_group: [amazon.aws.aws]}",
        *(f"    - {it}" for it in names),
    ]
    (collection / "meta" / "runtime.yml").write_text("\n".join(lines), encoding="utf-8")


@pytest.mark.usefixtures("collection")
def test_says_nothing_when_they_agree(capsys: pytest.CaptureFixture[str]) -> None:
    assert check_action_group.main() == 0
    assert capsys.readouterr().out == ""


def test_finds_what_is_missing_and_what_does_not_belong(collection: Path, capsys: pytest.CaptureFixture[str]) -> None:
    group(collection, "disk_thing")
    assert check_action_group.main() == 1
    out = capsys.readouterr().out
    assert "lacks ec2_thing" in out
    assert "lists disk_thing" in out
