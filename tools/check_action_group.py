# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fails when the modules that say they belong to an action group and meta/runtime.yml disagree.

A module says so by the documentation fragment of the API plane, or by amazon.aws's own; the group is
what makes module_defaults reach it.
"""

from __future__ import annotations

import ast
import sys
from pathlib import Path
from typing import Any

import yaml

GROUP_OF_FRAGMENT = {
    "bakehouse.images._attributes.api": "aws",
    "amazon.aws.common.modules": "aws",
    "bakehouse.images._outscale": "outscale",
}


def documentation(path: Path) -> dict[str, Any]:
    """The DOCUMENTATION of a module, parsed."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and [getattr(it, "id", "") for it in node.targets] == ["DOCUMENTATION"]:
            parsed = yaml.safe_load(ast.literal_eval(node.value))
            return parsed if isinstance(parsed, dict) else {}
    return {}


def fragments(path: Path) -> list[str]:
    """The documentation fragments that a module extends."""
    extended = documentation(path).get("extends_documentation_fragment", [])
    return [extended] if isinstance(extended, str) else list(extended)


def main() -> int:
    """Prints every disagreement; 1 when there is one."""
    groups = yaml.safe_load(Path("meta/runtime.yml").read_text(encoding="utf-8"))["action_groups"]
    listed = {(group, name) for group, names in groups.items() for name in names if isinstance(name, str)}
    claimed = {
        (GROUP_OF_FRAGMENT[fragment], path.stem)
        for path in Path("plugins/modules").glob("*.py")
        for fragment in fragments(path)
        if fragment in GROUP_OF_FRAGMENT
    }
    for group, name in sorted(claimed - listed):
        print(f"meta/runtime.yml: group {group} lacks {name}, whose documentation says that it belongs there")
    for group, name in sorted(listed - claimed):
        print(f"meta/runtime.yml: group {group} lists {name}, which is no module, or does not extend a fragment of it")
    return 1 if claimed != listed else 0


if __name__ == "__main__":
    sys.exit(main())
