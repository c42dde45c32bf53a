# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: osc_image_copy
short_description: Copy another account's image for the time of a build
version_added: 0.1.0
description:
  - Outscale lets an account use an image that is public or shared with it, but makes no volumes of its snapshots. So
    a build that starts from another account's image copies it first. An image of the own account is returned as it is.
  - The copy and its snapshots carry the build's tag. M(bakehouse.images.osc_build) removes them, but for snapshots
    that the finished image uses.
extends_documentation_fragment:
  - bakehouse.images._attributes
  - bakehouse.images._outscale
author: bakehouse.images maintainers (@bakehouse)
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  build_id:
    description: The build that the copy belongs to, 16 hexadecimal digits.
    type: str
    required: true
  source_image_id:
    description: The image to copy.
    type: str
    required: true
  tags:
    description: Further tags of the copy and its snapshots.
    type: dict
    default: {}

  wait:
    description: Whether to wait until the copy is available.
    type: bool
    default: true
  wait_timeout:
    description: How many seconds to wait at most.
    type: int
    default: 3600
  wait_delay:
    description: How many seconds to let pass before Outscale is asked again, at first; the delay grows.
    type: float
    default: 1
seealso:
  - module: bakehouse.images.osc_source_image_info
  - module: bakehouse.images.osc_build
"""

EXAMPLES = r"""
---
- name: Have an image that volumes can be made of
  bakehouse.images.osc_image_copy:
    build_id: 3f9c0a71d2b84e65
    source_image_id: "{{ source.image.image_id }}"
  register: base

- name: Make a volume of it
  bakehouse.images.osc_volume:
    build_id: 3f9c0a71d2b84e65
    snapshot_id: "{{ base.image.root_device.snapshot_id }}"
    subregion: eu-west-2a
"""

RETURN = r"""
image:
  description:
    - The image to build on, which is the copy, or the source itself. In check mode the source.
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
is_copy:
  description: Whether the image had to be copied.
  returned: success
  type: bool
  sample: true

actions:
  description: What was done, or would be in check mode, in words.
  returned: success
  type: list
  elements: str
  sample: ["copy image ami-0fcdc403 (Debian-12) of account 100000000000"]
throttled_calls:
  description: How many answers said that there were too many calls. Those calls were sent again.
  returned: when the options are valid
  type: int
  sample: 0
"""

from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError
from ansible_collections.bakehouse.images.plugins.module_utils._module import fail
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.api import argument_spec, connect
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.copies import (
    CopyPlan,
    CopyRequest,
    apply_copy,
    plan_copy,
)
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.module import OutscaleModule
from ansible_collections.bakehouse.images.plugins.module_utils._plan import plan_diff


def ensure(module: OutscaleModule) -> CopyPlan:
    """Plan, and apply the plan unless in check mode."""
    request = CopyRequest.from_params(module.params)
    api = connect(module)
    plan = plan_copy(api, request)
    if not module.check_mode:
        apply_copy(plan, api, request)
    return plan


def main() -> None:
    """Run the module."""
    module = OutscaleModule(
        argument_spec=argument_spec(
            build_id={"type": "str", "required": True},
            source_image_id={"type": "str", "required": True},
            tags={"type": "dict", "default": {}},
            wait={"type": "bool", "default": True},
            wait_timeout={"type": "int", "default": 3600},
            wait_delay={"type": "float", "default": 1},
        ),
        supports_check_mode=True,
    )
    try:
        plan = ensure(module)
    except BuildError as exc:
        fail(module, exc)
    module.exit_json(
        changed=bool(plan.operations),
        image=plan.image.to_ansible(),
        is_copy=plan.is_copy,
        actions=[operation.describe() for operation in plan.operations],
        diff=plan_diff([], plan.operations),
    )


if __name__ == "__main__":
    main()
