# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Files on the controller that are written whole: readers see the old one or the new one, never a part."""

from __future__ import annotations

import json
import os
import tempfile
import typing as t
from pathlib import Path


def write_json(path: Path, content: t.Mapping[str, t.Any]) -> None:
    """Write the content as JSON, with the folder if there is none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, beside = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(content, file, indent=2, sort_keys=True)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())  # or a machine that loses power may have the name without the content
        os.replace(beside, path)
    except BaseException:
        Path(beside).unlink(missing_ok=True)
        raise


__all__ = ("write_json",)
