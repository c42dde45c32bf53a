# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tools import stages

SCRIPT = Path(stages.__file__)
NAMES = stages.STAGES


def run(folder: Path, **recipes: str) -> subprocess.CompletedProcess[str]:
    """Runs the stages with these recipes; those not given print their name."""
    lines = [f"{name}:\n\t@{recipes.get(name, f'echo output of {name}')}\n" for name in NAMES]
    (folder / "Makefile").write_text("".join(lines), encoding="utf-8")
    return subprocess.run([sys.executable, SCRIPT], cwd=folder, capture_output=True, text=True, check=False)


def _deaf(folder: Path) -> str:
    script = folder / "python"
    script.write_text(f"#!/bin/sh\ntrap '' INT HUP\nexec {sys.executable} \"$@\"\n", encoding="utf-8")
    script.chmod(0o755)
    return str(script)


def test_runs_every_stage_and_shows_its_output(tmp_path: Path) -> None:
    done = run(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    for name in NAMES:
        assert f"output of {name}\n" in done.stdout
        assert f"== {name}: passed" in done.stdout
    assert "== all passed" in done.stdout


@pytest.mark.parametrize("name", [NAMES[0], NAMES[3]])
def test_ends_with_the_first_failure(tmp_path: Path, name: str) -> None:
    # One that has a stage start meanwhile does not see it end.
    last = f"sleep 100; echo output of {NAMES[-1]}"
    done = run(tmp_path, **{name: "echo the reason; exit 3", NAMES[-1]: last})
    assert done.returncode == 1
    assert "the reason" in done.stdout
    assert f"== {name}: FAILED" in done.stdout
    assert f"output of {NAMES[-1]}" not in done.stdout
    assert "== FAILED after" in done.stdout


@pytest.mark.parametrize("deaf", [False, True])
def test_stops_what_still_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, deaf: bool) -> None:
    """Also where a shell has started it in the background: it ignores SIGINT then, and so would all that it starts."""
    if deaf:
        monkeypatch.setattr(sys, "executable", _deaf(tmp_path))
    slow, failing = NAMES[:2]
    done = run(tmp_path, **{slow: "sleep 100; touch finished", failing: "false"})
    assert done.returncode == 1
    assert f"== {slow}: stopped" in done.stdout
    assert not (tmp_path / "finished").exists()
