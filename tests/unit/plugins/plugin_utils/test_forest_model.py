# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How images depend on one another, what is wrong with that, and the hosts and groups it makes."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from ansible_collections.bakehouse.images.plugins.plugin_utils._forest_checks import forest_problems, forest_warnings
from ansible_collections.bakehouse.images.plugins.plugin_utils._forest_inventory import HostVariables, groups_of
from ansible_collections.bakehouse.images.plugins.plugin_utils._forest_model import (
    LEVELS,
    Described,
    Forest,
    Image,
    cycles,
)
from ansible_collections.bakehouse.images.plugins.plugin_utils._image_actions import read_actions
from ansible_collections.bakehouse.images.plugins.plugin_utils._provision_steps import parse_steps
from ansible_collections.bakehouse.images.plugins.plugin_utils._untemplated import defined_in, plain, to_yaml

#     base         other      child of a file
#    /    \                     |
#  k8s    web                 far
#   |
#  lab
FOREST = Forest(
    [
        Image("lab", parent="k8s"),
        Image("base.img"),
        Image("k8s", parent="base.img"),
        Image("web", parent="base.img"),
        Image("other"),
        Image("far", parent="outside.img"),
    ]
)


def test_roots_have_no_parent_in_the_forest() -> None:
    assert FOREST.roots() == ["base.img", "other", "far"]
    assert [name for name in FOREST.images if FOREST.is_external(name)] == ["far"]


def test_leaves_are_nobodys_parent() -> None:
    assert FOREST.leaves() == ["lab", "web", "other", "far"]


def test_ancestors_come_topmost_first() -> None:
    assert FOREST.ancestors("lab") == ["base.img", "k8s"]
    assert FOREST.ancestors("far") == []
    assert [FOREST.depth(name) for name in FOREST.images] == [2, 0, 1, 1, 0, 0]


def test_groups_say_all_that_a_play_or_a_limit_wants() -> None:
    assert groups_of(FOREST) == {
        "roots": ["base.img", "other", "far"],
        "leaves": ["lab", "web", "other", "far"],
        "depth_0": ["base.img", "other", "far"],
        "depth_1": ["k8s", "web"],
        "depth_2": ["lab"],
        "children_of_base_img": ["k8s", "web"],
        "children_of_k8s": ["lab"],
        "with_parents_lab": ["base.img", "k8s", "lab"],
        "with_parents_base_img": ["base.img"],
        "with_parents_k8s": ["base.img", "k8s"],
        "with_parents_web": ["base.img", "web"],
        "with_parents_other": ["other"],
        "with_parents_far": ["far"],
    }


def test_names_that_make_the_same_group_make_none_and_a_warning() -> None:
    images = [Image("a.b"), Image("a-b", parent="a.b")]
    assert set(groups_of(Forest(images))) == {"roots", "leaves", "depth_0", "depth_1"}
    (warning,) = forest_warnings(images)
    assert warning.startswith("The images a.b and a-b would share the groups children_of_a_b and with_parents_a_b")


@pytest.mark.parametrize(
    ("parents", "found"),
    [
        ({"a": None, "b": "a"}, []),
        ({"a": "b", "b": "a"}, [["a", "b"]]),
        ({"tail": "b", "a": "b", "b": "c", "c": "a"}, [["a", "b", "c"]]),
        ({"a": "b", "b": "a", "x": "y", "y": "x", "z": None}, [["a", "b"], ["x", "y"]]),
    ],
)
def test_circles_are_found_once(parents: dict[str, str | None], found: list[list[str]]) -> None:
    assert cycles(parents) == found


def problems(*images: Image, folder: Path | None = None) -> list[str]:
    return forest_problems(images, Path("/base"), folder)


def test_a_circle_is_refused_with_the_way_round() -> None:
    said = problems(Image("a", parent="c"), Image("b", parent="a"), Image("c", parent="b"), Image("d", parent="a"))
    assert said == ["image a: its parents lead back to it: a -> c -> b -> a."]


