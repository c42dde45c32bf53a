# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Cross-checks of the options of C(outscale-chroot): Packer's own, in our words, and those it meant to make."""

from __future__ import annotations

import typing as t

from ansible_collections.bakehouse.images.plugins.module_utils._outscale.image_definitions import (
    BOOT_MODES,
    name_problems,
)
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.permissions import account_problems
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.sources import FILTERS
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_late import has_late
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_option_rules import OptionRules

FROM_SCRATCH_NEEDS = ("root_volume_size", "pre_mount_commands", "root_device_name", "omi_block_device_mappings")
PAIRS = (("access_key", "secret_key"), ("x509_cert_path", "x509_key_path"))


class OutscaleRules(OptionRules):
    """Those of C(outscale-chroot)."""

    def check(self) -> None:
        """Find every mistake."""
        self._source()
        self._volume()
        self._image()
        self._rest()

    def _source(self) -> None:
        values = self.values
        has_source = [name for name in ("source_omi", "source_omi_filter") if values.get(name)]
        if values.get("from_scratch"):
            for name in FROM_SCRATCH_NEEDS:
                if not values.get(name):
                    self._says(f"from_scratch needs {name}.", "from_scratch")
            for name in has_source:
                self._has_no_effect(name, "with from_scratch")
            return
        if not has_source:
            self._says("there is no source_omi and no source_omi_filter, and from_scratch is not true.")
        for name in ("omi_block_device_mappings", "root_device_name"):
            if values.get(name):
                self._has_no_effect(name, "without from_scratch; the source's mappings stay")
        self._filters(values.get("source_omi_filter") or {})

    def _filters(self, chosen: dict[str, t.Any]) -> None:
        names = [*(chosen.get("filters") or {}), *(it.get("name") or "" for it in chosen.get("filter") or [])]
        for name in names:
            if name not in FILTERS and not name.startswith("tag:"):
                self._says(
                    f"there is no filter {name!r}. There is: {', '.join(sorted(FILTERS))}, tag:KEY.",
                    "source_omi_filter",
                )

    def _volume(self) -> None:
        values = self.values
        if values.get("root_volume_type") == "io1":
            why = "with from_scratch" if values.get("from_scratch") else "unless the source's is io1, too"
            if values.get("from_scratch"):
                self._says(f"root_volume_type cannot be io1 {why}.", "root_volume_type")
        for number, mapping in enumerate(values.get("omi_block_device_mappings") or []):
            if not mapping.get("device_name"):
                self._says("device_name: each mapping has one.", "omi_block_device_mappings", number)

    def _image(self) -> None:
        values = self.values
        name = values.get("omi_name")
        if not name:
            self._says("omi_name is missing.")
        elif has_late(name):
            self._says("omi_name cannot hold what only the build knows.", "omi_name")
        else:
            for problem in name_problems(name):
                self._says(f"omi_{problem} The function clean_omi_name makes it one.", "omi_name")
        for option in ("omi_account_ids", "snapshot_account_ids"):
            for problem in account_problems(option, values.get(option)):
                self._says(problem, option)
        for mode in values.get("omi_boot_modes") or []:
            if mode not in BOOT_MODES:
                self._says(f"omi_boot_modes: {mode!r} is none of {', '.join(BOOT_MODES)}.", "omi_boot_modes")

    def _rest(self) -> None:
        self._mounts()
        for first, second in PAIRS:
            self._pair(first, second)


__all__ = ("OutscaleRules",)
