# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""A hidden folder for what is not whole yet. Whoever is killed leaves one behind, and the next one here removes it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import shutil
import typing as t

from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError

PREFIX = ".oci."
ENDING = ".part"
UNLOCKED_ENDING = ".new"


@contextlib.contextmanager
def staging_folder(folder: str) -> t.Iterator[str]:
    """A new folder in this one, which is made where it is missing; removed at the end with all in it.

    It is locked for as long as its process lives: a folder of that name without a lock belongs to nobody any more.
    """
    path = os.path.join(folder, PREFIX + secrets.token_hex(8) + ENDING)
    try:
        os.makedirs(folder, exist_ok=True)
        for name in _left_over(folder):
            shutil.rmtree(os.path.join(folder, name), ignore_errors=True)
        # It has its name from when it is locked on, so that nobody takes it for a left one.
        unlocked = path + UNLOCKED_ENDING
        os.mkdir(unlocked, 0o700)
        descriptor = os.open(unlocked, os.O_RDONLY | os.O_DIRECTORY)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        os.rename(unlocked, path)
    except OSError as exc:
        raise BuildError("Cannot write in %s: %s." % (folder, exc.strerror), path=folder) from exc
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
        os.close(descriptor)


def _left_over(folder: str) -> t.List[str]:
    names = [name for name in os.listdir(folder) if name.startswith(PREFIX) and name.endswith(ENDING)]
    return [name for name in names if _is_nobodys(os.path.join(folder, name))]


def _is_nobodys(path: str) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True


__all__ = ("staging_folder",)
