# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fast snapshot restore: EnableFastSnapshotRestores, DisableFastSnapshotRestores, DescribeFastSnapshotRestores."""

from __future__ import annotations

from lab.ec2 import errors
from lab.ec2.cloud import Action, Answer, Cloud, Request
from lab.ec2.filters import Reader, page, select
from lab.ec2.models import Timeline

#: Account, region, snapshot, zone.
Key = tuple[str, str, str, str]


class FastRestores:
    """Which snapshots have it in which zones. It goes with its snapshot."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._there: dict[Key, Timeline] = {}

    def actions(self) -> dict[str, Action]:
        return {
            "EnableFastSnapshotRestores": self._enable,
            "DisableFastSnapshotRestores": self._disable,
            "DescribeFastSnapshotRestores": self._describe,
        }

    def _enable(self, request: Request) -> Answer:
        return self._change(request, enable=True)

    def _disable(self, request: Request) -> Answer:
        return self._change(request, enable=False)

    def _change(self, request: Request, *, enable: bool) -> Answer:
        done, refused = [], []
        with self._cloud.lock:
            zones = request.required("AvailabilityZones")
            for snapshot_id in request.required("SourceSnapshotIds"):
                self._cloud.snapshot(request.region, snapshot_id, own=True)
                for zone in zones:
                    key = (request.account, request.region.region_name, snapshot_id, zone)
                    if zone not in request.region.zone_ids():
                        refused.append(_refusal(snapshot_id, zone))
                        continue
                    if enable:
                        self._there.setdefault(key, self._cloud.timeline("snapshot", request.fault))
                    else:
                        self._there.pop(key, None)
                    state = "enabling" if enable else "disabling"
                    done.append({"SnapshotId": snapshot_id, "AvailabilityZone": zone, "State": state})
        return {"Successful": done, "Unsuccessful": refused}

    def _describe(self, request: Request) -> Answer:
        with self._cloud.lock:
            self._forget_deleted()
            mine = [key for key in self._there if key[:2] == (request.account, request.region.region_name)]
            chosen = select(mine, request.params.get("Filters"), self._filters(), lambda _: {})
            some, token = page(chosen, request.params, least=1, most=200)
            return {"FastSnapshotRestores": [self._view(key) for key in some], "NextToken": token}

    def _forget_deleted(self) -> None:
        for key in list(self._there):
            account, region, snapshot_id, _ = key
            if snapshot_id not in self._cloud.region(account, region).snapshots:
                del self._there[key]

    def _view(self, key: Key) -> Answer:
        account, _, snapshot_id, zone = key
        return {"SnapshotId": snapshot_id, "AvailabilityZone": zone, "OwnerId": account, "State": self._state(key)}

    def _state(self, key: Key) -> str:
        return "enabled" if self._there[key].done else "optimizing"

    def _filters(self) -> dict[str, Reader[Key]]:
        return {
            "snapshot-id": lambda key: [key[2]],
            "availability-zone": lambda key: [key[3]],
            "owner-id": lambda key: [key[0]],
            "state": lambda key: [self._state(key)],
        }


def _refusal(snapshot_id: str, zone: str) -> Answer:
    error = errors.invalid_value(f"Invalid availability zone: [{zone}]")
    state_error = {"AvailabilityZone": zone, "Error": {"Code": error.code, "Message": error.message}}
    return {"SnapshotId": snapshot_id, "FastSnapshotRestoreStateErrors": [state_error]}
