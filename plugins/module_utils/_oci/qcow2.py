# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Whether a qcow2 image refers to other files, read from its header.

Of images that strangers have made this must be known before C(qemu-img) opens them: it opens what they name, and
reading such an image reads files of the machine that it lies on.
"""

from __future__ import annotations

import struct
import typing as t

from ansible_collections.bakehouse.images.plugins.module_utils._image_file.looking import QCOW2_MAGIC

# QEMU, docs/interop/qcow2.txt: offset and length of the backing file's name; later, features that must be understood.
_BACKING_NAME = struct.Struct(">8xQI")
_FEATURES = struct.Struct(">72xQ")
_VERSION = struct.Struct(">4xI")
_EXTERNAL_DATA = 0x4
_MAX_NAME = 1023


def foreign_file(path: str) -> t.Optional[str]:
    """What keeps an image from standing for itself, as the end of a sentence; None when it does.

    A file beside it is no better than any other: qemu guesses the format of that one too, and some name further files.
    """
    with open(path, "rb") as stream:
        header = stream.read(_FEATURES.size)
        if not header.startswith(QCOW2_MAGIC):
            return None
        header = header.ljust(_FEATURES.size, b"\0")
        if _VERSION.unpack_from(header)[0] >= 3 and _FEATURES.unpack(header)[0] & _EXTERNAL_DATA:
            return "keeps its data in another file"
        offset, length = _BACKING_NAME.unpack_from(header)
        if offset == 0:
            return None
        stream.seek(min(offset, 2**62))
        name = stream.read(min(length, _MAX_NAME)).decode("utf-8", "replace")
    return "refers to the file %r" % name


__all__ = ("foreign_file",)
