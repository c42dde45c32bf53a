# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""What can be changed on an image that is there: who may use it, its texts, and the same of its snapshots."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.bakehouse.images.plugins.module_utils._outscale.api import OutscaleApi
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.images import Image
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.permissions import (
    Permissions,
    account_problems,
)
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.snapshots import Snapshot, read_snapshot
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.tagging import set_tags
from ansible_collections.bakehouse.images.plugins.module_utils._tags import tag_problems


@dataclass(frozen=True)
class Attributes:
    """What is wanted; None is left alone."""

    account_ids: t.Optional[t.Sequence[str]] = None
    global_permission: t.Optional[bool] = None
    snapshot_account_ids: t.Optional[t.Sequence[str]] = None
    snapshot_global_permission: t.Optional[bool] = None
    snapshot_tags: t.Mapping[str, str] = field(default_factory=dict)
    description: t.Optional[str] = None
    product_codes: t.Optional[t.Sequence[str]] = None

    def problems(self) -> t.List[str]:
        """All mistakes that can be seen without asking Outscale."""
        return (
            account_problems("launch_permissions", self.account_ids)
            + account_problems("snapshot_permissions", self.snapshot_account_ids)
            + tag_problems(self.snapshot_tags, option="snapshot_tags")
        )


@dataclass
class Target:
    """The image that is changed. Its id is known once it is made."""

    image_id: t.Optional[str] = None


@dataclass
class Change:
    """One call that changes the image, or one of its snapshots."""

    api: OutscaleApi
    target: Target
    what: str
    before: t.Any
    after: t.Any
    params: t.Mapping[str, t.Any]
    snapshot_id: t.Optional[str] = None

    def describe(self) -> str:
        """See Operation.describe."""
        of = self.snapshot_id or self.target.image_id or "the new image"
        return "set %s of %s: %s" % (self.what, of, self.after)

    def execute(self) -> None:
        """See Operation.execute."""
        action = "UpdateSnapshot" if self.snapshot_id else "UpdateImage"
        resource = {"SnapshotId": self.snapshot_id} if self.snapshot_id else {"ImageId": self.target.image_id}
        doing = "set %s of %s" % (self.what, self.snapshot_id or self.target.image_id)
        self.api.retry_missing(lambda: self.api.call(action, doing, **dict(resource, **self.params)), new=True)


class TagSnapshot:
    """Tag a snapshot of the image."""

    def __init__(self, api: OutscaleApi, snapshot_id: str, tags: t.Mapping[str, str]) -> None:
        self.api = api
        self.snapshot_id = snapshot_id
        self.tags = tags

    def describe(self) -> str:
        """See Operation.describe."""
        return "tag %s: %s" % (self.snapshot_id, ", ".join("%s=%s" % item for item in sorted(self.tags.items())))

    def execute(self) -> None:
        """See Operation.execute."""
        set_tags(self.api, self.snapshot_id, self.tags, new=True)


Operations = t.List[t.Union[Change, TagSnapshot]]


def plan_changes(api: OutscaleApi, image: Image, wanted: Attributes, target: Target) -> Operations:
    """Plan what makes the image, and its own snapshots, as they are wanted."""
    operations: Operations = []
    if wanted.description is not None and wanted.description != (image.description or ""):
        params = {"Description": wanted.description}
        operations.append(Change(api, target, "description", image.description, wanted.description, params))
    if wanted.product_codes is not None and sorted(wanted.product_codes) != sorted(image.product_codes):
        codes = sorted(wanted.product_codes)
        before = list(image.product_codes)
        operations.append(Change(api, target, "product_codes", before, codes, {"ProductCodes": codes}))
    for change in image.permissions.changes(wanted.account_ids, wanted.global_permission):
        sharing = {"PermissionsToLaunch": change}
        shared = image.permissions.to_ansible()
        operations.append(Change(api, target, "launch_permissions", shared, _shown(change), sharing))
    return operations + _plan_snapshots(api, image, wanted, target)


def _plan_snapshots(api: OutscaleApi, image: Image, wanted: Attributes, target: Target) -> Operations:
    if wanted.snapshot_account_ids is None and wanted.snapshot_global_permission is None and not wanted.snapshot_tags:
        return []
    operations: Operations = []
    for snapshot in own_snapshots(api, image):
        snapshot_id = str(snapshot.snapshot_id)
        for change in snapshot.permissions.changes(wanted.snapshot_account_ids, wanted.snapshot_global_permission):
            before = Permissions.to_ansible(snapshot.permissions)
            params = {"PermissionsToCreateVolume": change}
            operations.append(
                Change(api, target, "snapshot_permissions", before, _shown(change), params, snapshot_id=snapshot_id)
            )
        missing = {key: value for key, value in wanted.snapshot_tags.items() if snapshot.tags.get(key) != value}
        if missing:
            operations.append(TagSnapshot(api, snapshot_id, missing))
    return operations


def own_snapshots(api: OutscaleApi, image: Image) -> t.List[Snapshot]:
    """The snapshots of an image that builds of ours have made: others' are neither shared nor tagged."""
    found = [read_snapshot(api, snapshot_id, new=True) for snapshot_id in image.snapshot_ids]
    return [one for one in found if one.build_id]


def _shown(change: t.Mapping[str, t.Any]) -> t.List[str]:
    lines = []
    for direction, values in change.items():
        sign = "+" if direction == "Additions" else "-"
        lines += [sign + account for account in values.get("AccountIds", [])]
        lines += [sign + "everyone"] if values.get("GlobalPermission") else []
    return lines


__all__ = ("Attributes", "Change", "TagSnapshot", "Target", "own_snapshots", "plan_changes")
