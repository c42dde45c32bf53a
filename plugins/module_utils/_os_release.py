# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.


"""What a system says of itself in its os-release(5) file."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.bakehouse.images.plugins.module_utils import _inside

# os-release(5): where it is, in the order in which it is looked for.
PLACES = ("/etc/os-release", "/usr/lib/os-release")


def read_os_release(root: str) -> t.Optional[t.Dict[str, str]]:
    """The assignments in the file of the system at C(root); None when it has no such file."""
    texts = (_inside.read_text(root, path) for path in PLACES)
    return next((parse_os_release(text) for text in texts if text is not None), None)


def parse_os_release(text: str) -> t.Dict[str, str]:
    """os-release(5) as a dictionary: values without quotes and escapes; lines that are no assignments are left out."""
    found = {}
    for line in text.splitlines():
        name, equals, value = line.strip().partition("=")
        if not equals or not re.match(r"[A-Z0-9_a-z]+\Z", name):
            continue
        if value[:1] in ("'", '"'):
            if len(value) < 2 or value[-1] != value[0]:
                continue
            value = value[1:-1]
        # In one pass: an escaped backslash escapes nothing itself.
        found[name] = re.sub(r"""\\(["'$`\\])""", r"\1", value)
    return found


__all__ = ("parse_os_release", "read_os_release")
