# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""That a plugin's options, once noted, are those that Ansible reads from its documentation."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from ansible import constants as C
from ansible.plugins.loader import connection_loader
from ansible_collections.bakehouse.images.plugins.plugin_utils._option_definitions import know_options, note_options

CHROOT = "bakehouse.images.chroot"
CONFIG: t.Any = C.config


@pytest.fixture(autouse=True)
def notes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(C, "DEFAULT_LOCAL_TMP", str(tmp_path))
    monkeypatch.setattr(CONFIG, "_plugins", dict(CONFIG._plugins))


@pytest.fixture
def name() -> str:
    loaded = connection_loader.get(CHROOT, class_only=True)._load_name
    assert isinstance(loaded, str)
    return loaded


def known(name: str) -> t.Any:
    return CONFIG.get_configuration_definitions("connection", name)


def test_they_are_the_same_for_the_next_worker(name: str) -> None:
    read = known(name)
    note_options("connection", "module", name)
    CONFIG._plugins["connection"] = {}
    know_options("connection", "module")
    assert known(name) == read


def test_what_ansible_has_read_itself_stays(name: str) -> None:
    note_options("connection", "module", name)
    CONFIG._plugins["connection"] = {name: {"read": {}}}
    know_options("connection", "module")
    assert known(name) == {"read": {}}


def test_nothing_is_known_of_what_nobody_has_noted(name: str) -> None:
    CONFIG._plugins["connection"] = {}
    know_options("connection", "module")
    assert not CONFIG.has_configuration_definition("connection", name)


def test_no_default_is_a_template(name: str) -> None:
    # Ansible marks what it has read as fit to be templates. A note does not carry such marks.
    assert not [option for option, definition in known(name).items() if "{{" in str(definition.get("default"))]
