# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What users write as command wrapper, and what the command is then."""

from __future__ import annotations

import subprocess
import typing as t

import pytest
from ansible_collections.bakehouse.images.plugins.module_utils._errors import Invalid
from ansible_collections.bakehouse.images.plugins.plugin_utils._command_wrapper import wrapper_words

HOSTILE = [
    "two words",
    "it's",
    '"',
    "$HOME",
    "`id`",
    "$(id)",
    "a;b&&c|d",
    "new\nline",
    "*",
    "\\",
    "-n",
    "{command}",
    "",
]


def run(wrapper: t.Any, *command: str) -> str:
    done = subprocess.run([*wrapper_words(wrapper), *command], check=True, capture_output=True, text=True)
    return done.stdout


@pytest.mark.parametrize("nothing", [None, "", []])
def test_without_a_wrapper_nothing_is_added(nothing: t.Any) -> None:
    assert wrapper_words(nothing) == []


@pytest.mark.parametrize(
    "wrapper",
    [
        ["env", "-u", "X"],
        "env -u X {command}",
        "env -u X {{.Command}}",
        "env -u X {{ .Command }}",
        "env -u X {{ command }}",
        "true && env -u X {command}",
        "{command}",
        "{ {command}; }",
        "({command}) 2>&1",
        "env A='b c' \"D=$HOME\" {command}",
    ],
)
def test_the_command_arrives_word_by_word(wrapper: t.Any) -> None:
    assert run(wrapper, "printf", "%s\\0", *HOSTILE).split("\0")[:-1] == HOSTILE


def test_the_text_is_shell(tmp_path: t.Any) -> None:
    log = tmp_path / "log"
    assert run(f"echo before >> {log}; {{command}}", "echo", "done") == "done\n"
    assert log.read_text() == "before\n"


def test_numbers_are_words() -> None:
    assert wrapper_words(["nice", "-n", 10]) == ["nice", "-n", "10"]


@pytest.mark.parametrize(
    ("wrapper", "message"),
    [
        ("nice -n 10", "has 0 places for the command"),
        ("{command} || {command}", "has 2 places"),
        ("sh -c '{command}'", "within quotes"),
        ('sh -c "{command}"', "within quotes"),
        ("pre{command}", "part of a word"),
        ("echo 'open {command}", "not a shell command"),
        ({"nice": 10}, "neither a list nor a text"),
        ([["nice"]], "no word"),
    ],
)
def test_what_cannot_work_is_refused(wrapper: t.Any, message: str) -> None:
    with pytest.raises(Invalid, match=message):
        wrapper_words(wrapper)
