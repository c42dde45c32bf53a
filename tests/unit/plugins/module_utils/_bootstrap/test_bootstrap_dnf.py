# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Requests for a system of RPM packages: what dnf is told, and what is refused before it runs."""

from __future__ import annotations

import configparser
import typing as t
from pathlib import Path

import pytest
from ansible_collections.bakehouse.images.plugins.module_utils._bootstrap.dnf import DEFAULT_PACKAGES, Dnf
from ansible_collections.bakehouse.images.plugins.module_utils._bootstrap.request import request_from_params
from ansible_collections.bakehouse.images.plugins.module_utils._bootstrap.rpm_database import move
from ansible_collections.bakehouse.images.plugins.module_utils._errors import Invalid

ROOT = {"device": "/dev/loop9p3", "mount_point": "/", "filesystem": "xfs", "options": None, "uuid": None}
BASE = {"name": "base", "baseurl": ["http://x.example/$releasever/$basearch"], "gpgkey": ["/keys/a", "http://x/b"]}


def params(**given: t.Any) -> t.Dict[str, t.Any]:
    """A module's parameters with its defaults."""
    return {
        "mounts": [ROOT],
        "method": "dnf",
        "suite": "42",
        "repositories": [BASE],
        **dict.fromkeys(("groups", "weak_dependencies", "components", "mirrors", "variant", "keyring")),
        **dict.fromkeys(("packages", "architecture")),
        "wait_timeout": 1800,
        **given,
    }


def test_the_command_has_packages_groups_and_the_tools_of_the_file_systems() -> None:
    request = request_from_params(params(packages=["rpm"], groups=["core", "@minimal"], architecture="arm64"))

    assert Dnf().argv(request, "/target", "/folder") == [
        *("env", "HOME=/root", "dnf", "--quiet", "--assumeyes", "--config=/folder/dnf.conf"),
        *("--installroot=/target", "--releasever=42", "--forcearch=aarch64"),
        *("install", "--", "rpm", "xfsprogs", "@core", "@minimal"),
    ]


def test_without_a_list_there_is_what_a_machine_in_a_cloud_needs() -> None:
    assert set(DEFAULT_PACKAGES) < set(Dnf().packages(request_from_params(params())))
    assert Dnf().packages(request_from_params(params(packages=[]))) == ["xfsprogs"]


def test_the_configuration_has_these_repositories_and_nothing_of_the_build_hosts(tmp_path: Path) -> None:
    more = {"name": "more", "metalink": "https://x/metalink?a=%b", "gpgcheck": False, "repo_gpgcheck": False}

    Dnf().configure(request_from_params(params(repositories=[BASE, {**more, "priority": 5}])), str(tmp_path))

    found = configparser.ConfigParser(interpolation=None)
    found.read(str(tmp_path / "dnf.conf"))
    assert found.sections() == ["main", "base", "more"]
    assert found["main"]["reposdir"] == found["main"]["varsdir"] == str(tmp_path / "empty")
    assert (found["main"]["gpgcheck"], found["main"]["install_weak_deps"], found["main"]["plugins"]) == ("1", "0", "0")
    assert found["base"]["gpgkey"] == "file:///keys/a http://x/b"
    assert (found["base"]["gpgcheck"], found["base"]["baseurl"]) == ("1", "http://x.example/$releasever/$basearch")
    assert (found["more"]["gpgcheck"], found["more"]["metalink"]) == ("0", "https://x/metalink?a=%b")
    assert found["more"]["priority"] == "5"


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"repositories": None}, "needs repositories"),
        ({"mirrors": ["http://x"]}, "The option mirrors is for the method mmdebstrap, and the method is dnf"),
        ({"repositories": [{**BASE, "gpgkey": None}]}, "The repository base has no gpgkey"),
        ({"repositories": [BASE, BASE]}, "The repository base is given twice"),
        ({"repositories": [{**BASE, "baseurl": None}]}, "needs one of baseurl, metalink, mirrorlist, and has none"),
        ({"repositories": [{**BASE, "metalink": "http://x"}]}, "and has baseurl and metalink"),
        ({"repositories": [{**BASE, "name": "a]b"}]}, "is no name of a repository"),
        ({"repositories": [{**BASE, "gpgkey": ["/a\ngpgcheck=0"]}]}, "a space or a line break"),
        ({"method": "mmdebstrap", "suite": "sid"}, "The option repositories is for the method dnf"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_touched(given: t.Dict[str, t.Any], problem: str) -> None:
    with pytest.raises(Invalid) as raised:
        request_from_params(params(**given))
    assert problem in str(raised.value)


def test_a_database_goes_where_the_new_system_has_it_whatever_links_lead_there(tmp_path: Path) -> None:
    (tmp_path / "root/.rpmdb").mkdir(parents=True)
    (tmp_path / "root/.rpmdb/rpmdb.sqlite").write_text("packages")
    (tmp_path / "usr/lib/sysimage/rpm").mkdir(parents=True)
    (tmp_path / "var/lib").mkdir(parents=True)
    (tmp_path / "var/lib/rpm").symlink_to("/usr/lib/sysimage/rpm")

    move(str(tmp_path), "/root/.rpmdb", "/var/lib/rpm")

    assert (tmp_path / "usr/lib/sysimage/rpm/rpmdb.sqlite").read_text() == "packages"
    assert not (tmp_path / "root/.rpmdb").exists()
    move(str(tmp_path), "/usr/lib/sysimage/rpm", "/var/lib/rpm")
    assert (tmp_path / "usr/lib/sysimage/rpm/rpmdb.sqlite").exists(), "nothing is moved where both are one"
