# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which commands are piped modules. The commands are those that ansible-core makes."""

from __future__ import annotations

import shlex
import subprocess

import pytest
from ansible.plugins.loader import shell_loader
from ansible_collections.bakehouse.images.plugins.plugin_utils._module_payload import recognise

MODULE = b"#!/usr/bin/python3\n\n_ANSIBALLZ_WRAPPER = True\n"


def command(variables: dict[str, str] | None = None, interpreter: str = "/usr/bin/python3", after: str = "") -> str:
    """What ansible-core runs a piped module with."""
    shell = shell_loader.get("sh")
    inner = shell.build_module_command(shell.env_prefix(**(variables or {})), f"#!{interpreter}", "").strip()
    return f"/bin/sh -c {shlex.quote(inner + after)}"


@pytest.mark.parametrize("after", ["", " && sleep 0"])
@pytest.mark.parametrize(
    "variables", [{}, {"A": "1"}, {"PATH": "/x:$PATH", "EMPTY": "", "TEXT": 'it\'s `a` "b"; c && d\n✓ = $(e)'}]
)
def test_a_module(variables: dict[str, str], after: str) -> None:
    found = recognise(command(variables, after=after), MODULE)
    assert found
    assert (found.interpreter, found.assignments, found.shell) == ("/usr/bin/python3", variables, "/bin/sh")


@pytest.mark.parametrize(
    "other",
    [
        "/usr/bin/python3",
        "/bin/sh -c /usr/bin/python3 -v",
        "/bin/sh -c '/usr/bin/python3 && sleep 1'",
        "/bin/sh -c '/usr/bin/python3; sleep 0'",
        "/bin/sh -c '/usr/bin/python3 -v && sleep 0'",
        "/bin/sh -c '/usr/bin/env python3 && sleep 0'",
        "/bin/sh -c 'A=$B /usr/bin/python3 && sleep 0'",
        "/bin/sh -c 'A=`id` /usr/bin/python3 && sleep 0'",
        "/bin/sh -c 'A=1 A=2 /usr/bin/python3 && sleep 0'",
        "/bin/sh -c '1A=1 /usr/bin/python3 && sleep 0'",
        "/bin/sh -c 'cd /x && /usr/bin/python3 && sleep 0'",
        "/bin/sh -c '$PYTHON && sleep 0'",
        "/bin/sh -c '~/python && sleep 0'",
        '/bin/sh -c "/usr/bin/python3 && sleep 0"',
        "/bin/sh -c 'unfinished",
        "",
    ],
)
def test_anything_else_is_a_command(other: str) -> None:
    assert recognise(other, MODULE) is None


@pytest.mark.parametrize("stdin", [None, b"", b"print(1)\n", b"#" * 10000 + MODULE])
def test_another_program_is_only_an_input(stdin: bytes | None) -> None:
    assert recognise(command(), stdin) is None


def test_the_environment_is_told_by_the_shells_around_the_interpreter() -> None:
    found = recognise(command({"A": "1"}, after=" && sleep 0"), MODULE)
    assert found
    told = subprocess.run(["/bin/sh", "-c", found.probe], check=True, capture_output=True, env={"B": "2"}, cwd="/")
    directory, *variables = told.stdout.split(b"\0")
    assert directory == b"/"
    assert b"B=2" in variables
    assert b"A=1" not in variables


def test_a_death_is_what_the_shells_around_the_interpreter_make_of_it() -> None:
    found = recognise(command(after=" && sleep 0"), MODULE)
    assert found
    done = subprocess.run(["/bin/sh", "-c", found.dying.replace("@SIGNAL@", "11")], check=False, capture_output=True)
    assert done.returncode == 139
