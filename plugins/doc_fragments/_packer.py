# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

from __future__ import annotations


class ModuleDocFragment:
    """What is given beside a Packer template, as to packer build."""

    DOCUMENTATION = r"""
options:
  var_files:
    description:
      - Files with values of variables, as with C(packer build -var-file). Later ones are stronger.
      - Relative to the file that Ansible is given.
    type: list
    elements: str
    env:
      - name: BAKEHOUSE_PACKER_VAR_FILES
    ini:
      - section: bakehouse_packer
        key: var_files
  only:
    description: Names of builds to take, with C(*) and C(?), as with C(packer build -only).
    type: list
    elements: str
    env:
      - name: BAKEHOUSE_PACKER_ONLY
    ini:
      - section: bakehouse_packer
        key: only
  except:
    description: Names of builds to leave out, with C(*) and C(?), as with C(packer build -except).
    type: list
    elements: str
    env:
      - name: BAKEHOUSE_PACKER_EXCEPT
    ini:
      - section: bakehouse_packer
        key: except
"""
