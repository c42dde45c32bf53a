# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Steps become literal tasks: nothing in them is templated, and paths do not depend on the playbook."""

from __future__ import annotations

from pathlib import Path

import yaml
from ansible_collections.bakehouse.images.plugins.plugin_utils._provision_compile import compile_steps, write_task_file
from ansible_collections.bakehouse.images.plugins.plugin_utils._provision_search import SearchPath
from ansible_collections.bakehouse.images.plugins.plugin_utils._provision_steps import parse_steps
from ansible_collections.bakehouse.images.plugins.plugin_utils._untemplated import NotATemplate, Vaulted, to_yaml


def compiled(folder: Path, *steps: dict[str, object]) -> list[dict[str, object]]:
    parsed, problems = parse_steps(list(steps))
    assert problems == []
    return compile_steps(parsed, SearchPath((folder,)))


def test_a_role_becomes_include_role_with_its_literal_condition(tmp_path: Path) -> None:
    (tmp_path / "roles/web/tasks").mkdir(parents=True)
    assert compiled(
        tmp_path, {"role": "web", "vars": {"http_port": "{{ base + 1 }}"}, "when": "later.stdout == 'x'"}
    ) == [
        {
            "name": "role web",
            "ansible.builtin.include_role": {"name": str(tmp_path / "roles/web")},
            "vars": {"http_port": "{{ base + 1 }}"},
            "when": ["later.stdout == 'x'"],
        }
    ]


def test_a_role_of_a_collection_keeps_its_name(tmp_path: Path) -> None:
    (task,) = compiled(tmp_path, {"role": "some.where.web"})
    assert task["ansible.builtin.include_role"] == {"name": "some.where.web"}


def test_each_shell_command_is_a_task_so_that_the_failing_one_is_named(tmp_path: Path) -> None:
    (task,) = compiled(tmp_path, {"shell": ["one", "two"], "chdir": "/tmp", "environment": {"A": "b"}})
    assert task["environment"] == {"A": "b"}
    assert task["block"] == [
        {"name": "one", "ansible.builtin.shell": {"cmd": "one", "chdir": "/tmp"}},
        {"name": "two", "ansible.builtin.shell": {"cmd": "two", "chdir": "/tmp"}},
    ]


def test_copied_paths_are_made_absolute_and_keep_their_trailing_slash(tmp_path: Path) -> None:
    (tmp_path / "files/site").mkdir(parents=True)
    (task,) = compiled(tmp_path, {"copy": {"src": "site/", "dest": "/srv"}})
    assert task["ansible.builtin.copy"] == {"src": f"{tmp_path}/files/site/", "dest": "/srv"}


def test_a_playbook_gets_the_steps_variables(tmp_path: Path) -> None:
    (tmp_path / "site.yml").write_text("[]")
    (task,) = compiled(tmp_path, {"playbook": "site.yml", "vars": {"a": 1}, "tags": ["x"]})
    assert task["bakehouse.images.image_playbook"] == {
        "playbook": f"{tmp_path}/site.yml",
        "tags": ["x"],
        "variables": {"a": 1},
    }


def test_what_a_playbook_is_run_with_is_found_beside_the_definition(tmp_path: Path) -> None:
    for name in ("own", "own/group_vars", "own/host_vars"):
        (tmp_path / name).mkdir()
    (tmp_path / "more.yml").touch()
    own = {
        "roles_path": ["own"],
        "vars_files": ["more.yml"],
        "group_vars": "own/group_vars",
        "host_vars": "own/host_vars",
    }
    (task,) = compiled(tmp_path, {"playbook": "site.yml", "known_as": "db", "environment": {"A": "b"}, **own})
    assert task["bakehouse.images.image_playbook"] == {
        "playbook": "site.yml",
        "roles_path": [f"{tmp_path}/own"],
        "vars_files": [f"{tmp_path}/more.yml"],
        "group_vars": f"{tmp_path}/own/group_vars",
        "host_vars": f"{tmp_path}/own/host_vars",
        "known_as": "db",
        "environment": {"A": "b"},
    }


def test_actions_become_one_task_with_absolute_paths_and_text_that_is_no_template(tmp_path: Path) -> None:
    (tmp_path / "motd").write_text("hello")
    actions = [
        {"type": "upload", "op": {"File": "motd", "Dest": "/etc/motd"}, "comment": "greet"},
        {"type": "run-command", "op": {"Cmd": NotATemplate("docker inspect -f '{{.Id}}'")}},
    ]
    (task,) = compiled(tmp_path, {"actions": actions})
    assert task["name"] == "2 actions"
    module = task["bakehouse.images.image_actions"]
    assert module == {
        "actions": [
            {"type": "upload", "op": {"File": f"{tmp_path}/motd", "Dest": "/etc/motd"}, "comment": "greet"},
            {"type": "run-command", "op": {"Cmd": "docker inspect -f '{{.Id}}'"}},
        ],
        "merge": "{{ bake_merge_actions | default(true) }}",
    }
    assert "Cmd: !unsafe" in to_yaml(task)


def test_the_name_of_one_action_is_its_title_and_no_template(tmp_path: Path) -> None:
    action = {"type": "run-command", "op": {"Cmd": "true"}, "comment": "print {{.Id}}"}
    (task,) = compiled(tmp_path, {"actions": [action]})
    assert to_yaml(task).startswith("name: !unsafe")


def test_files_beside_the_definition_are_found_from_the_task_file(tmp_path: Path) -> None:
    project, folder = tmp_path / "project", tmp_path / "run"
    (project / "templates").mkdir(parents=True)
    folder.mkdir()
    path = write_task_file(compiled(project, {"shell": "true"}), folder, SearchPath((project,)))
    assert (folder / "templates").resolve() == project / "templates"
    assert path.stat().st_mode & 0o777 == 0o600
    assert yaml.safe_load(path.read_text())[0]["name"] == "shell true"


def test_vaulted_values_stay_vaulted_and_foreign_templates_stay_text() -> None:
    text = to_yaml({"secret": Vaulted("$ANSIBLE_VAULT;1.1;AES256\n3132\n"), "data": NotATemplate("{{ x }}"), "n": 1})
    assert "secret: !vault |" in text
    assert 'data: !unsafe "{{ x }}"' in text
