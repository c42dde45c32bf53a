# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Snapshots, where moto differs from EC2."""

from __future__ import annotations

from tests.lab.resources import Resources, refused
from tests.lab_fixture import RunningLab

OTHER_ACCOUNT = "210987654321"


def test_its_size_is_that_of_the_moment(made: Resources) -> None:
    """VolumeSize is the size of the volume when the snapshot was made (Snapshot data type)."""
    volume_id = made.volume(Size=1)
    snapshot_id = made.snapshot(volume_id)
    made.ec2.modify_volume(VolumeId=volume_id, Size=2)
    assert made.ec2.describe_snapshots(SnapshotIds=[snapshot_id])["Snapshots"][0]["VolumeSize"] == 1


def test_owners(lab: RunningLab, made: Resources) -> None:
    """OwnerIds and RestorableByUserIds limit what is listed (DescribeSnapshots)."""
    mine, shared = made.snapshot(made.volume()), made.snapshot(made.volume())
    others = lab.client("ec2", account=OTHER_ACCOUNT)
    made.ec2.modify_snapshot_attribute(SnapshotId=shared, CreateVolumePermission={"Add": [{"UserId": OTHER_ACCOUNT}]})

    def ids(**options: list[str]) -> set[str]:
        return {snapshot["SnapshotId"] for snapshot in others.describe_snapshots(**options)["Snapshots"]}

    assert ids(OwnerIds=["self"]) == set()
    assert shared in ids(OwnerIds=[lab.account])
    assert ids(RestorableByUserIds=["self"]) == {shared}
    assert mine not in ids()


def test_fast_restore(lab: RunningLab, made: Resources) -> None:
    """By snapshot and zone; what cannot be is in the answer (EnableFastSnapshotRestores). It goes with the snapshot."""
    snapshot_id = made.snapshot(made.volume())
    own = [{"Name": "snapshot-id", "Values": [snapshot_id]}]

    def there() -> list[tuple[str, str]]:
        found = made.ec2.describe_fast_snapshot_restores(Filters=own)["FastSnapshotRestores"]
        return [(one["AvailabilityZone"], one["State"]) for one in found]

    answer = made.ec2.enable_fast_snapshot_restores(
        AvailabilityZones=[lab.zone, "mars-1a"], SourceSnapshotIds=[snapshot_id]
    )
    assert [one["AvailabilityZone"] for one in answer["Successful"]] == [lab.zone]
    assert answer["Unsuccessful"][0]["FastSnapshotRestoreStateErrors"][0]["AvailabilityZone"] == "mars-1a"
    assert there() == [(lab.zone, "enabled")]
    made.ec2.disable_fast_snapshot_restores(AvailabilityZones=[lab.zone], SourceSnapshotIds=[snapshot_id])
    assert there() == []
    made.ec2.enable_fast_snapshot_restores(AvailabilityZones=[lab.zone], SourceSnapshotIds=[snapshot_id])
    made.ec2.delete_snapshot(SnapshotId=snapshot_id)
    assert there() == []


def test_permissions_in_both_forms(made: Resources) -> None:
    """CreateVolumePermission, or OperationType with lists; and reset (ModifySnapshotAttribute)."""
    snapshot_id = made.snapshot(made.volume())

    def granted() -> list[dict[str, str]]:
        answer = made.ec2.describe_snapshot_attribute(SnapshotId=snapshot_id, Attribute="createVolumePermission")
        return list(answer["CreateVolumePermissions"])

    made.ec2.modify_snapshot_attribute(
        SnapshotId=snapshot_id, CreateVolumePermission={"Add": [{"UserId": OTHER_ACCOUNT}]}
    )
    made.ec2.modify_snapshot_attribute(SnapshotId=snapshot_id, OperationType="add", GroupNames=["all"])
    assert granted() == [{"Group": "all"}, {"UserId": OTHER_ACCOUNT}]
    made.ec2.reset_snapshot_attribute(SnapshotId=snapshot_id, Attribute="createVolumePermission")
    assert granted() == []


def test_an_encrypted_snapshot_is_never_public(made: Resources) -> None:
    """ "Encrypted snapshots cannot be shared publicly" ("Share an Amazon EBS snapshot")."""
    snapshot_id = made.snapshot(made.volume(Encrypted=True))
    with refused("OperationNotPermitted"):
        made.ec2.modify_snapshot_attribute(SnapshotId=snapshot_id, OperationType="add", GroupNames=["all"])


def test_copying(lab: RunningLab, made: Resources) -> None:
    """Encrypted alone uses the default key; tags are those of the call (CopySnapshot)."""
    tags = [{"ResourceType": "snapshot", "Tags": [{"Key": "a", "Value": "b"}]}]
    source = made.snapshot(made.volume(), TagSpecifications=tags)
    copy_id = made.ec2.copy_snapshot(
        SourceSnapshotId=source, SourceRegion=lab.region, Encrypted=True, Description="the copy"
    )["SnapshotId"]
    copy = made.ec2.describe_snapshots(SnapshotIds=[made.keep(copy_id)])["Snapshots"][0]
    assert copy["Encrypted"] is True
    assert copy["KmsKeyId"].startswith("arn:aws:kms:")
    assert copy["Description"] == "the copy"
    assert "Tags" not in copy


def test_locked(made: Resources) -> None:
    """A locked snapshot cannot be deleted (LockSnapshot)."""
    snapshot_id = made.snapshot(made.volume())
    made.ec2.lock_snapshot(SnapshotId=snapshot_id, LockMode="governance", LockDuration=1)
    with refused("SnapshotLocked"):
        made.ec2.delete_snapshot(SnapshotId=snapshot_id)
    made.ec2.unlock_snapshot(SnapshotId=snapshot_id)
    made.ec2.delete_snapshot(SnapshotId=snapshot_id)


def test_filters(made: Resources) -> None:
    """Wildcards in start-time, a size, and an error for an unknown filter (DescribeSnapshots, Filters)."""
    snapshot_id = made.snapshot(made.volume(Size=3), Description="three")

    def found(name: str, value: str) -> list[str]:
        filters = [{"Name": "description", "Values": ["three"]}, {"Name": name, "Values": [value]}]
        return [one["SnapshotId"] for one in made.ec2.describe_snapshots(Filters=filters)["Snapshots"]]

    assert found("start-time", "20*") == [snapshot_id]
    assert found("volume-size", "3") == [snapshot_id]
    assert found("status", "completed") == [snapshot_id]
    with refused("InvalidParameterValue"):
        found("colour", "red")
