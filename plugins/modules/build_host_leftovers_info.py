#!/usr/bin/python
# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: build_host_leftovers_info
short_description: Find what builds have made on this machine that is no image
version_added: 0.1.0
author:
  - bakehouse.images maintainers (@bakehouse)
description:
  - Lists sandboxes of builds and those whose process has died, loop devices over unfinished disk images, unfinished
    files, and what is kept of agents whose sandbox is gone. A build that runs has such things, too.
    M(bakehouse.images.build_life_info) tells whether it does.
options:
  directories:
    description:
      - The folders that image files are written to. Folders of loop devices are looked into without being named.
    type: list
    elements: path
    default: []
attributes:
  check_mode:
    support: full
  diff_mode:
    support: N/A
  idempotent:
    support: full
extends_documentation_fragment:
  - bakehouse.images._attributes
  - bakehouse.images._attributes.info
  - bakehouse.images._attributes.build_host
seealso:
  - module: bakehouse.images.build_host_leftovers
  - module: bakehouse.images.build_life_info
"""

EXAMPLES = r"""
---
- name: See what builds have left on a build host
  bakehouse.images.build_host_leftovers_info:
    directories:
      - /srv/images
  become: true
  register: found
"""

RETURN = r"""
leftovers:
  description: What there is.
  returned: success
  type: list
  elements: dict
  contains:
    type:
      description: V(sandbox), V(loop_device), V(file) or V(agent).
      returned: always
      type: str
      sample: loop_device
    id:
      description: Its id, name or path.
      returned: always
      type: str
      sample: /dev/loop3
    build_id:
      description: The build that it is of. Empty for what is of none.
      returned: always
      type: str
      sample: 3f9c0a71d2b84e65
    owner:
      description: The owner of that build, as M(bakehouse.images.build_life_info) takes it. Empty where none is noted.
      returned: always
      type: str
      sample: host=ci-1 boot=0a0b4a0e-3c8f-4a6f-9a53-1c54d8f0a1b2 ns=4026531836.4026531834 pid=4711 start=123456
    image:
      description: The name of the image that it was made for. Empty where that is not noted.
      returned: always
      type: str
      sample: web
    expires:
      description: Until when it is kept, in seconds since 1970. Null when it was not kept.
      returned: always
      type: int
      sample: null
    age_seconds:
      description: How long ago it was made, or last changed. Null where that is not known.
      returned: always
      type: float
      sample: 86400.0
    size_gib:
      description: Its size in GiB. Null for what has none.
      returned: always
      type: float
      sample: 8
    price:
      description: What is paid for, which is the type of a volume, or V(snapshot). Empty where nothing is.
      returned: always
      type: str
      sample: ''
    state:
      description: How it is, in words.
      returned: always
      type: str
      sample: of /srv/images/.web.raw.3f9c0a71d2b84e65.disk
    ended:
      description: Whether it shows by itself that nobody uses it any more, such as a sandbox whose process has died.
      returned: always
      type: bool
      sample: false
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.bakehouse.images.plugins.module_utils._build_host_leftovers import find_leftovers
from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError
from ansible_collections.bakehouse.images.plugins.module_utils._module import fail


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={"directories": {"type": "list", "elements": "path", "default": []}}, supports_check_mode=True
    )
    try:
        found = find_leftovers(module.params["directories"])
    except BuildError as exc:
        fail(module, exc)
    module.exit_json(changed=False, leftovers=[one.to_ansible() for one in found])


if __name__ == "__main__":
    main()
