#!/usr/bin/python
# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Documentation only: the plugin of the same name in plugins/action does the work, on the controller.

from __future__ import annotations

DOCUMENTATION = r"""
---
module: build_janitor
short_description: Have a build cleaned up should ansible-playbook be ended from outside
description:
  - Ansible runs neither C(rescue) nor C(always) when it is interrupted or killed. So a process beside it, the janitor,
    knows of all builds that have begun and not ended.
  - When C(ansible-playbook) ends in the middle of a build, however that happens, the janitor runs the role
    C(bakehouse.images.sweep) for that build, and no other.
  - One janitor looks after all builds of a run. It ends with the last of them.
version_added: 0.1.0
author:
  - bakehouse.images maintainers (@bakehouse)
extends_documentation_fragment:
  - bakehouse.images._attributes
  - bakehouse.images._attributes.bookkeeping
attributes:
  check_mode:
    support: full
    details:
      - Does nothing in check mode.
  idempotent:
    support: full
options:
  state:
    description:
      - V(begun) before the build makes anything, V(ended) when it has cleaned up after itself, or is kept.
    type: str
    choices: [begun, ended]
    required: true
  build_id:
    description:
      - The build.
    type: str
    required: true
  owner:
    description:
      - The owner of the build, as M(bakehouse.images.build_identity) returned it. It must be the C(ansible-playbook)
        that runs this task.
    type: str
    default: ""
  image:
    description:
      - The name of the image, for people.
    type: str
    default: ""
  api_host:
    description:
      - The inventory host that makes the API calls.
    type: str
    default: localhost
  build_hosts:
    description:
      - The build hosts, as inventory hosts.
    type: list
    elements: str
    default: []
  directories:
    description:
      - The folders on the build hosts that the image is written to.
    type: list
    elements: str
    default: []
  regions:
    description:
      - The regions of EC2.
    type: list
    elements: str
    default: []
  timeout:
    description:
      - How many seconds cleaning up may take. V(0) means that there is no janitor for the build.
    type: int
    default: 600
  report:
    description:
      - The path of a file on the controller. Beside it, with the ending C(.cancelled), the janitor writes what it has
        removed.
    type: str
    default: ""
seealso:
  - module: bakehouse.images.build_identity
"""

EXAMPLES = r"""
---
- name: Have the build cleaned up should it be interrupted
  bakehouse.images.build_janitor:
    state: begun
    build_id: "{{ identity.build_id }}"
    owner: "{{ identity.owner }}"
    image: web
    build_hosts:
      - localhost
    regions:
      - eu-west-1
"""

RETURN = r"""
---
janitor:
  description: Whether a janitor looks after the build now.
  returned: success
  type: bool
  sample: true
"""
