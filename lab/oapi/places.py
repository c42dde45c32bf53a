# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What there is around the volumes: VMs, accounts, Regions, Subregions, quotas."""

from __future__ import annotations

import base64
import typing as t

from lab.config import OSC_REGION
from lab.oapi.filters import Reader, page, select, tag_readers
from lab.oapi.state import Action, Answer, Request, Vm, World, date

#: The Regions of the description's servers.
REGIONS = ("ap-northeast-1", "cloudgouv-eu-west-1", OSC_REGION, "us-east-2", "us-west-1")
#: Quotas of volumes, snapshots and images ("About Your Account", Outscale user guide), as (name, maximum).
QUOTAS = {"volume_limit": 250, "volume_size_limit": 25000, "snapshot_limit": 1000, "image_limit": 100}

OWNER = {
    "City": "Laboratory",
    "CompanyName": "Lab",
    "Country": "France",
    "Email": "lab@example.com",
    "FirstName": "Lab",
    "LastName": "Lab",
    "ZipCode": "00000",
}


class Places:
    """The calls that only look."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._lock = world.cloud.lock

    def actions(self) -> dict[str, Action]:
        return {
            "ReadAccounts": self.accounts,
            "ReadConsoleOutput": self.console_output,
            "ReadQuotas": self.quotas,
            "ReadRegions": self.regions,
            "ReadSubregions": self.subregions,
            "ReadVms": self.vms,
        }

    def accounts(self, request: Request) -> Answer:
        return {"Accounts": [{**OWNER, "AccountId": request.account, "CustomerId": "00000001"}]}

    def console_output(self, request: Request) -> Answer:
        vm = request.where.get_instance(request.params["VmId"])
        return {"VmId": vm.id, "ConsoleOutput": base64.b64encode(b"").decode()}

    def regions(self, request: Request) -> Answer:
        return {"Regions": [{"RegionName": name, "Endpoint": f"api.{name}.outscale.com"} for name in REGIONS]}

    def subregions(self, request: Request) -> Answer:
        name = request.where.region_name
        found = [
            {"SubregionName": zone, "RegionName": name, "State": "available", "LocationCode": code}
            for zone, code in request.where.zone_ids().items()
        ]
        some, following = page(select(found, request.params, SUBREGION_READERS, "ReadSubregions"), request.params)
        return {"Subregions": some, **following}

    def quotas(self, request: Request) -> Answer:
        where = request.where
        with self._lock:
            used = {
                "volume_limit": len(where.volumes),
                "volume_size_limit": sum(volume.size_gib for volume in where.volumes.values()),
                "snapshot_limit": len(where.snapshots),
                "image_limit": len(where.images),
            }
        found = [_quota(request.account, name, used[name]) for name in QUOTAS]
        some, following = page(select(found, request.params, QUOTA_READERS, "ReadQuotas"), request.params)
        return {"QuotaTypes": [{"QuotaType": "global", "Quotas": some}] if some else [], **following}

    def vms(self, request: Request) -> Answer:
        with self._lock:
            readers = self._vm_readers(request)
            chosen = select(list(request.where.vms.values()), request.params, readers, "ReadVms")
            some, following = page(chosen, request.params)
            return {"Vms": [self._vm(request, vm) for vm in some], **following}

    def _vm(self, request: Request, vm: Vm) -> Answer:
        return {
            "VmId": vm.id,
            "State": vm.state,
            "StateReason": "",
            "VmType": vm.vm_type,
            "ImageId": vm.image_id,
            "Architecture": "x86_64",
            "BootMode": "legacy",
            "Hypervisor": "xen",
            "Placement": {"SubregionName": vm.placement.zone, "Tenancy": "default"},
            "PrivateIp": vm.private_ip,
            "PrivateDnsName": private_name(vm),
            "RootDeviceName": vm.root_device_name,
            "RootDeviceType": "ebs",
            "BlockDeviceMappings": [_mapping(device, block) for device, block in vm.block_device_mapping.items()],
            "CreationDate": date(vm.created),
            "ProductCodes": ["0001"],
            "Tags": request.where.tag_list(vm.id),
        }

    def _vm_readers(self, request: Request) -> dict[str, Reader[Vm]]:
        where = request.where

        def blocks(read: t.Callable[[str, t.Any], object]) -> Reader[Vm]:
            return lambda vm: [read(device, block) for device, block in vm.block_device_mapping.items()]

        return {
            **tag_readers(lambda vm: where.tags.get(vm.id, {})),
            "BlockDeviceMappingDeviceNames": blocks(lambda device, _: device),
            "BlockDeviceMappingStates": blocks(lambda _, block: block.status),
            "BlockDeviceMappingVolumeIds": blocks(lambda _, block: block.volume_id),
            "ImageIds": lambda vm: [vm.image_id],
            "PrivateIps": lambda vm: [vm.private_ip],
            "SubregionNames": lambda vm: [vm.placement.zone],
            "VmIds": lambda vm: [vm.id],
            "VmStateNames": lambda vm: [vm.state],
            "VmTypes": lambda vm: [vm.vm_type],
        }


def private_name(vm: Vm) -> str:
    return f"ip-{vm.private_ip.replace('.', '-')}.{OSC_REGION}.compute.internal"


def _mapping(device: str, block: t.Any) -> dict[str, t.Any]:
    bsu = {
        "VolumeId": block.volume_id,
        "State": "detaching" if block.status == "busy" else block.status,
        "LinkDate": date(block.attach_time),
        "DeleteOnVmDeletion": bool(block.delete_on_termination),
    }
    return {"DeviceName": device, "Bsu": bsu}


def _quota(account: str, name: str, used: int) -> Answer:
    words = name.replace("_", " ").capitalize()
    return {
        "AccountId": account,
        "Name": name,
        "MaxValue": QUOTAS[name],
        "UsedValue": used,
        "QuotaCollection": "Compute",
        "ShortDescription": words,
        "Description": words,
    }


SUBREGION_READERS: dict[str, Reader[dict[str, str]]] = {
    "RegionNames": lambda one: [one["RegionName"]],
    "States": lambda one: [one["State"]],
    "SubregionNames": lambda one: [one["SubregionName"]],
}
QUOTA_READERS: dict[str, Reader[Answer]] = {
    "Collections": lambda one: [one["QuotaCollection"]],
    "QuotaNames": lambda one: [one["Name"]],
    "QuotaTypes": lambda one: ["global"],
    "ShortDescriptions": lambda one: [one["ShortDescription"]],
}
