# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Fast snapshot restore: in which zones volumes made from a snapshot have their full speed at once."""

from __future__ import annotations

import typing as t

from ansible_collections.bakehouse.images.plugins.module_utils._ec2.api import Ec2Api, filter_list
from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError

# https://docs.aws.amazon.com/ebs/latest/userguide/ebs-fast-snapshot-restore.html, states
_ON = ("enabling", "optimizing", "enabled")


class ChangeFastRestore:
    """Switch it on or off for snapshots in zones.

    Args:
        verb: C(enable) or C(disable).
    """

    def __init__(self, api: Ec2Api, verb: str, snapshot_ids: t.Sequence[str], zones: t.Sequence[str]) -> None:
        self.api = api
        self.verb = verb
        self.snapshot_ids = list(snapshot_ids)
        self.zones = list(zones)

    def describe(self) -> str:
        """See Operation.describe."""
        return "%s fast restore of %s in %s" % (self.verb, ", ".join(self.snapshot_ids), ", ".join(self.zones))

    def execute(self) -> None:
        """See Operation.execute. EC2 answers such a call with what it could not do."""
        answer = self.api.call(
            "%s_fast_snapshot_restores" % self.verb,
            self.describe(),
            AvailabilityZones=self.zones,
            SourceSnapshotIds=self.snapshot_ids,
        )
        refused = [
            "%s in %s: %s"
            % (one.get("SnapshotId"), each.get("AvailabilityZone"), (each.get("Error") or {}).get("Message"))
            for one in answer.get("Unsuccessful") or []
            for each in one.get("FastSnapshotRestoreStateErrors") or []
        ]
        if refused:
            raise BuildError(
                "Cannot %s: %s" % (self.describe(), "; ".join(refused)),
                hint="A region has a quota of snapshots with fast restore, and not every zone offers it.",
            )


def plan_fast_restore(
    api: Ec2Api, snapshot_ids: t.Sequence[str], zones: t.Optional[t.Collection[str]]
) -> t.List[ChangeFastRestore]:
    """Plan to have it in exactly these zones; None leaves it as it is."""
    if zones is None or not snapshot_ids:
        return []
    found = api.find(
        "describe_fast_snapshot_restores",
        "FastSnapshotRestores",
        "see where snapshots have fast restore",
        Filters=filter_list({"snapshot-id": list(snapshot_ids)}),
    )
    there: t.Dict[str, t.Set[str]] = {snapshot_id: set() for snapshot_id in snapshot_ids}
    for one in found:
        if one.get("State") in _ON and one.get("SnapshotId") in there:
            there[one["SnapshotId"]].add(str(one["AvailabilityZone"]))
    changes = []
    for snapshot_id, current in there.items():
        for verb, some in (("enable", set(zones) - current), ("disable", current - set(zones))):
            if some:
                changes.append(ChangeFastRestore(api, verb, [snapshot_id], sorted(some)))
    return changes


__all__ = ("ChangeFastRestore", "plan_fast_restore")
