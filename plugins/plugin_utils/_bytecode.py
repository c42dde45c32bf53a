# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Importing what plugins share from Python's bytecode caches.

Ansible's importer of collections compiles each file each time, and a connection plugin is imported by each worker
process, which lives for one task: that took longer than a short task itself. Only how the code is come by differs;
where the folder cannot be written to, or has no such file, it is as without this.
"""

from __future__ import annotations

import contextlib
import importlib.abc
import importlib.machinery
import os
import sys
import types
import typing as t

PLUGINS = __name__.rpartition(".plugin_utils.")[0]
SHARED = (f"{PLUGINS}.plugin_utils.", f"{PLUGINS}.module_utils.")
FOLDER = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


class Finder(importlib.abc.MetaPathFinder):
    """Finds the modules of C(plugin_utils) and C(module_utils) of this collection; packages are left to Ansible."""

    def find_spec(
        self, fullname: str, path: t.Sequence[str] | None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """See importlib.abc.MetaPathFinder."""
        if not fullname.startswith(SHARED):
            return None
        folders, _dot, name = fullname[len(PLUGINS) + 1 :].rpartition(".")
        folder = os.path.join(FOLDER, *folders.split("."))
        if not os.path.isfile(os.path.join(folder, f"{name}.py")):
            return None
        loader = (importlib.machinery.SourceFileLoader, [".py"])
        return importlib.machinery.FileFinder(folder, loader).find_spec(fullname)


@contextlib.contextmanager
def from_bytecode() -> t.Iterator[None]:
    """For the imports in the block, and what they import."""
    finder = Finder()
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


__all__ = ("from_bytecode",)
