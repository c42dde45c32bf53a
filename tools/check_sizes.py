# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fails when a file or a function has grown too long to be read in one go.

Documentation strings and the DOCUMENTATION, EXAMPLES and RETURN texts of plugins do not count: more of
those is not worse.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

FILE_LINES = 400
FUNCTION_LINES = 45
ROOTS = ("plugins", "lab", "tests", "tools", "extensions")


def text_lines(tree: ast.AST) -> int:
    """Lines of the strings that stand alone or are given to an all-capitals name: documentation."""
    total = 0
    for node in ast.walk(tree):
        match node:
            case ast.Expr(value=ast.Constant(value=str()) as text):
                pass
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant(value=str()) as text) if name.isupper():
                pass
            case _:
                continue
        total += (text.end_lineno or text.lineno) - text.lineno + 1
    return total


def code_lines(node: ast.AST, first: int, last: int) -> int:
    """Length in lines without documentation."""
    return last - first + 1 - text_lines(node)


def findings(path: Path) -> Iterator[str]:
    """One line for each thing too long in a file."""
    source = path.read_text(encoding="utf-8")
    tree = ast.parse(source, filename=str(path))
    length = code_lines(tree, 1, len(source.splitlines()))
    if length > FILE_LINES:
        yield f"{path}: {length} lines of code, at most {FILE_LINES}: split it by subject"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = code_lines(node, node.lineno, node.end_lineno or node.lineno)
            if length > FUNCTION_LINES:
                yield f"{path}:{node.lineno}: {node.name} has {length} lines of code, at most {FUNCTION_LINES}"


def main() -> int:
    """Prints what is too long; 1 when anything is."""
    files = [path for root in ROOTS for path in sorted(Path(root).rglob("*.py"))]
    found = [line for path in files for line in findings(path)]
    print("\n".join(found), end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
