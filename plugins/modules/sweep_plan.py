#!/usr/bin/python
# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Documentation only: the plugin of the same name in plugins/action does the work, on the controller.

from __future__ import annotations

DOCUMENTATION = r"""
---
module: sweep_plan
short_description: Decide which builds' leftovers are removed
description:
  - Puts together what was found of builds, and what machines say of the owners of those builds, and decides for each
    build whether what is there of it goes.
  - Nothing goes of a build that is alive, nor of one that was kept, before its time is over. Of a build of which
    nothing is known nothing goes either, but for O(unknown_older_than_hours).
  - Changes nothing itself.
version_added: 0.1.0
author:
  - bakehouse.images maintainers (@bakehouse)
extends_documentation_fragment:
  - bakehouse.images._attributes
  - bakehouse.images._attributes.bookkeeping
attributes:
  idempotent:
    support: full
options:
  build_hosts:
    description:
      - What was found on build hosts. The C(results) of a task with M(bakehouse.images.build_host_leftovers_info) in a
        loop over hosts.
    type: list
    elements: dict
    default: []
  regions:
    description:
      - What was found in regions. The C(results) of a task with M(bakehouse.images.ec2_leftovers_info) in a loop over
        regions.
    type: list
    elements: dict
    default: []
  lives:
    description:
      - What M(bakehouse.images.build_life_info) said, on all machines that were asked.
    type: list
    elements: dict
    default: []
  build_ids:
    description:
      - Decide for these builds only. Empty means all.
    type: list
    elements: str
    default: []
  older_than_hours:
    description:
      - How old the newest thing of a build that is dead must be.
    type: float
    default: 0
  unknown_older_than_hours:
    description:
      - How old the newest thing of a build must be of which nothing is known. Without it, such builds are left alone.
    type: float
  prices:
    description:
      - What a GiB costs in a month, by type of volume, and for V(snapshot).
    type: dict
    default: {}
seealso:
  - module: bakehouse.images.build_life_info
"""

EXAMPLES = r"""
---
- name: Decide what goes
  bakehouse.images.sweep_plan:
    regions: "{{ in_regions.results }}"
    lives: "{{ asked.lives }}"
    prices:
      gp3: 0.08
      snapshot: 0.05
  register: plan
"""

RETURN = r"""
---
lines:
  description: A table of what was found, and for each build what becomes of it and why.
  returned: success
  type: list
  elements: str
  sample: ["Nothing was found that builds have left."]
removals:
  description:
    - What goes, in C(build_hosts) and in C(regions). Each is a list of C(where), and C(build_ids) that have something
      there that goes. An empty one stands for what is of no build.
  returned: success
  type: dict
  sample:
    build_hosts: []
    regions:
      - where: eu-west-1
        build_ids: [3f9c0a71d2b84e65]
builds:
  description: The builds of which something was found.
  returned: success
  type: list
  elements: dict
  contains:
    build_id:
      description: The id. Empty for what is of no build.
      returned: always
      type: str
      sample: 3f9c0a71d2b84e65
    remove:
      description: Whether what is there of it goes.
      returned: always
      type: bool
      sample: true
    life:
      description: V(alive), V(dead) or V(unknown).
      returned: always
      type: str
      sample: dead
    reason:
      description: Why.
      returned: always
      type: str
      sample: process 4711 on ci-1 has ended
monthly_cost:
  description: What all that goes costs in a month.
  returned: success
  type: float
  sample: 0.64
"""
