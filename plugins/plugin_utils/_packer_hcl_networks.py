# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""The functions of HCL templates on networks, whose prefixes are texts such as C(10.0.0.0/8)."""

from __future__ import annotations

import ipaddress
import typing as t

from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_hcl_collections import Failure
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_values import as_int

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def _network(prefix: str) -> Network:
    return ipaddress.ip_network(prefix, strict=False)


def _host(_library: t.Any, prefix: str, number: t.Any) -> str:
    network, wanted = _network(prefix), as_int(number)
    if not -network.num_addresses <= wanted < network.num_addresses:
        raise Failure(f"{prefix} has no address {wanted}")
    return str(network[wanted])


def _netmask(_library: t.Any, prefix: str) -> str:
    network = _network(prefix)
    if network.version != 4:
        raise Failure("netmasks are of IPv4")
    return str(network.netmask)


def _bits(network: Network, given: t.Any) -> int:
    found = network.prefixlen + as_int(given)
    if not network.prefixlen <= found <= network.max_prefixlen:
        raise Failure(f"{network} cannot be made longer by {given} bits")
    return found


def _subnet(_library: t.Any, prefix: str, bits: t.Any, number: t.Any) -> str:
    network = _network(prefix)
    length, wanted = _bits(network, bits), as_int(number)
    if not 0 <= wanted < 2 ** (length - network.prefixlen):
        raise Failure(f"{prefix} has no part {wanted} of /{length}")
    step = 2 ** (network.max_prefixlen - length)
    return f"{network.network_address + wanted * step}/{length}"


def _subnets(_library: t.Any, prefix: str, *bits: t.Any) -> list[str]:
    """One behind the other, each beginning where its length lets it."""
    network = _network(prefix)
    found, at = [], int(network.network_address)
    for given in bits:
        length = _bits(network, given)
        step = 2 ** (network.max_prefixlen - length)
        at = -(-at // step) * step
        if at + step > int(network.network_address) + network.num_addresses:
            raise Failure(f"{prefix} has no room for the part of /{length}")
        found.append(f"{ipaddress.ip_address(at) if network.version == 4 else ipaddress.IPv6Address(at)}/{length}")
        at += step
    return found


NETWORKS: dict[str, t.Callable[..., t.Any]] = {
    "cidrhost": _host,
    "cidrnetmask": _netmask,
    "cidrsubnet": _subnet,
    "cidrsubnets": _subnets,
}

__all__ = ("NETWORKS",)
