# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""The network of a sandbox: the build host's, or one of its own in which there is nothing but itself.

Its own one belongs to the first user namespace, as the build host's does: root inside has no rights over it, and
reaches no more of the kernel's code than in the build host's.
"""

from __future__ import annotations

import contextlib
import fcntl
import socket
import struct

from ansible_collections.bakehouse.images.plugins.module_utils import _system_calls as ns
from ansible_collections.bakehouse.images.plugins.module_utils._errors import Refused

HOST = "host"
NONE = "none"
CHOICES = (HOST, NONE)

# netdevice(7): struct ifreq with flags.
SIOCSIFFLAGS = 0x8914
IFF_UP = 0x1
IFREQ_FLAGS = "16sH22x"

# Of this network alone. Nobody else is in it, so that its ports are the image's.
UNPRIVILEGED_PORTS = "/proc/sys/net/ipv4/ip_unprivileged_port_start"


def unshare_network() -> None:
    """Give this process a network with a loopback interface, and nothing else.

    Raises:
        Refused: the build host allows none.
    """
    try:
        ns.unshare(ns.CLONE_NEWNET)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
            fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack(IFREQ_FLAGS, b"lo", IFF_UP))
    except OSError as exc:
        raise Refused(
            "The build host allows no network namespace: %s." % exc.strerror,
            hint="Allow them (sysctl user.max_net_namespaces), or set network to host.",
        ) from exc
    # Kernels before 4.11 have no such setting, and in some containers it cannot be written.
    with contextlib.suppress(OSError), open(UNPRIVILEGED_PORTS, "w", encoding="ascii") as stream:
        stream.write("0")


__all__ = ("CHOICES", "HOST", "NONE", "unshare_network")
