#!/usr/bin/python
# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Documentation only: the plugin of the same name in plugins/action does the work, on the controller.

from __future__ import annotations

DOCUMENTATION = r"""
---
module: build_identity
short_description: Decide whether an image has to be built
description:
  - Makes the fingerprint of the image that is wanted and compares it with the images of its name that are there.
  - An image of the same name and fingerprint is up to date. One of another fingerprint is replaced if that is
    wanted, and an error otherwise. One that this collection did not make is always an error.
version_added: 0.1.0
author:
  - bakehouse.images maintainers (@bakehouse)
extends_documentation_fragment:
  - bakehouse.images._attributes
  - bakehouse.images._attributes.bookkeeping
attributes:
  idempotent:
    support: none
    details:
      - Each call makes a new build id. Nothing is changed.
options:
  name:
    description:
      - The name of the image.
    type: str
    required: true
  digest:
    description:
      - What M(bakehouse.images.build_definition) returned as RV(bakehouse.images.build_definition#module:digest).
    type: str
    required: true
  source:
    description:
      - The id of the source image, the fingerprint of the parent image, or nothing for an image from scratch.
    type: str
    default: ""
  images:
    description:
      - The images of that name that are there, each with C(image_id) and, where this collection made it,
        C(fingerprint). One with C(empty) true is none.
    type: list
    elements: dict
    default: []
  replace:
    description:
      - Replace an image of another fingerprint.
    type: bool
    default: false
  force:
    description:
      - Build whatever is there, in place of an image of this collection.
    type: bool
    default: false
  cache:
    description:
      - When an image that is there is up to date. With V(fingerprint), when it was made from the same definition, files
        and source. With V(exists), always, unless its parent was built in this run.
    type: str
    choices: [fingerprint, exists]
    default: fingerprint
  parent_built:
    description:
      - Whether the image's parent was built in this run.
    type: bool
    default: false
  snapshots:
    description:
      - Snapshots that builds of this image have left, as M(bakehouse.images.ec2_build_info) returns them. One that has
        this fingerprint, was made by a build that has ended, and whose volume is among O(volumes), can be gone on with.
    type: list
    elements: dict
    default: []
  volumes:
    description:
      - Volumes that builds of this image have left.
    type: list
    elements: dict
    default: []
seealso:
  - module: bakehouse.images.build_definition
  - module: bakehouse.images.ec2_build_info
"""

EXAMPLES = r"""
---
- name: Compare the image wanted with what is there
  bakehouse.images.build_identity:
    name: web
    digest: "{{ definition.digest }}"
    source: ami-0123456789abcdef0
    images: "{{ found.images }}"
  register: identity
"""

RETURN = r"""
---
build_id:
  description: A new random id for this build, as 16 hexadecimal digits.
  returned: success
  type: str
  sample: 3f9c0a1b2c3d4e5f
owner:
  description: The C(ansible-playbook) that runs the build, as M(bakehouse.images.build_life_info) takes it.
  returned: success
  type: str
  sample: host=ci-1 boot=0a0b4a0e-3c8f-4a6f-9a53-1c54d8f0a1b2 ns=4026531836.4026531834 pid=4711 start=123456
decision:
  description: What to do, V(build), V(replace) or V(unchanged).
  returned: success
  type: str
  sample: build
reason:
  description: Why, as the end of a sentence.
  returned: success
  type: str
  sample: there is no image of this name
fingerprint:
  description: The fingerprint of the image that is wanted, as 32 hexadecimal digits.
  returned: success
  type: str
  sample: 9b74c9897bac770ffc029102a200c5de
image:
  description: The image that is up to date, or that is replaced. Empty when there is none.
  returned: success
  type: dict
  sample:
    image_id: ami-0123456789abcdef0
resumed:
  description: The build that can be gone on with. Empty when there is none.
  returned: success
  type: dict
  contains:
    build_id:
      description: Its id.
      returned: when there is one
      type: str
      sample: 3f9c0a1b2c3d4e5f
    snapshot_id:
      description: Its snapshot, which is complete or will be.
      returned: when there is one
      type: str
      sample: snap-066877671789bd71b
    volume:
      description: The volume that it was taken from.
      returned: when there is one
      type: dict
      sample:
        volume_id: vol-049df61146c4d7901
    architecture:
      description: The image's architecture, where that build has found it out.
      returned: when there is one
      type: str
      sample: x86_64
    boot_mode:
      description: How the image can boot, where that build has found it out.
      returned: when there is one
      type: str
      sample: uefi
    reason:
      description: Why, as a part of a sentence.
      returned: when there is one
      type: str
      sample: the build 3f9c0a1b2c3d4e5f has left its snapshot, and process 4711 on ci-1 has ended
"""
