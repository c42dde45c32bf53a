# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: osc_image
short_description: Make an image at Outscale from a build's snapshot, keep its attributes, or delete it
version_added: 0.1.0
description:
  - Makes an image (OMI) and sets its attributes, or changes the attributes of an image that is there.
  - What is not set is taken from O(source_image), the return value of M(bakehouse.images.osc_source_image_info), boot
    modes and product codes included. Its mappings of other volumes keep their snapshots.
  - Names are compared with those of the account's own images only. An image of another account is never deleted or
    replaced.
  - All mistakes that can be seen beforehand are reported together, before anything is made.
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
  state:
    description:
      - V(present) has the image.
      - V(absent) deletes the image O(image_id), or the account's image O(name) when a build of this collection made it.
    type: str
    choices: [present, absent]
    default: present
  name:
    description: The name, 3 to 128 letters, digits and C(_ ()/.-).
    type: str
  image_id:
    description: An image that exists.
    type: str
  build_id:
    description:
      - The build that makes the image, 16 hexadecimal digits. Required to make one.
      - With O(state=absent), an image of another build, or of none, is refused.
    type: str
  fingerprint:
    description: A hash of the image's definition. An image of this name with the same one is up to date.
    type: str
  replace:
    description:
      - Whether an image of this name that a build made from another definition is replaced. The new image is first made
        under a name of its own, which shows that Outscale takes it.
    type: bool
    default: false
  snapshot_id:
    description: The snapshot of the new root volume.
    type: str
  source_image:
    description: The image that the build started from.
    type: dict
    default: {}
  description:
    description: The description. Unset, the source image's.
    type: str
  architecture:
    description: The architecture. Unset, the source image's, else V(x86_64).
    type: str
    choices: [i386, x86_64]
  root_device_name:
    description: The device name of the root volume. Unset, the source image's, else C(/dev/sda1).
    type: str
  root_volume:
    description: What differs from the source image's root volume.
    type: dict
    suboptions:
      size_gib:
        description: The size in GiB.
        type: int
      volume_type:
        description: The volume type.
        type: str
      iops:
        description: I/O operations per second, for V(io1).
        type: int
      delete_on_vm_deletion:
        description: Whether the volume is deleted with its VM.
        type: bool
  block_device_mappings:
    description: All mappings, in place of the source image's. That of the root device gets the new snapshot.
    type: list
    elements: dict
    suboptions:
      device_name:
        description: The device name.
        type: str
        required: true
      snapshot_id:
        description: The snapshot.
        type: str
      size_gib:
        description: The size in GiB.
        type: int
      volume_type:
        description: The volume type.
        type: str
      iops:
        description: I/O operations per second, for V(io1).
        type: int
      delete_on_vm_deletion:
        description: Whether the volume is deleted with its VM.
        type: bool
      virtual_name:
        description: The name of an ephemeral volume, such as C(ephemeral0).
        type: str
  boot_modes:
    description: The boot modes that the image can do. Unset, the source image's.
    type: list
    elements: str
    choices: [legacy, uefi]
  product_codes:
    description: The product codes. Unset, the source image's.
    type: list
    elements: str
  tpm_mandatory:
    description: Whether VMs of the image must have a TPM. Unset, as the source image.
    type: bool
  launch_permissions:
    description: Who else may use the image. What is not given is left alone.
    type: dict
    suboptions:
      account_ids:
        description: The accounts, with 12 digits each. Others lose their permission; an empty list is for none.
        type: list
        elements: str
      global_permission:
        description: Whether everyone may.
        type: bool

  snapshot_permissions:
    description: Who else may make volumes of the snapshots of the image that builds have made.
    type: dict
    suboptions:
      account_ids:
        description: The accounts, with 12 digits each. Others lose their permission; an empty list is for none.
        type: list
        elements: str
      global_permission:
        description: Whether everyone may.
        type: bool

  tags:
    description: Tags of the image. Others that are there stay.
    type: dict
    default: {}
  snapshot_tags:
    description: Tags of the snapshots of the image that builds have made. Others that are there stay.
    type: dict
    default: {}
  delete_snapshots:
    description: With O(state=absent), whether snapshots that a build made and no other image uses are deleted too.
    type: bool
    default: true

  wait:
    description: Whether to wait until the image is available.
    type: bool
    default: true
  wait_timeout:
    description: How many seconds to wait at most.
    type: int
    default: 1800
  wait_delay:
    description: How many seconds to let pass before Outscale is asked again, at first; the delay grows.
    type: float
    default: 0.25
seealso:
  - module: bakehouse.images.osc_snapshot
  - module: bakehouse.images.osc_source_image_info
  - module: bakehouse.images.osc_build
"""

EXAMPLES = r"""
---
- name: Make an image of the build's snapshot
  bakehouse.images.osc_image:
    name: web-2026-03
    build_id: 3f9c0a71d2b84e65
    snapshot_id: "{{ taken.snapshot.snapshot_id }}"
    source_image: "{{ source.image }}"
    launch_permissions:
      account_ids: ["123456789012"]
    tags:
      Team: web
  register: made

