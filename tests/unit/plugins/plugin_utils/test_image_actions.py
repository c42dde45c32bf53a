# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Actions are read as their authors wrote them, and as little-vm-helper reads them where that is asked."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from ansible_collections.bakehouse.images.plugins.plugin_utils._image_actions import (
    OPERATIONS,
    climbs,
    find_kernel,
    local_problem,
    read_actions,
)

ALL_TEN: list[dict[str, t.Any]] = [
    {"type": "run-command", "op": {"Cmd": "passwd -d root"}, "comment": "no password for root"},
    {"type": "copy-in", "op": {"LocalPath": "bootstrap", "RemoteDir": "/"}},
    {"type": "set-hostname", "op": {"Hostname": "node-1.example.org"}},
    {"type": "mkdir", "op": {"Dir": "/srv/a:b"}},
    {"type": "upload", "op": {"File": "env.sh", "Dest": "/etc/profile.d/path.sh"}},
    {"type": "chmod", "op": {"Permissions": "0755", "File": "/srv"}},
    {"type": "append-line", "op": {"File": "/etc/sysctl.conf", "Line": ""}},
    {"type": "link", "op": {"Target": "/lib/systemd/systemd", "Link": "/sbin/init"}},
    {"type": "install-kernel", "op": {"KernelInstallDir": "kernel"}},
    {"type": "tar-in", "op": {"TarFile": "files.tar", "RemoteDir": "/opt"}},
]


def problem_of(action: t.Any, **options: t.Any) -> str:
    """The one mistake of a list with this action."""
    found = read_actions([action], "image a", **options)
    assert found.actions == []
    (problem,) = found.problems
    return problem


@pytest.mark.parametrize("lenient", [False, True])
def test_all_ten_are_read(lenient: bool) -> None:
    found = read_actions(ALL_TEN, "image a", lenient=lenient)
    assert (found.problems, found.warnings) == ([], [])
    assert [action.to_dict() for action in found.actions] == ALL_TEN
    assert {action.type for action in found.actions} == set(OPERATIONS)


def test_a_comment_is_the_title_else_the_type_and_what_it_is_about() -> None:
    found = read_actions(ALL_TEN, "image a")
    assert [action.title for action in found.actions[:2]] == ["no password for root", "copy-in bootstrap"]


def test_no_actions_are_fine() -> None:
    assert read_actions(None, "image a").actions == read_actions([], "image a").actions == []


@pytest.mark.parametrize(
    ("action", "said"),
    [
        ("true", "image a, action 1: must be a mapping with type and op, and is the text 'true'."),
        ({"op": {}}, "has no type. Types: run-command, copy-in,"),
        ({"type": "run-comand", "op": {}}, "the type 'run-comand' is not known. Did you mean run-command?"),
        ({"type": "mkdir"}, "mkdir needs op with Dir, and op is missing."),
        ({"type": "mkdir", "op": {}}, "mkdir has no op.Dir."),
        ({"type": "mkdir", "op": {"Dir": 5}}, "op.Dir must be a text, and is 5. Put it in quotes."),
        ({"type": "mkdir", "op": {"Dir": "srv"}}, "op.Dir 'srv' must be an absolute path in the image"),
        ({"type": "mkdir", "op": {"Dir": "/srv/../../x"}}, "leads out of the image"),
        ({"type": "mkdir", "op": {"Dir": "/a\0b"}}, "holds a null byte"),
        ({"type": "mkdir", "op": {"dir": "/a"}}, "mkdir has no op.Dir."),
        ({"type": "chmod", "op": {"Permissions": "755", "File": "/a"}}, "octal digits with a leading zero"),
        ({"type": "chmod", "op": {"Permissions": "0999", "File": "/a"}}, "octal digits with a leading zero"),
        ({"type": "set-hostname", "op": {"Hostname": "a b"}}, "'a b' is not a host name"),
        ({"type": "mkdir", "op": {"Dir": "/a"}, "comment": ["x"]}, "comment must be a text"),
    ],
)
def test_a_mistake_is_named(action: t.Any, said: str) -> None:
    strict = read_actions([action], "image a")
    assert strict.actions == []
    assert said in " ".join(strict.problems)


