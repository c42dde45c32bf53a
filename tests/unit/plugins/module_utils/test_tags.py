# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which tags a cloud takes."""

from __future__ import annotations

import pytest
from ansible_collections.bakehouse.images.plugins.module_utils._tags import (
    build_id_problems,
    ownership_tags,
    tag_problems,
    text_tags,
)


def test_good_tags_have_no_problems() -> None:
    assert tag_problems({"Team": "web", "empty": "", "k" * 128: "v" * 256}) == []


@pytest.mark.parametrize(
    ("tags", "problem"),
    [
        ({"": "x"}, "the key '' must have 1 to 128 characters"),
        ({"k" * 129: "x"}, "must have 1 to 128 characters"),
        ({"k": "v" * 257}, "the value of 'k' is longer than 256 characters"),
        ({"AWS:k": "v"}, "starts with aws:, which is reserved"),
        ({str(number): "v" for number in range(50)}, "more than 50 tags, counting the collection's own"),
        ({"bakehouse:build-id": "x"}, "bakehouse:build-id is 'x' here, but another option of this task makes it 'id'"),
    ],
)
def test_bad_tags_are_explained(tags: dict[str, str], problem: str) -> None:
    (found,) = tag_problems(tags, ours={"bakehouse:build-id": "id"})
    assert problem in found


def test_own_tags_may_be_repeated() -> None:
    assert tag_problems({"bakehouse:build-id": "id"}, ours={"bakehouse:build-id": "id"}) == []


def test_only_what_is_known_becomes_a_tag() -> None:
    assert ownership_tags(build_id="3f9c0a71d2b84e65") == {"bakehouse:build-id": "3f9c0a71d2b84e65"}


def test_values_of_yaml_become_text() -> None:
    assert text_tags({"a": 1, "b": True, "c": None, 2: "x"}) == {"a": "1", "b": "True", "c": "", "2": "x"}


@pytest.mark.parametrize("build_id", ["", "3F9C0A71D2B84E65", "3f9c0a71d2b84e6", "3f9c0a71d2b84e65\n"])
def test_what_is_no_build_id_is_refused(build_id: str) -> None:
    assert len(build_id_problems(build_id)) == 1


@pytest.mark.parametrize("build_id", [None, "3f9c0a71d2b84e65"])
def test_a_build_id_has_16_hexadecimal_digits(build_id: str | None) -> None:
    assert build_id_problems(build_id) == []
