# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: osc_volume
short_description: Create or delete the volume at Outscale that an image is built on
version_added: 0.1.0
description:
  - Creates the BSU volume of one build, from a snapshot or blank, or deletes it. A build is known by O(build_id),
    which the volume carries as a token from its create call on, and as a tag from the call after that; running the
    task again finds the volume that is there.
  - All mistakes in the volume's type, size and performance are reported together before anything is created. So is a
    volume that would be smaller than its snapshot.
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
      - With O(state=absent) and O(volume_id), a volume of another build, or of none, is refused.
    type: str
  volume_id:
    description: A volume that exists. Without it, the build's volume is found by its mark.
    type: str
  snapshot_id:
    description: The snapshot to make the volume from. Without it the volume is blank, and O(size_gib) is required.
    type: str
  size_gib:
    description: The size in GiB, at most 14901. Unset, the snapshot's size.
    type: int
  volume_type:
    description: The volume type. Unset, Outscale's own default, V(standard).
    type: str
    choices: [gp2, io1, standard]
  iops:
    description: I/O operations per second, for V(io1) only, where they are required. At most 13000, and 300 for each
      GiB.
    type: int
  subregion:
    description: The subregion, which must be the build host's. Required when O(state=present).
    type: str
  tags:
    description: Further tags of the volume. Tags that are there already stay.
    type: dict
    default: {}

  wait:
    description: Whether to wait until the volume is available, or gone.
    type: bool
    default: true
  wait_timeout:
    description: How many seconds to wait at most.
    type: int
    default: 600
  wait_delay:
    description: How many seconds to let pass before Outscale is asked again, at first; the delay grows.
    type: float
    default: 0.25
seealso:
  - module: bakehouse.images.osc_volume_attachment
  - module: bakehouse.images.osc_snapshot
  - module: bakehouse.images.osc_build
"""

EXAMPLES = r"""
---
- name: Have a volume with the source image's contents
  bakehouse.images.osc_volume:
    build_id: 3f9c0a71d2b84e65
    snapshot_id: "{{ base.image.root_device.snapshot_id }}"
    size_gib: 16
    volume_type: gp2
    subregion: "{{ metadata.vm.subregion }}"
  register: created

- name: Delete it again
  bakehouse.images.osc_volume:
    state: absent
    build_id: 3f9c0a71d2b84e65
    volume_id: "{{ created.volume.volume_id }}"
"""

RETURN = r"""
volume:
  description:
    - The volume. With O(state=absent) the first one that was deleted, as it was before; null when there was none.
  returned: success
  type: dict
  contains:
    volume_id:
      description: The id of the volume; null in check mode for a volume that would be created.
      returned: always
      type: str
      sample: vol-049df611
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
    subregion:
      description: The subregion.
      returned: always
      type: str
      sample: eu-west-2a
    snapshot_id:
      description: The snapshot it was made from; null for a blank volume.
      returned: always
      type: str
      sample: snap-06687767
    volume_type:
      description: The volume type.
      returned: always
      type: str
      sample: gp2
    iops:
      description: The I/O operations per second.
      returned: always
      type: int
      sample: 100
    create_time:
      description: When it was created.
      returned: always
      type: str
      sample: "2026-03-01T10:00:00.000Z"
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
    tags:
      description: The tags.
      returned: always
      type: dict
      sample: {"bakehouse:build-id": 3f9c0a71d2b84e65}
    build_id:
      description: The build that it is of. Empty for none.
      returned: always
      type: str
      sample: 3f9c0a71d2b84e65
actions:
  description: What was done, or would be in check mode, in words.
  returned: success
  type: list
  elements: str
  sample: ["create a volume: 16 GiB, gp2, from snap-06687767, in eu-west-2a"]
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
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.module import OutscaleModule
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.volume_plans import (
    VolumePlan,
    VolumeRequest,
    apply_present,
    plan_absent,
    plan_present,
)
from ansible_collections.bakehouse.images.plugins.module_utils._plan import apply_plan, plan_diff


def own_options() -> t.Dict[str, t.Any]:
    """The module's own options."""
    return {
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "build_id": {"type": "str"},
        "volume_id": {"type": "str"},
        "snapshot_id": {"type": "str"},
        "size_gib": {"type": "int"},
        "volume_type": {"type": "str", "choices": ["gp2", "io1", "standard"]},
        "iops": {"type": "int"},
        "subregion": {"type": "str"},
        "tags": {"type": "dict", "default": {}},
        "wait": {"type": "bool", "default": True},
        "wait_timeout": {"type": "int", "default": 600},
        "wait_delay": {"type": "float", "default": 0.25},
    }


def ensure(module: OutscaleModule) -> VolumePlan:
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
    module = OutscaleModule(
        argument_spec=argument_spec(**own_options()),
        supports_check_mode=True,
        required_if=[
            ("state", "present", ("build_id", "subregion")),
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