def test_a_comment_tells_which_action_is_meant() -> None:
    said = problem_of({"type": "mkdir", "op": {"Dir": "x"}, "comment": "make room"})
    assert said.startswith("image a, action 1 (make room): ")


def test_every_mistake_is_reported() -> None:
    found = read_actions([{"type": "upload", "op": {"File": "", "Dest": "x"}}, {"type": "x"}, *ALL_TEN], "image a")
    assert len(found.problems) == 3
    assert [action.number for action in found.actions] == list(range(3, 13))


def test_little_vm_helper_takes_keys_in_any_case() -> None:
    found = read_actions(
        [{"TYPE": "mkdir", "Op": {"dir": "/a"}}, {"type": "mkdir", "op": {"DIR": "/a"}}], "", lenient=True
    )
    assert [action.op for action in found.actions] == [{"Dir": "/a"}, {"Dir": "/a"}]
    assert found.problems == []


def test_of_keys_that_differ_in_case_the_last_counts() -> None:
    found = read_actions([{"type": "mkdir", "op": {"Dir": "/first", "dir": "/last"}}], "", lenient=True)
    assert found.actions[0].op == {"Dir": "/last"}


def test_little_vm_helper_ignores_unknown_keys_and_we_say_so() -> None:
    found = read_actions(
        [{"type": "mkdir", "op": {"Dir": "/a", "Mode": "0700"}, "when": "now"}], "image a", lenient=True
    )
    assert [action.op for action in found.actions] == [{"Dir": "/a"}]
    assert found.warnings == [
        "image a, action 1: when is not known and ignored.",
        "image a, action 1: op.Mode is not known and ignored.",
    ]
    strict = problem_of({"type": "mkdir", "op": {"Dir": "/a"}, "coment": "x"})
    assert strict == "image a, action 1: does not take coment. Did you mean comment?"


def test_permissions_without_a_zero_are_what_little_vm_helper_makes_of_them() -> None:
    found = read_actions([{"type": "chmod", "op": {"Permissions": "493", "File": "/a"}}], "image a", lenient=True)
    assert found.actions[0].op["Permissions"] == "0755"
    assert "reads it as a decimal number: 0755 in octal" in found.warnings[0]


def test_what_is_a_template_is_checked_when_it_is_rendered() -> None:
    template = {"type": "mkdir", "op": {"Dir": "{{ folder }}"}}
    assert read_actions([template], "image a").problems == []
    # In little-vm-helper's file it is no template, but a name.
    assert "must be an absolute path" in problem_of(template, lenient=True)


@pytest.mark.parametrize(("path", "answer"), [("/a/../b", False), ("/..", True), ("/a/../../b", True), ("/..a", False)])
def test_a_path_that_leads_above_its_beginning_climbs(path: str, answer: bool) -> None:
    assert climbs(path) is answer


def test_a_kernel_folder_has_exactly_one_kernel_and_modules(tmp_path: Path) -> None:
    (tmp_path / "boot").mkdir()
    assert "holds none" in find_kernel(tmp_path)[1]
    (tmp_path / "boot" / "vmlinuz-6.1").write_text("kernel")
    assert "has no folder lib/modules" in find_kernel(tmp_path)[1]
    (tmp_path / "lib" / "modules").mkdir(parents=True)
    (tmp_path / "boot" / "vmlinuz-old").symlink_to("vmlinuz-6.1")
    assert find_kernel(tmp_path) == (tmp_path / "boot" / "vmlinuz-6.1", "")
    (tmp_path / "boot" / "vmlinuz-6.2").write_text("kernel")
    assert "and holds vmlinuz-6.1, vmlinuz-6.2" in find_kernel(tmp_path)[1]


def test_an_upload_is_one_file(tmp_path: Path) -> None:
    (upload,) = read_actions([{"type": "upload", "op": {"File": "x", "Dest": "/x"}}], "").actions
    assert local_problem(upload, tmp_path) == f"{tmp_path} is not a file"
