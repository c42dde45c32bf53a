# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""What the options of the builders say together, as far as both have it: what a template is refused for."""

from __future__ import annotations

import abc
import typing as t

from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_model import Component


class OptionRules(abc.ABC):
    """Checks what options say together.

    Args:
        source: where the options come from.
        values: those that are set, with their types.
    """

    def __init__(self, source: Component, values: dict[str, t.Any]) -> None:
        self.source = source
        self.values = values
        self.problems: list[str] = []
        self.warnings: list[str] = []

    @abc.abstractmethod
    def check(self) -> None:
        """Find every mistake."""

    def _says(self, text: str, *path: str | int) -> None:
        self.problems.append(self.source.at(*path).says(text))

    def _has_no_effect(self, name: str, when: str) -> None:
        self.warnings.append(self.source.at(name).says(f"{name} has no effect {when}."))

    def _mounts(self) -> None:
        for number, entry in enumerate(self.values.get("chroot_mounts") or []):
            if len(entry) != 3:
                self._says(
                    f"chroot_mounts: each entry has three parts, type, source and target, and this has {len(entry)}.",
                    "chroot_mounts",
                    number,
                )

    def _pair(self, first: str, second: str) -> None:
        if bool(self.values.get(first)) != bool(self.values.get(second)):
            name = first if self.values.get(first) else second
            self._says(f"{first} and {second} go together, and one of them is missing.", name)


__all__ = ("OptionRules",)
