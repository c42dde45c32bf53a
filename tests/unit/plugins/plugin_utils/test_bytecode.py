# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""That the modules plugins share are imported from bytecode, and from nowhere else than they lie."""

from __future__ import annotations

import importlib.machinery
from pathlib import Path

import pytest
from ansible_collections.bakehouse.images.plugins.plugin_utils import _bytecode

PLUGINS = "ansible_collections.bakehouse.images.plugins"


@pytest.mark.parametrize("name", ["plugin_utils._transport", "module_utils._errors", "module_utils._sandbox.state"])
def test_shared_modules_have_python_s_own_loader(name: str) -> None:
    spec = _bytecode.Finder().find_spec(f"{PLUGINS}.{name}", None)
    assert spec
    assert isinstance(spec.loader, importlib.machinery.SourceFileLoader)
    assert Path(spec.origin or "").resolve() == Path("plugins", *name.split(".")).with_suffix(".py").resolve()
    assert spec.cached


@pytest.mark.parametrize(
    "name", [f"{PLUGINS}.connection.chroot", f"{PLUGINS}.module_utils._sandbox", f"{PLUGINS}.plugin_utils._no", "json"]
)
def test_all_else_is_left_to_others(name: str) -> None:
    assert _bytecode.Finder().find_spec(name, None) is None
