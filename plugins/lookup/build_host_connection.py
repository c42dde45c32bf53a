# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: build_host_connection
short_description: How a build host is reached, from its own variables
version_added: 0.1.0
author: bakehouse.images maintainers (@bakehouse)
description:
  - Gives the option O(bakehouse.images.chroot#connection:build_host) of the connection, made from the variables that
    the build host has in the inventory. Each is evaluated in the context of the build host.
  - The role P(bakehouse.images.bake#role) uses it for the images that it builds. Elsewhere it is for hosts that are a
    directory of another machine.
  - What it gives may hold passwords. Write it into a variable as it stands in the examples, so that it is evaluated
    when a task begins and is kept nowhere. Do not keep it with M(ansible.builtin.set_fact).
options:
  _terms:
    description: The inventory name of the build host.
    type: str
    required: true
seealso:
  - plugin: bakehouse.images.chroot
    plugin_type: connection
"""

EXAMPLES = r"""
---
# Inventory: a directory of another machine, entered by way of ssh to that machine.
all:
  hosts:
    builder:
      ansible_host: builder.example.com
      ansible_user: admin
    web-root:
      ansible_connection: bakehouse.images.chroot
      ansible_chroot_root: /srv/roots/web
      ansible_chroot_build_host: "{{ lookup('bakehouse.images.build_host_connection', 'builder') }}"
"""

RETURN = r"""
_raw:
  description:
    - One element, a dictionary with C(transport) (V(local) or V(ssh)) and C(variables), those of the build host that
      say how it is reached and how root is reached there.
  type: list
  elements: dict
"""

import typing as t

from ansible.errors import AnsibleError
from ansible.plugins.lookup import LookupBase
from ansible_collections.bakehouse.images.plugins.plugin_utils._build_host_variables import connection_option


class LookupModule(LookupBase):
    """Reads how a build host is reached."""

    def run(self, terms: t.Any, variables: t.Any = None, **kwargs: t.Any) -> list[dict[str, t.Any]]:
        """One dictionary."""
        self.set_options(var_options=variables, direct=kwargs)
        if len(terms) != 1:
            raise AnsibleError("build_host_connection takes the name of one build host.")
        return [connection_option(str(terms[0]), variables)]
