# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Packer's provisioners ansible and ansible-local as steps."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.bakehouse.images.plugins.plugin_utils._provision_steps import parse_steps

from tests.unit.plugins.plugin_utils.packer_templates import host


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A template's folder with the files that provisioners name."""
    (tmp_path / "site.yml").write_text("- hosts: all\n  tasks: []\n")
    (tmp_path / "roles" / "web").mkdir(parents=True)
    (tmp_path / "elsewhere" / "db").mkdir(parents=True)
    return tmp_path


def test_playbooks(folder: Path) -> None:
    text = """
  provisioner "ansible" {
    playbook_file   = "site.yml"
    groups          = ["webservers"]
    user            = "root"
    use_proxy       = false
    extra_arguments = ["-e", "a=1 b='x y'", "--extra-vars={\\"c\\": [1]}", "--tags", "one,two", "--skip-tags=three",
                       "-vvv", "--connection=chroot", "-e", "ansible_connection=chroot"]
  }
"""
    found = host(folder, steps=text)
    assert found.problems == []
    [step] = found.variables["bake_provision"]
    assert step == {
        "name": "ansible: site.yml",
        "playbook": str(folder / "site.yml"),
        "vars": {
            "packer_build_name": "web",
            "packer_builder_type": "amazon-chroot",
            "a": "1",
            "b": "x y",
            "c": [1],
        },
        "tags": ["one", "two"],
        "skip_tags": ["three"],
    }
    assert found.groups == {"source_web", "webservers", "default"}
    assert found.variables["bake_gather_facts"] is True
    assert len([it for it in found.warnings if "has no effect" in it]) == 3


def test_what_playbooks_are_run_with(folder: Path) -> None:
    for name in ("collections", "own/group_vars", "own/host_vars", "own/db"):
        (folder / name).mkdir(parents=True)
    (folder / "more.yml").write_text("a: 1\n")
    text = """
  provisioner "ansible" {
    playbook_file       = "site.yml"
    roles_path          = "own:elsewhere"
    collections_path    = "collections"
    inventory_directory = "own"
    ansible_env_vars    = ["ANSIBLE_FORKS=3", "ANSIBLE_HOST_KEY_CHECKING=False"]
    extra_arguments     = ["-e", "@more.yml"]
  }
  provisioner "ansible-local" {
    playbook_file    = "site.yml"
    role_paths       = ["own/db", "elsewhere/db"]
    collection_paths = ["collections"]
    group_vars       = "own/group_vars"
    host_vars        = "own/host_vars"
  }
"""
    found = host(folder, steps=text)
    assert found.problems == []
    assert [it for it in found.warnings if "ANSIBLE_HOST_KEY_CHECKING has no effect" in it] != []
    first, second = found.variables["bake_provision"]
    beside = {
        "roles_path": [str(folder / "own"), str(folder / "elsewhere")],
        "collections_path": [str(folder / "collections")],
        "group_vars": str(folder / "own/group_vars"),
        "host_vars": str(folder / "own/host_vars"),
    }
    assert {key: first[key] for key in beside} == beside
    assert {key: second[key] for key in beside} == beside
    assert first["environment"] == {"ANSIBLE_FORKS": "3"}
    assert first["vars_files"] == [str(folder / "more.yml")]
    assert (first["known_as"], second["known_as"]) == ("default", "127.0.0.1")
    assert parse_steps(found.variables["bake_provision"])[1] == []


@pytest.mark.parametrize(
    ("content", "missing"),
    [
        ("- src: https://git.example.com/web.git\n", ""),
        ("roles:\n  - name: web\n    src: x.y\n  - geerling.nginx,1.0\n", "the role geerling.nginx is"),
        (
            "collections:\n  - bakehouse.images\n  - name: community.nothing\n    version: '1'\n",
            "collection community.no",
        ),
        ("collections:\n  - name: https://git.example.com/x.git\n    type: git\n", ""),
        (
            "roles: [a, b]\n",
            "the role a, the role b are not installed. Before the build, run ansible-galaxy role install -r",
        ),
        ("{", "galaxy_file: "),
    ],
)
def test_what_a_galaxy_file_names_must_be_there(folder: Path, content: str, missing: str) -> None:
    (folder / "own/web").mkdir(parents=True)
    (folder / "requirements.yml").write_text(content)
    text = (
        'provisioner "ansible" {\nplaybook_file = "site.yml"\nroles_path = "own"\ngalaxy_file = "requirements.yml"\n}'
    )
    problems = host(folder, steps=text).problems
    assert [missing in problem for problem in problems] == ([True] if missing else [])


def test_local_playbooks_run_from_outside(folder: Path) -> None:
    text = """
  provisioner "ansible-local" {
    playbook_file    = "site.yml"
    inventory_groups = ["db"]
    role_paths       = ["roles/web"]
  }
"""
    found = host(folder, steps=text)
    assert (found.problems, found.groups) == ([], {"source_web", "db"})
    assert found.variables["bake_provision"][0]["playbook"] == str(folder / "site.yml")