def test_names_must_differ() -> None:
    assert problems(Image("a"), Image("a"), Image("a")) == [
        "image a: there are 3 images of this name, and names must differ."
    ]


def test_a_parent_that_is_not_described_must_be_a_file(tmp_path: Path) -> None:
    (tmp_path / "there.img").write_text("")
    (tmp_path / "folder").mkdir()
    children = [Image(f"child-{name}", parent=name) for name in ("there.img", "folder", "gone.img")]
    said = problems(*children, folder=tmp_path)
    assert said == [
        "image child-folder: the parent folder is not described here, and is not in the images directory either:"
        f" {tmp_path}/folder is not a regular file.",
        "image child-gone.img: the parent gone.img is not described here, and is not in the images directory either:"
        f" {tmp_path}/gone.img is not there.",
    ]
    assert problems(*children) == [], "on another machine it is looked for when the image is built"


def test_a_chain_has_as_many_levels_as_there_are_plays() -> None:
    chain = [Image("i0"), *(Image(f"i{number}", parent=f"i{number - 1}") for number in range(1, LEVELS + 1))]
    assert problems(*chain[:LEVELS]) == []
    (said,) = problems(*chain)
    assert said.startswith("image i16: it has 16 ancestors, and bakehouse.images.build builds forests of up to 16")


def variables(*images: Image, is_lvh: bool = True, **settings: t.Any) -> dict[str, t.Any]:
    """The variables of the last image."""
    described = Described(Path("/base/images.json"), Path("/base"), images)
    return HostVariables(described, settings, Path("/base/images"), is_lvh=is_lvh).of(images[-1])


def test_an_image_from_nothing_is_made_as_little_vm_helper_makes_it() -> None:
    found = variables(Image("base.img", bootable=False, packages=("vim",)), suite="sid")
    assert found == {
        "bake_disk_size": "8GiB",
        "bake_gather_facts": False,
        "bake_image_name": "base.img",
        "bake_output_directory": "/base/images",
        "bake_output_file": "base.img",
        "bake_provision": [],
        "bake_replace": True,
        "bake_source": {
            "scratch": {
                "suite": "sid",
                "boot_loader": False,
                "packages": ["vim"],
                "variant": "important",
                "layout": {
                    "table": "none",
                    "partitions": [{"filesystem": "ext4", "mount_point": "/", "label": "root"}],
                },
            }
        },
        "bake_summary_file": "/base/images/manifest.json",
    }


@pytest.mark.parametrize(("architecture", "bootable"), [("amd64", True), ("x86_64", True), ("arm64", False)])
def test_the_architecture_decides_what_boots_by_itself(architecture: str, bootable: bool) -> None:
    found = variables(Image("a"), architecture=architecture)
    assert found["bake_source"]["scratch"]["boot_loader"] is bootable


def test_what_an_image_needs_to_boot_is_installed_whatever_its_packages_are() -> None:
    image = Image("a", packages=("vim", "udev"))
    found = variables(image, architecture="amd64")["bake_source"]["scratch"]["packages"]
    assert found == ["vim", "udev", "python3", "python3-apt", "systemd-sysv"]
    assert variables(image, architecture="arm64")["bake_source"]["scratch"]["packages"] == ["vim", "udev"]


def test_an_image_from_nothing_has_the_variant_that_was_asked_for() -> None:
    of = [variables(Image("a"), is_lvh=is_lvh, **given) for is_lvh, given in ((True, {"variant": "apt"}), (False, {}))]
    assert [found["bake_source"]["scratch"].get("variant") for found in of] == ["apt", None]


def test_a_derived_image_has_its_parents_size_unless_it_says_another() -> None:
    base = Image("base")
    assert "bake_disk_size" not in variables(base, Image("child", parent="base"))
    assert variables(base, Image("child", parent="base", size=3 << 30))["bake_disk_size"] == "3GiB"


