# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""The digest of an image's definition with the files behind it, of this image or of another one of the inventory."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping
from pathlib import Path

import yaml
from ansible import constants as C
from ansible_collections.bakehouse.images.plugins.plugin_utils._definition import OptionSpecs
from ansible_collections.bakehouse.images.plugins.plugin_utils._fingerprint import definition_digest
from ansible_collections.bakehouse.images.plugins.plugin_utils._provision_files import StepFileReader
from ansible_collections.bakehouse.images.plugins.plugin_utils._provision_search import SearchPath
from ansible_collections.bakehouse.images.plugins.plugin_utils._provision_steps import parse_steps
from ansible_collections.bakehouse.images.plugins.plugin_utils._untemplated import plain

# Ansible's settings are attributes made when it starts, which no type checker sees.
SETTINGS: t.Any = C

COLLECTION = Path(__file__).resolve().parents[2]
ROLE = COLLECTION / "roles" / "bake"


def digest_of_host(variables: Mapping[str, t.Any]) -> str | None:
    """The digest that the role would find for an image that is not being built.

    Args:
        variables: those of the image in the inventory, untemplated. The role's defaults are added.

    Returns:
        None when the definition has mistakes, so that it has no digest.
    """
    defaults = yaml.safe_load((ROLE / "defaults" / "main.yml").read_text(encoding="utf-8"))
    whole = {**defaults, **variables}
    options = OptionSpecs(str(ROLE)).of(str(whole["bake_provider"]))
    raw = {name: plain(value) for name, value in whole.items() if name in options}
    steps, problems = parse_steps(raw.get("bake_provision"))
    search = SearchPath.of_definition(whole.get("bake_provision"), whole, SETTINGS.DEFAULT_ROLES_PATH or ())
    files = StepFileReader(search).read(steps)
    if problems or files.problems:
        return None
    return definition_digest(
        definition=raw,
        files=files.digests,
        variables={name: plain(whole.get(name)) for name in raw.get("bake_fingerprint_vars") or ()},
        version=collection_version(),
    )


def collection_version() -> str:
    """This collection's version, from the file that an installed collection and a checkout have."""
    manifest = COLLECTION / "MANIFEST.json"
    if manifest.exists():
        info = yaml.safe_load(manifest.read_text(encoding="utf-8"))["collection_info"]
    else:
        info = yaml.safe_load((COLLECTION / "galaxy.yml").read_text(encoding="utf-8"))
    return str(info["version"])


__all__ = ("collection_version", "digest_of_host")
