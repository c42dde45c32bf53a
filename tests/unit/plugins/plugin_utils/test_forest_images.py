# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files that describe forests are recognised, and read with every mistake reported."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest
from ansible_collections.bakehouse.images.plugins.module_utils._errors import Invalid
from ansible_collections.bakehouse.images.plugins.plugin_utils._forest_files import kind_of, read_lvh, read_own
from ansible_collections.bakehouse.images.plugins.plugin_utils._forest_model import Described
from ansible_collections.bakehouse.images.plugins.plugin_utils._forest_sizes import format_size, parse_size

GIB = 1024**3


def lvh(folder: Path, content: t.Any, name: str = "images.json") -> Described:
    path = folder / name
    path.write_text(json.dumps(content))
    return read_lvh(path)


def own(folder: Path, *images: t.Any, **top: t.Any) -> Described:
    return read_own({"plugin": "bakehouse.images.forest", "images": list(images), **top}, folder / "images.yml")


def test_all_six_fields_are_read(tmp_path: Path) -> None:
    image = {
        "name": "k8s.qcow2",
        "parent": "base",
        "image_size": "20G",
        "bootable": False,
        "packages": ["docker.io", "libc6:arm64"],
        "actions": [{"type": "mkdir", "op": {"Dir": "/srv"}}],
    }
    (read,) = lvh(tmp_path, [image]).images
    assert (read.name, read.parent, read.size, read.bootable) == ("k8s.qcow2", "base", 20 * GIB, False)
    assert read.packages == ("docker.io", "libc6:arm64")
    assert [action.to_dict() for action in read.actions] == image["actions"]


def test_keys_of_little_vm_helper_are_read_in_any_case(tmp_path: Path) -> None:
    found = lvh(tmp_path, [{"NAME": "a", "Image_Size": "4G", "Packages": None, "ACTIONS": None}])
    assert found.problems == found.warnings == ()
    assert (found.images[0].name, found.images[0].size, found.images[0].packages) == ("a", 4 * GIB, ())


def test_unknown_keys_of_little_vm_helper_are_ignored_with_a_warning(tmp_path: Path) -> None:
    found = lvh(tmp_path, [{"name": "a", "packages": [], "pakages": ["vim"]}])
    assert found.problems == ()
    assert found.warnings == ("image a: the key pakages is not known and ignored. Did you mean packages?",)


def test_unknown_keys_of_ours_are_refused_with_the_nearest_name(tmp_path: Path) -> None:
    found = own(tmp_path, {"name": "a", "pakages": ["vim"]}, suit="sid")
    assert found.problems == (
        "images.yml does not take suit. Did you mean suite?",
        "image a: does not take pakages. Did you mean packages?",
    )


