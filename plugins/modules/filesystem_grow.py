#!/usr/bin/python
# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: filesystem_grow
short_description: Let a root file system grow with its volume
version_added: 0.1.0
author:
  - bakehouse.images maintainers (@bakehouse)
description:
  - Where a volume is larger than the snapshot it was made from, gives the space to the root file system, by moving the
    backup of a GPT to the device's end, moving the end of the partition, and growing the file system.
  - Grows ext2, ext3, ext4, XFS and btrfs. The device must not be in use. File systems that can only grow mounted are
    mounted where nothing else sees it.
  - Less than 16 MiB of free space is left alone. What an interrupted run has begun is finished.
  - A partition that is not the last one, or a logical one of an MBR, is refused when there is space that it cannot
    have.
options:
  device:
    description:
      - The block device, or a link to it.
    type: path
    required: true
  partition:
    description:
      - The number of the partition to grow. V(0) is the device itself, where there is no partition table.
      - By default the partition that holds a root file system, which is found by looking.
    type: int
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
extends_documentation_fragment:
  - bakehouse.images._attributes
  - bakehouse.images._attributes.build_host
seealso:
  - module: bakehouse.images.block_device_info
  - module: bakehouse.images.disk_layout
"""

EXAMPLES = r"""
---
- name: Make a volume that is larger than its snapshot
  bakehouse.images.ec2_volume:
    build_id: 3f9c2a7d51e84b60
    snapshot_id: snap-0a1b2c3d4e5f60718
    size_gib: 12
    availability_zone: eu-west-1a
  delegate_to: localhost
  register: created

- name: Wait for its device, once it is attached
  bakehouse.images.block_device_info:
    volume_id: "{{ created.volume.volume_id }}"
  become: true
  register: volume

- name: Use all of it
  bakehouse.images.filesystem_grow:
    device: "{{ volume.device.path }}"
  become: true
"""

RETURN = r"""
grown:
  description: Whether anything was grown, or would be in check mode.
  returned: success
  type: bool
  sample: true
path:
  description: Path of the partition or device that holds the file system.
  returned: success
  type: str
  sample: /dev/nvme1n1p1
partition:
  description: Number of the partition. Null when the file system fills the device.
  returned: success
  type: int
  sample: 1
filesystem:
  description: The type of the file system.
  returned: success
  type: str
  sample: ext4
before:
  description: Sizes that were found, in bytes.
  returned: success
  type: dict
  contains:
    device_bytes:
      description: Size of the device.
      returned: success
      type: int
      sample: 12884901888
    partition_bytes:
      description: Size of the partition. Null when the file system fills the device.
      returned: success
      type: int
      sample: 8587837440
    filesystem_bytes:
      description: Size of the file system.
      returned: success
      type: int
      sample: 8587837440
after:
  description: Sizes afterwards, in bytes, or what they would be in check mode.
  returned: success
  type: dict
  contains:
    device_bytes:
      description: Size of the device.
      returned: success
      type: int
      sample: 12884901888
    partition_bytes:
      description: Size of the partition. Null when the file system fills the device.
      returned: success
      type: int
      sample: 12882804736
    filesystem_bytes:
      description: Size of the file system.
      returned: success
      type: int
      sample: 12882804736
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.bakehouse.images.plugins.module_utils._disk.growth import grow
from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError
from ansible_collections.bakehouse.images.plugins.module_utils._module import fail
from ansible_collections.bakehouse.images.plugins.module_utils._run import LocalRunner


def argument_spec() -> t.Dict[str, t.Any]:
    """The module's options."""
    return {
        "device": {"type": "path", "required": True},
        "partition": {"type": "int"},
    }


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    params = module.params
    try:
        done = grow(LocalRunner(), params["device"], params["partition"], check_mode=module.check_mode)
    except BuildError as exc:
        fail(module, exc)
    module.exit_json(
        changed=done.grown,
        grown=done.grown,
        path=done.path,
        partition=done.partition_number,
        filesystem=done.filesystem,
        before=vars(done.before),
        after=vars(done.after),
        diff=done.diff,
    )


if __name__ == "__main__":
    main()
