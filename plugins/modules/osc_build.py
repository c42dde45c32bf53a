# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: osc_build
short_description: Remove all that a build has made at Outscale
version_added: 0.1.0
description:
  - Deletes the images, the snapshots and the volumes of a build, detached where they are attached. One image can be
    kept, with its snapshots.
  - Every removal is tried, whatever becomes of the others. When some fail, the task fails and says which.
  - Nothing that does not carry this build's mark is ever touched, nor a snapshot that another image uses.
extends_documentation_fragment:
  - bakehouse.images._attributes
  - bakehouse.images._outscale
author: bakehouse.images maintainers (@bakehouse)
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  state:
    description: V(absent) removes what the build has made. There is no other state; other modules make things.
    type: str
    choices: [absent]
    default: absent
  build_id:
    description: The build, 16 hexadecimal digits.
    type: str
    required: true
  keep_image_id:
    description: The image that stays, with the snapshots that it uses.
    type: str
  keep_images:
    description: Every image of the build stays that is finished, with the snapshots that it uses.
    type: bool
    default: false
  image_id:
    description: An image that is known to have been made, in case lists do not show it yet.
    type: str
  snapshot_id:
    description: The same for a snapshot.
    type: str
  volume_id:
    description: The same for a volume.
    type: str
  wait_timeout:
    description: How many seconds to wait at most for a volume to be detached, and to be gone.
    type: int
    default: 300
  wait_delay:
    description: How many seconds to let pass before Outscale is asked again, at first; the delay grows.
    type: float
    default: 1
seealso:
  - module: bakehouse.images.osc_build_info
"""

EXAMPLES = r"""
---
- name: Remove what a build needed, but not its image
  bakehouse.images.osc_build:
    state: absent
    build_id: 3f9c0a71d2b84e65
    keep_image_id: ami-0fcdc403
"""

RETURN = r"""
removed:
  description: What was removed, or would be in check mode, in that order. With a failure, what was removed
    nevertheless.
  returned: always
  type: list
  elements: dict
  contains:
    type:
      description: V(image), V(snapshot) or V(volume).
      returned: always
      type: str
      sample: volume
    id:
      description: The id.
      returned: always
      type: str
      sample: vol-049df611
left:
  description: What could not be removed.
  returned: failure
  type: list
  elements: dict
  contains:
    type:
      description: V(image), V(snapshot) or V(volume).
      returned: always
      type: str
      sample: volume
    id:
      description: The id.
      returned: always
      type: str
      sample: vol-049df611
    error:
      description: Why not.
      returned: always
      type: str
      sample: Volume vol-049df611 is still attached to i-12345678.
throttled_calls:
  description: How many answers said that there were too many calls. Those calls were sent again.
  returned: when the options are valid
  type: int
  sample: 0
"""

from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError
from ansible_collections.bakehouse.images.plugins.module_utils._module import fail
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.api import argument_spec, connect
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.builds import (
    RemovalRequest,
    plan_removal,
    remove,
)
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.module import OutscaleModule
from ansible_collections.bakehouse.images.plugins.module_utils._plan import plan_diff


def main() -> None:
    """Run the module."""
    module = OutscaleModule(
        argument_spec=argument_spec(
            state={"type": "str", "choices": ["absent"], "default": "absent"},
            build_id={"type": "str", "required": True},
            keep_image_id={"type": "str"},
            keep_images={"type": "bool", "default": False},
            image_id={"type": "str"},
            snapshot_id={"type": "str"},
            volume_id={"type": "str"},
            wait_timeout={"type": "int", "default": 300},
            wait_delay={"type": "float", "default": 1},
        ),
        supports_check_mode=True,
    )
    try:
        removals = plan_removal(connect(module), RemovalRequest.from_params(module.params))
        if not module.check_mode:
            remove(removals)
    except BuildError as exc:
        fail(module, exc)
    module.exit_json(
        changed=bool(removals),
        removed=[removal.to_ansible() for removal in removals],
        diff=plan_diff([], [removal.operation for removal in removals]),
    )


if __name__ == "__main__":
    main()
