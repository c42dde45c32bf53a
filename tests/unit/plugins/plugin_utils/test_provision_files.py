# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files behind steps: found beside the definition, followed, digested, and searched for early ends."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from ansible_collections.bakehouse.images.plugins.plugin_utils._provision_files import StepFileReader, StepFiles
from ansible_collections.bakehouse.images.plugins.plugin_utils._provision_search import SearchPath
from ansible_collections.bakehouse.images.plugins.plugin_utils._provision_steps import parse_steps


def read(folder: Path, *steps: dict[str, t.Any]) -> StepFiles:
    parsed, problems = parse_steps(list(steps))
    assert problems == []
    return StepFileReader(SearchPath((folder,))).read(parsed)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A role that depends on another and includes a third, as users have them."""
    files = {
        "roles/web/tasks/main.yml": "- include_role: {name: tls}\n- ansible.builtin.copy: {src: a.txt, dest: /a}\n",
        "roles/web/files/a.txt": "a",
        "roles/web/meta/main.yml": "dependencies:\n  - role: base\n",
        "roles/base/tasks/main.yml": "- ansible.builtin.ping:\n",
        "roles/tls/tasks/main.yml": "- ansible.builtin.ping:\n",
        "setup.yml": "- ansible.builtin.import_tasks: more.yml\n",
        "more.yml": "- ansible.builtin.ping:\n",
        "site.yml": "- hosts: all\n  roles: [tls]\n  tasks:\n    - ansible.builtin.meta: end_play\n",
        "files/motd": "hello",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def test_a_role_brings_its_dependencies_and_what_it_includes(project: Path) -> None:
    found = read(project, {"role": "web"})
    assert found.problems == []
    assert {label.split("/")[1] for label in found.digests if label.startswith("role/")} == {"web", "base", "tls"}


def test_one_changed_byte_changes_a_digest(project: Path) -> None:
    before = read(project, {"role": "web"}).digests
    (project / "roles/base/tasks/main.yml").write_text("- ansible.builtin.ping: \n")
    after = read(project, {"role": "web"}).digests
    assert before.keys() == after.keys()
    assert [label for label in before if before[label] != after[label]] == ["role/base/tasks/main.yml"]


def test_an_executable_bit_changes_a_digest(project: Path) -> None:
    before = read(project, {"role": "web"}).digests
    (project / "roles/web/files/a.txt").chmod(0o755)
    assert read(project, {"role": "web"}).digests != before


def test_digests_do_not_depend_on_where_the_project_lies(
    project: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = tmp_path_factory.mktemp("elsewhere") / "project"
    project.rename(other)
    moved = read(other, {"role": "web"}, {"tasks": "setup.yml"}, {"copy": {"src": "motd", "dest": "/etc/motd"}})
    other.rename(project)
    assert (
        read(project, {"role": "web"}, {"tasks": "setup.yml"}, {"copy": {"src": "motd", "dest": "/etc/motd"}}).digests
        == moved.digests
    )


def test_task_files_and_playbooks_are_followed(project: Path) -> None:
    assert any("more.yml" in label for label in read(project, {"tasks": "setup.yml"}).digests)
    assert any("role/tls" in label for label in read(project, {"playbook": "site.yml"}).digests)


def test_copied_files_are_found_in_files(project: Path) -> None:
    assert list(read(project, {"copy": {"src": "motd", "dest": "/etc/motd"}}).digests) == ["copy/motd"]


@pytest.mark.parametrize(
    "step",
    [{"role": "nowhere"}, {"tasks": "nowhere.yml"}, {"copy": {"src": "nowhere", "dest": "/a"}}, {"playbook": "no.yml"}],
)
def test_a_missing_file_is_named_with_the_folders_searched(project: Path, step: dict[str, t.Any]) -> None:
    found = read(project, step)
    assert len(found.problems) == 1
    assert "was not found. Looked in: " + str(project) in found.problems[0]


@pytest.mark.parametrize(
    "step", [{"role": "{{ which }}"}, {"tasks": "{{ which }}.yml"}, {"copy": {"src": "{{ a }}", "dest": "/a"}}]
)
def test_a_templated_name_cannot_be_known_beforehand(project: Path, step: dict[str, t.Any]) -> None:
    found = read(project, step)
    assert (found.problems, found.digests) == ([], {})


@pytest.mark.parametrize("end", ["end_host", "end_play", "end_batch"])
def test_tasks_that_would_end_the_build_unnoticed_are_refused(project: Path, end: str) -> None:
    tasks = project / "roles/base/tasks/main.yml"
    tasks.write_text(f"- block:\n    - name: Leave\n      ansible.builtin.meta: {end}\n      when: false\n")
    found = read(project, {"role": "web"})
    assert len(found.problems) == 1
    assert str(tasks) in found.problems[0]
    assert f"'Leave' would end the build without cleaning up ({end})" in found.problems[0]


def test_what_a_playbook_is_run_with_counts(project: Path) -> None:
    (project / "own/db/tasks").mkdir(parents=True)
    (project / "own/db/tasks/main.yml").write_text("- ansible.builtin.ping:\n")
    (project / "own/group_vars").mkdir()
    (project / "own/group_vars/all.yml").write_text("a: 1\n")
    (project / "more.yml").write_text("b: 1\n")
    (project / "own.yml").write_text("- hosts: all\n  roles: [db]\n")
    step = {"playbook": "own.yml", "roles_path": ["own"], "group_vars": "own/group_vars", "vars_files": ["more.yml"]}
    found = read(project, step)
    assert found.problems == []
    assert {"role/db/tasks/main.yml", "group_vars/group_vars/all.yml", "vars_files/more.yml"} <= set(found.digests)
    assert "roles_path: nowhere was not found" in read(project, {**step, "roles_path": ["nowhere"]}).problems[0]


def test_a_role_may_leave_itself_and_a_playbook_may_end_its_own_play(project: Path) -> None:
    (project / "roles/base/tasks/main.yml").write_text("- ansible.builtin.meta: end_role\n")
    assert read(project, {"role": "web"}, {"playbook": "site.yml"}).problems == []


def test_inline_tasks_are_searched_too(project: Path) -> None:
    found = read(project, {"tasks": [{"meta": "end_host"}]})
    assert "bake_provision step 1" in found.problems[0]


def test_yaml_that_cannot_be_read_is_a_problem_and_vaulted_values_are_none(project: Path) -> None:
    (project / "roles/base/tasks/main.yml").write_text("- ansible.builtin.debug:\n    msg: !vault |\n      x\n")
    assert read(project, {"role": "web"}).problems == []
    (project / "roles/base/tasks/main.yml").write_text("- {a: [}\n")
    assert "cannot be read as YAML" in read(project, {"role": "web"}).problems[0]


def test_the_folder_of_the_definition_comes_first(tmp_path: Path) -> None:
    for folder in ("near", "far"):
        (tmp_path / folder / "roles/web/tasks").mkdir(parents=True)
    search = SearchPath((tmp_path / "near", tmp_path / "far"))
    assert search.role("web") == tmp_path / "near/roles/web"


def upload(name: str) -> dict[str, t.Any]:
    return {"actions": [{"type": "upload", "op": {"File": name, "Dest": "/x"}}]}


def test_the_files_of_actions_count_with_their_modes(project: Path) -> None:
    before = read(project, upload("files/motd")).digests
    assert list(before) == ["action/1.1/motd"]
    (project / "files" / "motd").chmod(0o600)
    assert read(project, upload("files/motd")).digests != before


def test_a_missing_file_of_an_action_is_reported(project: Path) -> None:
    found = read(project, upload("nowhere"))
    assert found.digests == {}
    assert found.problems[0].startswith("bake_provision step 1, action 1: nowhere was not found. Looked in:")


def test_a_folder_where_a_file_is_wanted_is_reported(project: Path) -> None:
    assert "is not a file" in read(project, upload("files")).problems[0]


def test_the_file_of_an_action_may_be_known_later(project: Path) -> None:
    found = read(project, upload("{{ chosen }}"))
    assert (found.digests, found.problems) == ({}, [])
