# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""A folder of this user where everybody may write."""

from __future__ import annotations

import contextlib
import os
import stat
import typing as t


def own_folder(parent: str) -> t.Optional[str]:
    """The collection's folder of this user below a folder such as /tmp, made when it is missing.

    None when there is none, or somebody else may have a hand in it.
    """
    place = os.path.join(parent, "bakehouse-%d" % os.geteuid())
    try:
        with contextlib.suppress(FileExistsError):
            os.mkdir(place, 0o700)
        found = os.lstat(place)
    except OSError:
        return None
    is_ours = stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not stat.S_IMODE(found.st_mode) & 0o077
    return place if is_ours else None


__all__ = ("own_folder",)
