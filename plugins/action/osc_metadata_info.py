# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A machine that cannot be reached is a failure here, so that the build's cleanup runs."""

from __future__ import annotations

from ansible_collections.bakehouse.images.plugins.plugin_utils._module_action import ModuleAction as ActionModule

__all__ = ("ActionModule",)
