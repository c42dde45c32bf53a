# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files that describe forests, as ansible-inventory and ansible-playbook read them."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
import yaml

CHECKOUT = Path(__file__).resolve().parents[4]
OURS_FIRST = "bakehouse.images.forest,host_list,script,auto,yaml,ini,toml"
ANSIBLES_OWN = "host_list,script,auto,yaml,ini,toml"

LVH = [
    {
        "name": "base.img",
        "packages": ["vim"],
        "actions": [{"comment": "{{ no template }}", "type": "run-command", "op": {"Cmd": "docker ps -f '{{.Id}}'"}}],
    },
    {"name": "k8s.qcow2", "parent": "base.img", "actions": [{"type": "upload", "op": {"File": "env", "Dest": "/env"}}]},
]


@dataclasses.dataclass
class Ran:
    """How a program ended."""

    rc: int
    out: str
    err: str


@dataclasses.dataclass
class Folder:
    """A user's folder."""

    path: Path

    def write(self, name: str, content: t.Any) -> Path:
        """Write a file; what is not text becomes JSON, or YAML by its name."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        dump = json.dumps if path.suffix == ".json" else yaml.safe_dump
        path.write_text(content if isinstance(content, str) else dump(content))
        return path

    def run(self, program: str, *arguments: str, enabled: str = OURS_FIRST, **env: str) -> Ran:
        """Run one of Ansible's programs here."""
        settings = {
            "ANSIBLE_COLLECTIONS_PATH": str(CHECKOUT / ".collections"),
            "ANSIBLE_HOME": str(self.path / ".ansible"),
            "ANSIBLE_INVENTORY_ENABLED": enabled,
            "ANSIBLE_NOCOLOR": "1",
        }
        outside = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
        done = subprocess.run(
            [sys.executable, "-m", "ansible", program, *arguments],
            check=False,
            cwd=self.path,
            env={**outside, **settings, **env},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
        )
        print(done.stdout, done.stderr)  # shown by pytest when the test fails
        return Ran(done.returncode, done.stdout, done.stderr)

    def inventory(self, file: str, **options: str) -> dict[str, t.Any]:
        """What ansible-inventory makes of the file."""
        ran = self.run("inventory", "-i", file, "--list", **options)
        assert ran.rc == 0
        found: dict[str, t.Any] = json.loads(ran.out, object_hook=_plain_text)
        return found

    def tree(self) -> list[Path]:
        """All that lies here but for what Ansible keeps for itself."""
        return sorted(path for path in self.path.rglob("*") if ".ansible" not in path.parts)

    def build(self, file: str, *arguments: str) -> Ran:
        """Run the playbook that builds images, which is to refuse the inventory."""
        return self.run("playbook", "-i", file, str(CHECKOUT / "playbooks" / "build.yml"), *arguments)


def _plain_text(content: dict[str, t.Any]) -> t.Any:
    """Text that is no template is marked as such in the output."""
    return content.get("__ansible_unsafe", content)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


@pytest.fixture
def forest(folder: Folder) -> Folder:
    """A base and an image made from it, as a user of little-vm-helper has them."""
    folder.write("env", "PATH=/x\n")
    folder.write("images.json", LVH)
    return folder


def hosts(inventory: dict[str, t.Any], group: str) -> list[str]:
    found: list[str] = inventory[group]["hosts"]
    return found


def test_images_json_is_an_inventory(forest: Folder) -> None:
    graph = forest.run("inventory", "-i", "images.json", "--graph")
    assert graph.err == ""
    for group in ("images", "roots", "leaves", "depth_0", "depth_1", "children_of_base_img", "with_parents_k8s_qcow2"):
        assert f"|--@{group}:" in graph.out
    found = forest.inventory("images.json")
    assert hosts(found, "with_parents_k8s_qcow2") == ["base.img", "k8s.qcow2"]
    variables = found["_meta"]["hostvars"]["k8s.qcow2"]
    assert variables["ansible_connection"] == "bakehouse.images.chroot"
    assert variables["bake_provider"] == "local"
    assert variables["bake_source"] == {"parent": "base.img"}
    assert variables["bake_output_directory"] == str(forest.path / "images")


@pytest.mark.parametrize("name", ["images.json", "again.yml"])
def test_files_with_other_ends_of_lines_are_the_same_forest(forest: Folder, name: str) -> None:
    own = {"plugin": "bakehouse.images.forest", "images": LVH}
    written = json.dumps(LVH, indent=2) if name == "images.json" else yaml.safe_dump(own)
    found = forest.inventory(str(forest.write(name, written)))
    (forest.path / name).write_bytes(written.replace("\n", "\r\n").encode())
    assert forest.inventory(name) == found


def test_two_lines_of_yaml_are_enough_where_the_plugin_is_not_enabled(forest: Folder) -> None:
    forest.write("elsewhere/forest.yml", {"plugin": "bakehouse.images.forest", "source": "../images.json"})
    through_auto = forest.inventory("elsewhere/forest.yml", enabled=ANSIBLES_OWN)
    direct = forest.inventory("images.json")
    assert through_auto == direct


