# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names and contents here may change in any release.

from __future__ import annotations


class ModuleDocFragment:
    """What modules have in common: attributes, and where a module runs."""

    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode) and return what it would change without changing anything.
  diff_mode:
    description: Returns details on what has changed, or would change in C(check_mode), when in diff mode.
  idempotent:
    description: When run again with the same arguments, it changes nothing.
  platform:
    description: The platforms that the module can run on.
    platforms: posix
"""

    # Readers: they change nothing, so check mode and idempotence are trivially there.
    INFO = r"""
options: {}
attributes:
  check_mode:
    support: full
    details:
      - This module changes nothing.
  diff_mode:
    support: N/A
    details:
      - This module changes nothing.
  idempotent:
    support: full
    details:
      - This module changes nothing.
"""

    # Steps of a build's bookkeeping: action plugins, which return what later tasks use.
    BOOKKEEPING = r"""
options: {}
attributes:
  check_mode:
    support: full
  diff_mode:
    support: N/A
    details:
      - There is no state to compare.
  platform:
    support: full
"""

    # Modules that call EC2's API.
    API = r"""
options: {}
attributes:
  action_group:
    description: >-
      Belongs to the action group C(group/bakehouse.images.aws), which extends C(group/amazon.aws.aws), so that
      C(module_defaults) for either reach it.
    support: full
    membership:
      - bakehouse.images.aws
  platform:
    support: full
    details:
      - Runs wherever the credentials and boto3 are, usually the controller. It touches no device.
"""

    # Modules that touch devices, mounts and namespaces.
    BUILD_HOST = r"""
options: {}
attributes:
  platform:
    support: full
    platforms: linux
    details:
      - Runs on the build host, as root.
"""
