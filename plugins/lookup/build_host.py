# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: build_host
short_description: Choose the build host of an image among several
version_added: 0.1.0
author: bakehouse.images maintainers (@bakehouse)
description:
  - Chooses one of the hosts and groups it is given for the image whose variables are evaluated.
  - The choice depends on names only. It is the same in each run, also in one with C(--limit), as long as the build
    hosts and the images that share them stay the same. When a build host comes or goes, few images move.
  - Images that are built at the same time are spread evenly, no build host having more than its share, rounded up.
    Those are the images of the inventory that have the same O(ignore:bake_build_hosts), are in the same
    group C(depth_N), and have no O(ignore:bake_build_host) of their own.
  - An image of the provider V(local) that is made from another image of the inventory is built where that one is, whose
    file is there.
  - The role P(bakehouse.images.bake#role) uses it as the default of C(bake_build_host).
options:
  _terms:
    description: Names of hosts and groups of the inventory.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
---
- name: Say where an image will be built
  ansible.builtin.debug:
    msg: "{{ lookup('bakehouse.images.build_host', 'builders') }}"
"""

RETURN = r"""
_raw:
  description: One element, the inventory name of the build host.
  type: list
  elements: str
"""

import typing as t

from ansible.errors import AnsibleError
from ansible.plugins.lookup import LookupBase
from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError
from ansible_collections.bakehouse.images.plugins.plugin_utils._build_host_choice import choose
from ansible_collections.bakehouse.images.plugins.plugin_utils._untemplated import has_template


class LookupModule(LookupBase):
    """Chooses a build host."""

    def run(self, terms: t.Any, variables: t.Any = None, **kwargs: t.Any) -> list[str]:
        """One name."""
        self.set_options(var_options=variables, direct=kwargs)
        names = [name for term in terms for name in ([term] if isinstance(term, str) else term)]
        try:
            return [choose(str(variables["inventory_hostname"]), names, {**variables, **self._source(variables)})]
        except BuildError as exc:
            raise AnsibleError(str(exc)) from exc

    def _source(self, variables: t.Any) -> dict[str, t.Any]:
        """What says whether the image is made from another one, rendered. What cannot be is said elsewhere."""
        found: dict[str, t.Any] = {}
        for name in ("bake_provider", "bake_source"):
            if has_template(variables.get(name)):
                try:
                    found[name] = self._templar.template(variables[name])
                except AnsibleError:
                    found[name] = None
        return found
