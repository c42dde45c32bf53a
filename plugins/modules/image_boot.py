#!/usr/bin/python
# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: image_boot
short_description: Boot a disk image in QEMU and wait for its login prompt
version_added: 0.1.0
author:
  - bakehouse.images maintainers (@bakehouse)
description:
  - Shows that a disk image boots, on hardware like that of a cloud instance, without a cloud.
  - The image is not changed, the guest has no network, and it is gone when the module ends, however that ends.
  - Runs on any host that has QEMU for x86 systems. It needs neither root nor KVM.
options:
  path:
    description:
      - The disk image.
    type: path
    required: true
  format:
    description:
      - Its format, as QEMU calls it. By default it is detected.
    type: str
  firmware:
    description:
      - What starts the boot loader.
      - V(uefi) needs the firmware OVMF and starts with empty variables, so that the boot loader must be found in its
        removable path.
    type: str
    choices: [bios, uefi]
    default: bios
  accelerator:
    description:
      - V(tcg) works everywhere and is slow. V(kvm) is fast and needs a CPU and a host that allow it.
      - V(auto) tries whether KVM really works, which some nested hosts only pretend, and takes TCG otherwise.
    type: str
    choices: [auto, kvm, tcg]
    default: auto
  disk_interface:
    description:
      - How the guest sees the disk. Nitro instances of EC2 have V(nvme).
    type: str
    choices: [nvme, sata, virtio]
    default: nvme
  memory_mib:
    description:
      - The guest's memory, in MiB.
    type: int
    default: 1024
  cpus:
    description:
      - The guest's number of CPUs.
    type: int
    default: 2
  wait_for:
    description:
      - A regular expression of Python that a line of the serial console must match. By default a login prompt.
      - The image must have its console on the first serial port (C(console=ttyS0)).
    type: str
    default: '^\S+ login:'
  expect:
    description:
      - Further regular expressions, each of which a line of the console must match too, in whatever order. What a
        service of the image prints on the console (with systemd by C(StandardOutput=journal+console)) tells whether
        it works.
    type: list
    elements: str
    default: []
  fail_on:
    description:
      - Regular expressions of lines after which nothing good follows, so that the rest is not waited for. Panics of the
        kernel, and shells for rescue and emergency, are known without.
    type: list
    elements: str
    default: []
  wait_timeout:
    description:
      - How long to wait for all that, in seconds. Under TCG a boot takes a minute or two.
    type: int
    default: 300
  console_path:
    description:
      - A file that takes all that the guest prints on its serial console.
    type: path
attributes:
  check_mode:
    support: none
    details:
      - The task is skipped in check mode.
  diff_mode:
    support: N/A
    details:
      - This module changes nothing.
  idempotent:
    support: full
    details:
      - This module changes nothing. It boots the image each time.
  platform:
    support: full
    platforms: linux
    details:
      - Runs wherever QEMU is installed.
extends_documentation_fragment:
  - bakehouse.images._attributes
seealso:
  - module: bakehouse.images.ebs_snapshot_download
"""

EXAMPLES = r"""
---
- name: See whether the image boots as on a Nitro instance
  bakehouse.images.image_boot:
    path: /var/tmp/web.raw
    firmware: uefi
  register: boot

- name: Say how long it took
  ansible.builtin.debug:
    msg: "{{ boot.matched }} after {{ boot.boot_seconds }} seconds"
"""

RETURN = r"""
matched:
  description: The line of the console that matched O(wait_for).
  returned: success
  type: str
  sample: "localhost login:"
expected:
  description: The lines that matched O(expect), in its order.
  returned: success
  type: list
  elements: str
  sample: ["web-check: all well"]
boot_seconds:
  description: How long it took, in seconds, from power on.
  returned: success
  type: float
  sample: 41.3
accelerator:
  description: What the guest ran on, V(kvm) or V(tcg).
  returned: success
  type: str
  sample: tcg
disk_format:
  description: The format of the image.
  returned: success
  type: str
  sample: raw
console:
  description: The last lines of the console, without colours and other terminal controls.
  returned: success, and on failure once the guest has started
  type: str
  sample: "Debian GNU/Linux 12 localhost ttyS0\nlocalhost login:"
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError
from ansible_collections.bakehouse.images.plugins.module_utils._module import fail
from ansible_collections.bakehouse.images.plugins.module_utils._qemu.boot import LOGIN_PROMPT, BootRequest, boot
from ansible_collections.bakehouse.images.plugins.module_utils._qemu.machine import DISK_DEVICES
from ansible_collections.bakehouse.images.plugins.module_utils._run import LocalRunner


def argument_spec() -> t.Dict[str, t.Any]:
    """The module's options."""
    return {
        "path": {"type": "path", "required": True},
        "format": {"type": "str"},
        "firmware": {"type": "str", "choices": ["bios", "uefi"], "default": "bios"},
        "accelerator": {"type": "str", "choices": ["auto", "kvm", "tcg"], "default": "auto"},
        "disk_interface": {"type": "str", "choices": sorted(DISK_DEVICES), "default": "nvme"},
        "memory_mib": {"type": "int", "default": 1024},
        "cpus": {"type": "int", "default": 2},
        "wait_for": {"type": "str", "default": LOGIN_PROMPT},
        "expect": {"type": "list", "elements": "str", "default": []},
        "fail_on": {"type": "list", "elements": "str", "default": []},
        "wait_timeout": {"type": "int", "default": 300},
        "console_path": {"type": "path"},
    }


def request_from_params(params: t.Mapping[str, t.Any]) -> BootRequest:
    """The request in the module's parameters."""
    return BootRequest(
        path=params["path"],
        disk_format=params["format"] or "",
        firmware=params["firmware"],
        accelerator=params["accelerator"],
        disk_interface=params["disk_interface"],
        memory_mib=params["memory_mib"],
        cpus=params["cpus"],
        wait_for=params["wait_for"],
        expect=tuple(params["expect"]),
        fail_on=tuple(params["fail_on"]),
        timeout_seconds=float(params["wait_timeout"]),
        console_path=params["console_path"] or "",
    )


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=argument_spec())
    try:
        outcome = boot(request_from_params(module.params), LocalRunner())
    except BuildError as exc:
        fail(module, exc)
    module.exit_json(changed=False, **outcome.to_ansible())


if __name__ == "__main__":
    main()
