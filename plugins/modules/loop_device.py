#!/usr/bin/python
# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: loop_device
short_description: Attach an image file as a block device
version_added: 0.1.0
author:
  - bakehouse.images maintainers (@bakehouse)
description:
  - Attaches a raw image file to a free loop device, and makes the nodes of its partitions, also on kernels that do not
    read partition tables by themselves.
  - A file that is attached already keeps its device.
  - Detaching waits until nothing uses the device, and until the kernel has let go of the file. C(losetup --detach)
    alone reports success for a device in use, and detaches it at some later time.
options:
  path:
    description:
      - The image file.
    type: path
    required: true
  state:
    description:
      - V(present) attaches the file, V(absent) detaches it from all its devices.
    type: str
    choices: [present, absent]
    default: present
  read_only:
    description:
      - Let nothing write to the file.
    type: bool
    default: false
  wait_timeout:
    description:
      - How many seconds to wait for a device that is still in use before it is detached.
    type: int
    default: 60
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: full
extends_documentation_fragment:
  - bakehouse.images._attributes
  - bakehouse.images._attributes.build_host
seealso:
  - module: bakehouse.images.image_file
  - module: bakehouse.images.block_device_info
"""

EXAMPLES = r"""
---
- name: Attach an image
  bakehouse.images.loop_device:
    path: /srv/images/web.raw
  become: true
  register: attached

- name: Look at its partitions
  bakehouse.images.block_device_info:
    path: "{{ attached.devices[0] }}"
  become: true

- name: Detach it
  bakehouse.images.loop_device:
    path: /srv/images/web.raw
    state: absent
  become: true
"""

RETURN = r"""
devices:
  description:
    - The paths of the file's loop devices. With O(state=absent), of those that were detached; in check mode, of those
      that it has now.
  returned: success
  type: list
  elements: str
  sample: [/dev/loop3]
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError
from ansible_collections.bakehouse.images.plugins.module_utils._image_file.loops import attach, detach, loops_of
from ansible_collections.bakehouse.images.plugins.module_utils._module import fail
from ansible_collections.bakehouse.images.plugins.module_utils._run import LocalRunner


def argument_spec() -> t.Dict[str, t.Any]:
    """The module's options."""
    return {
        "path": {"type": "path", "required": True},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "read_only": {"type": "bool", "default": False},
        "wait_timeout": {"type": "int", "default": 60},
    }


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    path, wanted = module.params["path"], module.params["state"] == "present"
    try:
        devices = [loop.device for loop in loops_of(path)]
        changed = wanted != bool(devices)
        if wanted and not module.check_mode:
            devices = [attach(LocalRunner(), path, read_only=module.params["read_only"]).path]
        elif changed and not module.check_mode:
            devices = detach(LocalRunner(), path, timeout_seconds=module.params["wait_timeout"])
    except BuildError as exc:
        fail(module, exc)
    module.exit_json(changed=changed, devices=devices)


if __name__ == "__main__":
    main()
