#!/usr/bin/python
# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Documentation only: the plugin of the same name in plugins/action does the work, on the controller.

from __future__ import annotations

DOCUMENTATION = r"""
---
module: image_playbook
short_description: Run a whole playbook against the image that is being built
description:
  - Runs C(ansible-playbook) of its own on an inventory with exactly this image, which has its name, groups and
    variables. C(--check), C(--diff), C(-v), C(-e) and vault secrets are handed on, and its output is shown line by
    line.
  - Its plays take the facts that the build has gathered of the image, and do not gather again, because a chroot
    shows the kernel and the devices of the build host. A task M(ansible.builtin.setup) does gather.
  - A playbook that matches no host, or runs no task, is an error, because an image without its provisioning must
    not come out green.
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
      - The playbook decides.
options:
  playbook:
    description:
      - Absolute path of the playbook on the controller.
    type: str
    required: true
  variables:
    description:
      - Extra variables for it.
    type: dict
    default: {}
  tags:
    description:
      - Run only tasks with one of these tags.
    type: list
    elements: str
    default: []
  skip_tags:
    description:
      - Leave out tasks with one of these tags.
    type: list
    elements: str
    default: []
  environment:
    description:
      - Variables of the environment for C(ansible-playbook) itself, such as E(ANSIBLE_FORKS). Its tasks run in the
        image, and have nothing of it.
    type: dict
    default: {}
  vars_files:
    description:
      - Files of extra variables for it. O(variables) are stronger.
    type: list
    elements: path
    default: []
  roles_path:
    description:
      - Folders to look for roles in, before those that this Ansible looks in.
    type: list
    elements: path
    default: []
  collections_path:
    description:
      - Folders to look for collections in, before those that this Ansible looks in.
    type: list
    elements: path
    default: []
  group_vars:
    description:
      - A folder of variables of groups, as it would lie beside an inventory. The image's own variables are stronger.
    type: path
  host_vars:
    description:
      - A folder of variables of hosts, as it would lie beside an inventory. The image's own variables are stronger.
    type: path
  known_as:
    description:
      - The name that files in O(host_vars) know the image by, when it is not that of its host.
    type: str
seealso:
  - module: bakehouse.images.provision_steps
  - plugin: bakehouse.images.chroot
    plugin_type: connection
"""

EXAMPLES = r"""
---
- name: Provision the image with the playbook that provisions hosts
  bakehouse.images.image_playbook:
    playbook: "{{ playbook_dir }}/site.yml"
    variables:
      web_port: 8080
"""

RETURN = r"""
---
counts:
  description: What the playbook's recap counted for the image.
  returned: always
  type: dict
  sample:
    changed: 2
    ok: 5
"""