- name: Delete it, with its snapshots
  bakehouse.images.osc_image:
    state: absent
    image_id: "{{ made.image.image_id }}"
"""

RETURN = r"""
image:
  description:
    - The image. With O(state=absent) as it was before; null when there was none.
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
kept_snapshots:
  description: Snapshots of the image that were not deleted, and why.
  returned: with O(state=absent)
  type: list
  elements: dict
  contains:
    snapshot_id:
      description: The snapshot.
      returned: always
      type: str
      sample: snap-06687767
    reason:
      description: Why it stays.
      returned: always
      type: str
      sample: image ami-0fcdc403 uses it

actions:
  description: What was done, or would be in check mode, in words.
  returned: success
  type: list
  elements: str
  sample: ["make image web-2026-03 from snap-06687767"]
throttled_calls:
  description: How many answers said that there were too many calls. Those calls were sent again.
  returned: when the options are valid
  type: int
  sample: 0
"""

import typing as t

from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError
from ansible_collections.bakehouse.images.plugins.module_utils._module import fail
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.api import argument_spec, connect
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.image_definitions import (
    ARCHITECTURES,
    BOOT_MODES,
)
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.image_plans import apply_present, plan_present
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.image_removal import plan_absent
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.image_requests import ImageRequest
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.module import OutscaleModule
from ansible_collections.bakehouse.images.plugins.module_utils._plan import apply_plan, plan_diff

STRINGS = {"type": "list", "elements": "str"}


def volume_options() -> t.Dict[str, t.Any]:
    """What describes a volume of an image."""
    return {
        "size_gib": {"type": "int"},
        "volume_type": {"type": "str"},
        "iops": {"type": "int"},
        "delete_on_vm_deletion": {"type": "bool"},
    }


def mapping_options() -> t.Dict[str, t.Any]:
    """What describes a block device mapping."""
    return dict(
        volume_options(),
        device_name={"type": "str", "required": True},
        snapshot_id={"type": "str"},
        virtual_name={"type": "str"},
    )


def own_options() -> t.Dict[str, t.Any]:
    """The module's own options."""
    permissions = {"account_ids": STRINGS, "global_permission": {"type": "bool"}}
    return {
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "name": {"type": "str"},
        "image_id": {"type": "str"},
        "build_id": {"type": "str"},
        "fingerprint": {"type": "str"},
        "replace": {"type": "bool", "default": False},
        "snapshot_id": {"type": "str"},
        "source_image": {"type": "dict", "default": {}},
        "description": {"type": "str"},
        "architecture": {"type": "str", "choices": list(ARCHITECTURES)},
        "root_device_name": {"type": "str"},
        "root_volume": {"type": "dict", "options": volume_options()},
        "block_device_mappings": {"type": "list", "elements": "dict", "options": mapping_options()},
        "boot_modes": {"type": "list", "elements": "str", "choices": list(BOOT_MODES)},
        "product_codes": STRINGS,
        "tpm_mandatory": {"type": "bool"},
        "launch_permissions": {"type": "dict", "options": permissions},
        "snapshot_permissions": {"type": "dict", "options": permissions},
        "tags": {"type": "dict", "default": {}},
        "snapshot_tags": {"type": "dict", "default": {}},
        "delete_snapshots": {"type": "bool", "default": True},
        "wait": {"type": "bool", "default": True},
        "wait_timeout": {"type": "int", "default": 1800},
        "wait_delay": {"type": "float", "default": 0.25},
    }


def ensure_absent(module: OutscaleModule) -> t.Dict[str, t.Any]:
    """Plan, and apply the plan unless in check mode."""
    names = ("image_id", "name", "build_id", "delete_snapshots")
    plan = plan_absent(connect(module), **{name: module.params[name] for name in names})
    if not module.check_mode:
        apply_plan(plan.operations)
    return {
        "changed": bool(plan.operations),
        "image": plan.image.to_ansible() if plan.image else None,
        "kept_snapshots": plan.kept_snapshots,
        "actions": [operation.describe() for operation in plan.operations],
        "diff": plan_diff([plan.image.summary()] if plan.image else [], plan.operations),
    }


def ensure_present(module: OutscaleModule) -> t.Dict[str, t.Any]:
    """Plan, and apply the plan unless in check mode."""
    request = ImageRequest.from_params(module.params)
    api = connect(module)
    plan = plan_present(api, request)
    for warning in plan.warnings:
        module.warn(warning)
    actions = [operation.describe() for operation in plan.operations]
    diff = plan.diff()
    image = plan.image if module.check_mode else apply_present(plan, api, request)
    return {"changed": bool(actions), "image": image.to_ansible(), "actions": actions, "diff": diff}


def main() -> None:
    """Run the module."""
    module = OutscaleModule(
        argument_spec=argument_spec(**own_options()), supports_check_mode=True, required_one_of=[("name", "image_id")]
    )
    try:
        result = ensure_absent(module) if module.params["state"] == "absent" else ensure_present(module)
    except BuildError as exc:
        fail(module, exc)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
