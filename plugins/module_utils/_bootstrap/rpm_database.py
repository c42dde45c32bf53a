# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""The database of installed packages, as the rpm of the new system wants it.

Where it is, and in which format, differs between distributions, and the build host's rpm has written it as the build
host's own has it.
"""

from __future__ import annotations

import os
import shutil
import typing as t

from ansible_collections.bakehouse.images.plugins.module_utils import _inside
from ansible_collections.bakehouse.images.plugins.module_utils._bootstrap.workspace import Workspace
from ansible_collections.bakehouse.images.plugins.module_utils._errors import CommandFailed
from ansible_collections.bakehouse.images.plugins.module_utils._run import Completed

# Where most distributions have it by now.
DATABASE = "/usr/lib/sysimage/rpm"

RPM = "/usr/bin/rpm"
QUERY = ("--query", "--all", "--queryformat", "%{NAME} %{VERSION} %{RELEASE}\\n")

# Scriptlets see it too. Debian's rpm has its database below it.
HOME = "/root"


def hand_over_database(workspace: Workspace, target: str) -> None:
    """Put the database where the new system's rpm looks for it, and let that write it anew.

    Raises:
        CommandFailed: that rpm cannot read it, or does not find all packages.
    """
    root = workspace.outside(target)
    written = outside(workspace, ["--eval", "%{_dbpath}"]).out.strip()
    expected = packages(outside(workspace, ["--root", target, *QUERY]))
    if not _inside.status(root, RPM):
        move(root, written, DATABASE)
        return
    move(root, written, inside(workspace, target, ["--eval", "%{_dbpath}"]).out.strip())
    inside(workspace, target, ["--rebuilddb"])
    done = inside(workspace, target, QUERY)
    missing = expected - packages(done)
    if missing:
        raise unreadable(done, "it does not find %s" % ", ".join(sorted(missing)[:5]))


def move(root: str, source: str, wanted: str) -> None:
    """Move the files from one folder of the new system to another, either of which may be behind a link."""
    there, _made = _inside.make_directory(root, wanted)
    old, new = (root + _inside.final_path(root, path) for path in (source, there))
    if os.path.samefile(old, new):
        return
    for name in os.listdir(old):
        shutil.move(os.path.join(old, name), os.path.join(new, name))
    os.rmdir(old)


def packages(done: Completed) -> t.Set[str]:
    """The packages that a query has found."""
    return set(done.out.splitlines())


def outside(workspace: Workspace, arguments: t.Sequence[str]) -> Completed:
    """Run the build host's rpm as dnf has it in itself."""
    return workspace.run(["env", "HOME=%s" % HOME, "rpm", *arguments])


def inside(workspace: Workspace, target: str, arguments: t.Sequence[str]) -> Completed:
    """Run the new system's rpm in it."""
    environment = ["env", "--ignore-environment", "HOME=%s" % HOME, "LC_ALL=C.UTF-8", "PATH=/usr/sbin:/usr/bin"]
    done = workspace.run([*environment, "chroot", target, RPM, *arguments], check=False)
    if done.rc != 0:
        raise unreadable(done, done.err.strip() or "it failed with status %d" % done.rc)
    return done


def unreadable(done: Completed, reason: str) -> CommandFailed:
    """The error for an rpm that cannot go on with what ours has written."""
    return CommandFailed(
        "The new system's own rpm cannot use the database of installed packages: %s." % reason.rstrip("."),
        argv=done.argv,
        rc=done.rc,
        stderr=done.err,
        hint="It may be older than the build host's, and not know the format: build on a host whose rpm is as old.",
    )


__all__ = ("DATABASE", "HOME", "hand_over_database")
