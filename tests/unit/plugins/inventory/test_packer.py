# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Packer templates, as ansible-inventory and ansible-playbook read them."""

from __future__ import annotations

import json
import shutil
import typing as t
from pathlib import Path

import pytest

from tests.unit.plugins.inventory.test_forest import ANSIBLES_OWN, CHECKOUT, Folder

OURS_FIRST = "bakehouse.images.packer,bakehouse.images.forest,host_list,script,auto,yaml,ini,toml"
GIVEN = {"PKR_VAR_source_ami": "ami-0123456789abcdef0", "WEB_TOKEN": "s3cr3t-s3cr3t"}


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """A folder with the templates of examples/packer."""
    shutil.copytree(CHECKOUT / "examples" / "packer", tmp_path, dirs_exist_ok=True)
    return Folder(tmp_path)


def inventory(folder: Folder, file: str, **env: str) -> dict[str, t.Any]:
    return folder.inventory(file, **{"enabled": OURS_FIRST, **GIVEN, **env})


def test_a_template_is_an_inventory(folder: Folder) -> None:
    graph = folder.run("inventory", "-i", "web.pkr.hcl", "--graph", enabled=OURS_FIRST, **GIVEN)
    assert graph.err == ""
    for line in ("@images:\n  |  |--amazon-chroot.web", "@source_web:\n  |  |--amazon-chroot.web"):
        assert line in graph.out
    variables = inventory(folder, "web.pkr.hcl")["_meta"]["hostvars"]["amazon-chroot.web"]
    assert variables["ansible_connection"] == "bakehouse.images.chroot"
    assert variables["bake_provider"] == "ec2"
    assert GIVEN["WEB_TOKEN"] not in str(variables)


def test_the_same_template_in_json_means_the_same(folder: Folder) -> None:
    hcl = inventory(folder, "web.pkr.hcl")["_meta"]["hostvars"]["amazon-chroot.web"]
    as_json = inventory(folder, "web.json")["_meta"]["hostvars"]["web"]
    text = json.dumps(as_json).replace("{{user `token`}}", "var.token").replace("web.json", "web.pkr.hcl")
    assert json.loads(text) == hcl


def test_a_folder_is_named_in_yaml(folder: Folder) -> None:
    found = inventory(folder, "fleet.yml")
    assert sorted(found["build_fleet"]["hosts"]) == ["fleet.amazon-chroot.db", "fleet.amazon-chroot.web"]
    variables = found["_meta"]["hostvars"]
    assert variables["fleet.amazon-chroot.db"]["bake_image_tags"] == {"Role": "db", "Stage": "test", "Team": "ops"}
    through_auto = inventory(folder, "fleet.yml", enabled=ANSIBLES_OWN)
    # The name of the other image has the time in it.
    assert through_auto["_meta"]["hostvars"]["fleet.amazon-chroot.db"] == variables["fleet.amazon-chroot.db"]


def test_options_come_from_the_environment_and_from_ansible_cfg(folder: Folder) -> None:
    folder.write("more.pkrvars.hcl", 'name = "other"\n')
    given = {"BAKEHOUSE_PACKER_VAR_FILES": "more.pkrvars.hcl", "BAKEHOUSE_PACKER_BUILD_HOST": "builder"}
    variables = inventory(folder, "web.pkr.hcl", **given)["_meta"]["hostvars"]["amazon-chroot.web"]
    assert (variables["bake_image_name"], variables["bake_build_host"]) == ("other-1.0", "builder")
    folder.write("ansible.cfg", "[bakehouse_packer]\nexcept = *.db\n")
    assert list(inventory(folder, "fleet.yml")["_meta"]["hostvars"]) == ["fleet.amazon-chroot.web"]


def test_it_can_be_written_out_as_an_ordinary_inventory(folder: Folder) -> None:
    folder.write(
        "braces.pkr.hcl",
        """
source "amazon-chroot" "web" {
  ami_name        = "web"
  source_ami      = "ami-0123456789abcdef0"
  ami_description = "{{`{{x}}`}} {{`{%`}} \\\\n"
}
build {
  sources = ["source.amazon-chroot.web"]
}
""",
    )
    arguments = ("-i", "braces.pkr.hcl", "--list", "--yaml", "--output", "inventory.yml")
    assert folder.run("inventory", *arguments, enabled=OURS_FIRST).rc == 0
    show = [
        {"name": "Show", "ansible.builtin.debug": {"msg": "{{ bake_image_description }}"}, "delegate_to": "localhost"}
    ]
    folder.write("show.yml", [{"hosts": "images", "gather_facts": False, "tasks": show}])
    for file in ("braces.pkr.hcl", "inventory.yml"):
        ran = folder.run("playbook", "-i", file, "show.yml", enabled=OURS_FIRST)
        assert ran.rc == 0
        assert json.dumps("{{x}} {% \\n") in ran.out


def test_secrets_are_looked_up_where_they_are_used(folder: Folder) -> None:
    expression = "lookup('bakehouse.images.packer_value', 'upper(var.token)', inventory='web.pkr.hcl')"
    show = [{"name": "Show", "ansible.builtin.debug": {"msg": "{{ " + expression + " }}"}}]
    folder.write("show.yml", [{"hosts": "localhost", "gather_facts": False, "tasks": show}])
    found = folder.run("playbook", "-i", "localhost,", "show.yml", enabled=OURS_FIRST, **GIVEN)
    assert found.rc == 0
    assert GIVEN["WEB_TOKEN"].upper() in found.out


def test_a_template_with_mistakes_makes_hosts_that_cannot_be_built(folder: Folder) -> None:
    folder.write("wrong.pkr.hcl", 'source "amazon-chroot" "web" {\n  ami_nme = "x"\n}\nbuild {\n  sources = ["x"]\n}\n')
    ran = folder.run("playbook", "-i", "wrong.pkr.hcl", str(CHECKOUT / "playbooks/build.yml"), enabled=OURS_FIRST)
    assert ran.rc != 0
    assert "there is no source 'x'" in ran.out
    assert "wrong.pkr.hcl cannot be built: 1 mistake." in ran.err


def test_files_that_are_no_templates_are_left_alone(folder: Folder) -> None:
    folder.write("hosts.json", {"web": {"hosts": {"a": None}}})
    folder.write("hosts.yml", {"web": {"hosts": {"b": None}}})
    ran = folder.run("inventory", "-i", "hosts.json", "-i", "hosts.yml", "--graph", enabled=OURS_FIRST)
    assert ran.err == ""
    assert "|--a\n" in ran.out
    assert "|--b\n" in ran.out


def test_a_file_that_names_no_template(folder: Folder) -> None:
    folder.write("own.yml", {"plugin": "bakehouse.images.packer", "template": "nothing.pkr.hcl", "var-files": []})
    ran = folder.run("inventory", "-i", "own.yml", "--graph", enabled=OURS_FIRST)
    assert "nothing.pkr.hcl was not found" in ran.err
    assert "own.yml does not take var-files" in ran.err
    assert "|--image_without_a_name" in ran.out
