# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What users install: the archive holds what they need and nothing else, and works without the repository."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
COLLECTION = "bakehouse.images"
FOR_USERS = {
    "CHANGELOG.md",
    "FILES.json",
    "LICENSE",
    "MANIFEST.json",
    "README.md",
    "changelogs",
    "docs",
    "meta",
    "playbooks",
    "plugins",
    "roles",
}
#: Folders of plugins/ that ansible-doc knows as a type of plugin.
DOCUMENTED = {"become", "connection", "filter", "inventory", "lookup", "modules", "test"}


def run(*command: str, cwd: Path) -> str:
    """The output of a command that knows nothing of the checkout."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "PYTHONPATH"))}
    path = f"{Path(sys.executable).parent}{os.pathsep}{kept.get('PATH', '')}"
    environment = {**kept, "PATH": path, "ANSIBLE_COLLECTIONS_PATH": str(cwd), "ANSIBLE_LOCAL_TEMP": str(cwd / "local")}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds nothing but the installed collection."""
    folder = tmp_path_factory.mktemp("elsewhere")
    built = tmp_path_factory.mktemp("built")
    run("ansible-galaxy", "collection", "build", "--output-path", str(built), str(CHECKOUT), cwd=folder)
    (archive,) = built.glob("*.tar.gz")
    run("ansible-galaxy", "collection", "install", "--no-deps", "-p", str(folder), str(archive), cwd=folder)
    return folder


@pytest.fixture(scope="module")
def installed(empty: Path) -> Path:
    """The folder of the installed collection."""
    return empty / "ansible_collections" / "bakehouse" / "images"


def test_holds_only_what_users_need(installed: Path) -> None:
    assert {entry.name for entry in installed.iterdir()} <= FOR_USERS


def test_holds_every_plugin_and_role_of_the_checkout(installed: Path) -> None:
    def files(root: Path) -> set[str]:
        found = (path for folder in ("plugins", "roles", "playbooks") for path in (root / folder).rglob("*"))
        return {
            str(path.relative_to(root))
            for path in found
            if path.is_file() and "__pycache__" not in path.parts and path.suffix not in (".swp", ".tmp")
        }

    assert files(CHECKOUT) == files(installed)


def plugin_types() -> list[str]:
    """The types of plugins there are, as ansible-doc names them."""
    found = {path.parent.name for path in (CHECKOUT / "plugins").glob("*/*.py")} & DOCUMENTED
    return sorted("module" if name == "modules" else name for name in found)


@pytest.mark.parametrize("kind", plugin_types())
def test_explains_every_plugin(empty: Path, installed: Path, kind: str) -> None:
    folder = installed / "plugins" / ("modules" if kind == "module" else kind)
    names = sorted(f"{COLLECTION}.{path.stem}" for path in folder.glob("[!_]*.py"))
    explained = json.loads(run("ansible-doc", "--json", "--type", kind, *names, cwd=empty))
    assert sorted(explained) == names
    assert [name for name in names if not explained[name]["doc"]["description"]] == []
    assert all(Path(explained[name]["doc"]["filename"]).is_relative_to(installed) for name in names)


def test_explains_every_role(empty: Path, installed: Path) -> None:
    names = sorted(f"{COLLECTION}.{path.name}" for path in (installed / "roles").iterdir())
    explained = json.loads(run("ansible-doc", "--json", "--type", "role", *names, cwd=empty))
    assert sorted(explained) == names
    assert [name for name in names if not explained[name]["entry_points"]] == []
