# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: instance_metadata_info
short_description: Ask the metadata service which EC2 instance this is
version_added: 0.1.0
description:
  - Reads the instance identity document from the metadata service, in version 2 of its protocol (with a session token).
  - Needs neither boto3 nor credentials, and never goes through a proxy.
  - Follows the environment variables E(AWS_EC2_METADATA_SERVICE_ENDPOINT), E(AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE)
    and E(AWS_EC2_METADATA_DISABLED) of the host that it runs on.
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
    description: The service's URL. Unset, the environment's, else the link-local address.
    type: str
  allow_v1:
    description: Do without a session token where the service gives none.
    type: bool
    default: false
  timeout:
    description: How many seconds to wait until the service takes a connection. Each answer may take five times as long.
    type: float
    default: 2
seealso:
  - module: bakehouse.images.ec2_volume_attachment
"""

EXAMPLES = r"""
---
- name: Find out which instance the build host is
  bakehouse.images.instance_metadata_info:
  register: metadata

- name: Attach a volume to it
  bakehouse.images.ec2_volume_attachment:
    volume_id: vol-049df61146c4d7901
    instance_id: "{{ metadata.instance.instance_id }}"
    region: "{{ metadata.instance.region }}"
  delegate_to: localhost
"""

RETURN = r"""
instance:
  description: The instance.
  returned: success
  type: dict
  contains:
    instance_id:
      description: The id of the instance.
      returned: always
      type: str
      sample: i-1234567890abcdef0
    instance_type:
      description: The instance type.
      returned: always
      type: str
      sample: m7i.large
    region:
      description: The region.
      returned: always
      type: str
      sample: eu-west-1
    availability_zone:
      description: The availability zone.
      returned: always
      type: str
      sample: eu-west-1a
    availability_zone_id:
      description: The id of the availability zone; null where the service does not tell.
      returned: always
      type: str
      sample: euw1-az3
    architecture:
      description: The architecture of the image that the instance was started from.
      returned: always
      type: str
      sample: x86_64
    account_id:
      description: The account.
      returned: always
      type: str
      sample: "123456789012"
    image_id:
      description: The image that the instance was started from.
      returned: always
      type: str
      sample: ami-0fcdc40338ee0eaf3
    private_ip:
      description: The private address.
      returned: always
      type: str
      sample: 10.0.0.12
    pending_time:
      description: When the instance was started.
      returned: always
      type: str
      sample: "2026-03-01T09:00:00Z"
    kernel_id:
      description: The kernel of a paravirtual instance.
      returned: always
      type: str
      sample: null
    ramdisk_id:
      description: The RAM disk of a paravirtual instance.
      returned: always
      type: str
      sample: null
"""

import os

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError
from ansible_collections.bakehouse.images.plugins.module_utils._metadata import Settings, read_instance
from ansible_collections.bakehouse.images.plugins.module_utils._module import fail


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "endpoint": {"type": "str"},
            "allow_v1": {"type": "bool", "default": False},
            "timeout": {"type": "float", "default": 2},
        },
        supports_check_mode=True,
    )
    try:
        settings = Settings.from_environment(
            os.environ,
            endpoint=module.params["endpoint"],
            timeout_seconds=module.params["timeout"],
            allow_v1=module.params["allow_v1"],
        )
        instance = read_instance(settings)
    except BuildError as exc:
        fail(module, exc)
    module.exit_json(changed=False, instance=instance)


if __name__ == "__main__":
    main()
