# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a build host is reached is read from its own variables, and what cannot work is said beforehand."""

from __future__ import annotations

import os
import typing as t
from pathlib import Path

import pytest
from ansible.errors import AnsibleError
from ansible_collections.bakehouse.images.plugins.plugin_utils._build_host_variables import (
    connection_option,
    problems_of,
)

from tests.unit.plugins.plugin_utils.inventories import variables_of

IMAGE = {"ansible_connection": "bakehouse.images.chroot", "ansible_user": "app", "ansible_become_password": "image's"}


@pytest.fixture
def read(tmp_path: Path) -> t.Callable[..., dict[str, t.Any]]:
    """Reads an inventory with an image and a build host of these variables."""

    def variables(**builder: t.Any) -> dict[str, t.Any]:
        return variables_of(tmp_path, {"all": {"hosts": {"web": IMAGE, "builder": builder}}})

    return variables


def test_what_matters_is_taken_from_the_build_host_and_evaluated_there(read: t.Callable[..., dict[str, t.Any]]) -> None:
    variables = read(
        site="example.com",
        ansible_host="{{ inventory_hostname }}.{{ site }}",
        ansible_user="admin",
        ansible_port=2222,
        ansible_become_password="{{ lookup('vars', 'secret') }}",
        secret="{{ 'a' ~ '{{ b' }}",
        unrelated="{{ nobody.defines.this }}",
    )
    option = connection_option("builder", variables)
    assert option["transport"] == "ssh"
    assert option["variables"] == {
        "ansible_become_password": "a{{ b",
        "ansible_host": "builder.example.com",
        "ansible_port": 2222,
        "ansible_user": "admin",
        "inventory_hostname": "builder",
    }


def test_values_are_plain(read: t.Callable[..., dict[str, t.Any]]) -> None:
    """Tags of Ansible would lead back to the ciphertext of a secret, or let text be templated."""
    option = connection_option("builder", read(ansible_password="x", ansible_port=22, ansible_ssh_use_tty=False))
    assert {type(value) for value in option["variables"].values()} == {str, int, bool}


def test_a_build_host_that_is_the_controller_needs_nothing(read: t.Callable[..., dict[str, t.Any]]) -> None:
    assert connection_option("localhost", read()) == {"transport": "local"}
    assert connection_option("builder", read(ansible_connection="local", ansible_user="x")) == {"transport": "local"}


def test_sudo_of_the_controller_is_that_of_its_variables(read: t.Callable[..., dict[str, t.Any]]) -> None:
    option = connection_option("builder", read(ansible_connection="local", ansible_become_exe="/opt/sudo"))
    assert option == {"transport": "local", "variables": {"ansible_become_exe": "/opt/sudo"}}


def test_the_interpreter_that_is_named_is_used(read: t.Callable[..., dict[str, t.Any]]) -> None:
    named = connection_option("builder", read(ansible_python_interpreter="/opt/python"))
    assert named["variables"]["ansible_python_interpreter"] == "/opt/python"
    found = connection_option("builder", read(ansible_python_interpreter="auto"))
    assert "ansible_python_interpreter" not in found["variables"]


def test_a_variable_that_cannot_be_evaluated_is_named(read: t.Callable[..., dict[str, t.Any]]) -> None:
    with pytest.raises(AnsibleError, match="ansible_host of the build host builder cannot be evaluated"):
        connection_option("builder", read(ansible_host="{{ 1 / 0 }}"))


def test_a_machine_that_ssh_reaches_is_fine(read: t.Callable[..., dict[str, t.Any]]) -> None:
    assert problems_of("builder", read(ansible_user="admin")) == []
    assert problems_of("builder", read(ansible_connection="ansible.builtin.ssh", ansible_user="root")) == []
    assert problems_of("localhost", read()) == []


@pytest.mark.parametrize(
    ("builder", "problem"),
    [
        pytest.param({"ansible_connection": "winrm"}, "A build host runs Linux", id="Windows"),
        pytest.param({"ansible_connection": "community.docker.docker"}, "the container runs on", id="container"),
        pytest.param({"ansible_connection": "paramiko"}, "Set ansible_connection: ssh", id="another ssh"),
        pytest.param({"ansible_connection": "amazon.aws.aws_ssm"}, "with a ProxyCommand", id="Session Manager"),
        pytest.param({"ansible_connection": "nonsense"}, "is the controller", id="unknown plugin"),
        pytest.param({"ansible_connection": "bakehouse.images.chroot"}, "is itself an image", id="image"),
        pytest.param({"ansible_become_method": "doas"}, "Set ansible_become_method: sudo", id="not sudo"),
        pytest.param({"ansible_become_user": "oracle"}, "needs root there", id="not root"),
        pytest.param({"ansible_become": False, "ansible_user": "admin"}, "admin is not root", id="no become"),
        pytest.param({"ansible_connection": "{{ 1 / 0 }}"}, "cannot be evaluated", id="error"),
    ],
)
def test_what_cannot_work_is_said(
    builder: dict[str, t.Any], problem: str, read: t.Callable[..., dict[str, t.Any]]
) -> None:
    found = problems_of("builder", read(**builder))
    assert len(found) == 1
    assert problem in found[0]


def test_root_needs_no_become(read: t.Callable[..., dict[str, t.Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    assert problems_of("builder", read(ansible_user="root", ansible_become_method="doas")) == []
    local = {"ansible_connection": "local", "ansible_become_method": "doas"}
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert problems_of("builder", read(**local)) == []
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert "gives root rights by doas" in problems_of("builder", read(**local))[0]


def test_a_name_that_is_not_in_the_inventory(read: t.Callable[..., dict[str, t.Any]]) -> None:
    (problem,) = problems_of("bulider", read())
    assert problem == "bake_build_host bulider is not a host of this inventory. Did you mean builder?"
