# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""The one place that knows how a sandbox is entered.

C(nsenter) opens the namespaces, the root and the working directory on the build host's side before it
joins anything, so that no program outside the image is needed once inside. The working directory must be
given: left out, nsenter keeps the caller's own open, and what runs inside stands on the build host.

What a process inside may do:

- With a user namespace, setns(2) gives a full set of capabilities in that namespace, and a bounding set
  dropped before is full again. That is no loss: what must not happen (modules, clock, reboot, device nodes,
  network set-up) is checked by the kernel against the first user namespace, where there are none.
- Without one, the bounding set is all there is: it is dropped before nsenter runs, and stays dropped.
"""

from __future__ import annotations

import dataclasses
import inspect
import shlex
import typing as t

from ansible_collections.bakehouse.images.plugins.module_utils._sandbox import network, stand_ins, user_entry

if t.TYPE_CHECKING:
    from ansible_collections.bakehouse.images.plugins.module_utils._sandbox.state import SandboxRecord

# What nothing in an image build needs and what reaches beyond the image, with the numbers of linux/capability.h.
DROPPED_CAPABILITIES = {
    "dac_read_search": 2,
    "net_admin": 12,
    "sys_module": 16,
    "sys_rawio": 17,
    "sys_boot": 22,
    "sys_time": 25,
    "mknod": 27,
    "audit_control": 30,
    "syslog": 34,
    "wake_alarm": 35,
}

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

# For everything that runs inside. SYSTEMD_OFFLINE says to systemctl and the tools around it: nothing is booted here.
# debian_chroot makes Ansible's is_chroot true for users as well who may not look at /proc/1/root.
ENVIRONMENT = {
    "PATH": stand_ins.FOLDER + ":" + PATH,
    "HOME": "/root",
    "LANG": "C.UTF-8",
    "SYSTEMD_OFFLINE": "1",
    "debian_chroot": "image",
}

# The working directory is entered inside, where the image's own symbolic links mean what they say.
CHANGE_DIRECTORY = 'cd -- "$1" && shift && exec "$@"'


def image_root(record: SandboxRecord) -> str:
    """The image's root directory as the build host reaches it. Paths below it must be resolved inside it."""
    return "/proc/%d/root%s" % (record.pid, record.image_path)


def enter_argv(
    record: SandboxRecord,
    argv: t.Sequence[str],
    *,
    user: t.Optional[str] = None,
    cwd: t.Optional[str] = None,
    environment: t.Optional[t.Mapping[str, str]] = None,
) -> t.List[str]:
    """The command that runs C(argv) in the sandbox, for root on the build host.

    It ends as C(argv) ends: with its status, or by its signal. Standard streams are passed through. The
    caller's environment is not: what is inside sees the record's variables and C(environment).

    Args:
        user: run as this user of the image (name or number), with the user's groups.
        cwd: the working directory, as the image sees it; the root when not given.
        environment: more variables, stronger than the record's.
    """
    variables = dict(record.environment or ENVIRONMENT)
    variables.update(environment or {})
    inner = ["/bin/sh", "-c", CHANGE_DIRECTORY, "sh", cwd, *argv] if cwd else list(argv)
    head = ["env", "-i"] + ["%s=%s" % item for item in sorted(variables.items())]
    return head + (_user_argv(record, user) if user else _root_argv(record)) + inner


def describe_sandbox(record: SandboxRecord) -> t.Dict[str, t.Any]:
    """An open sandbox, as the modules return it."""
    return {
        "name": record.name,
        "pid": record.pid,
        "root": record.root,
        "device": record.device,
        "partition": record.partition,
        "build_id": record.build_id,
        "host_path": image_root(record),
        "enter_command": shlex.join(enter_argv(record, ["/bin/sh"], environment={"TERM": "xterm"})),
        "user_namespace": record.user_namespace,
        "network": record.network,
        "on_not_done": (record.environment or {}).get(stand_ins.VARIABLE, stand_ins.IGNORE),
        "dev": record.dev,
        "mounts": [dataclasses.asdict(mount) for mount in record.mounts],
        "kernels": list(record.kernels),
        "architecture": record.architecture,
        "python": record.image_python,
        "os_release": record.os_release,
    }


def _root_argv(record: SandboxRecord) -> t.List[str]:
    root = image_root(record)
    joined = ["nsenter", "--target", str(record.pid), "--mount", "--uts", "--ipc", "--pid"]
    if record.network == network.NONE:
        joined.append("--net")
    place = ["--root=" + root, "--wd=" + root, "--"]
    if record.user_namespace:
        return joined + ["--user"] + place
    bound = ",".join("-" + name for name in DROPPED_CAPABILITIES)
    return ["setpriv", "--bounding-set=" + bound, "--inh-caps=" + bound, "--", *joined, *place]


def _user_argv(record: SandboxRecord, user: str) -> t.List[str]:
    numbers = ",".join(str(number) for number in DROPPED_CAPABILITIES.values())
    joined = ["pid", "uts", "ipc", "mnt"]
    joined += ["net"] if record.network == network.NONE else []
    joined += ["user"] if record.user_namespace else []
    program = [record.python, "-I", "-S", "-c", inspect.getsource(user_entry)]
    return program + [str(record.pid), record.image_path, ",".join(joined), numbers, user]


__all__ = ("DROPPED_CAPABILITIES", "ENVIRONMENT", "PATH", "describe_sandbox", "enter_argv", "image_root")
