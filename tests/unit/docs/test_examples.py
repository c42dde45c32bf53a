# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The documents' examples name no variable that there is not, and give none a value that it does not take."""

from __future__ import annotations

import typing as t
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from tools.check_documents import AnyTag, blocks

CHECKOUT = Path(__file__).resolve().parents[3]
SPECS = yaml.safe_load((CHECKOUT / "roles/bake/meta/argument_specs.yml").read_text(encoding="utf-8"))["argument_specs"]
OPTIONS = {name: option for entry in SPECS.values() for name, option in (entry.get("options") or {}).items()}
# What the role sets for commands on the build host, and for those that come after it.
SET_BY_THE_ROLE = {"bake_device", "bake_mount_path"}
DOCUMENTS = ("connection.md", "failures.md", "getting-started.md", "isolation.md", "provisioning.md", "sandbox.md")


def connection_variables() -> set[str]:
    """The variables of the connection, as its documentation has them."""
    source = (CHECKOUT / "plugins/connection/chroot.py").read_text(encoding="utf-8")
    options = yaml.safe_load(source.partition('DOCUMENTATION = r"""')[2].partition('"""')[0])["options"]
    return {variable["name"] for option in options.values() for variable in option.get("vars", [])}


def settings(value: t.Any) -> Iterator[tuple[str, t.Any]]:
    """All keys with their values, however deep."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield str(key), inner
            yield from settings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from settings(inner)


def examples(document: str) -> Iterator[tuple[str, t.Any]]:
    """The settings of all examples of a document."""
    for block in blocks((CHECKOUT / "docs" / document).read_text(encoding="utf-8")):
        if block.language == "yaml":
            for content in yaml.load_all(block.text, Loader=AnyTag):  # noqa: S506  (a SafeLoader)
                yield from settings(content)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_variables_of_the_role_exist_and_take_the_values(document: str) -> None:
    used = [(name, value) for name, value in examples(document) if name.startswith("bake_")]
    assert {name for name, _value in used} - OPTIONS.keys() - SET_BY_THE_ROLE == set()
    for name, value in used:
        if name in OPTIONS and "{{" not in str(value):
            option = {key: OPTIONS[name][key] for key in ("type", "elements", "choices") if key in OPTIONS[name]}
            assert ArgumentSpecValidator({name: option}).validate({name: value}).error_messages == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_variables_of_the_connection_exist(document: str) -> None:
    used = {name for name, _value in examples(document) if name.startswith("ansible_chroot_")}
    assert used - connection_variables() == set()
