#!/usr/bin/python
# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Documentation only: the plugin of the same name in plugins/action does the work, on the controller.

from __future__ import annotations

DOCUMENTATION = r"""
---
module: image_facts
short_description: Gather facts that describe an image
description:
  - Runs M(ansible.builtin.setup) in the image that is being built, and corrects what a chroot cannot know. The
    kernel is the newest one installed in the image, not the running one. Facts of the build host's devices, kernel
    command line, network and virtualization are left out.
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
  gather_subset:
    description:
      - As M(ansible.builtin.setup) takes it.
    type: list
    elements: str
    default:
      - all
      - "!facter"
      - "!ohai"
      - "!network"
  kernels:
    description:
      - Versions of the kernels installed in the image, oldest first, as M(bakehouse.images.sandbox) returns them.
    type: list
    elements: str
    default: []
seealso:
  - module: ansible.builtin.setup
  - module: bakehouse.images.sandbox
"""

EXAMPLES = r"""
---
- name: Gather the image's facts
  bakehouse.images.image_facts:
    kernels: "{{ opened.sandbox.kernels }}"
"""

RETURN = r"""
---
ansible_facts:
  description: The facts.
  returned: success
  type: dict
  contains:
    ansible_is_chroot:
      description: Always true, because the image is not booted.
      returned: success
      type: bool
      sample: true
    ansible_kernel:
      description: The newest kernel installed in the image, empty where there is none.
      returned: success
      type: str
      sample: 6.1.0-37-cloud-amd64
    ansible_virtualization_type:
      description: Always V(NA), because it will be another on each machine.
      returned: success
      type: str
      sample: NA
"""
