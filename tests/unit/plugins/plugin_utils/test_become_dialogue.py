# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The talk with a command that asks for a password, with Ansible's own plugin for su."""

from __future__ import annotations

import pytest
from ansible.plugins.loader import become_loader
from ansible_collections.bakehouse.images.plugins.module_utils._errors import Refused
from ansible_collections.bakehouse.images.plugins.plugin_utils._become_dialogue import Dialogue


@pytest.fixture
def dialogue() -> Dialogue:
    su = become_loader.get("ansible.builtin.su")
    su.set_options(direct={"become_pass": "secret"})
    su.success = "BECOME-SUCCESS-x"
    return Dialogue(su, "secret", b"for the command", 7)


def test_nothing_is_said_before_the_question(dialogue: Dialogue) -> None:
    assert dialogue.read(100) is None
    dialogue.err.write(b"Pass")
    assert dialogue.read(100) is None
    assert dialogue.patience == 7


def test_the_answer_is_given_once_and_the_input_when_it_was_taken(dialogue: Dialogue) -> None:
    dialogue.err.write(b"Password: ")
    assert dialogue.read(100) == b"secret\n"
    assert dialogue.read(100) is None
    dialogue.out.write(b"BECOME-SUCCESS-x\n")
    assert dialogue.patience is None
    assert dialogue.read(100) == b"for the command"
    assert dialogue.read(100) == b""


def test_who_is_not_asked_says_nothing(dialogue: Dialogue) -> None:
    dialogue.out.write(b"BECOME-SUCCESS-x\nout")
    assert dialogue.read(100) == b"for the command"


def test_what_was_said_before_can_be_left_out(dialogue: Dialogue) -> None:
    dialogue.err.write(b"Password: ")
    dialogue.out.write(b"Welcome\nBECOME-SUCCESS-x\nout")
    dialogue.err.write(b"err")
    dialogue.out.write(b"put")
    assert dialogue.outputs(stripped=True) == (b"output", b"err")
    assert dialogue.outputs(stripped=False) == (b"Welcome\noutput", b"Password: err")


@pytest.mark.parametrize("heard_first", ["out", "err"])
def test_each_output_has_its_own_mark_whichever_is_heard_first(dialogue: Dialogue, heard_first: str) -> None:
    marked = Dialogue(dialogue.become, "secret", b"", 7, err_mark="MARK")
    if heard_first == "out":
        marked.out.write(b"BECOME-SUCCESS-x\nout")
    for part in (b"lecture\nMA", b"RK", b"\nerr", b"or"):
        marked.err.write(part)
    if heard_first == "err":
        marked.out.write(b"BECOME-SUCCESS-x\nout")
    assert marked.outputs(stripped=True) == (b"out", b"error")


def test_a_wrong_password_is_an_error(dialogue: Dialogue) -> None:
    dialogue.err.write(b"Password: ")
    with pytest.raises(Refused, match="Incorrect su password"):
        dialogue.err.write(b"\nsu: Authentication failure\n")


def test_it_can_begin_again(dialogue: Dialogue) -> None:
    dialogue.err.write(b"Password: ")
    assert dialogue.read(100)
    dialogue.seek(dialogue.tell())
    assert dialogue.read(100) is None
    dialogue.err.write(b"Password: ")
    assert dialogue.read(100) == b"secret\n"
