# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a module says that it was asked for, and what it has left out."""

from __future__ import annotations

import json
import typing as t

import pytest
from ansible_collections.bakehouse.images.plugins.plugin_utils._not_started import not_started, policy


def result(status: dict[str, str] | None = None, failed: bool = False, **arguments: t.Any) -> bytes:
    """As the module prints it, with what a shell's profile says before."""
    given = {"daemon_reexec": False, "enabled": None, "scope": "system", "name": "app", **arguments}
    said = {"changed": False, "failed": failed, "status": status or {}, "invocation": {"module_args": given}}
    return b"Welcome {\n{not json\n" + json.dumps(said).encode() + b"\n"


@pytest.mark.parametrize(
    ("state", "command"),
    [
        ("started", "systemctl start app"),
        ("restarted", "systemctl restart app"),
        ("reloaded", "systemctl reload app"),
        ("stopped", None),
        (None, None),
    ],
)
def test_what_would_have_to_run_is_told_as_a_command(state: str | None, command: str | None) -> None:
    assert not_started(result(state=state)) == command


def test_the_units_of_users_are_told_apart() -> None:
    assert not_started(result(state="started", scope="user", name="a b")) == "systemctl --user start 'a b'"


def test_what_was_done_or_has_failed_is_not_told() -> None:
    assert not_started(result(state="started", status={"ActiveState": "active"})) is None
    assert not_started(result(state="started", failed=True)) is None


@pytest.mark.parametrize(
    "output",
    [
        b"",
        b'{"invocation": {"module_args": {"name": "app", "state": "started"}}}\n',
        b'{"daemon_reexec": 1, "invocation": "of something else"}\n',
        b'["daemon_reexec"]\n',
        b'{"invocation": {"module_args": null}, "x": {"daemon_reexec": 1}}\n',
    ],
)
def test_other_output_says_nothing(output: bytes) -> None:
    assert not_started(output) is None


def test_a_task_is_heard_before_the_sandbox() -> None:
    assert policy("/bin/sh -c '/usr/bin/python3 && sleep 0'", {}) == "ignore"
    assert policy("/bin/sh -c '/usr/bin/python3 && sleep 0'", {"BAKEHOUSE_STAND_INS": "fail"}) == "fail"
    command = "/bin/sh -c 'BAKEHOUSE_STAND_INS=no /usr/bin/python3 && sleep 0'"
    assert policy(command, {"BAKEHOUSE_STAND_INS": "fail"}) == "no"
