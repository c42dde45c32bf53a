# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ec2_volume
short_description: Create or delete the EBS volume that an image is built on
version_added: 0.1.0
description:
  - Creates the volume of one build, from a snapshot or blank, or deletes it. A build is known by O(build_id), which
    the volume carries as a tag from its create call on; running the task again finds the volume that is there.
  - All mistakes in the volume's type, size and performance are reported together before anything is created. So is a
    volume that would be smaller than its snapshot.
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
      - V(present) has one volume for the build. It is an error when the volume that is there differs from the one
        asked for.
      - V(absent) deletes the volume O(volume_id), or all volumes of the build O(build_id). A volume that is attached is
        detached first, without force. A volume that is not there is fine.
    type: str
    choices: [present, absent]
    default: present
  build_id:
    description:
      - The build that the volume belongs to, 16 hexadecimal digits. Required when O(state=present).
      - With O(state=absent) and O(volume_id), a volume that carries another build's tag, or none, is refused.
    type: str
  volume_id:
    description: A volume that exists. Without it, the build's volume is found by its tag.
    type: str
  snapshot_id:
    description: The snapshot to make the volume from. Without it the volume is blank, and O(size_gib) is required.
    type: str
  size_gib:
    description: The size in GiB. Unset, the snapshot's size.
    type: int
  volume_type:
    description: The volume type. Unset, EC2's own default.
    type: str
    choices: [gp2, gp3, io1, io2, sc1, st1, standard]
  iops:
    description: I/O operations per second. Required for V(io1) and V(io2), possible for V(gp3).
    type: int
  throughput:
    description: Throughput in MiB/s, for V(gp3) only.
    type: int
  encrypted:
    description: Whether to encrypt the volume. Unset, the snapshot or the account's default decides.
    type: bool
  kms_key_id:
    description: The KMS key to encrypt with, as key id, C(alias/NAME), or the ARN of either. Needs O(encrypted=true).
    type: str
  availability_zone:
    description: The availability zone, which must be the build host's. Required when O(state=present).
    type: str
  tags:
    description: Further tags of the volume, set in the create call. Tags that are there already stay.
    type: dict
    default: {}
  wait:
    description: Whether to wait until the volume is available, or gone.
    type: bool
    default: true
  wait_timeout:
    description: How many seconds to wait at most, for detaching as well.
    type: int
    default: 600
  wait_delay:
    description: How many seconds to let pass before EC2 is asked again, at first; the delay doubles up to 15 seconds.
    type: float
    default: 0.25
seealso:
  - module: bakehouse.images.ec2_volume_attachment
  - module: bakehouse.images.ec2_snapshot
  - module: bakehouse.images.ec2_build
"""

EXAMPLES = r"""
---
- name: Have a volume with the source image's contents
  bakehouse.images.ec2_volume:
    build_id: 3f9c0a71d2b84e65
    snapshot_id: "{{ source.image.root_device.snapshot_id }}"
    size_gib: 16
    volume_type: gp3
    availability_zone: "{{ metadata.instance.availability_zone }}"
    tags:
      bakehouse:image: web-2026-03
  register: created

- name: Delete it again
  bakehouse.images.ec2_volume:
    state: absent
    build_id: 3f9c0a71d2b84e65
    volume_id: "{{ created.volume.volume_id }}"
"""

RETURN = r"""
volume:
  description: The volume. With O(state=absent) the first one that was deleted, as it was before; null when there was
    none.
  returned: success
  type: dict
  contains:
    volume_id:
      description: The id of the volume; null in check mode for a volume that would be created.
      returned: always
      type: str
      sample: vol-049df61146c4d7901
    state:
      description: The state, such as V(available) or V(in-use).
      returned: always
      type: str
      sample: available
    size_gib:
      description: The size in GiB.
      returned: always
      type: int
      sample: 8
    availability_zone:
      description: The availability zone.
      returned: always
      type: str
      sample: eu-west-1a
    snapshot_id:
      description: The snapshot it was made from; null for a blank volume.
      returned: always
      type: str
      sample: snap-066877671789bd71b
    volume_type:
      description: The volume type.
      returned: always
      type: str
      sample: gp3
    iops:
      description: The I/O operations per second.
      returned: always
      type: int
      sample: 3000
    throughput:
      description: The throughput in MiB/s; null for other types than V(gp3).
      returned: always
      type: int
      sample: 125
    encrypted:
      description: Whether the volume is encrypted.
      returned: always
      type: bool
      sample: false
    kms_key_id:
      description: The ARN of the key that encrypts it.
      returned: always
      type: str
      sample: arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab
    create_time:
      description: When it was created.
      returned: always
      type: str
      sample: "2026-03-01T10:00:00+00:00"
    attachments:
      description: Where it is attached.
      returned: always
      type: list
      elements: dict
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
          description: The name in EC2's API, which need not be the device's name on the instance.
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
    tags:
      description: The tags.
      returned: always
      type: dict
      sample:
        "bakehouse:build-id": 3f9c0a71d2b84e65
actions:
  description: What was done, or would be in check mode, in words.
  returned: success
  type: list
  elements: str
  sample: ["create a volume: 16 GiB, gp3, from snap-066877671789bd71b, in eu-west-1a"]
throttled_calls:
  description: How many answers said that there were too many calls. Those calls were sent again.
  returned: when the options are valid
  type: int
  sample: 0
"""

import typing as t

from ansible_collections.bakehouse.images.plugins.module_utils._ec2.api import AnsibleAWSModule, connect
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.volume_plans import (
    VolumePlan,
    VolumeRequest,
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
        "build_id": {"type": "str"},
        "volume_id": {"type": "str"},
        "snapshot_id": {"type": "str"},
        "size_gib": {"type": "int"},
        "volume_type": {"type": "str", "choices": ["gp2", "gp3", "io1", "io2", "sc1", "st1", "standard"]},
        "iops": {"type": "int"},
        "throughput": {"type": "int"},
        "encrypted": {"type": "bool"},
        "kms_key_id": {"type": "str"},
        "availability_zone": {"type": "str"},
        "tags": {"type": "dict", "default": {}},
        "wait": {"type": "bool", "default": True},
        "wait_timeout": {"type": "int", "default": 600},
        "wait_delay": {"type": "float", "default": 0.25},
    }


def ensure(module: AnsibleAWSModule) -> VolumePlan:
    """Plan, and apply the plan unless in check mode."""
    request = VolumeRequest.from_params(module.params)
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
        required_if=[
            ("state", "present", ("build_id", "availability_zone")),
            ("state", "absent", ("build_id", "volume_id"), True),
        ],
    )
    try:
        plan = ensure(module)
    except BuildError as exc:
        fail(module, exc)
    module.exit_json(
        changed=bool(plan.operations),
        volume=plan.volume.to_ansible() if plan.volume else None,
        actions=[operation.describe() for operation in plan.operations],
        diff=plan_diff(plan.before, plan.operations),
    )


if __name__ == "__main__":
    main()
