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
import importlib.util
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
        file = os.path.join(FOLDER, *fullname[len(PLUGINS) + 1 :].split(".")) + ".py"
        if not os.path.isfile(file):
            return None
        return importlib.util.spec_from_file_location(fullname, file)


FINDER = Finder()


@contextlib.contextmanager
def from_bytecode() -> t.Iterator[None]:
    """For the imports in the block, and what they import."""
    if FINDER in sys.meta_path:
        yield
        return
    sys.meta_path.insert(0, FINDER)
    try:
        yield
    finally:
        sys.meta_path.remove(FINDER)


def always_from_bytecode() -> None:
    """For all imports from now on. Not while a plugin is imported, when it may change nothing of the process."""
    if FINDER not in sys.meta_path:
        sys.meta_path.insert(0, FINDER)


__all__ = ("always_from_bytecode", "from_bytecode")
