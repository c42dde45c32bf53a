# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: osc_volume_attachment
short_description: Attach a volume to a VM of Outscale, or detach it
version_added: 0.1.0
description:
  - Attaches a volume under a device name that Outscale says is free on the VM, and chooses again when another build
    took the name meanwhile. C(/dev/xvdb) to C(/dev/xvdz) come first, then C(/dev/xvdba) and on.
  - Detaching is never forced unless asked for. A device that is still in use is reported as such when the time is up.
  - The device name is a name in Outscale's API. Which device the VM shows for the volume is found by
    M(bakehouse.images.block_device_info).
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
      - V(present) has the volume attached to the VM. A volume attached to another VM is an error.
      - V(absent) has it attached nowhere, or not to O(vm_id) when that is given. A volume that is gone is fine.
    type: str
    choices: [present, absent]
    default: present
  volume_id:
    description: The volume.
    type: str
    required: true
  vm_id:
    description: The VM. Required when O(state=present).
    type: str
  device_name:
    description: The device name to attach under, as C(/dev/xvdb). C(/dev/vdb) means the same. Unset, the first that
      is free.
    type: str
  build_id:
    description:
      - The build that has just made the volume. Outscale may not know a new volume everywhere yet; with this option,
        "not found" is tried again for up to two minutes. Without it, a volume that is not found is an error after a few
        seconds.
    type: str
  force:
    description: Detach by force. File systems may be damaged.
    type: bool
    default: false

  wait:
    description: Whether to wait until the volume is attached, or free.
    type: bool
    default: true
  wait_timeout:
    description: How many seconds to wait at most.
    type: int
    default: 300
  wait_delay:
    description: How many seconds to let pass before Outscale is asked again, at first; the delay grows.
    type: float
    default: 0.25
seealso:
  - module: bakehouse.images.osc_volume
  - module: bakehouse.images.block_device_info
"""

EXAMPLES = r"""
---
- name: Attach the build's volume to the build host
  bakehouse.images.osc_volume_attachment:
    volume_id: "{{ created.volume.volume_id }}"
    vm_id: "{{ metadata.vm.vm_id }}"
    build_id: 3f9c0a71d2b84e65
  register: attached

- name: Detach it
  bakehouse.images.osc_volume_attachment:
    state: absent
    volume_id: "{{ attached.attachment.volume_id }}"
"""

RETURN = r"""
attachment:
  description:
    - The attachment. With O(state=absent) the one that was removed, as it was before; null when there was none.
  returned: success
  type: dict
  contains:
    volume_id:
      description: The id of the volume.
      returned: always
      type: str
      sample: vol-049df611
    vm_id:
      description: The id of the VM.
      returned: always
      type: str
      sample: i-12345678
    device_name:
      description: The name in Outscale's API, which need not be the device's name on the VM.
      returned: always
      type: str
      sample: /dev/xvdb
    state:
      description: The state of the attachment.
      returned: always
      type: str
      sample: attached
    delete_on_vm_deletion:
      description: Whether the volume is deleted with the VM.
      returned: always
      type: bool
      sample: false
actions:
  description: What was done, or would be in check mode, in words.
  returned: success
  type: list
  elements: str
  sample: ["attach volume vol-049df611 to i-12345678 as /dev/xvdb"]
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
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.attachments import (
    AttachmentPlan,
    AttachmentRequest,
    apply_present,
    plan_absent,
    plan_present,
)
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.module import OutscaleModule
from ansible_collections.bakehouse.images.plugins.module_utils._plan import apply_plan, plan_diff


def own_options() -> t.Dict[str, t.Any]:
    """The module's own options."""
    return {
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "volume_id": {"type": "str", "required": True},
        "vm_id": {"type": "str"},
        "device_name": {"type": "str"},
        "build_id": {"type": "str"},
        "force": {"type": "bool", "default": False},
        "wait": {"type": "bool", "default": True},
        "wait_timeout": {"type": "int", "default": 300},
        "wait_delay": {"type": "float", "default": 0.25},
    }


def ensure(module: OutscaleModule) -> AttachmentPlan:
    """Plan, and apply the plan unless in check mode."""
    request = AttachmentRequest.from_params(module.params)
    api = connect(module)
    if module.params["state"] == "absent":
        plan = plan_absent(api, request)
        if not module.check_mode:
            apply_plan(plan.operations)
        return plan
    plan = plan_present(api, request)
    if not module.check_mode:
        apply_present(plan, api, request)
    return plan


def main() -> None:
    """Run the module."""
    module = OutscaleModule(
        argument_spec=argument_spec(**own_options()),
        supports_check_mode=True,
        required_if=[
            ("state", "present", ("vm_id",)),
        ],
    )
    try:
        plan = ensure(module)
    except BuildError as exc:
        fail(module, exc)
    module.exit_json(
        changed=bool(plan.operations),
        attachment=plan.attachment.to_ansible() if plan.attachment else None,
        actions=[operation.describe() for operation in plan.operations],
        diff=plan_diff(plan.before, plan.operations),
    )


if __name__ == "__main__":
    main()
