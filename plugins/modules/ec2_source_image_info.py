# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ec2_source_image_info
short_description: Find the one image that a build starts from
version_added: 0.1.0
description:
  - Finds exactly one image by its id, by filters, or both. None, or several without O(most_recent), is an error that
    says what was asked and what matched.
  - The image must be backed by EBS, available, and have a snapshot for its root device.
extends_documentation_fragment:
  - bakehouse.images._attributes
  - bakehouse.images._attributes.info
  - bakehouse.images._attributes.api
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
author: bakehouse.images maintainers (@bakehouse)
options:
  image_id:
    description: The id of the image. With O(filters) too, it must match them.
    type: str
  filters:
    description:
      - Filters of EC2's DescribeImages, such as C(name), C(architecture) or C(tag:KEY).
      - A value is a list, or text in which commas separate several values; a value with a comma in it is put in
        double quotes.
      - Only available images are looked for, unless there is a filter C(state).
    type: dict
  owners:
    description:
      - Whose images to look at, as account ids, V(self), V(amazon) or V(aws-marketplace).
      - Required with O(filters), because anyone can publish an image under any name; not with O(image_id) or a filter
        by owner.
    type: list
    elements: str
  most_recent:
    description: Take the image with the newest creation date when several match.
    type: bool
    default: false
  include_deprecated:
    description: Look at deprecated images of other owners too.
    type: bool
    default: false
seealso:
  - module: bakehouse.images.ec2_volume
  - module: bakehouse.images.ec2_image
"""

EXAMPLES = r"""
---
- name: Find the newest Debian 12
  bakehouse.images.ec2_source_image_info:
    filters:
      name: debian-12-amd64-*
      architecture: x86_64
    owners: ["136693071363"]
    most_recent: true
  register: source

- name: Show what was found
  ansible.builtin.debug:
    msg: "{{ source.image.image_id }} has {{ source.image.root_device.size_gib }} GiB"
"""

RETURN = r"""
image:
  description: The image.
  returned: success
  type: dict
  contains:
    image_id:
      description: The id of the image; null in check mode for an image that would be registered.
      returned: always
      type: str
      sample: ami-0fcdc40338ee0eaf3
    name:
      description: The name.
      returned: always
      type: str
      sample: web-2026-03
    state:
      description: The state, such as V(available).
      returned: always
      type: str
      sample: available
    state_reason:
      description: EC2's explanation of the state.
      returned: always
      type: str
      sample: null
    creation_date:
      description: When it was registered.
      returned: always
      type: str
      sample: "2026-03-01T10:20:00.000Z"
    owner_id:
      description: The account that owns it.
      returned: always
      type: str
      sample: "123456789012"
    owner_alias:
      description: The alias of the account that owns it, such as V(amazon). Null when it has none.
      returned: always
      type: str
      sample: amazon
    description:
      description: The description.
      returned: always
      type: str
      sample: Web server
    architecture:
      description: The architecture.
      returned: always
      type: str
      sample: x86_64
    virtualization_type:
      description: V(hvm) or V(paravirtual).
      returned: always
      type: str
      sample: hvm
    root_device_name:
      description: The device name of the root device.
      returned: always
      type: str
      sample: /dev/xvda
    root_device_type:
      description: V(ebs) or V(instance-store).
      returned: always
      type: str
      sample: ebs
    root_device:
      description: The mapping of the root device, with the keys of RV(image.block_device_mappings).
      returned: always
      type: dict
      sample:
        device_name: /dev/xvda
        snapshot_id: snap-066877671789bd71b
        size_gib: 8
        volume_type: gp3
        iops: null
        throughput: null
        encrypted: false
        delete_on_termination: true
        virtual_name: null
        no_device: false
    block_device_mappings:
      description: All mappings.
      returned: always
      type: list
      elements: dict
      contains:
        device_name:
          description: The device name.
          returned: always
          type: str
          sample: /dev/xvda
        snapshot_id:
          description: The snapshot.
          returned: always
          type: str
          sample: snap-066877671789bd71b
        size_gib:
          description: The size in GiB.
          returned: always
          type: int
          sample: 8
        volume_type:
          description: The volume type.
          returned: always
          type: str
          sample: gp3
        iops:
          description: I/O operations per second.
          returned: always
          type: int
          sample: null
        throughput:
          description: Throughput in MiB/s.
          returned: always
          type: int
          sample: null
        encrypted:
          description: Whether it is encrypted.
          returned: always
          type: bool
          sample: false
        delete_on_termination:
          description: Whether the volume is deleted with its instance.
          returned: always
          type: bool
          sample: true
        virtual_name:
          description: The name of an instance store volume.
          returned: always
          type: str
          sample: null
        no_device:
          description: Whether the mapping suppresses a device.
          returned: always
          type: bool
          sample: false
    boot_mode:
      description: How it boots; null when EC2 leaves that to the instance type.
      returned: always
      type: str
      sample: uefi-preferred
    ena_support:
      description: Whether enhanced networking with ENA is on.
      returned: always
      type: bool
      sample: true
    sriov_net_support:
      description: V(simple) when enhanced networking by SR-IOV is on.
      returned: always
      type: str
      sample: null
    tpm_support:
      description: V(v2.0) when the image has NitroTPM.
      returned: always
      type: str
      sample: null
    imds_support:
      description: V(v2.0) when its instances require version 2 of the metadata service.
      returned: always
      type: str
      sample: v2.0
    uefi_data:
      description: The UEFI variables in base64, where they may be read and were asked for.
      returned: always
      type: str
      sample: null
    kernel_id:
      description: The kernel of a paravirtual image.
      returned: always
      type: str
      sample: null
    ramdisk_id:
      description: The RAM disk of a paravirtual image.
      returned: always
      type: str
      sample: null
    platform_details:
      description: The platform that is billed.
      returned: always
      type: str
      sample: Linux/UNIX
    usage_operation:
      description: The billing code.
      returned: always
      type: str
      sample: RunInstances
    product_codes:
      description: The product codes.
      returned: always
      type: list
      elements: str
      sample: []
    deprecation_time:
      description: When it is, or was, deprecated.
      returned: always
      type: str
      sample: "2027-03-01T00:00:00.000Z"
    deregistration_protection:
      description: Whether it is protected against deregistration, in EC2's words.
      returned: always
      type: str
      sample: disabled
    build_id:
      description: The build that made it; null for another's image.
      returned: always
      type: str
      sample: 3f9c0a71d2b84e65
    fingerprint:
      description: The fingerprint of its definition; null for another's image.
      returned: always
      type: str
      sample: 9b74c9897bac770ffc029102a200c5de
    tags:
      description: The tags.
      returned: always
      type: dict
      sample:
        "bakehouse:build-id": 3f9c0a71d2b84e65
throttled_calls:
  description: How many answers said that there were too many calls. Those calls were sent again.
  returned: when the options are valid
  type: int
  sample: 0
"""

from ansible_collections.bakehouse.images.plugins.module_utils._ec2.api import AnsibleAWSModule, connect
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.sources import (
    SourceRequest,
    find_source,
    source_argument_spec,
)
from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError
from ansible_collections.bakehouse.images.plugins.module_utils._module import fail


def main() -> None:
    """Run the module."""
    module = AnsibleAWSModule(argument_spec=source_argument_spec(), supports_check_mode=True)
    try:
        image = find_source(connect(module), SourceRequest.from_params(module.params))
    except BuildError as exc:
        fail(module, exc)
    module.exit_json(changed=False, image=image.to_ansible())


if __name__ == "__main__":
    main()
