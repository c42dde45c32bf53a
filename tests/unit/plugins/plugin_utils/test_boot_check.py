# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an image has to show when it is booted."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.bakehouse.images.plugins.plugin_utils._boot_check import boot_check, boot_check_problems
from ansible_collections.bakehouse.images.plugins.plugin_utils._fingerprint import definition_digest

PROMPT = {"wait_for": r"^\S+ login:"}


@pytest.mark.parametrize(
    ("value", "check"),
    [
        (None, {}),
        (False, {}),
        (True, PROMPT),
        ({}, PROMPT),
        ({"wait_for": "^ready"}, {"wait_for": "^ready"}),
        ({"expect": ["^ok"]}, {**PROMPT, "expect": ["^ok"]}),
    ],
)
def test_true_waits_for_a_login_prompt_and_so_does_what_says_nothing_else(value: t.Any, check: t.Any) -> None:
    assert boot_check(value) == check
    assert boot_check_problems(value) == []


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("yes", "must be true, false or a mapping, and is the text 'yes'"),
        ({"waitfor": "x"}, "does not take waitfor. Did you mean wait_for?"),
        ({"expect": "^ok"}, "expect must be a list of regular expressions, and is the text '^ok'"),
        ({"wait_for": "login: ("}, "wait_for holds 'login: (', which is not a regular expression: "),
        ({"timeout": True}, "timeout must be a number of seconds, and is True"),
        ({"timeout": 0}, "timeout must be at least 1, and is 0"),
        ({"firmware": "efi"}, "firmware must be one of bios, uefi, and is efi"),
    ],
)
def test_a_mistake_is_told(value: t.Any, problem: str) -> None:
    (found,) = boot_check_problems(value)
    assert found.startswith(problem)


def test_all_mistakes_are_told_together() -> None:
    assert len(boot_check_problems({"cpus": 0, "memory_mib": 1, "x": 1})) == 3


def digest(boot: t.Any) -> str:
    return definition_digest(definition={"bake_boot": boot}, files={}, variables={}, version="1")


def test_an_image_that_has_not_shown_it_is_another_one() -> None:
    assert len({digest(False), digest(True), digest({"expect": ["^ok"]}), digest({"firmware": "uefi"})}) == 4


def test_how_long_and_on_what_it_is_booted_makes_no_other_image() -> None:
    assert digest({"timeout": 9, "accelerator": "tcg", "memory_mib": 64, "cpus": 1}) == digest(True)
