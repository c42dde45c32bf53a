# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Shows how far a snapshot has come, and makes an API host that cannot be reached a failure."""

from __future__ import annotations

from ansible_collections.bakehouse.images.plugins.plugin_utils._outscale_action import (
    OutscaleWaitingAction as ActionModule,
)

__all__ = ("ActionModule",)
