# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A long upload says how far it has come."""

from __future__ import annotations

from ansible_collections.bakehouse.images.plugins.plugin_utils._transfer_action import TransferAction as ActionModule

__all__ = ("ActionModule",)
