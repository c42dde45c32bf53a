#!/usr/bin/python
# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: build_life_info
short_description: Ask this machine whether builds are still alive
version_added: 0.1.0
author:
  - bakehouse.images maintainers (@bakehouse)
description:
  - A build lives and dies with its owner, the C(ansible-playbook) that runs it. What the build makes carries the owner
    as the tag C(bakehouse:owner).
  - V(alive) means that this very process was seen. V(dead) means proof that it is gone, which only the machine has that
    it ran on, in the same namespace of process numbers, or the same machine after it was started anew. All else is
    V(unknown).
  - Process numbers that are used again, clocks that differ and machines that were started anew do not make a build that
    is alive look dead.
options:
  owners:
    description:
      - The owners.
    type: list
    elements: str
    required: true
attributes:
  check_mode:
    support: full
  diff_mode:
    support: N/A
  idempotent:
    support: full
  platform:
    support: full
    platforms: linux
    details:
      - Runs on the machine that the builds were started on. It needs no rights.
extends_documentation_fragment:
  - bakehouse.images._attributes
  - bakehouse.images._attributes.info
seealso:
  - module: bakehouse.images.ec2_leftovers_info
  - module: bakehouse.images.build_host_leftovers_info
"""

EXAMPLES = r"""
---
- name: Ask the controller
  bakehouse.images.build_life_info:
    owners: "{{ found.leftovers | map(attribute='owner') | unique }}"
  delegate_to: localhost
  register: lives
"""

RETURN = r"""
lives:
  description: What this machine says of each owner.
  returned: success
  type: list
  elements: dict
  contains:
    owner:
      description: The owner.
      returned: always
      type: str
      sample: host=ci-1 boot=0a0b4a0e-3c8f-4a6f-9a53-1c54d8f0a1b2 ns=4026531836.4026531834 pid=4711 start=123456
    life:
      description: V(alive), V(dead) or V(unknown).
      returned: always
      type: str
      sample: dead
    reason:
      description: How that is known, or why not, as the end of a sentence.
      returned: always
      type: str
      sample: process 4711 on ci-1 has ended
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.bakehouse.images.plugins.module_utils import _life


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={"owners": {"type": "list", "elements": "str", "required": True}}, supports_check_mode=True
    )
    lives = []
    for owner in sorted(set(module.params["owners"])):
        verdict = _life.judge(owner)
        lives.append({"owner": owner, "life": verdict.life.value, "reason": verdict.reason})
    module.exit_json(changed=False, lives=lives)


if __name__ == "__main__":
    main()
