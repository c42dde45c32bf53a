# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""How much may come out of what is compressed: a small file can hold more than any disk has room for."""

from __future__ import annotations

import typing as t

from ansible_collections.bakehouse.images.plugins.module_utils._disk.sizes import GIB, parse_size, show_size
from ansible_collections.bakehouse.images.plugins.module_utils._errors import Refused

DEFAULT_UNPACKED = "64GiB"
DEFAULT_UNPACKED_BYTES = 64 * GIB


class Allowance:
    """Bytes that may come out of one image: those of its layers, and those of the compressed files in them."""

    def __init__(self, limit_bytes: int = DEFAULT_UNPACKED_BYTES) -> None:
        self.limit_bytes = limit_bytes
        self.taken_bytes = 0

    def take(self, count: int) -> None:
        """Count bytes that have come out.

        Raises:
            Refused: they are too many.
        """
        self.taken_bytes += count
        if self.taken_bytes > self.limit_bytes:
            raise Refused(
                "Unpacked, the image is larger than %s (%d bytes), which is what max_unpacked_size allows."
                % (show_size(self.limit_bytes), self.limit_bytes),
                hint="Nothing of it was kept. If you trust it, set max_unpacked_size to more.",
                limit_bytes=self.limit_bytes,
            )


def read_limit(text: str) -> t.Optional[int]:
    """Bytes of C(64GiB), or of a plain number; None when it is neither, or nothing."""
    count = int(text) if text.isdigit() else parse_size(text)
    return count or None


__all__ = ("DEFAULT_UNPACKED", "DEFAULT_UNPACKED_BYTES", "Allowance", "read_limit")
