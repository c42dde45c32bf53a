# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the connection decides by itself: whom it enters as, what it enters, what it refuses."""

from __future__ import annotations

import typing as t

import pytest
from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible.playbook.play_context import PlayContext
from ansible.plugins.loader import become_loader, connection_loader

if t.TYPE_CHECKING:
    from ansible_collections.bakehouse.images.plugins.connection.chroot import Connection


def connect(become: str | None = None, become_user: str | None = None, **variables: object) -> Connection:
    """A connection, set up in the order in which Ansible does it for a task."""
    connection = connection_loader.get("bakehouse.images.chroot", PlayContext(), ansible_playbook_pid="1")
    connection.set_become_plugin(become_loader.get(become) if become else None)
    connection.set_options(var_options=variables)
    if connection.become:
        connection.become.set_options(var_options={"ansible_become_user": become_user} if become_user else {})
    return t.cast("Connection", connection)


@pytest.mark.parametrize("method", ["sudo", "ansible.builtin.sudo", "bakehouse.images.chroot_user"])
def test_the_default_method_means_entering_as_the_user(method: str) -> None:
    connection = connect(method, "app")
    assert connection.become
    command = connection.become.build_become_command("id", connection._shell)
    assert connection._user_and_command(f"/bin/sh -c '{command}'", True) == ("app", "/bin/sh -c 'id'")


@pytest.mark.parametrize(
    ("method", "variables"),
    [("sudo", {"ansible_chroot_use_image_sudo": True}), ("su", {})],
)
def test_the_images_own_sudo_and_su_are_commands_in_the_image(method: str, variables: dict[str, t.Any]) -> None:
    connection = connect(method, "app", **variables)
    assert connection.become
    command = connection.become.build_become_command("id", connection._shell)
    assert command.startswith(method)
    assert connection._user_and_command(command, True) == ("root", command)


@pytest.mark.parametrize(
    ("login", "become_user", "user"),
    [
        pytest.param(None, None, "root", id="root"),
        pytest.param("ubuntu", None, "ubuntu", id="a user, to root"),
        pytest.param("ubuntu", "ubuntu", "ubuntu", id="a user, to itself"),
        pytest.param("ubuntu", "postgres", "root", id="a user, to another"),
    ],
)
@pytest.mark.parametrize("method", ["sudo", "su"])
def test_who_handles_temporary_files(login: str | None, become_user: str | None, user: str, method: str) -> None:
    variables: dict[str, t.Any] = {"ansible_user": login} if login else {}
    connection = connect(method, become_user, **variables)
    assert connection._user_and_command("mkdir x", False) == (user, "mkdir x")


def test_without_become_the_variable_says_who_runs_things() -> None:
    assert connect(ansible_user="ubuntu")._user_and_command("id", True) == ("ubuntu", "id")


def test_modules_are_piped_unless_told_otherwise() -> None:
    assert connect().has_pipelining
    assert connect()._option("pipelining") is True
    assert connect(ansible_pipelining=False)._option("pipelining") is False


class TestRefusals:
    """All fail the task; none makes the host unreachable, which would skip the cleanup of a build."""

    def refusal(self, **variables: t.Any) -> str:
        with pytest.raises(AnsibleError) as caught:
            connect(**variables).exec_command("true")
        assert not isinstance(caught.value, AnsibleConnectionFailure)
        return str(caught.value)

    @pytest.mark.parametrize("variables", [{"inventory_hostname": "web"}, {"ansible_host": "10.0.0.1"}])
    def test_no_image(self, variables: dict[str, t.Any]) -> None:
        message = self.refusal(**variables)
        assert f"No image is known for host {next(iter(variables.values()))}" in message
        assert "gather_facts" in message
        assert "ansible_connection" in message

    def test_an_image_that_was_closed(self) -> None:
        message = self.refusal(inventory_hostname="web", ansible_chroot_closed_reason="The build failed: disk full.")
        assert message == "The image of web is closed. The build failed: disk full."

    def test_a_sandbox_that_is_not_open(self) -> None:
        message = self.refusal(ansible_chroot_sandbox="never-opened", ansible_chroot_closed_reason="It is built.")
        assert "The sandbox never-opened of this image is not open" in message
        assert message.endswith("It is built.")

    def test_a_relative_root(self) -> None:
        assert "must be an absolute path, not 'roots/web'" in self.refusal(ansible_chroot_root="roots/web")

    def test_a_build_host_that_cannot_be_read(self) -> None:
        assert "'pigeon'" in self.refusal(ansible_chroot_build_host={"transport": "pigeon"}, ansible_chroot_sandbox="x")


@pytest.mark.parametrize(
    ("variables", "left"),
    [
        ({}, ("of ssh", "of sudo")),
        ({"ansible_su_pass": "the image's"}, ("of ssh", "of sudo")),
        ({"ansible_become_pass": "the image's"}, ("of ssh", None)),
        ({"ansible_become_password": "the image's"}, ("of ssh", None)),
        ({"ansible_password": "of many hosts"}, (None, "of sudo")),
        ({"ansible_ssh_pass": "of many hosts"}, (None, "of sudo")),
    ],
)
def test_only_what_was_asked_for_is_for_the_build_host_too(
    variables: dict[str, str], left: tuple[str | None, str | None]
) -> None:
    context = PlayContext(passwords={"conn_pass": "of ssh", "become_pass": "of sudo"})
    # As ansible-core does it before it makes the connection.
    context.password = variables.get("ansible_ssh_pass", variables.get("ansible_password", context.password))
    context.become_pass = variables.get(
        "ansible_become_password", variables.get("ansible_become_pass", context.become_pass)
    )
    connection = connection_loader.get("bakehouse.images.chroot", context, ansible_playbook_pid="1")
    connection.set_options(var_options=variables)
    assert (connection.asked_login, connection.asked_sudo) == left
