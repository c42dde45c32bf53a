#!/usr/bin/python
# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Documentation only: the plugin of the same name in plugins/action does the work, on the controller.

from __future__ import annotations

DOCUMENTATION = r"""
---
module: host_commands
short_description: Run shell commands on the build host
description:
  - Runs commands in order, each in a shell of its own, and stops at the first that fails, saying which and what it
    printed.
  - A build host that cannot be reached is a failure of the task, so that the build is cleaned up.
version_added: 0.1.0
author:
  - bakehouse.images maintainers (@bakehouse)
extends_documentation_fragment:
  - bakehouse.images._attributes
  - bakehouse.images._attributes.bookkeeping
attributes:
  check_mode:
    support: full
    details:
      - Runs nothing in check mode, and expects that every command changes something.
  idempotent:
    support: none
    details:
      - The commands decide.
options:
  commands:
    description:
      - The commands.
    type: list
    elements: str
    required: true
  command_wrapper:
    description:
      - What goes around each command, as a list of words that stand before it, or as a text for C(/bin/sh) in which
        V({command}) stands for it. It is what P(bakehouse.images.chroot#connection) takes under that name.
      - It goes around the shell that runs the command, so also around all parts of C(one && two).
    type: raw
  mount:
    description:
      - A file system that is mounted while the commands run, for them alone. They run one after the other in mounts and
        processes of their own; with the last of them what still runs ends, and the file system is unmounted.
    type: dict
    suboptions:
      source:
        description:
          - The device.
        type: path
        required: true
      path:
        description:
          - Where they find it. The folder is made, and removed afterwards.
        type: path
        required: true
      options:
        description:
          - Each is given to C(mount) as C(-o).
        type: list
        elements: str
        default: []
seealso:
  - module: ansible.builtin.shell
"""

EXAMPLES = r"""
---
- name: Make a file system on a blank volume
  bakehouse.images.host_commands:
    commands:
      - mkfs.ext4 -q /dev/nvme1n1
  delegate_to: "{{ bake_build_host }}"
  become: true

- name: Do something slow in the background of other builds
  bakehouse.images.host_commands:
    commands:
      - e2fsck -fy /dev/nvme1n1 && resize2fs /dev/nvme1n1
    command_wrapper: date >> /var/log/builds && ionice -c idle {command}
  delegate_to: "{{ bake_build_host }}"
  become: true

- name: Fill a new file system
  bakehouse.images.host_commands:
    commands:
      - debootstrap bookworm /run/new-root
    mount:
      source: /dev/nvme1n1p1
      path: /run/new-root
  delegate_to: "{{ bake_build_host }}"
  become: true
"""

RETURN = r"""
---
results:
  description: The commands that were run. With O(mount), all of them are one.
  returned: always
  type: list
  elements: dict
  contains:
    cmd:
      description: The command.
      returned: always
      type: str
      sample: mkfs.ext4 -q /dev/nvme1n1p1
    rc:
      description: Its status.
      returned: always
      type: int
      sample: 0
    stdout:
      description: What it printed.
      returned: always
      type: str
      sample: ""
    stderr:
      description: What it printed on standard error.
      returned: always
      type: str
      sample: ""
"""
