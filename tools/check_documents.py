# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fails when a document shows YAML that does not parse, a file otherwise than it is, or a dead link.

A code block is said to be a file of this repository by a comment on the line before it:

    <!-- file: build_ami.yml -->
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

FENCE = re.compile(r"^(?P<indent> *)```(?P<language>\S*)")
SHOWS = re.compile(r"<!-- file: (?P<path>\S+) -->")
LINK = re.compile(r"\]\((?P<target>[^)#:\s]+)(#[^)\s]*)?\)")


@dataclass(frozen=True)
class Block:
    """A fenced code block of a document."""

    line: int
    language: str
    text: str
    shows: str | None


def blocks(text: str) -> Iterator[Block]:
    """The fenced code blocks, their indentation removed."""
    opened: tuple[int, str, str, str | None] | None = None
    held: list[str] = []
    shows: str | None = None
    for number, line in enumerate(text.splitlines(), 1):
        fence = FENCE.match(line)
        if opened is None:
            if fence:
                opened = (number, fence["indent"], fence["language"], shows)
            elif line.strip():
                comment = SHOWS.search(line)
                shows = comment["path"] if comment else None
        elif fence:
            yield Block(opened[0], opened[2], "".join(f"{it}\n" for it in held), opened[3])
            opened, held, shows = None, [], None
        else:
            held.append(line.removeprefix(opened[1]))


class AnyTag(yaml.SafeLoader):
    """Reads tags that only Ansible knows (!vault, !unsafe) as plain values."""


AnyTag.add_multi_constructor("!", lambda loader, suffix, node: None)


def block_findings(document: Path, block: Block) -> Iterator[str]:
    """What is wrong with one code block."""
    place = f"{document}:{block.line}"
    if block.language in ("yaml", "yml"):
        try:
            list(yaml.load_all(block.text, Loader=AnyTag))  # noqa: S506  (a SafeLoader)
        except yaml.YAMLError as exc:
            yield f"{place}: the YAML does not parse: {exc}"
    if block.shows is not None:
        shown = Path(block.shows)
        if not shown.is_file():
            yield f"{place}: shows {shown}, which does not exist"
        elif shown.read_text(encoding="utf-8").strip() != block.text.strip():
            yield f"{place}: shows {shown} otherwise than it is"


def findings(document: Path) -> Iterator[str]:
    """What is wrong with one document."""
    text = document.read_text(encoding="utf-8")
    for block in blocks(text):
        yield from block_findings(document, block)
    for number, line in enumerate(text.splitlines(), 1):
        for link in LINK.finditer(line):
            if not (document.parent / link["target"]).exists():
                yield f"{document}:{number}: link to {link['target']}, which does not exist"


def main() -> int:
    """Prints what is wrong with any document; 1 when anything is."""
    documents = [
        Path("README.md"),
        *(it for root in ("docs", "lab", "roles", "tests") for it in Path(root).rglob("*.md")),
    ]
    found = [line for document in sorted(documents) if document.is_file() for line in findings(document)]
    print("\n".join(found), end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
