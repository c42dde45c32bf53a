#!/usr/bin/python
# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Documentation only: the plugin of the same name in plugins/action does the work, on the controller.

from __future__ import annotations

DOCUMENTATION = r"""
---
module: sweep_places
short_description: Find out where builds may have left something
description:
  - Reads from the inventory where its images are built, for what is not given.
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
      - Build hosts, as inventory hosts.
    type: list
    elements: str
  directories:
    description:
      - Folders on them that image files are written to.
    type: list
    elements: str
  regions:
    description:
      - Regions of EC2, and of Outscale with C(outscale:) before their name.
    type: list
    elements: str
  own_access:
    description:
      - Whether the caller says how AWS is called, in place of the inventory's images with their C(bake_aws_access).
    type: bool
    default: false
  own_outscale_access:
    description:
      - The same of Outscale, and of C(bake_outscale_access).
    type: bool
    default: false
seealso:
  - module: bakehouse.images.sweep_plan
"""

EXAMPLES = r"""
---
- name: Find out where to look
  bakehouse.images.sweep_places:
    regions:
      - eu-west-1
  register: places
"""

RETURN = r"""
---
build_hosts:
  description: The build hosts.
  returned: success
  type: list
  elements: str
  sample: [localhost]
directories:
  description: The folders.
  returned: success
  type: list
  elements: str
  sample: [/srv/images]
regions:
  description:
    - The regions. V(default) stands for the one that the AWS settings name. One that images call in different ways is
      there once for each.
  returned: success
  type: list
  elements: str
  sample: [eu-west-1]
calls:
  description:
    - For each of RV(regions) its C(region), and the C(image) of the inventory whose C(bake_aws_access), or
      C(bake_outscale_access), says how the API is called there. Empty where that is the usual way.
  returned: success
  type: dict
  sample:
    eu-west-1:
      region: eu-west-1
      image: ''
"""
