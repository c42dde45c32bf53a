# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Packer's post-processors, which run when the image is there."""

from __future__ import annotations

import os
import typing as t

from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_model import Component
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_options import Row
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_provisioner import Provisioner, Surroundings

MANIFEST = {
    "output": Row(),
    "strip_path": Row("bool", note="the manifest of an AMI has no path in it"),
    "strip_time": Row("bool", reason="the manifest says when the image was built"),
    "custom_data": Row("map", reason="the role's manifest has no place for it"),
    "keep_input_artifact": Row("bool", note="an image is always kept"),
}
DEFAULT_MANIFEST = "packer-manifest.json"


def post_variables(
    sequences: t.Iterable[t.Sequence[Component]],
    surroundings: Surroundings,
    problems: list[str],
    warnings: list[str],
) -> dict[str, t.Any]:
    """The variables of the role that post-processors become."""
    found: dict[str, t.Any] = {}
    for component in (component for sequence in sequences for component in sequence):
        if component.kind != "manifest":
            problems.append(
                component.place.says(
                    f"post-processors of the type {component.kind} are not supported. There is manifest."
                )
            )
            continue
        it = Provisioner(component, 1, MANIFEST, surroundings)
        problems += it.problems
        warnings += it.warnings
        if "bake_manifest" in found:
            problems.append(component.place.says("there is one manifest already, and the role writes one."))
        found["bake_manifest"] = os.path.join(os.getcwd(), it.values.get("output") or DEFAULT_MANIFEST)
    return found


__all__ = ("post_variables",)
