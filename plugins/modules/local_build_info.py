#!/usr/bin/python
# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: local_build_info
short_description: Find what a build of an image file starts from
version_added: 0.1.0
author:
  - bakehouse.images maintainers (@bakehouse)
description:
  - Finds out where the file of an image belongs, what is there of that name, and the file that the image is to be made
    from.
  - A parent is found by its name in the inventory. One that is not built in the same run must be there and up to date,
    and so must its own parents.
options:
  image_name:
    description:
      - The name of the image.
    type: str
    required: true
  output_directory:
    description:
      - The folder for the image. A relative one is in the folder of the inventory.
      - By default C(images).
    type: str
  output_file:
    description:
      - The name of the file. By default O(image_name), with an ending for the format unless it has one.
    type: str
  output_format:
    description:
      - V(raw) or V(qcow2). By default the name of the file tells.
    type: str
  source:
    description:
      - A C(bake_source), as the role P(bakehouse.images.bake#role) takes it.
    type: raw
    required: true
extends_documentation_fragment:
  - bakehouse.images._attributes
  - bakehouse.images._attributes.info
  - bakehouse.images._attributes.build_host
seealso:
  - module: bakehouse.images.image_file_info
  - module: bakehouse.images.build_identity
"""

EXAMPLES = r"""
---
- name: Find the parent, and what is there of this name
  bakehouse.images.local_build_info:
    image_name: web
    source:
      parent: base
  delegate_to: localhost
  become: true
  register: found
"""

RETURN = r"""
output:
  description: Where the image belongs.
  returned: success
  type: dict
  contains:
    directory:
      description: The folder.
      returned: success
      type: str
      sample: /srv/images
    file:
      description: The name of the file.
      returned: success
      type: str
      sample: web.raw
    format:
      description: V(raw) or V(qcow2).
      returned: success
      type: str
      sample: raw
    path:
      description: The whole path.
      returned: success
      type: str
      sample: /srv/images/web.raw
images:
  description: The file that is there, as M(bakehouse.images.image_file_info) returns it. Empty when there is none.
  returned: success
  type: list
  elements: dict
  sample: []
source_image:
  description:
    - The file to start from, as M(bakehouse.images.image_file_info) returns it. Empty from scratch.
    - In check mode, of a parent that would be built, only what is known beforehand.
  returned: success
  type: dict
  sample:
    path: /srv/images/base.raw
    identity: 7d0c5b3f2a9e4c1d8b6a0f1e2d3c4b5a
parent_built:
  description: Whether the parent was built in this run, or would be.
  returned: success
  type: bool
  sample: false
blank_size:
  description: The size of the disk where nothing says another. Null with a source, which has one.
  returned: success
  type: str
  sample: 8GiB
"""
