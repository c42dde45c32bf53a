# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""What a module is that calls Outscale's API."""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.bakehouse.images.plugins.module_utils._cloud.throttling import ThrottlingModule


class OutscaleModule(ThrottlingModule, AnsibleModule):
    """A module whose result says how many calls were throttled."""


__all__ = ("OutscaleModule",)
