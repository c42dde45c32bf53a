# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: packer_value
short_description: Evaluate an expression in a Packer template
version_added: 0.1.0
author: bakehouse.images maintainers (@bakehouse)
description:
  - Gives the value of an expression, as the template that P(bakehouse.images.packer#inventory) reads would have it.
  - The inventory plugin uses it for values of sensitive variables, so that they are not in the inventory.
requirements:
  - python-hcl2 8, for templates in HCL
extends_documentation_fragment:
  - bakehouse.images._packer
options:
  _terms:
    description:
      - Expressions, such as V(var.token) or V(base64encode(var.token\)) for a template in HCL, and texts with templates
        for one in JSON. Or C(secret_key@amazon-chroot.web), which is that option of an image; the same with
        C(access_key), C(token) and C(mfa_code).
    type: list
    elements: str
    required: true
  inventory:
    description: The template, or the file that names it for the inventory plugin.
    type: path
    required: true
"""

EXAMPLES = r"""
---
- name: Use a secret of the template
  ansible.builtin.uri:
    url: https://registry.example.org/
    headers:
      Authorization: Bearer {{ lookup('bakehouse.images.packer_value', 'var.token', inventory='web.pkr.hcl') }}
  no_log: true
"""

RETURN = r"""
_raw:
  description: The values.
  type: list
  elements: raw
"""

import time
import typing as t
from pathlib import Path

from ansible.errors import AnsibleError
from ansible.plugins.lookup import LookupBase
from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_template import expression_value

OPTIONS = ("var_files", "only", "except")


class LookupModule(LookupBase):
    """Evaluates expressions."""

    def run(self, terms: t.Any, variables: t.Any = None, **kwargs: t.Any) -> list[t.Any]:
        """One value for each expression."""
        self.set_options(var_options=variables, direct=kwargs)
        path = Path(self.get_option("inventory")).absolute()
        options = {name: self.get_option(name) for name in OPTIONS}
        try:
            return [expression_value(path, term, options, time.time()) for term in terms]
        except (BuildError, OSError, KeyError) as exc:
            raise AnsibleError(f"The value of {', '.join(terms)} in {path} cannot be had: {exc}") from exc


__all__ = ("LookupModule",)
