# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ec2_volume_attachment
short_description: Attach an EBS volume to an instance, or detach it
version_added: 0.1.0
description:
  - Attaches a volume under a device name that EC2 says is free on the instance, and chooses again when another build
    took the name meanwhile. C(/dev/sdf) to C(/dev/sdp) come first, then C(/dev/xvdba) and on.
  - Detaching is never forced unless asked for. A device that is still in use is reported as such when the time is up.
  - The device name is a name in EC2's API. Which device the instance shows for the volume is found by
    M(bakehouse.images.block_device_info).
extends_documentation_fragment:
  - bakehouse.images._attributes
  - bakehouse.images._attributes.api
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
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
      - V(present) has the volume attached to the instance. A volume attached to another instance is an error.
      - V(absent) has it attached nowhere, or not to O(instance_id) when that is given. A volume that is gone is fine.
    type: str
    choices: [present, absent]
    default: present
  volume_id:
    description: The volume.
    type: str
    required: true
  instance_id:
    description: The instance. Required when O(state=present).
    type: str
  device_name:
    description: The device name to attach under. Unset, the first that is free.
    type: str
  build_id:
    description:
      - The build that has just made the volume. EC2 may not know a new volume everywhere yet; with this option, "not
        found" is tried again for up to three minutes. Without it, a volume that is not found is an error after a few
        seconds.
    type: str
  force:
    description:
      - Detach by force. The instance gets no chance to write what it still holds; file systems may be damaged, and
        the instance may have to be restarted before the device name can be used again.
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
    description: How many seconds to let pass before EC2 is asked again, at first; the delay doubles up to 5 seconds.
    type: float
    default: 0.25
seealso:
  - module: bakehouse.images.ec2_volume
  - module: bakehouse.images.block_device_info
"""

EXAMPLES = r"""
---
- name: Attach the build's volume to the build host
  bakehouse.images.ec2_volume_attachment:
    volume_id: "{{ created.volume.volume_id }}"
    instance_id: "{{ metadata.instance.instance_id }}"
    build_id: 3f9c0a71d2b84e65
  register: attached

- name: Detach it
  bakehouse.images.ec2_volume_attachment:
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
      sample: vol-049df61146c4d7901
    instance_id:
      description: The id of the instance.
      returned: always
      type: str
      sample: i-1234567890abcdef0
    device_name:
      description: The device name in EC2's API.
      returned: always
      type: str
      sample: /dev/sdf
    state:
      description: The state of the attachment.
      returned: always
      type: str
      sample: attached
    delete_on_termination:
      description: Whether the volume is deleted with the instance.
      returned: always
      type: bool
      sample: false
actions:
  description: What was done, or would be in check mode, in words.
  returned: success
  type: list
  elements: str
  sample: ["attach volume vol-049df61146c4d7901 to i-1234567890abcdef0 as /dev/sdf"]
throttled_calls:
  description: How many answers said that there were too many calls. Those calls were sent again.
  returned: when the options are valid
  type: int
  sample: 0
"""

import typing as t

from ansible_collections.bakehouse.images.plugins.module_utils._ec2.api import AnsibleAWSModule, connect
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.attachments import (
    AttachmentPlan,
    AttachmentRequest,
    apply_present,
    plan_absent,
    plan_present,
)
from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError
from ansible_collections.bakehouse.images.plugins.module_utils._module import fail
from ansible_collections.bakehouse.images.plugins.module_utils._plan import apply_plan, plan_diff


def argument_spec() -> t.Dict[str, t.Any]:
    """The module's own options."""
    return {
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "volume_id": {"type": "str", "required": True},
        "instance_id": {"type": "str"},
        "device_name": {"type": "str"},
        "build_id": {"type": "str"},
        "force": {"type": "bool", "default": False},
        "wait": {"type": "bool", "default": True},
        "wait_timeout": {"type": "int", "default": 300},
        "wait_delay": {"type": "float", "default": 0.25},
    }


def ensure(module: AnsibleAWSModule) -> AttachmentPlan:
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
    module = AnsibleAWSModule(
        argument_spec=argument_spec(),
        supports_check_mode=True,
        required_if=[("state", "present", ("instance_id",))],
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
