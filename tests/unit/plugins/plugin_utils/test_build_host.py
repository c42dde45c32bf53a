# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os

import pytest
from ansible_collections.bakehouse.images.plugins.module_utils._errors import Invalid
from ansible_collections.bakehouse.images.plugins.plugin_utils._build_host import BuildHost, wanted_variables


@pytest.mark.parametrize(
    ("option", "euid", "prefix"),
    [
        pytest.param({}, 0, [], id="root needs nothing"),
        pytest.param({}, 1000, ["sudo", "-n", "--"], id="others need sudo"),
        pytest.param({"become": True}, 0, ["sudo", "-n", "--"], id="root may use sudo"),
        pytest.param({"become": False}, 1000, [], id="others may have the rights by other means"),
        pytest.param({"become": True, "become_exe": "/opt/sudo"}, 0, ["/opt/sudo", "-n", "--"], id="named sudo"),
        pytest.param(
            {"variables": {"ansible_become": "yes", "ansible_become_exe": "/opt/sudo", "ansible_become_flags": "-H"}},
            0,
            ["/opt/sudo", "-H", "-n", "--"],
            id="by the build host's variables",
        ),
        pytest.param({"become": False, "variables": {"ansible_become": True}}, 0, [], id="the option's own key wins"),
    ],
)
def test_how_commands_get_their_rights(
    option: dict[str, object], euid: int, prefix: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: euid)
    transport = BuildHost.from_option(option).to_transport(["ionice", "-c3"])
    assert transport.argv(["true"]) == [*prefix, "ionice", "-c3", "true"]


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(Invalid) as caught:
        BuildHost.from_option({"transport": "pigeon", "become": "maybe", "become_method": "su", "port": 22})
    assert len(caught.value.problems) == 4
    assert "'port' is not known" in str(caught.value)
    assert "'pigeon'" in str(caught.value)


SSH = {"transport": "ssh", "variables": {"ansible_host": "builder.example.com"}}


def test_a_build_host_behind_ssh() -> None:
    transport = BuildHost.from_option(SSH).to_transport()
    assert not transport.is_local
    assert "builder.example.com" in transport.argv(["true"])


def test_what_ssh_needs_to_know() -> None:
    with pytest.raises(Invalid) as caught:
        BuildHost.from_option({"transport": "ssh", "variables": {"ansible_hots": "x", "ansible_become_method": "su"}})
    assert len(caught.value.problems) == 3
    assert "Did you mean ansible_host?" in str(caught.value)
    assert "variables has no ansible_host" in str(caught.value)
    assert "ansible_become_method" in str(caught.value)


def test_variables_are_a_dictionary() -> None:
    with pytest.raises(Invalid, match="variables must be a dictionary"):
        BuildHost.from_option({"transport": "ssh", "variables": "ansible_host=x"})


def test_secrets_are_never_repeated() -> None:
    secrets = {"ansible_password": "hunter2", "ansible_become_password": "hunter2", "ansible_nonsense": "hunter2"}
    with pytest.raises(Invalid) as caught:
        BuildHost.from_option({"transport": "ssh", "variables": secrets})
    assert "hunter2" not in str(caught.value)
    del secrets["ansible_nonsense"]
    host = BuildHost.from_option({"transport": "ssh", "variables": {**secrets, "ansible_host": "x"}})
    assert "hunter2" not in repr(host)
    assert "hunter2" not in " ".join(host.to_transport().argv(["true"]))


def test_which_variables_count() -> None:
    for name in ("ansible_host", "ansible_user", "ansible_port", "ansible_ssh_common_args", "ansible_password"):
        assert name in wanted_variables("ssh")
        assert name not in wanted_variables("local")
    for name in ("ansible_become", "ansible_become_password", "ansible_sudo_exe", "ansible_python_interpreter"):
        assert name in wanted_variables("ssh") & wanted_variables("local")
    assert all(name.isidentifier() for name in wanted_variables())
