# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Data sources of an HCL template: C(amazon-ami), as the image that a source starts from."""

from __future__ import annotations

import typing as t

from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_build_data import BUILD_DATA
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_late import late
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_model import Place

AMI_FILTER = ("filters", "owners", "most_recent", "include_deprecated")


class FoundImage(str):
    """The id of the image that a filter will find; the filter is in C(filter)."""

    filter: dict[str, t.Any]
    __slots__ = ("filter",)


def data_source(kind: str, name: str, values: dict[str, t.Any], place: Place) -> dict[str, t.Any]:
    """The object that a data source is.

    Raises:
        Invalid: it is of a kind, or has options, that cannot be had here.
    """
    if kind != "amazon-ami":
        raise place.error(
            f"data sources of the kind {kind} are not supported; amazon-ami is. Give the value as a variable."
        )
    unknown = sorted(set(values) - {*AMI_FILTER, "region"})
    if unknown:
        raise place.error(f"data.amazon-ami.{name}: {', '.join(unknown)} is not supported here.")
    found = FoundImage(late(BUILD_DATA["SourceAMI"]))
    found.filter = {key: values[key] for key in AMI_FILTER if key in values}
    return {"id": found}


__all__ = ("AMI_FILTER", "FoundImage", "data_source")
