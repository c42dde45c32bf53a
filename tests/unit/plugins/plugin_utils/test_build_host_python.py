# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Functions of module_utils in an interpreter of their own, with the sources where they lie and with sources sent."""

from __future__ import annotations

import ast
import io
import typing as t
import zipfile
from pathlib import Path

import pytest
from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError, Invalid, NotFound
from ansible_collections.bakehouse.images.plugins.plugin_utils._build_host_python import (
    COLLECTIONS,
    IMPORTS,
    MODULE_UTILS,
    call,
    sources_of,
)
from ansible_collections.bakehouse.images.plugins.plugin_utils._transport import LocalTransport

OPEN = "_sandbox.directory:open_for_connection"
NOTHING_THERE = {"root": "/nowhere", "watch_pid": None, "idle_seconds": 0}


class Far(LocalTransport):
    """This machine as a build host that has none of our sources."""

    is_local = False


@pytest.fixture(params=[LocalTransport, Far], ids=["sources in place", "sources sent"])
def transport(request: pytest.FixtureRequest) -> LocalTransport:
    return t.cast("LocalTransport", request.param())


def test_an_answer_is_plain_values(transport: LocalTransport) -> None:
    assert call(transport, None, "_tags:text_tags", {"größe": 8}) == {"größe": "8"}


def test_errors_keep_their_kind_and_their_advice(transport: LocalTransport) -> None:
    with pytest.raises(NotFound, match="There is no directory /nowhere"):
        call(transport, None, OPEN, NOTHING_THERE)


def test_mistakes_of_the_caller_are_errors_too(transport: LocalTransport) -> None:
    with pytest.raises(BuildError, match="must be an absolute path") as caught:
        call(transport, None, OPEN, {**NOTHING_THERE, "root": "relative"})
    assert not isinstance(caught.value, Invalid)


def test_what_is_no_answer_is_shown() -> None:
    refusing = LocalTransport(["sh", "-c", "echo sudo: a password is required >&2; exit 1"])
    with pytest.raises(BuildError, match="failed with status 1: sudo: a password is required"):
        call(refusing, None, OPEN, NOTHING_THERE)


def test_the_interpreter_can_be_named() -> None:
    with pytest.raises(BuildError, match="failed with status 127: .*no-python"):
        call(LocalTransport(["env"]), ["no-python"], OPEN, NOTHING_THERE)


def test_only_what_is_imported_is_sent() -> None:
    with zipfile.ZipFile(io.BytesIO(sources_of("_sandbox.directory"))) as archive:
        names = {name.partition("/module_utils/")[2] for name in archive.namelist()}
    assert {"_errors.py", "_sandbox/directory.py", "_sandbox/holder.py", "_disk/roots.py"} <= names
    assert not any(name.startswith("_ec2/") for name in names)


SOURCES = Path(COLLECTIONS, *MODULE_UTILS.split("."))


@pytest.mark.parametrize("path", sorted(SOURCES.rglob("*.py")), ids=lambda path: str(path.relative_to(SOURCES)))
def test_imports_are_found_without_parsing(path: Path) -> None:
    text = path.read_text()
    nodes = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ImportFrom)]
    imports = [(node.module or "", alias.name) for node in nodes for alias in node.names]
    parsed = {(base[len(MODULE_UTILS) + 1 :], name) for base, name in imports if base.startswith(MODULE_UTILS)}
    found = {
        (base, alias.split()[0])
        for base, names in IMPORTS.findall(text)
        for alias in names.strip("()").split(",")
        if alias.strip()
    }
    assert found == parsed
