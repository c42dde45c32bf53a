# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: osc_source_image_info
short_description: Find the one image at Outscale that a build starts from
version_added: 0.1.0
description:
  - Finds exactly one image (OMI) by its id, by filters, or both. None, or several without O(most_recent), is an error
    that says what was asked and what matched.
  - The image must be available, and have a snapshot for its root device.
extends_documentation_fragment:
  - bakehouse.images._attributes
  - bakehouse.images._attributes.info
  - bakehouse.images._outscale
author: bakehouse.images maintainers (@bakehouse)
options:
  image_id:
    description: The id of the image. With O(filters) too, it must match them.
    type: str
  filters:
    description:
      - Filters, as C(image-name), C(image-id), C(account-id), C(account-alias), C(architecture), C(boot-mode),
        C(description), C(product-code), C(root-device-type), C(state), C(tag-key), C(virtualization-type) and
        C(tag:KEY).
      - A value is a list, or text in which commas separate several values; a value with a comma in it is put in
        double quotes. A C(*) in C(image-name) stands for any text.
      - Only available images are looked for, unless there is a filter C(state).
    type: dict
  owners:
    description:
      - Whose images to look at, as account ids, account aliases such as C(Outscale), or V(self).
      - Required with O(filters), because anyone can publish an image under any name; not with O(image_id) or a filter
        by owner.
    type: list
    elements: str
  most_recent:
    description: Take the image with the newest creation date when several match.
    type: bool
    default: false
seealso:
  - module: bakehouse.images.osc_image_copy
  - module: bakehouse.images.osc_volume
  - module: bakehouse.images.osc_image
"""

EXAMPLES = r"""
---
- name: Find the newest Debian 12
  bakehouse.images.osc_source_image_info:
    filters:
      image-name: Debian-12-*
      architecture: x86_64
    owners: [Outscale]
    most_recent: true
  register: source

- name: Show what was found
  ansible.builtin.debug:
    msg: "{{ source.image.image_id }} has {{ source.image.root_device.size_gib }} GiB"
"""

RETURN = r"""
image:
  description:
    - The image.
  returned: success
  type: dict
  contains:
    image_id:
      description: The id of the image; null in check mode for an image that would be made.
      returned: always
      type: str
      sample: ami-0fcdc403
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
      description: Outscale's explanation of the state.
      returned: always
      type: str
      sample: null
    creation_date:
      description: When it was made.
      returned: always
      type: str
      sample: "2026-03-01T10:20:00.000Z"
    owner_id:
      description: The account that owns it.
      returned: always
      type: str
      sample: "123456789012"
    owner_alias:
      description: That account's alias.
      returned: always
      type: str
      sample: null
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
    root_device_name:
      description: The device name of the root device.
      returned: always
      type: str
      sample: /dev/sda1
    root_device_type:
      description: Always V(bsu).
      returned: always
      type: str
      sample: bsu
    root_device:
      description: The mapping of the root device, with the keys of RV(image.block_device_mappings).
      returned: always
      type: dict
      sample: {device_name: /dev/sda1, snapshot_id: snap-06687767, size_gib: 8}
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
          sample: /dev/sda1
        snapshot_id:
          description: The snapshot.
          returned: always
          type: str
          sample: snap-06687767
        size_gib:
          description: The size in GiB.
          returned: always
          type: int
          sample: 8
        volume_type:
          description: The volume type.
          returned: always
          type: str
          sample: gp2
        iops:
          description: I/O operations per second.
          returned: always
          type: int
          sample: null
        delete_on_vm_deletion:
          description: Whether the volume is deleted with its VM.
          returned: always
          type: bool
          sample: true
        virtual_name:
          description: The name of an ephemeral volume.
          returned: always
          type: str
          sample: null
    boot_modes:
      description: The boot modes that it can do.
      returned: always
      type: list
      elements: str
      sample: [legacy, uefi]
    product_codes:
      description: The product codes.
      returned: always
      type: list
      elements: str
      sample: ["0001"]
    tpm_mandatory:
      description: Whether its VMs must have a TPM.
      returned: always
      type: bool
      sample: false
    launch_permissions:
      description: Who else may use it.
      returned: always
      type: dict
      contains:
        account_ids:
          description: The accounts that may use it.
          returned: always
          type: list
          elements: str
          sample: ["123456789012"]
        global_permission:
          description: Whether everyone may.
          returned: always
          type: bool
          sample: false
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
      sample: {"bakehouse:build-id": 3f9c0a71d2b84e65}
throttled_calls:
  description: How many answers said that there were too many calls. Those calls were sent again.
  returned: when the options are valid
  type: int
  sample: 0
"""

from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError
from ansible_collections.bakehouse.images.plugins.module_utils._module import fail
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.api import argument_spec, connect
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.module import OutscaleModule
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.sources import (
    SourceRequest,
    find_source,
    source_argument_spec,
)


def main() -> None:
    """Run the module."""
    module = OutscaleModule(argument_spec=argument_spec(**source_argument_spec()), supports_check_mode=True)
    try:
        image = find_source(connect(module), SourceRequest.from_params(module.params))
    except BuildError as exc:
        fail(module, exc)
    module.exit_json(changed=False, image=image.to_ansible())


if __name__ == "__main__":
    main()
