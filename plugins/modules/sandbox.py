#!/usr/bin/python
# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: sandbox
short_description: Open and close the sandbox that an image is built in
version_added: 0.1.0
author:
  - bakehouse.images maintainers (@bakehouse)
description:
  - Mounts the root file system of a device, and what its own C(fstab) names on the same device, in namespaces of its
    own, held open by one process. Nothing of it is seen in the build host's mounts.
  - Tasks run in it over the connection P(bakehouse.images.chroot#connection).
  - Mounts, processes and the hostname inside are apart from those of the build host, and from those of other sandboxes.
    The network is the build host's, unless O(network) says otherwise.
  - Closing ends whatever still runs inside and lets the kernel drop the mounts, so it cannot fail for something being
    busy. Afterwards the device is free, and its file systems have been checked.
  - A sandbox whose process was killed is closed already, but for what was lent to the image; closing it, or opening it
    again, sets that right.
options:
  state:
    description:
      - V(present) opens the sandbox. One that is open already on the same root is left as it is.
      - V(absent) closes it. One that is not open is none to close.
    type: str
    choices: [present, absent]
    default: present
  name:
    description:
      - The name of the sandbox, unique on this machine.
    type: str
    required: true
  device:
    description:
      - The path of the block device that holds the image. Its root file system is found by looking.
      - Exactly one of O(device) and O(root) is required with O(state=present).
    type: path
  root:
    description:
      - The path of a directory that holds a root file system.
    type: path
  partition:
    description:
      - The number of the partition of O(device) that holds the root, V(0) for the device itself. Found when not given.
    type: int
  mount_options:
    description:
      - Options for mounting the root of O(device).
      - A XFS file system gets C(nouuid) by itself.
    type: list
    elements: str
    default: []
  mount_command:
    description:
      - A command, as shell text, that mounts the image's root in place of the sandbox's own way. It runs on this
        machine as root, and gets C(-o) with each of O(mount_options), the device and a directory as further words.
      - The device is the partition O(partition). When that is not given, it is the one on which a root file system is
        found, and the whole device where none is.
      - What it mounts in that directory, and below, is all that the image gets. The image's C(fstab) is not looked at,
        and O(check) and O(trim) do nothing.
    type: str
    default: ""
  unmount_command:
    description:
      - A command, as shell text, that unmounts what O(mount_command) has mounted. It gets the directory as its last
        word. It runs when the sandbox is closed, when opening fails, and when what a killed build has left is removed.
      - When only one of both commands is given, the other is C(mount), or C(umount --recursive).
    type: str
    default: ""
  chroot_mounts:
    description:
      - File systems to mount in the image, in place of the sandbox's own, as lists of three - type, source, target.
        The type V(bind) makes a bind mount of a directory of this machine.
      - When not given, or empty, these are C(/proc) (with what acts on the whole machine read-only), C(/sys)
        (read-only), a small C(/dev), and memory for C(/run) and C(/tmp). What the image has in these directories lies
        hidden and stays as it is.
    type: list
    elements: list
    default: []
  copy_files:
    description:
      - Files and directories of this machine that the image is lent, under the same paths.
      - When not given, it is C(/etc/resolv.conf). An empty list lends nothing.
      - In place of a stub of C(systemd-resolved) the image gets the name servers behind it.
      - What the image has under these names is there again when the sandbox closes, unless a task has changed it
        meanwhile; then that stays.
      - Images with C(invoke-rc.d) are lent a C(policy-rc.d) that forbids starting services, in any case.
    type: list
    elements: path
  dev:
    description:
      - V(private) gives the image a C(/dev) with what every program expects, and the nodes of O(device).
      - V(host) gives it all devices of this machine.
    type: str
    choices: [private, host]
    default: private
  user_namespace:
    description:
      - Whether the image gets a user namespace, with all ids as they are outside.
      - Without it, root in the image is kept from loading modules, setting the clock, making device nodes and
        setting up the network, but it can mount C(devtmpfs) and a writable C(/proc/sys), and change what is there.
    type: bool
    default: true
  network:
    description:
      - V(host) leaves the image in the network of this machine, without rights over it.
      - V(none) gives it a network of its own with nothing but a loopback interface, in which neither this machine's
        services, nor its neighbours, nor an instance metadata service can be reached. All ports are free there, also
        those below 1024.
    type: str
    choices: [host, none]
    default: host
  on_not_done:
    description:
      - What happens when a task asks for what only a running machine can do, such as starting a service, C(sysctl -w)
        or C(modprobe).
      - V(ignore) has the command end well, and lists it in RV(not_done). V(fail) lists it too, and has the command or
        the task fail.
      - The variable E(BAKEHOUSE_STAND_INS) in the environment of a task, with the same values, is stronger. With V(no)
        there, the command itself runs.
    type: str
    choices: [ignore, fail]
    default: ignore
  build_id:
    description:
      - The build that the sandbox belongs to. It is noted, so that the sandbox can be found.
    type: str
  owner:
    description:
      - The owner of that build, as M(bakehouse.images.build_identity) returns it. It is noted, so that
        M(bakehouse.images.build_life_info) can tell whether the build is still alive.
    type: str
    default: ""
  expires:
    description:
      - Until when the sandbox is kept after its build has ended, in seconds since 1970. It is noted, also in a sandbox
        that is open already.
    type: int
  trim:
    description:
      - Whether closing tells the device which blocks are free. Snapshots get smaller by it.
    type: bool
    default: true
  check:
    description:
      - Whether closing checks the file systems of O(device), read-only.
    type: bool
    default: true
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
  - module: bakehouse.images.sandbox_info
  - module: bakehouse.images.block_device_info
  - plugin: bakehouse.images.chroot
    plugin_type: connection
"""

EXAMPLES = r"""
---
- name: Open a sandbox on the image's volume
  bakehouse.images.sandbox:
    name: web
    device: /dev/nvme1n1
  become: true
  register: opened

- name: Say what is in it
  ansible.builtin.debug:
    msg: "{{ opened.sandbox.os_release.PRETTY_NAME }} with kernel {{ opened.sandbox.kernels | last }}"

- name: Close it
  bakehouse.images.sandbox:
    name: web
    state: absent
  become: true
  register: closed
  failed_when: closed is failed or closed.checked | selectattr('ok', 'false') | length > 0

- name: Open one on a directory, with a certificate of this machine
  bakehouse.images.sandbox:
    name: tree
    root: /srv/images/debian
    copy_files:
      - /etc/resolv.conf
      - /usr/local/share/ca-certificates/company.crt
  become: true
"""

RETURN = r"""
sandbox:
  description: The open sandbox.
  returned: O(state=present), but for check mode when it is not open yet
  type: dict
  contains:
    name:
      description: Its name.
      returned: success
      type: str
      sample: web
    pid:
      description: The process that holds it.
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
    partition:
      description: The number of the root's partition. Null when the root fills the device, and for a directory.
      returned: success
      type: int
      sample: 1
    build_id:
      description: As given by O(build_id).
      returned: success
      type: str
      sample: 3f9c2b7d10ae4c55
    host_path:
      description: The image's root directory as commands of this machine reach it. Symbolic links in it lead out of it.
      returned: success
      type: str
      sample: /proc/4711/root/image
    enter_command:
      description: A command that gives root a shell in the sandbox.
      returned: success
      type: str
      sample: env -i HOME=/root nsenter --target 4711 --mount --uts --ipc --pid --user -- /bin/sh
    user_namespace:
      description: Whether it has a user namespace.
      returned: success
      type: bool
      sample: true
    dev:
      description: Which devices it has.
      returned: success
      type: str
      sample: private
    network:
      description: Whose network it has.
      returned: success
      type: str
      sample: host
    on_not_done:
      description: What happens when a task asks for what only a running machine can do.
      returned: success
      type: str
      sample: ignore
    mounts:
      description: What is mounted in it, in order.
      returned: success
      type: list
      elements: dict
      contains:
        source:
          description: The device or directory, or a name.
          returned: success
          type: str
          sample: /dev/nvme1n1p1
        target:
          description: Where, as the image sees it.
          returned: success
          type: str
          sample: /
        filesystem:
          description: The type of the file system.
          returned: success
          type: str
          sample: ext4
        options:
          description: The options, separated by commas.
          returned: success
          type: str
          sample: ''
    kernels:
      description: Versions of the kernels installed in the image, oldest first.
      returned: success
      type: list
      elements: str
      sample: [6.1.0-28-cloud-amd64]
    architecture:
      description: The machine that the image's programs are made for, as C(uname -m) names it.
      returned: success
      type: str
      sample: x86_64
    python:
      description: The image's own Python, as the image sees it. Null when it has none.
      returned: success
      type: str
      sample: /usr/bin/python3
    os_release:
      description: The image's C(os-release), by variable.
      returned: success
      type: dict
      sample:
        ID: debian
        PRETTY_NAME: Debian GNU/Linux 12 (bookworm)
killed:
  description: What still ran in the sandbox when it was closed.
  returned: O(state=absent)
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
not_done:
  description:
    - Commands that only a running machine can do, such as C(sysctl -w) and C(systemctl start), each once. They did
      nothing. What a task asked M(ansible.builtin.systemd_service) for stands here as the command for it.
  returned: O(state=absent)
  type: list
  elements: str
  sample: [sysctl -w net.ipv4.ip_forward=1, modprobe br_netfilter, systemctl start nginx]
trimmed_bytes:
  description: How many bytes the file systems have told the device they do not need.
  returned: O(state=absent)
  type: int
  sample: 6442450944
checked:
  description: The file systems that were checked.
  returned: O(state=absent)
  type: list
  elements: dict
  contains:
    device:
      description: The device of the file system.
      returned: success
      type: str
      sample: /dev/nvme1n1p1
    filesystem:
      description: Its type.
      returned: success
      type: str
      sample: ext4
    ok:
      description: Whether it is sound. Null when this machine has no means to tell.
      returned: success
      type: bool
      sample: true
    output:
      description: What the check said, when it found something.
      returned: success
      type: str
      sample: ''
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError
from ansible_collections.bakehouse.images.plugins.module_utils._module import fail
from ansible_collections.bakehouse.images.plugins.module_utils._plan import plan_diff
from ansible_collections.bakehouse.images.plugins.module_utils._run import LocalRunner
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox import network, stand_ins
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox.closing import close_sandbox, find_open
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox.entry import describe_sandbox
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox.opening import (
    OpenRequest,
    check_request,
    open_sandbox,
    plan_in_check_mode,
)


def argument_spec() -> t.Dict[str, t.Any]:
    """The module's options."""
    return {
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "name": {"type": "str", "required": True},
        "device": {"type": "path"},
        "root": {"type": "path"},
        "partition": {"type": "int"},
        "mount_options": {"type": "list", "elements": "str", "default": []},
        "mount_command": {"type": "str", "default": ""},
        "unmount_command": {"type": "str", "default": ""},
        "chroot_mounts": {"type": "list", "elements": "list", "default": []},
        "copy_files": {"type": "list", "elements": "path"},
        "dev": {"type": "str", "choices": ["private", "host"], "default": "private"},
        "user_namespace": {"type": "bool", "default": True},
        "network": {"type": "str", "choices": list(network.CHOICES), "default": network.HOST},
        "on_not_done": {"type": "str", "choices": [stand_ins.IGNORE, stand_ins.FAIL], "default": stand_ins.IGNORE},
        "build_id": {"type": "str"},
        "owner": {"type": "str", "default": ""},
        "expires": {"type": "int"},
        "trim": {"type": "bool", "default": True},
        "check": {"type": "bool", "default": True},
    }


def open_request(params: t.Mapping[str, t.Any]) -> OpenRequest:
    """The options as the core takes them."""
    copied = ["name", "device", "root", "partition", "dev", "user_namespace", "network", "on_not_done"]
    copied += ["build_id", "owner", "expires", "mount_command", "unmount_command"]
    return OpenRequest(
        mount_options=tuple(params["mount_options"]),
        chroot_mounts=tuple(params["chroot_mounts"]),
        copy_files=None if params["copy_files"] is None else tuple(params["copy_files"]),
        **{name: params[name] for name in copied},
    )


def present(request: OpenRequest, check_mode: bool) -> t.Dict[str, t.Any]:
    """Open the sandbox; the module's result."""
    runner = LocalRunner()
    check_request(request)
    if check_mode:
        plan = plan_in_check_mode(request, runner=runner)
        result: t.Dict[str, t.Any] = {"changed": plan.request is not None, "diff": plan_diff([], plan.mounts)}
        if plan.record and not plan.request:
            result["sandbox"] = describe_sandbox(plan.record)
        return dict(result, warnings=list(plan.warnings))
    done = open_sandbox(request, runner=runner)
    return {
        "changed": done.changed,
        "sandbox": describe_sandbox(done.record),
        "warnings": list(done.warnings),
        "diff": plan_diff([], done.mounts),
    }


def absent(params: t.Mapping[str, t.Any], check_mode: bool) -> t.Dict[str, t.Any]:
    """Close the sandbox; the module's result."""
    lines = find_open(params["name"])
    diff = {"before": "".join(line + "\n" for line in lines), "after": ""}
    if check_mode:
        return {"changed": bool(lines), "diff": diff, "killed": [], "not_done": [], "trimmed_bytes": 0, "checked": []}
    report = close_sandbox(params["name"], runner=LocalRunner(), trim=params["trim"], check=params["check"])
    result = dict(report.to_result(), changed=report.changed, diff=diff)
    problems = result.pop("problems")
    if problems:
        raise BuildError("The sandbox %s is closed, but: %s" % (params["name"], " ".join(problems)), **result)
    return result


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    try:
        if module.params["state"] == "present":
            result = present(open_request(module.params), module.check_mode)
        else:
            result = absent(module.params, module.check_mode)
    except BuildError as exc:
        fail(module, exc)
    for warning in result.pop("warnings", []):
        module.warn(warning)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
