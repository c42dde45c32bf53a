#!/usr/bin/python
# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: block_device_info
short_description: Wait for the block device of a volume, and describe it
version_added: 0.1.0
author:
  - bakehouse.images maintainers (@bakehouse)
description:
  - Waits until the device of an attached volume is there on this machine, and its partitions with it.
  - A device is recognised by what it says of itself, never by being the newest or the next one. On Nitro instances that
    is the NVMe serial, or C(udev)'s link made of it. On Xen instances a device has only the name that it was attached
    under, which counts only when no disk of the machine reports the serial of a volume, and when the device is not in
    use.
  - File systems are read from the device itself, so C(udev) is not needed.
options:
  volume_id:
    description:
      - The id of the volume.
      - A device that reports another volume's serial is never taken, whatever its path is.
    type: str
  device_name:
    description:
      - The name under which the volume was attached, as the API has it.
      - It is looked at when O(volume_id) has not led to a device, also with C(xvd) in place of C(sd).
    type: str
  path:
    description:
      - The path of the device or of a link to it, when it is known. O(device_name) is then not looked at.
    type: path
  size_gib:
    description:
      - The size that the volume must have. A device of another size is not taken.
    type: int
  wait_timeout:
    description:
      - How long to wait for the device, in seconds. V(0) looks once.
    type: int
    default: 60
attributes:
  check_mode:
    support: full
  diff_mode:
    support: N/A
  idempotent:
    support: full
extends_documentation_fragment:
  - bakehouse.images._attributes
  - bakehouse.images._attributes.info
  - bakehouse.images._attributes.build_host
seealso:
  - module: bakehouse.images.ec2_volume_attachment
  - module: bakehouse.images.disk_layout
  - name: Map Amazon EBS volumes to NVMe device names
    description: How AWS makes volumes recognisable.
    link: https://docs.aws.amazon.com/ebs/latest/userguide/identify-nvme-ebs-device.html
"""

EXAMPLES = r"""
---
- name: Attach the volume
  bakehouse.images.ec2_volume_attachment:
    volume_id: vol-0a1b2c3d4e5f60718
    instance_id: i-0123456789abcdef0
  delegate_to: localhost
  register: attached

- name: Wait for its device
  bakehouse.images.block_device_info:
    volume_id: "{{ attached.attachment.volume_id }}"
    device_name: "{{ attached.attachment.device_name }}"
  become: true
  register: volume

- name: Look at a device whose path is known
  bakehouse.images.block_device_info:
    path: /dev/vdb
    wait_timeout: 0
  become: true
"""

RETURN = r"""
device:
  description: The device.
  returned: success
  type: dict
  contains:
    path:
      description: Path of the node, links followed.
      returned: success
      type: str
      sample: /dev/nvme1n1
    kernel_name:
      description: The kernel's name of the device, as in C(/sys/class/block).
      returned: success
      type: str
      sample: nvme1n1
    serial:
      description: The serial that the device reports. Null when it reports none.
      returned: success
      type: str
      sample: vol0a1b2c3d4e5f60718
    links:
      description: Links below C(/dev/disk) that lead to the node.
      returned: success
      type: list
      elements: str
      sample: [/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_vol0a1b2c3d4e5f60718]
    size_bytes:
      description: Size of the device in bytes.
      returned: success
      type: int
      sample: 8589934592
    sector_size:
      description: Size of a logical sector in bytes.
      returned: success
      type: int
      sample: 512
    read_only:
      description: Whether the device refuses writes.
      returned: success
      type: bool
      sample: false
    partition_table:
      description: The kind of its partition table, V(gpt) or V(dos) (MBR). Null when it has none.
      returned: success
      type: str
      sample: gpt
    firmware:
      description:
        - The firmware that can start a boot loader from the disk, V(bios), V(uefi) or both, as its partitions show.
          Empty when they show neither.
      returned: success
      type: list
      elements: str
      sample:
        - bios
        - uefi
    filesystem:
      description: The file system that fills the whole device. Null when none does.
      returned: success
      type: dict
      sample: null
      contains:
        type:
          description:
            - The type as C(blkid) names it.
            - V(ambivalent) says that there are signatures of several.
          returned: success
          type: str
          sample: ext4
        label:
          description: The label. Null when it has none.
          returned: success
          type: str
          sample: root
        uuid:
          description: The UUID. Null when it has none.
          returned: success
          type: str
          sample: 1c9b4b0e-7c39-4f0e-9a55-6bde2d1f8a30
    partitions:
      description: Its partitions, in the order of the table.
      returned: success
      type: list
      elements: dict
      contains:
        number:
          description: Number of the partition.
          returned: success
          type: int
          sample: 1
        path:
          description: Path of the partition's node.
          returned: success
          type: str
          sample: /dev/nvme1n1p1
        start_bytes:
          description: Where it begins on the device, in bytes.
          returned: success
          type: int
          sample: 1048576
        size_bytes:
          description: Size of the partition in bytes.
          returned: success
          type: int
          sample: 536870912
        type:
          description: The type, as a GUID in lower case (GPT) or as a hexadecimal number (MBR).
          returned: success
          type: str
          sample: c12a7328-f81f-11d2-ba4b-00a0c93ec93b
        name:
          description: The name in the partition table. Null when it has none.
          returned: success
          type: str
          sample: esp
        uuid:
          description: The UUID in the partition table. Null when the table has none.
          returned: success
          type: str
          sample: 5f0d9d0a-52a1-4a2e-9b6c-0f6f1f0a7a11
        filesystem:
          description: The file system in the partition. Null when there is none.
          returned: success
          type: dict
          contains:
            type:
              description:
                - The type as C(blkid) names it.
                - V(ambivalent) says that there are signatures of several.
              returned: success
              type: str
              sample: ext4
            label:
              description: The label. Null when it has none.
              returned: success
              type: str
              sample: root
            uuid:
              description: The UUID. Null when it has none.
              returned: success
              type: str
              sample: 1c9b4b0e-7c39-4f0e-9a55-6bde2d1f8a30
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.bakehouse.images.plugins.module_utils._disk.devices import device_result
from ansible_collections.bakehouse.images.plugins.module_utils._disk.discovery import Wanted, wait_for_device
from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError
from ansible_collections.bakehouse.images.plugins.module_utils._module import fail
from ansible_collections.bakehouse.images.plugins.module_utils._run import LocalRunner


def argument_spec() -> t.Dict[str, t.Any]:
    """The module's options."""
    return {
        "volume_id": {"type": "str"},
        "device_name": {"type": "str"},
        "path": {"type": "path"},
        "size_gib": {"type": "int"},
        "wait_timeout": {"type": "int", "default": 60},
    }


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec=argument_spec(),
        required_one_of=[("volume_id", "device_name", "path")],
        supports_check_mode=True,
    )
    params = module.params
    wanted = Wanted(
        volume_id=params["volume_id"] or None,
        device_name=params["device_name"] or None,
        path=params["path"] or None,
        size_gib=params["size_gib"],
    )
    try:
        device = wait_for_device(LocalRunner(), wanted, timeout_seconds=params["wait_timeout"])
    except BuildError as exc:
        fail(module, exc)
    module.exit_json(changed=False, device=device_result(device))


if __name__ == "__main__":
    main()