def test_our_own_yaml_is_found_either_way(folder: Folder) -> None:
    folder.write("images.yml", {"plugin": "bakehouse.images.forest", "images": [{"name": "a", "suite": "bookworm"}]})
    for enabled in (OURS_FIRST, ANSIBLES_OWN):
        variables = folder.inventory("images.yml", enabled=enabled)["_meta"]["hostvars"]["a"]
        assert variables["bake_source"]["scratch"]["suite"] == "bookworm"


def test_settings_come_from_the_environment_for_a_file_that_has_none(forest: Folder) -> None:
    settings = {
        "BAKEHOUSE_FOREST_SUITE": "trixie",
        "BAKEHOUSE_FOREST_MIRRORS": "http://a.example,http://b.example",
        "BAKEHOUSE_FOREST_CACHE": "exists",
        "BAKEHOUSE_FOREST_FORCE": "true",
        "BAKEHOUSE_FOREST_BOOT": "{timeout: 600}",
        "BAKEHOUSE_FOREST_IMAGES_DIRECTORY": "/srv/out",
    }
    variables = forest.inventory("images.json", **settings)["_meta"]["hostvars"]["base.img"]
    assert variables["bake_source"]["scratch"]["suite"] == "trixie"
    assert variables["bake_source"]["scratch"]["mirrors"] == ["http://a.example", "http://b.example"]
    assert (variables["bake_cache"], variables["bake_force"]) == ("exists", True)
    assert variables["bake_boot"] == {"timeout": 600}
    assert variables["bake_output_directory"] == "/srv/out"


def test_settings_come_from_ansible_cfg(forest: Folder) -> None:
    forest.write("ansible.cfg", "[bakehouse_forest]\nsuite = trixie\n")
    variables = forest.inventory("images.json")["_meta"]["hostvars"]["base.img"]
    assert variables["bake_source"]["scratch"]["suite"] == "trixie"


def test_a_setting_that_is_wrong_is_refused(forest: Folder) -> None:
    ran = forest.run("inventory", "-i", "images.json", "--graph", BAKEHOUSE_FOREST_CACHE="lvh")
    assert "lvh" in ran.err and "exists" in ran.err


def test_a_check_of_booting_that_is_wrong_is_refused(forest: Folder) -> None:
    for given, said in (("{expect: ok}", "boot expect must be a list"), ("{x: ", "boot must be true, false or a")):
        ran = forest.run("inventory", "-i", "images.json", "--graph", BAKEHOUSE_FOREST_BOOT=given)
        assert said in " ".join(ran.err.split())


def test_group_variables_of_the_user_are_stronger_than_those_of_all_images(forest: Folder) -> None:
    forest.write("group_vars/images.yml", {"bake_provider": "ec2", "bake_on_error": "keep"})
    variables = forest.inventory("images.json")["_meta"]["hostvars"]["base.img"]
    assert (variables["bake_provider"], variables["bake_on_error"]) == ("ec2", "keep")


def test_other_inventories_are_left_to_ansible(folder: Folder) -> None:
    folder.write("hosts.json", {"web": {"hosts": {"a": {"x": 1}}}})
    folder.write("hosts.yml", {"web": {"hosts": {"b": None}}})
    folder.write("hosts.ini", "[web]\nc\n")
    for name, host in (("hosts.json", "a"), ("hosts.yml", "b"), ("hosts.ini", "c")):
        ran = folder.run("inventory", "-i", name, "--graph")
        assert ran.err == ""
        assert f"--@web:\n  |  |--{host}\n" in ran.out


def test_what_is_text_in_images_json_is_never_rendered(forest: Folder) -> None:
    forest.write(
        "show.yml",
        [
            {
                "hosts": "base.img",
                "gather_facts": False,
                "tasks": [
                    {
                        "name": "Show",
                        "ansible.builtin.debug": {"msg": "{{ bake_provision | to_json }}"},
                        "delegate_to": "localhost",
                    }
                ],
            }
        ],
    )
    ran = forest.run("playbook", "-i", "images.json", "show.yml")
    assert ran.rc == 0
    assert "docker ps -f '{{.Id}}'" in ran.out
    assert "{{ no template }}" in ran.out


CIRCLE: list[dict[str, t.Any]] = [{"name": "a", "parent": "b"}, {"name": "b", "parent": "a"}]

