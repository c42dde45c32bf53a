#!/usr/bin/python
# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Documentation only: the plugin of the same name in plugins/action does the work, on the controller.

from __future__ import annotations

DOCUMENTATION = r"""
---
module: provision_steps
short_description: Write an image's provisioning steps as a task file
description:
  - Reads steps of the host, by default its C(bake_provision), without templating them and writes them as literal
    tasks into Ansible's temporary folder on the controller. Each step is then templated when it runs.
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
  variable:
    description: The variable of the host that holds the steps.
    type: str
    default: bake_provision
seealso:
  - module: bakehouse.images.build_definition
  - module: bakehouse.images.image_playbook
  - module: ansible.builtin.include_tasks
"""

EXAMPLES = r"""
---
- name: Write the steps as tasks
  bakehouse.images.provision_steps:
  register: steps

- name: Run them
  ansible.builtin.include_tasks:
    file: "{{ steps.path }}"
"""

RETURN = r"""
---
count:
  description: How many steps there are.
  returned: success
  type: int
  sample: 3
path:
  description: The task file. Ansible removes it when the run ends.
  returned: success
  type: str
  sample: /home/user/.ansible/tmp/ansible-local-4711abc/bakehouse-x/.bakehouse-steps.yml
"""
