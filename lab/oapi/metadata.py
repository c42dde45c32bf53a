# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The metadata service of the build host as an Outscale VM
("Accessing the Metadata and User Data of a VM", Outscale user guide). It knows no session tokens."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping

from lab.answers import Reply, text
from lab.imds import Tree, find
from lab.oapi.places import private_name
from lab.oapi.state import World

#: Where it is below the lab's URL; a VM has it at the address of AWS's.
PREFIX = "/outscale"
VERSION = "/latest"
MAC = "aa:e8:ef:00:00:01"


def is_metadata_path(path: str) -> bool:
    return path == PREFIX or path.startswith(f"{PREFIX}/")


class OscMetadata:
    """Answers for the VM that is the build host."""

    def __init__(self, world: World) -> None:
        self._world = world

    def serve(self, environ: Mapping[str, t.Any]) -> Reply:
        path = environ["PATH_INFO"].removeprefix(PREFIX)
        if self._world.cloud.settings.current.imds == "off":
            return text("Forbidden", 403)
        if environ["REQUEST_METHOD"] not in ("GET", "HEAD") or not path.startswith(f"{VERSION}/"):
            return text("Not Found", 404)
        return find({"meta-data": self._tree()}, path.removeprefix(VERSION))

    def _tree(self) -> Tree:
        vm = self._world.build_host
        with self._world.cloud.lock:
            blocks = [name for name in vm.block_device_mapping if name != vm.root_device_name]
            home = next(where for where in self._world.accounts() if vm.id in where.vms)
            tags = dict(home.tags.get(vm.id, {}))
        return {
            "ami-id": vm.image_id,
            "ami-launch-index": "0",
            "block-device-mapping": {
                "ami": vm.root_device_name,
                "root": vm.root_device_name,
                **{f"ebs{number}": name for number, name in enumerate(blocks, 1)},
            },
            "hostname": private_name(vm),
            "instance-id": vm.id,
            "instance-type": vm.vm_type,
            "local-hostname": private_name(vm),
            "local-ipv4": vm.private_ip,
            "mac": MAC,
            "network": {"interfaces": {"macs": {MAC: {"device-number": "0", "local-ipv4s": vm.private_ip}}}},
            "placement": {"availability-zone": vm.placement.zone},
            "reservation-id": "r-00000000",
            "security-groups": "default",
            "tags": tags,
        }
