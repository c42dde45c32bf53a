# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""What a mounted directory tree shows of itself: whether it is the root of an operating system, and of which."""

from __future__ import annotations

import os
import stat
import typing as t
from dataclasses import dataclass, field

from ansible_collections.bakehouse.images.plugins.module_utils import _inside
from ansible_collections.bakehouse.images.plugins.module_utils._os_release import read_os_release


@dataclass(frozen=True)
class Tree:
    """What a mounted tree shows of itself."""

    os_release: t.Optional[t.Dict[str, str]] = None
    has_shell: bool = False
    fstab: str = ""
    names: t.Tuple[str, ...] = field(default=())

    @property
    def is_root(self) -> bool:
        """Whether programs of this tree can be run with it as their root."""
        return self.os_release is not None and self.has_shell

    @property
    def verdict(self) -> str:
        """Why the tree is a root or is none, for people."""
        if self.os_release is not None and self.has_shell:
            return "a root file system (%s)" % self.os_release.get("PRETTY_NAME", "unnamed")
        if self.os_release is not None:
            return "has an os-release file, but no /bin/sh"
        holds = ", ".join(self.names[:6]) + (", ..." if len(self.names) > 6 else "")
        return "has no os-release file (it holds: %s)" % (holds or "nothing")


def inspect_tree(root: str) -> Tree:
    """Look at a tree as a candidate for the root of an operating system. Nothing in it is run."""
    shell = _inside.status(root, "/bin/sh")
    return Tree(
        os_release=read_os_release(root),
        has_shell=shell is not None and stat.S_ISREG(shell.st_mode) and bool(shell.st_mode & 0o111),
        fstab=_inside.read_text(root, "/etc/fstab") or "",
        names=tuple(sorted(os.listdir(root))),
    )


__all__ = ("Tree", "inspect_tree")
