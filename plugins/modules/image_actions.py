#!/usr/bin/python
# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Documentation only: the plugin of the same name in plugins/action does the work, on the controller.

from __future__ import annotations

DOCUMENTATION = r"""
---
module: image_actions
short_description: Carry out small operations in an image that has no Python
description:
  - Runs commands, copies files, folders and archives, and makes small changes, in order, on a host whose connection is
    P(bakehouse.images.chroot#connection). The image needs C(/bin/sh) and the usual small tools, and no Python.
  - The actions are those of little-vm-helper, written in the same way. Provisioning steps of the kind C(actions) and
    the inventory plugin P(bakehouse.images.forest#inventory) come down to this module.
  - The first action that fails ends the list.
version_added: 0.1.0
author:
  - bakehouse.images maintainers (@bakehouse)
extends_documentation_fragment:
  - bakehouse.images._attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: none
    details:
      - The actions are carried out each time.
  platform:
    support: full
options:
  actions:
    description:
      - The actions. Each has C(type), C(op) with the keys below, and if wanted C(comment), which stands for the action
        in messages.
      - C(run-command) with C(Cmd) is a command for the image's shell. It runs in C(/) and has nothing to read.
      - C(copy-in) with C(LocalPath) and C(RemoteDir) copies a file or a whole folder into a folder of the image.
      - C(upload) with C(File) and C(Dest) copies a file to a path, or into a folder that is there.
      - C(tar-in) with C(TarFile) and C(RemoteDir) unpacks an archive. The image's C(tar) must know its compression.
      - C(install-kernel) with C(KernelInstallDir) copies C(boot) and C(lib/modules) of that folder and links
        C(/vmlinuz) to its one kernel.
      - C(mkdir) with C(Dir) makes a folder and those above it.
      - C(chmod) with C(Permissions), octal digits with a leading zero in quotes, and C(File).
      - C(append-line) with C(File) and C(Line) adds a line, on a line of its own. The file is made if there is none.
      - C(link) with C(Target) and C(Link) makes the symbolic link C(Link), in place of what has that name.
      - C(set-hostname) with C(Hostname) writes C(/etc/hostname), and replaces the old name in C(/etc/hosts).
      - What comes from the controller belongs to root in the image, with its modes and symbolic links kept. Relative
        paths are looked for as other files of tasks are.
    type: list
    elements: raw
    required: true
  merge:
    description:
      - Enter the image once for all actions. With V(false) each action enters it by itself.
    type: bool
    default: true
seealso:
  - module: ansible.builtin.raw
  - plugin: bakehouse.images.forest
    plugin_type: inventory
"""

EXAMPLES = r"""
---
- name: Prepare an image without Python
  bakehouse.images.image_actions:
    actions:
      - comment: no password for root
        type: run-command
        op:
          Cmd: passwd -d root
      - type: upload
        op:
          File: motd
          Dest: /etc/motd
      - type: chmod
        op:
          Permissions: "0644"
          File: /etc/motd
"""

RETURN = r"""
---
results:
  description: What became of each action.
  returned: when the actions were carried out
  type: list
  elements: dict
  contains:
    number:
      description: Its place in the list, from 1.
      returned: success
      type: int
      sample: 1
    title:
      description: Its comment, else its type and its chief value.
      returned: success
      type: str
      sample: no password for root
    rc:
      description: Its exit status, null for an action that did not run because one before it failed.
      returned: success
      type: int
      sample: 0
    stdout:
      description: What it printed.
      returned: success
      type: str
      sample: "passwd: password changed."
    stderr:
      description: What it printed to its standard error.
      returned: success
      type: str
      sample: ""
"""
