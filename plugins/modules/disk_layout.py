#!/usr/bin/python
# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: disk_layout
short_description: Partition a blank disk and make its file systems
version_added: 0.1.0
author:
  - bakehouse.images maintainers (@bakehouse)
description:
  - Brings a device to the layout described, with a partition table (GPT or MBR) or without one.
  - A device that is as described is left alone. One that an interrupted run has left with the right table and without
    some of its file systems gets only those.
  - Anything else that carries data (a partition table, or a signature of a file system, swap, LVM, RAID or LUKS) is
    refused, unless O(force) is set. A device in use is always refused.
  - Partitions begin and end at multiples of 1 MiB.
  - File systems are made so that the boot loaders of current distributions can read them, whatever the version of this
    machine's tools.
options:
  device:
    description:
      - The block device, or a link to it.
    type: path
    required: true
  volume_id:
    description:
      - The volume that the device must belong to.
      - A device that says it is another's is refused before anything is done.
    type: str
  table:
    description:
      - The kind of partition table.
      - With V(none), the only entry of O(partitions) describes the file system that fills the device.
    type: str
    choices: [gpt, mbr, none]
    default: gpt
  partitions:
    description:
      - The partitions, in their order on the device, numbered from 1.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description:
          - The partition's name in a GPT. An MBR has no names; there it only appears in messages.
        type: str
      size:
        description:
          - A number with V(KiB), V(MiB), V(GiB) or V(TiB), such as V(512MiB), a share of the space for partitions, such
            as V(50%), or V(rest) (the default), which only the last partition can have.
          - Sizes are rounded up to 1 MiB, shares down.
          - A partition of size V(rest) that is there already is right in any size. To let it grow with its volume, use
            M(bakehouse.images.filesystem_grow).
        type: str
      type:
        description:
          - One of V(linux), V(esp), V(bios_boot), V(swap), V(xbootldr), V(lvm), or a GUID (GPT) or two hexadecimal
            digits (MBR).
          - The default is V(swap) for swap and V(linux) for all others.
          - V(linux) with the mount point V(/) gets, in a GPT, the type of a root partition of O(architecture) from the
            Discoverable Partitions Specification.
        type: str
      filesystem:
        description:
          - The file system to make. Without it, the partition is not written to.
        type: str
        choices: [ext4, xfs, btrfs, vfat, swap]
      label:
        description:
          - The label of the file system.
        type: str
      mount_point:
        description:
          - Where the file system will be mounted by the machine that boots from the device. Nothing is mounted here.
        type: str
      mount_options:
        description:
          - The options with which it will be mounted. They are returned in RV(mounts).
        type: list
        elements: str
  architecture:
    description:
      - The architecture that will boot from the device. By default this machine's.
    type: str
    choices: [x86_64, amd64, arm64, aarch64]
  force:
    description:
      - Destroy what the device holds when it is not as described.
    type: bool
    default: false
attributes:
  check_mode:
    support: full
    details:
      - The UUIDs of file systems that are still to be made cannot be known.
  diff_mode:
    support: full
  idempotent:
    support: full
extends_documentation_fragment:
  - bakehouse.images._attributes
  - bakehouse.images._attributes.build_host
seealso:
  - module: bakehouse.images.block_device_info
  - module: bakehouse.images.root_filesystem
  - module: bakehouse.images.filesystem_grow
  - name: Discoverable Partitions Specification
    description: Types of partitions that say what they hold.
    link: https://uapi-group.org/specifications/specs/discoverable_partitions_specification/
"""

EXAMPLES = r"""
---
- name: Partition a volume for BIOS and UEFI
  bakehouse.images.disk_layout:
    device: "{{ volume.device.path }}"
    volume_id: vol-0a1b2c3d4e5f60718
    partitions:
      - name: bios
        size: 1MiB
        type: bios_boot
      - name: esp
        size: 64MiB
        type: esp
        filesystem: vfat
        label: ESP
        mount_point: /boot/efi
        mount_options: [umask=0077]
      - name: root
        filesystem: ext4
        label: root
        mount_point: /
  become: true
  register: disk

- name: Install a system on it
  bakehouse.images.root_filesystem:
    mounts: "{{ disk.mounts }}"
    suite: bookworm
  become: true

- name: Make one XFS on a whole device, without partitions
  bakehouse.images.disk_layout:
    device: /dev/nvme2n1
    table: none
    partitions:
      - filesystem: xfs
        mount_point: /srv
  become: true
"""

RETURN = r"""
device:
  description: The device, as it is afterwards. In check mode, as it is now.
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
mounts:
  description:
    - The file systems of the layout, in the order in which they are mounted, then swap.
    - M(bakehouse.images.root_filesystem) takes them as they are.
  returned: success
  type: list
  elements: dict
  contains:
    device:
      description: Path of the partition or device.
      returned: success
      type: str
      sample: /dev/nvme1n1p3
    mount_point:
      description: Where it will be mounted. Null for swap.
      returned: success
      type: str
      sample: /
    filesystem:
      description: The type of the file system.
      returned: success
      type: str
      sample: ext4
    options:
      description: The mount options given, as in an fstab. Null when none were.
      returned: success
      type: str
      sample: noatime,discard
    uuid:
      description: The UUID of the file system. Null in check mode when it is still to be made.
      returned: success
      type: str
      sample: 1c9b4b0e-7c39-4f0e-9a55-6bde2d1f8a30
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.bakehouse.images.plugins.module_utils._disk.devices import device_result
from ansible_collections.bakehouse.images.plugins.module_utils._disk.layout import lay_out
from ansible_collections.bakehouse.images.plugins.module_utils._disk.layout_request import LayoutRequest
from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError
from ansible_collections.bakehouse.images.plugins.module_utils._module import fail
from ansible_collections.bakehouse.images.plugins.module_utils._run import LocalRunner


def argument_spec() -> t.Dict[str, t.Any]:
    """The module's options."""
    partition = {
        "name": {"type": "str"},
        "size": {"type": "str"},
        "type": {"type": "str"},
        "filesystem": {"type": "str", "choices": ["ext4", "xfs", "btrfs", "vfat", "swap"]},
        "label": {"type": "str"},
        "mount_point": {"type": "str"},
        "mount_options": {"type": "list", "elements": "str"},
    }
    return {
        "device": {"type": "path", "required": True},
        "volume_id": {"type": "str"},
        "table": {"type": "str", "choices": ["gpt", "mbr", "none"], "default": "gpt"},
        "partitions": {"type": "list", "elements": "dict", "required": True, "options": partition},
        "architecture": {"type": "str", "choices": ["x86_64", "amd64", "arm64", "aarch64"]},
        "force": {"type": "bool", "default": False},
    }


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    try:
        request = LayoutRequest.from_params(module.params)
        done = lay_out(LocalRunner(), request, check_mode=module.check_mode)
    except BuildError as exc:
        fail(module, exc)
    module.exit_json(
        changed=done.changed,
        device=device_result(done.device),
        mounts=[vars(mount) for mount in done.mounts],
        diff=done.diff,
    )


if __name__ == "__main__":
    main()
