#!/usr/bin/python
# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: build_host_leftovers
short_description: Remove what builds have left on this machine
version_added: 0.1.0
author:
  - bakehouse.images maintainers (@bakehouse)
description:
  - Closes sandboxes of builds, which ends what runs in them, frees their loop devices, and removes their unfinished
    files. A finished image stays.
  - Every removal is tried, whatever becomes of the others. When some fail, the task fails and says which.
  - When one of the builds can be seen to be alive from this machine, nothing is removed of any.
options:
  state:
    description:
      - V(absent) removes what the builds have left. There is no other state; other modules make things.
    type: str
    choices: [absent]
    default: absent
  build_ids:
    description:
      - The builds, 16 hexadecimal digits each.
    type: list
    elements: str
    default: []
  ended:
    description:
      - Remove also what is of no build and shows by itself that nobody uses it any more, as
        RV(bakehouse.images.build_host_leftovers_info#module:leftovers[].ended) says.
    type: bool
    default: false
  directories:
    description:
      - The folders that image files are written to. Folders of loop devices are looked into without being named.
    type: list
    elements: path
    default: []
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
  - module: bakehouse.images.build_host_leftovers_info
  - module: bakehouse.images.local_build
"""

EXAMPLES = r"""
---
- name: Remove what a build has left that was killed
  bakehouse.images.build_host_leftovers:
    build_ids:
      - 3f9c2a7d51e84b60
    directories:
      - /srv/images
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
      description: V(sandbox), V(loop_device), V(file) or V(agent).
      returned: always
      type: str
      sample: sandbox
    id:
      description: The name or path.
      returned: always
      type: str
      sample: 3f9c2a7d51e84b60
left:
  description: What could not be removed.
  returned: failure
  type: list
  elements: dict
  contains:
    type:
      description: V(sandbox), V(loop_device), V(file) or V(agent).
      returned: always
      type: str
      sample: loop_device
    id:
      description: The name or path.
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
from ansible_collections.bakehouse.images.plugins.module_utils._build_host_leftovers import plan_removal
from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError
from ansible_collections.bakehouse.images.plugins.module_utils._image_file.removal import remove
from ansible_collections.bakehouse.images.plugins.module_utils._module import fail
from ansible_collections.bakehouse.images.plugins.module_utils._plan import plan_diff
from ansible_collections.bakehouse.images.plugins.module_utils._run import LocalRunner


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["absent"], "default": "absent"},
            "build_ids": {"type": "list", "elements": "str", "default": []},
            "ended": {"type": "bool", "default": False},
            "directories": {"type": "list", "elements": "path", "default": []},
            "wait_timeout": {"type": "int", "default": 60},
        },
        supports_check_mode=True,
    )
    params = module.params
    try:
        removals = plan_removal(
            LocalRunner(),
            params["directories"],
            params["build_ids"],
            ended=params["ended"],
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