BAD: dict[str, tuple[list[dict[str, t.Any]], str]] = {
    "duplicate": ([{"name": "a", "packages": []}, {"name": "a"}], "there are 2 images of this name"),
    "cycle": (CIRCLE, "its parents lead back to it: a -> b -> a"),
    "self-parent": ([{"name": "a", "parent": "a"}], "it is its own parent"),
    "missing parent": ([{"name": "a", "parent": "gone.img"}], "images/gone.img is not there"),
    "unknown action": ([{"name": "a", "actions": [{"type": "mkdri", "op": {}}]}], "Did you mean mkdir?"),
    "bad size": ([{"name": "a", "image_size": "big"}], "image_size 'big' is not a size"),
    "missing local file": (
        [{"name": "a", "actions": [{"type": "tar-in", "op": {"TarFile": "gone.tar", "RemoteDir": "/"}}]}],
        "gone.tar is not there",
    ),
    "path escaping": ([{"name": "../a", "packages": []}], "the name '../a' cannot be the name of a file"),
    "path escaping by a parent": ([{"name": "a", "parent": "../b", "packages": []}], "'../b' is no name of an image"),
    "path out of the image": (
        [{"name": "a", "actions": [{"type": "mkdir", "op": {"Dir": "/../../x"}}]}],
        "leads out of the image",
    ),
    "path out of the image by a copy": (
        [{"name": "a", "actions": [{"type": "copy-in", "op": {"LocalPath": ".", "RemoteDir": "/srv/../../x"}}]}],
        "leads out of the image",
    ),
    "path that begins nowhere": (
        [{"name": "a", "actions": [{"type": "mkdir", "op": {"Dir": "srv"}}]}],
        "must be an absolute path",
    ),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_configuration_is_one_error(folder: Folder, kind: str) -> None:
    images, said = BAD[kind]
    folder.write("images.json", images)
    ran = folder.run("inventory", "-i", "images.json", "--graph")
    assert said in " ".join(ran.err.split())
    assert ran.err.count("cannot be built: 1 mistake.") == 1
    assert "WARNING" not in ran.err


@pytest.mark.parametrize("kind", [kind for kind in BAD if not kind.startswith("path ")] + ["path out of the image"])
def test_nothing_of_a_bad_configuration_is_built(folder: Folder, kind: str) -> None:
    images, said = BAD[kind]
    folder.write("images.json", [{"name": "good", "packages": []}, *images])
    before = folder.tree()
    ran = folder.build("images.json")
    assert ran.rc != 0
    output = " ".join((ran.out + ran.err).split())
    assert "The images cannot be built, because the inventory that describes them has mistakes" in output
    assert said in output
    assert output.count("fatal:") == 1
    assert folder.tree() == before


def test_every_mistake_is_in_the_one_error(folder: Folder) -> None:
    bad = [
        *CIRCLE,
        {"name": "twice", "packages": []},
        {"name": "twice"},
        {"name": "size", "image_size": "big", "parent": "gone.img"},
        {"name": "self", "parent": "self"},
        {"name": "../out", "packages": []},
        {
            "name": "actions",
            "actions": [
                {"type": "mkdri", "op": {}},
                {"type": "tar-in", "op": {"TarFile": "gone.tar", "RemoteDir": "/"}},
                {"type": "mkdir", "op": {"Dir": "/../x"}},
            ],
        },
    ]
    folder.write("images.json", bad)
    before = folder.tree()
    ran = folder.run("inventory", "-i", "images.json", "--graph")
    assert f"{folder.path}/images.json cannot be built: 9 mistakes." in " ".join(ran.err.split())
    assert folder.tree() == before


def test_what_little_vm_helper_saves_is_the_same_forest_as_what_it_reads(forest: Folder) -> None:
    written = forest.inventory("images.json")
    forest.write("images/saved.json", {"Dir": "anywhere", "Images": LVH})
    assert forest.inventory("images/saved.json") == written


def test_a_limit_does_not_get_around_the_mistakes(folder: Folder) -> None:
    folder.write("images.json", [{"name": "good", "packages": []}, *CIRCLE])
    ran = folder.build("images.json", "--limit", "good")
    assert ran.rc != 0
    assert "its parents lead back to it: a -> b -> a" in ran.out + ran.err


def test_a_limit_that_leaves_no_image_is_refused(forest: Folder) -> None:
    forest.write("more.yml", {"all": {"hosts": {"builder": {"ansible_connection": "local"}}}})
    ran = forest.build("images.json", "-i", "more.yml", "--limit", "builder")
    assert ran.rc != 0
    assert "None of these hosts is an image" in ran.out + ran.err


OF_THE_REPOSITORY = {
    "forest/images.json": {"base.raw", "k8s.qcow2"},
    "forest/images.yml": {"web.qcow2"},
    "forest-large/images.json": {"base.raw", "node.qcow2", "kernel-debug.qcow2"},
}


@pytest.mark.parametrize(("file", "names"), OF_THE_REPOSITORY.items())
def test_the_examples_are_inventories(folder: Folder, file: str, names: set[str]) -> None:
    path = CHECKOUT / "examples" / file
    ran = folder.run("inventory", "-i", str(path), "--list")
    assert ran.err == ""
    assert names <= set(json.loads(ran.out)["_meta"]["hostvars"])
