# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What can be changed on a snapshot: permissions and locks; and the account's public access blocks."""

from __future__ import annotations

import typing as t

from lab.ec2 import errors
from lab.ec2.cloud import Action, Answer, Cloud, Request
from lab.ec2.models import Snapshot, utc_now
from lab.ec2.sharing import requested_changes

GRANT_LISTS = {"UserIds": "UserId", "GroupNames": "Group"}
LOCK_FIELDS = ("LockMode", "LockDuration", "CoolOffPeriod", "ExpirationDate")


class SnapshotAttributes:
    """The actions on one existing snapshot of the caller's own, and on the account's defaults."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._snapshot_block: dict[tuple[str, str], str] = {}
        self._image_block: dict[tuple[str, str], str] = {}

    def actions(self) -> dict[str, Action]:
        return {
            "DescribeSnapshotAttribute": self._locked(self._describe),
            "ModifySnapshotAttribute": self._locked(self._modify),
            "ResetSnapshotAttribute": self._locked(self._reset),
            "LockSnapshot": self._locked(self._lock),
            "UnlockSnapshot": self._locked(self._unlock),
            "DescribeLockedSnapshots": self._locked_snapshots,
            "GetSnapshotBlockPublicAccessState": self._get_snapshot_block,
            "EnableSnapshotBlockPublicAccess": self._enable_snapshot_block,
            "DisableSnapshotBlockPublicAccess": self._disable_snapshot_block,
            "GetImageBlockPublicAccessState": self._get_image_block,
            "EnableImageBlockPublicAccess": self._enable_image_block,
            "DisableImageBlockPublicAccess": self._disable_image_block,
        }

    def _locked(self, change: t.Callable[[Request, Snapshot], Answer]) -> Action:
        def act(request: Request) -> Answer:
            with self._cloud.lock:
                found = self._cloud.snapshot(request.region, request.required("SnapshotId"), own=True)
                return change(request, found)

        return act

    def _describe(self, request: Request, snapshot: Snapshot) -> Answer:
        attribute = request.required("Attribute")
        if attribute == "productCodes":
            return {"SnapshotId": snapshot.id, "ProductCodes": []}
        if attribute != "createVolumePermission":
            raise errors.invalid_value(f"Value ({attribute}) for parameter attribute is invalid.")
        groups = [{"Group": "all"}] if snapshot.public else []
        users = [{"UserId": user} for user in sorted(snapshot.users)]
        return {"SnapshotId": snapshot.id, "CreateVolumePermissions": [*groups, *users]}

    def _modify(self, request: Request, snapshot: Snapshot) -> Answer:
        add, remove = requested_changes(request.params, "CreateVolumePermission", GRANT_LISTS)
        if not add and not remove:
            raise errors.missing("createVolumePermission")
        public = {"Group": "all"}
        if public in add and snapshot.encrypted:
            raise errors.Ec2Error("OperationNotPermitted", "Encrypted snapshots cannot be shared publicly.")
        if public in add and self._snapshot_block.get(_key(request)):
            raise errors.Ec2Error("OperationNotPermitted", "Block public access for snapshots is enabled.")
        snapshot.public = (snapshot.public or public in add) and public not in remove
        snapshot.users |= {grant["UserId"] for grant in add if "UserId" in grant}
        snapshot.users -= {grant["UserId"] for grant in remove if "UserId" in grant}
        return {}

    def _reset(self, request: Request, snapshot: Snapshot) -> Answer:
        if request.required("Attribute") != "createVolumePermission":
            raise errors.invalid_value("The only attribute that can be reset is createVolumePermission.")
        snapshot.public, snapshot.users = False, set()
        return {}

    def _lock(self, request: Request, snapshot: Snapshot) -> Answer:
        request.required("LockMode")
        lock: Answer = {key: request.params[key] for key in LOCK_FIELDS if request.params.get(key) is not None}
        state = "governance" if lock["LockMode"] == "governance" else "compliance"
        snapshot.lock = {**lock, "LockState": state, "LockCreatedOn": utc_now()}
        return {"SnapshotId": snapshot.id, **{key: value for key, value in snapshot.lock.items() if key != "LockMode"}}

    def _unlock(self, _: Request, snapshot: Snapshot) -> Answer:
        if snapshot.lock is None:
            raise errors.Ec2Error("SnapshotLockNotFound", f"The snapshot {snapshot.id} is not locked.")
        if snapshot.lock["LockState"] == "compliance":
            raise errors.Ec2Error("SnapshotLocked", f"The snapshot {snapshot.id} is locked in compliance mode.")
        snapshot.lock = None
        return {"SnapshotId": snapshot.id}

    def _locked_snapshots(self, request: Request) -> Answer:
        wanted = request.params.get("SnapshotIds")
        with self._cloud.lock:
            found = [
                {"SnapshotId": one.id, "OwnerId": one.account, **one.lock}
                for one in request.region.snapshots.values()
                if one.lock and (not wanted or one.id in wanted)
            ]
        return {"Snapshots": found}

    def _get_snapshot_block(self, request: Request) -> Answer:
        return {"State": self._snapshot_block.get(_key(request), "unblocked")}

    def _enable_snapshot_block(self, request: Request) -> Answer:
        self._snapshot_block[_key(request)] = request.required("State")
        return {"State": self._snapshot_block[_key(request)]}

    def _disable_snapshot_block(self, request: Request) -> Answer:
        self._snapshot_block.pop(_key(request), None)
        return {"State": "unblocked"}

    def _get_image_block(self, request: Request) -> Answer:
        return {"ImageBlockPublicAccessState": self._image_block.get(_key(request), "unblocked")}

    def _enable_image_block(self, request: Request) -> Answer:
        self._image_block[_key(request)] = request.required("ImageBlockPublicAccessState")
        return {"ImageBlockPublicAccessState": self._image_block[_key(request)]}

    def _disable_image_block(self, request: Request) -> Answer:
        self._image_block.pop(_key(request), None)
        return {"ImageBlockPublicAccessState": "unblocked"}


def _key(request: Request) -> tuple[str, str]:
    return request.account, request.region.region_name