def test_a_parent_is_a_host_or_a_file() -> None:
    assert variables(Image("base"), Image("child", parent="base"))["bake_source"] == {"parent": "base"}
    assert variables(Image("child", parent="far.img"))["bake_source"] == {"path": "/base/images/far.img"}
    assert variables(Image("child", path="down/far.img"))["bake_source"] == {"path": "/base/down/far.img"}


def test_packages_of_a_derived_image_are_the_first_step() -> None:
    actions = tuple(read_actions([{"type": "mkdir", "op": {"Dir": "/srv"}}], "").actions)
    found = variables(Image("base"), Image("child", parent="base", packages=("vim", "a+b"), actions=actions))
    steps, mistakes = parse_steps(plain(found["bake_provision"]))
    assert mistakes == []
    assert [step.name for step in steps] == ["install packages", "mkdir /srv"]
    assert "install vim a+b" in steps[0].value[0]["op"]["Cmd"]


def test_the_text_of_little_vm_helper_is_no_template_and_knows_its_file() -> None:
    actions = tuple(read_actions([{"type": "run-command", "op": {"Cmd": "x '{{.Id}}'"}}], "").actions)
    steps = variables(Image("a", actions=actions))["bake_provision"]
    assert "Cmd: !unsafe" in to_yaml(plain(steps))
    assert defined_in(steps) == "/base/images.json"


def test_settings_become_options_of_the_role() -> None:
    found = variables(Image("a"), cache="exists", force=True, merge_actions=False, build_host="builder")
    assert (found["bake_cache"], found["bake_force"], found["bake_merge_actions"]) == ("exists", True, False)
    assert found["bake_build_host"] == "builder"
    assert found["bake_summary_file"] == "/base/images.manifest.json", "the images directory is on another machine"


def test_an_images_own_setting_is_stronger_and_its_variables_are_strongest() -> None:
    image = Image("a", settings={"suite": "bookworm", "cache": "exists"}, variables={"bake_cache": "fingerprint"})
    found = variables(image, suite="sid")
    assert found["bake_source"]["scratch"]["suite"] == "bookworm"
    assert found["bake_cache"] == "fingerprint"


def test_only_a_derived_qcow2_image_has_a_backing_file() -> None:
    base = Image("base.qcow2")
    of = [variables(base, backing_file=True)]
    of += [variables(base, Image(name, parent="base.qcow2"), backing_file=True) for name in ("a.raw", "a.qcow2")]
    assert [found.get("bake_output_backing_file") for found in of] == [None, None, True]


def test_an_image_with_steps_of_its_own_has_its_facts_gathered() -> None:
    found = variables(Image("a", provision=[{"role": "web"}]), is_lvh=False)
    assert found["bake_gather_facts"] is True
    assert found["bake_provision"] == [{"role": "web"}]


def test_images_are_booted_where_that_is_asked_for_and_can_be() -> None:
    base, bare = Image("base"), Image("bare", bootable=False)
    images = {
        "base": (base,),
        "child": (base, Image("child", parent="base")),
        "not": (base, Image("not", parent="base", settings={"boot": False})),
        "bare": (bare,),
        "bare child": (bare, Image("bare child", parent="bare")),
        "outside": (Image("outside", parent="far.img"),),
    }
    found = {name: variables(*it, boot=True, architecture="amd64").get("bake_boot") for name, it in images.items()}
    assert found == {"base": True, "child": True, "not": False, "bare": None, "bare child": None, "outside": True}
    assert variables(base, boot=True, architecture="arm64").get("bake_boot") is None


def test_an_image_without_a_boot_loader_cannot_be_asked_to_boot() -> None:
    asked = {"boot": {"expect": ["^ok"]}}
    images = [Image("bare", bootable=False, settings=asked), Image("child", parent="bare", settings=asked)]
    assert forest_problems(images, Path("/base"), None) == [
        "image bare: boot is set, and it is not bootable, so it has no boot loader.",
        "image child: boot is set, and bare, which it is made from, is not bootable, so it has no boot loader.",
    ]
