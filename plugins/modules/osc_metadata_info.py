# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: osc_metadata_info
short_description: Ask the metadata service which VM of Outscale this is
version_added: 0.1.0
description:
  - Reads the VM's id and subregion from the metadata service.
  - Needs neither the SDK nor keys, and never goes through a proxy.
extends_documentation_fragment:
  - bakehouse.images._attributes
  - bakehouse.images._attributes.info
author: bakehouse.images maintainers (@bakehouse)
attributes:
  platform:
    support: full
    details:
      - Runs on the build host. It needs no rights.
options:
  endpoint:
    description: The service's URL. Unset, E(OSC_METADATA_ENDPOINT) of the host that it runs on, else the link-local
      address.
    type: str
  timeout:
    description: How many seconds to wait for each answer.
    type: float
    default: 2
seealso:
  - module: bakehouse.images.osc_volume_attachment
"""

EXAMPLES = r"""
---
- name: Find out which VM the build host is
  bakehouse.images.osc_metadata_info:
  register: metadata

- name: Attach a volume to it
  bakehouse.images.osc_volume_attachment:
    volume_id: vol-049df611
    vm_id: "{{ metadata.vm.vm_id }}"
  delegate_to: localhost
"""

RETURN = r"""
vm:
  description:
    - The VM.
  returned: success
  type: dict
  contains:
    vm_id:
      description: The id.
      returned: always
      type: str
      sample: i-12345678
    subregion:
      description: The subregion.
      returned: always
      type: str
      sample: eu-west-2a
    region:
      description: The region, which is the subregion without its letter.
      returned: always
      type: str
      sample: eu-west-2
    image_id:
      description: The image that it was started from.
      returned: always
      type: str
      sample: ami-0fcdc403
    vm_type:
      description: The type.
      returned: always
      type: str
      sample: tinav5.c2r4p1
"""

import os

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError
from ansible_collections.bakehouse.images.plugins.module_utils._module import fail
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.metadata import ENDPOINT, read_vm_metadata


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={"endpoint": {"type": "str"}, "timeout": {"type": "float", "default": 2}},
        supports_check_mode=True,
    )
    endpoint = module.params["endpoint"] or os.environ.get("OSC_METADATA_ENDPOINT") or ENDPOINT
    try:
        vm = read_vm_metadata(endpoint, timeout_seconds=module.params["timeout"])
    except BuildError as exc:
        fail(module, exc)
    module.exit_json(changed=False, vm=vm)


if __name__ == "__main__":
    main()
