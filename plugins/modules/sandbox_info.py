#!/usr/bin/python
# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: sandbox_info
short_description: List the sandboxes of this machine
version_added: 0.1.0
author:
  - bakehouse.images maintainers (@bakehouse)
description:
  - Lists the sandboxes that are open, and those whose process has died and that nobody has closed.
options:
  name:
    description:
      - List only the sandbox of this name.
    type: str
  build_id:
    description:
      - List only sandboxes of this build.
    type: str
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
  - module: bakehouse.images.sandbox
"""

EXAMPLES = r"""
---
- name: Look for sandboxes that were left
  bakehouse.images.sandbox_info:
  become: true
  register: found

- name: Close those whose process has died
  bakehouse.images.sandbox:
    name: "{{ item.name }}"
    state: absent
  become: true
  loop: "{{ found.sandboxes | rejectattr('open') }}"
  loop_control:
    label: "{{ item.name }}"
"""

RETURN = r"""
sandboxes:
  description: The sandboxes, by name.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The name.
      returned: success
      type: str
      sample: web
    open:
      description: Whether the process that holds it lives.
      returned: success
      type: bool
      sample: true
    pid:
      description: That process.
      returned: success
      type: int
      sample: 4711
    root:
      description: The directory with the root file system. Null when it is on a device.
      returned: success
      type: str
      sample: null
    device:
      description: The device with the root file system. Null when it is a directory.
      returned: success
      type: str
      sample: /dev/nvme1n1
    build_id:
      description: The build that it belongs to. Null when none was named.
      returned: success
      type: str
      sample: 3f9c2b7d10ae4c55
    enter_command:
      description: A command that gives root a shell in it.
      returned: success
      type: str
      sample: env -i HOME=/root nsenter --target 4711 --mount --uts --ipc --pid --user -- /bin/sh
    processes:
      description: What runs in it.
      returned: success
      type: list
      elements: dict
      contains:
        pid:
          description: The process id on this machine.
          returned: success
          type: int
          sample: 4810
        name:
          description: The name of the program.
          returned: success
          type: str
          sample: nginx
        cmd:
          description: The command line.
          returned: success
          type: str
          sample: 'nginx: master process /usr/sbin/nginx'
        paths:
          description: The working directory and some of the open files, when they are in the image.
          returned: success
          type: list
          elements: str
          sample: [/var/log/nginx/error.log]
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError
from ansible_collections.bakehouse.images.plugins.module_utils._module import fail
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox.entry import describe_sandbox
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox.processes import sandbox_processes
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox.state import (
    SandboxRecord,
    is_alive,
    list_records,
)

SHOWN = ("name", "pid", "root", "device", "build_id", "enter_command")


def argument_spec() -> t.Dict[str, t.Any]:
    """The module's options."""
    return {"name": {"type": "str"}, "build_id": {"type": "str"}}


def describe(record: SandboxRecord) -> t.Dict[str, t.Any]:
    """One sandbox, as the module returns it."""
    known = describe_sandbox(record)
    alive = is_alive(record)
    processes = sandbox_processes(record) if alive else []
    return dict(
        {name: known[name] for name in SHOWN},
        open=alive,
        processes=[one.to_result() for one in processes],
    )


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    wanted = {key: value for key, value in module.params.items() if value is not None}
    try:
        records = [one for one in list_records() if all(getattr(one, key) == value for key, value in wanted.items())]
    except BuildError as exc:
        fail(module, exc)
    module.exit_json(changed=False, sandboxes=[describe(one) for one in records])


if __name__ == "__main__":
    main()
