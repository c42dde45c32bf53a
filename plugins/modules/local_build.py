#!/usr/bin/python
# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: local_build
short_description: Remove all that a build of image files has made
version_added: 0.1.0
author:
  - bakehouse.images maintainers (@bakehouse)
description:
  - Detaches the loop devices of a build and removes its files from a folder, finished and unfinished ones. One finished
    image can be kept.
  - Every removal is tried, whatever becomes of the others. When some fail, the task fails and says which.
  - Nothing that does not carry this build's id, in its attributes or in the hidden name of an unfinished file, is ever
    touched.
options:
  state:
    description:
      - V(absent) removes what the build has made. There is no other state; other modules make things.
    type: str
    choices: [absent]
    default: absent
  directory:
    description:
      - The folder that the build writes its image to.
    type: path
    required: true
  build_id:
    description:
      - The build, 16 hexadecimal digits.
    type: str
    required: true
  keep_image:
    description:
      - Path of the finished image, which stays.
    type: path
  wait_timeout:
    description:
      - How many seconds to wait for a device that is still in use.
    type: int
    default: 60
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
extends_documentation_fragment:
  - bakehouse.images._attributes
  - bakehouse.images._attributes.build_host
seealso:
  - module: bakehouse.images.image_file
"""

EXAMPLES = r"""
---
- name: Close the sandbox of a build that was killed
  bakehouse.images.sandbox:
    name: 3f9c2a7d51e84b60
    state: absent
  become: true

- name: Remove what else it has left
  bakehouse.images.local_build:
    directory: /srv/images
    build_id: 3f9c2a7d51e84b60
    state: absent
  become: true
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
      description: V(loop_device) or V(file).
      returned: always
      type: str
      sample: file
    id:
      description: The path.
      returned: always
      type: str
      sample: /srv/images/.web.raw.3f9c2a7d51e84b60.disk
left:
  description: What could not be removed.
  returned: failure
  type: list
  elements: dict
  contains:
    type:
      description: V(loop_device) or V(file).
      returned: always
      type: str
      sample: loop_device
    id:
      description: The path.
      returned: always
      type: str
      sample: /dev/loop3
    error:
      description: Why not.
      returned: always
      type: str
      sample: /dev/loop3 (the file /srv/images/.web.raw.3f9c2a7d51e84b60.disk) is still in use after 60 seconds.
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError
from ansible_collections.bakehouse.images.plugins.module_utils._image_file.removal import plan_removal, remove
from ansible_collections.bakehouse.images.plugins.module_utils._module import fail
from ansible_collections.bakehouse.images.plugins.module_utils._plan import plan_diff
from ansible_collections.bakehouse.images.plugins.module_utils._run import LocalRunner


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["absent"], "default": "absent"},
            "directory": {"type": "path", "required": True},
            "build_id": {"type": "str", "required": True},
            "keep_image": {"type": "path"},
            "wait_timeout": {"type": "int", "default": 60},
        },
        supports_check_mode=True,
    )
    params = module.params
    try:
        removals = plan_removal(
            LocalRunner(),
            params["directory"],
            params["build_id"],
            keep=params["keep_image"],
            timeout_seconds=params["wait_timeout"],
        )
        if not module.check_mode:
            remove(removals)
    except BuildError as exc:
        fail(module, exc)
    module.exit_json(
        changed=bool(removals),
        removed=[removal.to_ansible() for removal in removals],
        diff=plan_diff([], removals),
    )


if __name__ == "__main__":
    main()
