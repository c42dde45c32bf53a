# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""The seam between the cores and AnsibleModule."""

from __future__ import annotations

import typing as t

from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule


def fail(module: AnsibleModule, exc: BuildError) -> t.NoReturn:
    """End the module with the error as its result."""
    module.fail_json(**exc.to_result())
    raise AssertionError("fail_json returned")


__all__ = ("fail",)
