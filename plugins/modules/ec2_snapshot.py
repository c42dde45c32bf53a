# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ec2_snapshot
short_description: Take, wait for, or delete the snapshot of a build's volume
version_added: 0.1.0
description:
  - Takes one snapshot of a volume for one build and waits until it is complete. A build is known by O(build_id),
    which the snapshot carries as a tag from its create call on; running the task again goes on waiting for the
    snapshot that is there.
  - A snapshot that has failed is reported at once, with EC2's reason.
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
      - V(present) has a snapshot of the volume for the build, or waits for O(snapshot_id).
      - V(absent) deletes O(snapshot_id), or all snapshots of the build O(build_id). A snapshot that is not there is
        fine; one that an image uses is an error that names the image.
    type: str
    choices: [present, absent]
    default: present
  build_id:
    description:
      - The build that the snapshot belongs to, 16 hexadecimal digits. Required to take a snapshot.
      - With O(state=absent) and O(snapshot_id), a snapshot that carries another build's tag, or none, is refused.
    type: str
  snapshot_id:
    description: A snapshot that exists, to wait for or to delete.
    type: str
  volume_id:
    description: The volume to take a snapshot of.
    type: str
  description:
    description: The description of a new snapshot.
    type: str
  tags:
    description: Further tags of the snapshot, set in the create call. Tags that are there already stay.
    type: dict
    default: {}
  wait:
    description: Whether to wait until the snapshot is complete.
    type: bool
    default: true
  wait_timeout:
    description: How many seconds to wait at most. Large volumes take hours.
    type: int
    default: 21600
  wait_delay:
    description: How many seconds to let pass before EC2 is asked again, at first; the delay grows to 30 seconds.
    type: float
    default: 1
seealso:
  - module: bakehouse.images.ec2_volume
  - module: bakehouse.images.ec2_image
"""

EXAMPLES = r"""
---
- name: Take a snapshot of the build's volume
  bakehouse.images.ec2_snapshot:
    build_id: 3f9c0a71d2b84e65
    volume_id: "{{ created.volume.volume_id }}"
    description: Root volume of the image web-2026-03
    tags:
      bakehouse:image: web-2026-03
  register: taken

- name: Wait further for a snapshot that took too long
  bakehouse.images.ec2_snapshot:
    snapshot_id: snap-066877671789bd71b
    wait_timeout: 36000
"""

RETURN = r"""
snapshot:
  description:
    - The snapshot. With O(state=absent) the first one that was deleted, as it was before; null when there was none.
  returned: success
  type: dict
  contains:
    snapshot_id:
      description: The id of the snapshot; null in check mode for a snapshot that would be taken.
      returned: always
      type: str
      sample: snap-066877671789bd71b
    state:
      description: The state, such as V(pending) or V(completed).
      returned: always
      type: str
      sample: completed
    progress:
      description: How much is done, in percent.
      returned: always
      type: int
      sample: 100
    size_gib:
      description: The size of the volume, in GiB.
      returned: always
      type: int
      sample: 16
    volume_id:
      description: The volume it was taken of.
      returned: always
      type: str
      sample: vol-049df61146c4d7901
    description:
      description: The description.
      returned: always
      type: str
      sample: Root volume of the image web-2026-03
    encrypted:
      description: Whether the snapshot is encrypted.
      returned: always
      type: bool
      sample: false
    kms_key_id:
      description: The ARN of the key that encrypts it.
      returned: always
      type: str
      sample: arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab
    start_time:
      description: When it was started.
      returned: always
      type: str
      sample: "2026-03-01T10:05:00+00:00"
    state_message:
      description: EC2's explanation of a failure.
      returned: always
      type: str
      sample: null
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
  sample: ["create a snapshot of volume vol-049df61146c4d7901"]
throttled_calls:
  description: How many answers said that there were too many calls. Those calls were sent again.
  returned: when the options are valid
  type: int
  sample: 0
"""

import typing as t

from ansible_collections.bakehouse.images.plugins.module_utils._ec2.api import AnsibleAWSModule, connect
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.snapshot_plans import (
    SnapshotPlan,
    SnapshotRequest,
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
        "snapshot_id": {"type": "str"},
        "volume_id": {"type": "str"},
        "description": {"type": "str"},
        "tags": {"type": "dict", "default": {}},
        "wait": {"type": "bool", "default": True},
        "wait_timeout": {"type": "int", "default": 21600},
        "wait_delay": {"type": "float", "default": 1},
    }


def ensure(module: AnsibleAWSModule) -> SnapshotPlan:
    """Plan, and apply the plan unless in check mode."""
    request = SnapshotRequest.from_params(module.params)
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
            ("state", "present", ("snapshot_id", "volume_id"), True),
            ("state", "absent", ("build_id", "snapshot_id"), True),
        ],
    )
    try:
        plan = ensure(module)
    except BuildError as exc:
        fail(module, exc)
    module.exit_json(
        changed=bool(plan.operations),
        snapshot=plan.snapshot.to_ansible() if plan.snapshot else None,
        actions=[operation.describe() for operation in plan.operations],
        diff=plan_diff(plan.before, plan.operations),
    )


if __name__ == "__main__":
    main()