def test_a_configuration_that_the_library_saved_is_read(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    found = lvh(tmp_path / "images", {"Dir": "x/images", "Images": [{"name": "a", "packages": []}]}, "conf.json")
    assert [image.name for image in found.images] == ["a"]
    assert (found.base, found.images_directory) == (tmp_path, str(tmp_path / "images"))


@pytest.mark.parametrize(
    ("image", "said"),
    [
        ("base", "image 1: must be a mapping, and is the text 'base'."),
        ({"packages": []}, "image 1: has no name."),
        ({"name": 7}, "name must be a text, and is 7. Put it in quotes."),
        ({"name": "../a"}, "the name '../a' cannot be the name of a file and of a host"),
        ({"name": "a/b"}, "cannot be the name of a file"),
        ({"name": ".."}, "cannot be the name of a file"),
        ({"name": "a b"}, "cannot be the name of a file and of a host"),
        ({"name": "a:b"}, "cannot be the name of a file and of a host"),
        ({"name": "a" * 300}, "has 300 characters, and can have 200"),
        ({"name": "roots"}, "the name roots is the name of a group"),
        ({"name": "depth_3"}, "the name depth_3 is the name of a group"),
        ({"name": "manifest.json"}, "the name manifest.json is that of the file with the results"),
        ({"name": "a", "parent": "a"}, "image a: it is its own parent."),
        ({"name": "a", "parent": "../../etc/passwd"}, "it must be a file's name in the images directory"),
        ({"name": "a", "image_size": "8X"}, "image_size '8X' is not a size"),
        ({"name": "a", "image_size": "+2G"}, "is relative to the parent's size"),
        ({"name": "a", "image_size": 8}, "image_size must be a text, and is 8. Put it in quotes."),
        ({"name": "a", "bootable": "yes"}, "bootable must be true or false, and is the text 'yes'"),
        ({"name": "a", "packages": "vim"}, "packages must be a list"),
        ({"name": "a", "packages": ["-rf"]}, "packages: '-rf' is not the name of a package"),
        ({"name": "a", "actions": {}}, "image a: actions must be a list, and is a mapping"),
        (
            {"name": "a", "actions": [{"type": "upload", "op": {"File": "gone", "Dest": "/x"}, "comment": "env"}]},
            "image a: action 1 (env): {folder}/gone is not there.",
        ),
        (
            {"name": "a", "actions": [{"type": "install-kernel", "op": {"KernelInstallDir": "."}}]},
            "boot must hold exactly one kernel (a file vmlinuz-*), and holds none.",
        ),
    ],
)
def test_a_mistake_is_named_in_either_format(tmp_path: Path, image: t.Any, said: str) -> None:
    for found in (lvh(tmp_path, [image]), own(tmp_path, image)):
        assert any(said.format(folder=tmp_path) in problem for problem in found.problems), found.problems


def test_every_mistake_is_reported(tmp_path: Path) -> None:
    found = lvh(tmp_path, [{"name": "a", "image_size": "x", "packages": [1]}, {"parent": 3}, 5])
    assert len(found.problems) == 5


def test_a_file_of_ours_has_images_or_a_source(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="neither images nor source"):
        read_own({"plugin": "bakehouse.images.forest"}, tmp_path / "images.yml")
    with pytest.raises(Invalid, match="cannot be read: No such file"):
        read_own({"plugin": "bakehouse.images.forest", "source": "gone.json"}, tmp_path / "images.yml")
    both = own(tmp_path, {"name": "a"}, source="images.json")
    assert both.problems == ("images.yml has images and source. Images are in one place: leave one of them out.",)


def test_a_source_is_read_as_little_vm_helper_reads_it(tmp_path: Path) -> None:
    lvh(tmp_path, [{"NAME": "a", "packages": []}])
    found = read_own({"plugin": "bakehouse.images.forest", "source": "images.json"}, tmp_path / "images.yml")
    assert [image.name for image in found.images] == ["a"]


FORESTS = [
    ("images.json", [{"name": "a", "packages": ["vim"]}]),
    ("images.json", [{"name": "a"}]),
    ("images.json", [{"Name": "a", "IMAGE_SIZE": "8G"}]),
    ("other.json", [{"name": "a", "image_size": "8G"}]),
    ("other.json", [{"name": "a"}, {"name": "b", "parent": "a"}]),
    ("other.json", [{"name": "a", "actions": [{"type": "no-such-type", "op": {}}]}]),
    ("other.json", [{"packages": ["vim"]}, {"name": "b", "packages": []}]),
    ("saved.json", {"Dir": "x", "Images": [{"name": "a", "packages": []}]}),
]

OTHERS = [
    ("images.json", []),
    ("images.json", {}),
    ("images.json", "text"),
    ("images.json", ["a", "b"]),
    ("images.json", [{"name": "nginx", "tag": "1.27", "digest": "sha256:0"}]),
    ("images.json", [{"id": 1, "url": "x"}]),
    ("other.json", [{"name": "a"}]),
    ("other.json", [{"name": "a", "actions": ["push"], "branch": "main", "on": "x"}]),
    ("hosts.json", {"all": {"hosts": {"web": {}}}}),
    ("hosts.json", {"images": {"hosts": {"web": {}}}}),
    ("hosts.json", {"plugin": "amazon.aws.aws_ec2"}),
]


@pytest.mark.parametrize(("name", "content"), FORESTS)
def test_a_forest_is_recognised_by_its_content(tmp_path: Path, name: str, content: t.Any) -> None:
    (tmp_path / name).write_text(json.dumps(content))
    assert kind_of(tmp_path / name) == "lvh"


@pytest.mark.parametrize(("name", "content"), OTHERS)
def test_other_json_is_left_alone(tmp_path: Path, name: str, content: t.Any) -> None:
    (tmp_path / name).write_text(json.dumps(content))
    assert kind_of(tmp_path / name) is None


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("plugin: bakehouse.images.forest\n", "own"),
        ("---\nimages: []\n'plugin': \"bakehouse.images.forest\"  # ours\n", "own"),
        ("plugin: amazon.aws.aws_ec2\n", None),
        ("all:\n  vars:\n    plugin: bakehouse.images.forest\n", None),
        ("# plugin: bakehouse.images.forest\n", None),
    ],
)
def test_yaml_of_ours_names_the_plugin(tmp_path: Path, text: str, kind: str | None) -> None:
    (tmp_path / "images.yml").write_text(text)
    assert kind_of(tmp_path / "images.yml") == kind


def test_what_cannot_be_read_is_left_to_others(tmp_path: Path) -> None:
    (tmp_path / "broken.json").write_text("[{")
    (tmp_path / "bytes.yml").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "hosts.ini").write_text("plugin: bakehouse.images.forest\n")
    assert [kind_of(tmp_path / name) for name in ("broken.json", "bytes.yml", "hosts.ini", "gone.json")] == [None] * 4


@pytest.mark.parametrize(
    ("text", "size"),
    [("8G", 8 * GIB), ("8g", 8 * GIB), ("512M", GIB // 2), ("1.5GiB", 3 * GIB // 2), ("8589934592", 8 * GIB)],
)
def test_sizes_are_powers_of_1024(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "G", "8 GB", "-8G", "8Q", "0", "1000", "1.0001K", "99999T", "8G; rm", "８G"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="^is "):
        parse_size(text)


@pytest.mark.parametrize(("size", "text"), [(8 * GIB, "8GiB"), (3 * GIB // 2, "1536MiB"), (1025 * 1024, "1025KiB")])
def test_sizes_are_written_in_the_largest_whole_unit(size: int, text: str) -> None:
    assert format_size(size) == text
