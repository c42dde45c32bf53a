# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: built_images
short_description: Name the group of the images that a playbook builds, or fail
version_added: 0.1.0
author: bakehouse.images maintainers (@bakehouse)
description:
  - For the keyword C(hosts) of the last play of the playbook C(bakehouse.images.build). Tasks can be left out by
    C(--start-at-task) and C(--skip-tags), and with them the error that there is no image; C(hosts) is always evaluated.
  - Where nothing is run (C(--syntax-check), C(--list-tasks), C(--list-hosts), C(--list-tags)), it does not fail.
options:
  _terms:
    description: The group that the playbook has put the images into.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
---
- name: Sum up
  hosts: "{{ lookup('bakehouse.images.built_images', 'bake_images') }}"
  gather_facts: false
  tasks:
    - name: Say what became of an image
      ansible.builtin.debug:
        var: __bake_status
"""

RETURN = r"""
_raw:
  description: One element, the group, or a pattern that matches no host.
  type: list
  elements: str
"""

import typing as t

from ansible import context
from ansible.errors import AnsibleError
from ansible.plugins.lookup import LookupBase

NOT_RUN = ("syntax", "listtasks", "listhosts", "listtags")


class LookupModule(LookupBase):
    """Fails where images would have been built."""

    def run(self, terms: t.Any, variables: t.Any = None, **kwargs: t.Any) -> list[str]:
        """The group."""
        self.set_options(var_options=variables, direct=kwargs)
        (group,) = terms
        if group in (variables or {}).get("groups", {}):
            return [group]
        if any(context.CLIARGS.get(option) for option in NOT_RUN):
            return ["all:!all"]
        raise AnsibleError(
            "No image was built, because --start-at-task or --skip-tags has left out tasks that every build needs."
            " Leave these options out. To run some of the steps only, give them tags and name those with --tags."
        )
