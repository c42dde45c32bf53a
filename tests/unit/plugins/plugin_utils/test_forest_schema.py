# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The JSON schema that editors use agrees with what the plugin takes."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import jsonschema
import pytest
import yaml
from ansible_collections.bakehouse.images.plugins.module_utils._errors import Invalid
from ansible_collections.bakehouse.images.plugins.plugin_utils._forest_files import read_own

from tools import forest_schema

CHECKOUT = Path(__file__).resolve().parents[4]
SHIPPED = json.loads((CHECKOUT / "docs" / "forest.schema.json").read_text())

# Untyped on its side.
VALIDATOR: t.Any = jsonschema.Draft7Validator(SHIPPED)

Document = dict[str, t.Any]


def forest(**image: t.Any) -> Document:
    return {"plugin": "bakehouse.images.forest", "images": [{"name": "a", **image}]}


def action(kind: str, **op: t.Any) -> Document:
    return forest(actions=[{"type": kind, "op": op}])


def test_the_schema_that_is_shipped_is_made_from_the_code() -> None:
    assert forest_schema.build() == SHIPPED, "run: python -m tools.forest_schema > docs/forest.schema.json"


def test_the_schema_is_one() -> None:
    VALIDATOR.check_schema(SHIPPED)


RIGHT = [
    forest(),
    forest(parent="b.raw", image_size="20G", bootable=True, packages=["vim", "libc6:arm64", "@core"]),
    forest(image_size="1.5GiB", path="/srv/x.raw", backing_file=True, cache="exists"),
    forest(suite="bookworm", mirrors=["http://deb.example.org"], components=["main"], layout={"table": "gpt"}),
    forest(boot=True),
    forest(boot=False),
    forest(boot={"wait_for": "^ready", "expect": ["^ok"], "fail_on": ["FAILED"], "timeout": 60, "firmware": "uefi"}),
    forest(provision=[{"role": "web"}], variables={"x": 1}, gather_facts=False, force=True),
    action("mkdir", Dir="/srv"),
    action("mkdir", Dir="{{ folder }}"),
    action("append-line", File="/etc/x", Line=""),
    action("chmod", Permissions="0755", File="/etc/x"),
    {**forest(), "suite": "sid", "cache": "fingerprint", "build_host": "builder", "images_directory": "out"},
]

WRONG = [
    {"plugin": "bakehouse.images.forest"},
    {**forest(), "source": "images.json"},
    {**forest(), "imges": []},
    {"plugin": "bakehouse.images.forest", "images": []},
    {"plugin": "bakehouse.images.forest", "images": [{"parent": "a"}]},
    forest(name="../a"),
    forest(name="a b"),
    forest(parent="x/y"),
    forest(parent="b", path="/x"),
    forest(image_size="big"),
    forest(image_size=8),
    forest(bootable="yes"),
    forest(packages="vim"),
    forest(packages=["-rf"]),
    forest(cache="lvh"),
    forest(mirrors="http://deb.example.org"),
    forest(backing_file="true"),
    forest(provision={"role": "web"}),
    forest(variables=["x"]),
    forest(boot="yes"),
    forest(boot={"waitfor": "x"}),
    forest(boot={"timeout": 0}),
    forest(boot={"firmware": "efi"}),
    forest(boot={"expect": "ok"}),
    forest(boot={"wait_for": ""}),
    forest(imagesize="8G"),
    action("mkdir", Dir="srv"),
    action("mkdir", dir="/srv"),
    action("mkdir"),
    action("mkdri", Dir="/srv"),
    action("chmod", Permissions="755", File="/x"),
    forest(actions=[{"type": "mkdir", "op": {"Dir": "/srv"}, "coment": "x"}]),
]


def code_takes(document: Document) -> bool:
    try:
        return not read_own(document, Path("/nowhere/images.yml")).problems
    except Invalid:
        return False


@pytest.mark.parametrize("document", RIGHT, ids=json.dumps)
def test_what_is_right_is_taken_by_both(document: Document) -> None:
    VALIDATOR.validate(document)
    assert code_takes(document)


@pytest.mark.parametrize("document", WRONG, ids=json.dumps)
def test_what_is_wrong_is_refused_by_both(document: Document) -> None:
    with pytest.raises(jsonschema.ValidationError):
        VALIDATOR.validate(document)
    assert not code_takes(document)


def test_the_example_is_right() -> None:
    path = CHECKOUT / "examples" / "forest" / "images.yml"
    VALIDATOR.validate(yaml.safe_load(path.read_text()))
