# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An image's name, file name and format follow from one another."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.bakehouse.images.plugins.plugin_utils._image_output import file_name, image_output
from ansible_collections.bakehouse.images.plugins.plugin_utils._image_parents import Source, local_source


@pytest.mark.parametrize(
    ("image", "file", "kind", "found"),
    [
        ("web", None, None, ("web.raw", "raw")),
        ("web", None, "qcow2", ("web.qcow2", "qcow2")),
        ("web.qcow2", None, None, ("web.qcow2", "qcow2")),
        ("web.img", None, None, ("web.img", "raw")),
        ("web", "base", None, ("base", "raw")),
        ("web", "base", "qcow2", ("base", "qcow2")),
        ("web-1.2", None, None, ("web-1.2.raw", "raw")),
    ],
)
def test_what_is_not_given_follows(image: str, file: str | None, kind: str | None, found: tuple[str, str]) -> None:
    assert file_name(image, file, kind) == found


@pytest.mark.parametrize(
    ("directory", "path"),
    [
        (None, "/project/images/web.raw"),
        ("out", "/project/out/web.raw"),
        ("../out", "/out/web.raw"),
        ("/srv/images", "/srv/images/web.raw"),
    ],
)
def test_a_relative_folder_is_in_that_of_the_inventory(directory: str | None, path: str) -> None:
    options = {"bake_image_name": "web", "bake_output_directory": directory}
    assert image_output(options, "/project").path == path


@pytest.mark.parametrize(
    ("given", "source"),
    [
        ("disk.raw", Source(path="/project/disk.raw")),
        ({"path": "/srv/disk", "format": "qcow2"}, Source(path="/srv/disk", format="qcow2")),
        ({"parent": "base"}, Source(parent="base")),
        ({"scratch": {"suite": "bookworm"}}, None),
    ],
)
def test_a_source_is_a_parent_or_a_file(given: t.Any, source: Source | None) -> None:
    assert local_source(given, "/project") == source
