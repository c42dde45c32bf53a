# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The EBS direct APIs: blocks of snapshots, read and written ("EBS direct APIs" reference)."""

from __future__ import annotations

import base64
import binascii
import functools
import hashlib
import hmac
import secrets
import threading
import time
import typing as t
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from lab.answers import Reply, json_reply
from lab.clock import CLOCK
from lab.ebs_calls import EbsCall, EbsError, invalid, json_object, not_found
from lab.ec2.backend import Ec2, region
from lab.ec2.cloud import Region, check_tags
from lab.ec2.errors import Ec2Error
from lab.ec2.models import Snapshot, new_id
from lab.ec2.tokens import TokenMismatch
from lab.plane import blocks
from lab.plane.blocks import BLOCK_SIZE
from lab.settings import Fault

GIB = 1024**3
#: Seconds that block tokens are good for.
TOKEN_SECONDS = 7 * 24 * 3600


@dataclass
class _Upload:
    """What has been put into a snapshot that is not complete."""

    parent: bool
    timeout_at: float
    checksums: dict[int, str] = field(default_factory=dict)


class EbsDirect:
    """The six actions over the lab's snapshots."""

    def __init__(self, ec2: Ec2) -> None:
        self._ec2 = ec2
        self._cloud = ec2.cloud
        self._uploads: dict[str, _Upload] = {}
        self._lock = threading.Lock()
        self._secret = secrets.token_bytes(16)
        self._changed = functools.lru_cache(maxsize=32)(self._compare)

    def serve(self, call: EbsCall, fault: Fault | None) -> Reply:
        actions: dict[str, Callable[[EbsCall], Reply]] = {
            "StartSnapshot": lambda one: self._start(one, fault),
            "PutSnapshotBlock": self._put,
            "CompleteSnapshot": lambda one: self._complete(one, fault),
            "ListSnapshotBlocks": self._list,
            "ListChangedBlocks": self._list_changed,
            "GetSnapshotBlock": self._get,
        }
        try:
            return actions[call.action](call)
        except EbsError as exc:
            return exc.to_reply()
        except Ec2Error as exc:
            return _translated(exc).to_reply()

    def _start(self, call: EbsCall, fault: Fault | None) -> Reply:
        asked = json_object(call.body)
        token = asked.get("ClientToken")
        if not token:
            return self._started(call, asked, fault)
        key = (call.account, call.region, "StartSnapshot", str(token))
        try:
            return self._ec2.tokens.once(key, asked, lambda: self._started(call, asked, fault))
        except TokenMismatch:
            raise EbsError(
                "ConflictException",
                409,
                "The request uses the same client token as a previous, but non-identical request.",
            ) from None

    def _started(self, call: EbsCall, asked: Mapping[str, t.Any], fault: Fault | None) -> Reply:
        size = asked.get("VolumeSize")
        if not isinstance(size, int) or not 1 <= size <= 65536:
            raise invalid("VolumeSize is between 1 and 65536 GiB.")
        timeout = asked.get("Timeout", 60)
        if not isinstance(timeout, int) or not 10 <= timeout <= 4320:
            raise invalid("Timeout is between 10 and 4320 minutes.")
        tags = {tag["Key"]: tag.get("Value", "") for tag in asked.get("Tags") or ()}
        check_tags(tags)
        where = region(call.account, call.region)
        with self._cloud.lock:
            parent = self._parent(where, asked, size)
            snapshot = self._new(where, asked, parent, fault)
            self._ec2.snapshots.enter(where, snapshot, tags)
        self._cloud.files.make_snapshot(snapshot.id, size, parent.id if parent else None)
        with self._lock:
            self._uploads[snapshot.id] = _Upload(bool(parent), CLOCK.now() + 60 * timeout)
        answer = {
            "SnapshotId": snapshot.id,
            "OwnerId": snapshot.account,
            "Status": "pending",
            "StartTime": snapshot.started.timestamp(),
            "VolumeSize": size,
            "BlockSize": BLOCK_SIZE,
            "Description": snapshot.description,
            "Tags": [{"Key": key, "Value": value} for key, value in tags.items()],
        }
        optional = {"ParentSnapshotId": snapshot.parent_id, "KmsKeyArn": snapshot.kms_key_id}
        return json_reply({**answer, **{key: value for key, value in optional.items() if value}}, 201)

    def _parent(self, where: Region, asked: Mapping[str, t.Any], size: int) -> Snapshot | None:
        parent_id = asked.get("ParentSnapshotId")
        if not parent_id:
            return None
        if "Encrypted" in asked:
            # "If you specify a value for ParentSnapshotId, omit this parameter" (StartSnapshot, Encrypted).
            raise invalid("Encrypted cannot be given together with ParentSnapshotId.", "INVALID_DEPENDENCY_REQUEST")
        parent = self._cloud.snapshot(where, parent_id)
        if parent.state != "completed":
            raise invalid(f"The parent snapshot {parent_id} is {parent.state}.", "INVALID_SNAPSHOT_ID")
        if size < parent.size_gib:
            raise invalid("VolumeSize is smaller than that of the parent snapshot.")
        return parent

    def _new(self, where: Region, asked: Mapping[str, t.Any], parent: Snapshot | None, fault: Fault | None) -> Snapshot:
        key = asked.get("KmsKeyArn")
        if key and not asked.get("Encrypted") and not parent:
            raise invalid("KmsKeyArn requires Encrypted.", "INVALID_DEPENDENCY_REQUEST")
        encrypted = bool(asked.get("Encrypted")) or bool(parent and parent.encrypted) or where.ebs_encryption_by_default
        inherited = parent.kms_key_id if parent else None
        return Snapshot(
            id=new_id("snap"),
            account=where.account_id,
            region=where.region_name,
            volume_id="vol-ffffffff",
            size_gib=int(asked["VolumeSize"]),
            timeline=self._cloud.timeline("snapshot", fault),
            description=asked.get("Description") or "",
            encrypted=encrypted,
            kms_key_id=(inherited or where.kms_key_arn(key)) if encrypted else None,
            direct=True,
            parent_id=parent.id if parent else None,
        )

    def _upload(self, call: EbsCall) -> tuple[Snapshot, _Upload]:
        snapshot = self._snapshot(call, call.params["SnapshotId"])
        with self._lock:
            upload = self._uploads.get(snapshot.id)
        if upload is None:
            raise invalid(f"The snapshot {snapshot.id} is not in the pending state.", "INVALID_SNAPSHOT_ID")
        if CLOCK.now() > upload.timeout_at:
            raise invalid(f"The upload of snapshot {snapshot.id} has timed out.", "WRITE_REQUEST_TIMEOUT")
        return snapshot, upload

    def _snapshot(self, call: EbsCall, snapshot_id: str) -> Snapshot:
        with self._cloud.lock:
            return self._cloud.snapshot(region(call.account, call.region), snapshot_id)

    def _put(self, call: EbsCall) -> Reply:
        snapshot, upload = self._upload(call)
        index = _index(call, snapshot)
        if call.number("DataLength") != BLOCK_SIZE or len(call.body) != BLOCK_SIZE:
            raise invalid(f"A block has {BLOCK_SIZE} bytes.", "INVALID_BLOCK")
        if call.params.get("ChecksumAlgorithm") != "SHA256":
            raise invalid("ChecksumAlgorithm is SHA256.")
        progress = call.number("Progress")
        if progress is not None and progress > 100:
            raise invalid("Progress is between 0 and 100.")
        checksum = _checksum(call.body)
        if call.params.get("Checksum") != checksum:
            raise invalid("The checksum does not match the block's data.", "INVALID_BLOCK")
        blocks.write_block(self._cloud.files.snapshot(snapshot.id), index, call.body)
        with self._lock:
            upload.checksums[index] = checksum
        return Reply(201, b"", {"x-amz-Checksum": checksum, "x-amz-Checksum-Algorithm": "SHA256"})

    def _complete(self, call: EbsCall, fault: Fault | None) -> Reply:
        snapshot, upload = self._upload(call)
        if call.number("ChangedBlocksCount") != len(upload.checksums):
            raise invalid(f"ChangedBlocksCount does not match: {len(upload.checksums)} blocks have been written.")
        _check_aggregate(call, upload)
        with self._lock:
            self._uploads.pop(snapshot.id, None)
        timeline = self._cloud.timeline("snapshot", fault)
        timeline.hidden_seconds = 0
        snapshot.timeline = timeline
        snapshot.sealed = True
        return json_reply({"Status": "completed" if timeline.done else "pending"}, 202)

    def _completed(self, call: EbsCall, parameter: str = "SnapshotId") -> Snapshot:
        snapshot = self._snapshot(call, call.params[parameter])
        if snapshot.state != "completed":
            raise invalid(f"The snapshot {snapshot.id} is {snapshot.state}.", "INVALID_SNAPSHOT_ID")
        return snapshot

    def _list(self, call: EbsCall) -> Reply:
        snapshot = self._completed(call)
        indexes = blocks.written_blocks(self._cloud.files.snapshot(snapshot.id))
        some, following = _page(call, indexes, lambda index: index)
        listed = [{"BlockIndex": index, "BlockToken": self._token(snapshot, index)} for index in some]
        return json_reply({"Blocks": listed, **_listing(snapshot, following)})

    def _list_changed(self, call: EbsCall) -> Reply:
        second = self._completed(call, "SecondSnapshotId")
        if "FirstSnapshotId" not in call.params:
            # "If no snapshot is specified, the response contains all blocks of the second one" (FirstSnapshotId).
            indexes = blocks.written_blocks(self._cloud.files.snapshot(second.id))
            changes = tuple(blocks.ChangedBlock(index, False, True) for index in indexes)
            first = second
        else:
            first = self._completed(call, "FirstSnapshotId")
            if first.size_gib > second.size_gib:
                raise invalid("The first snapshot is larger than the second one.", "UNRELATED_SNAPSHOTS")
            changes = self._changed(first.id, second.id)
        some, following = _page(call, changes, lambda change: change.index)
        listed = [self._changed_view(first, second, change) for change in some]
        return json_reply({"ChangedBlocks": listed, **_listing(second, following)})

    def _compare(self, first_id: str, second_id: str) -> tuple[blocks.ChangedBlock, ...]:
        files = self._cloud.files
        return tuple(blocks.changed_blocks(files.snapshot(first_id), files.snapshot(second_id)))

    def _changed_view(self, first: Snapshot, second: Snapshot, change: blocks.ChangedBlock) -> dict[str, t.Any]:
        view: dict[str, t.Any] = {"BlockIndex": change.index}
        if change.in_first:
            view["FirstBlockToken"] = self._token(first, change.index)
        if change.in_second:
            view["SecondBlockToken"] = self._token(second, change.index)
        return view

    def _get(self, call: EbsCall) -> Reply:
        snapshot = self._completed(call)
        index = _index(call, snapshot)
        token = call.params.get("BlockToken", "")
        if not hmac.compare_digest(token, self._token(snapshot, index)):
            raise invalid("The block token is not valid for this block.", "INVALID_BLOCK_TOKEN")
        content = blocks.read_block(self._cloud.files.snapshot(snapshot.id), index)
        headers = {
            "Content-Type": "application/octet-stream",
            "x-amz-Data-Length": str(len(content)),
            "x-amz-Checksum": _checksum(content),
            "x-amz-Checksum-Algorithm": "SHA256",
        }
        return Reply(200, content, headers)

    def _token(self, snapshot: Snapshot, index: int) -> str:
        seal = hmac.new(self._secret, f"{snapshot.id}/{index}".encode(), hashlib.sha256)
        return base64.b64encode(seal.digest()).decode()


T = t.TypeVar("T")


def _page(call: EbsCall, items: t.Sequence[T], index: Callable[[T], int]) -> tuple[list[T], str | None]:
    limit = call.number("MaxResults", 10000) or 0
    if not 100 <= limit <= 10000:
        raise invalid("MaxResults is between 100 and 10000.")
    start = call.number("StartingBlockIndex", 0) or 0
    if "NextToken" in call.params:
        # "If you specify NextToken, then StartingBlockIndex is ignored" (ListSnapshotBlocks).
        start = _decode_page(call.params["NextToken"])
    remaining = [item for item in items if index(item) >= start]
    following = _encode_page(index(remaining[limit])) if len(remaining) > limit else None
    return remaining[:limit], following


def _listing(snapshot: Snapshot, following: str | None) -> dict[str, t.Any]:
    listing = {
        "ExpiryTime": time.time() + TOKEN_SECONDS,
        "VolumeSize": snapshot.size_gib,
        "BlockSize": BLOCK_SIZE,
    }
    return {**listing, "NextToken": following} if following else listing


def _encode_page(index: int) -> str:
    return base64.urlsafe_b64encode(f"block:{index}".encode()).decode()


def _decode_page(token: str) -> int:
    try:
        word, _, number = base64.urlsafe_b64decode(token).decode().partition(":")
        if word == "block":
            return int(number)
    except (ValueError, binascii.Error):
        pass
    raise invalid("The page token is not valid.", "INVALID_PAGE_TOKEN")


def _index(call: EbsCall, snapshot: Snapshot) -> int:
    index = call.number("BlockIndex")
    if index is None or index >= snapshot.size_gib * GIB // BLOCK_SIZE:
        raise invalid(f"The block index {index} is outside of the snapshot.", "INVALID_BLOCK")
    return index


def _check_aggregate(call: EbsCall, upload: _Upload) -> None:
    if "Checksum" not in call.params:
        return
    if call.params.get("ChecksumAlgorithm") != "SHA256" or call.params.get("ChecksumAggregationMethod") != "LINEAR":
        raise invalid("A checksum needs ChecksumAlgorithm SHA256 and ChecksumAggregationMethod LINEAR.")
    # The digest over the blocks' own digests in order ("Use checksums with EBS direct APIs").
    joined = b"".join(base64.b64decode(upload.checksums[index]) for index in sorted(upload.checksums))
    if call.params["Checksum"] != _checksum(joined):
        raise invalid("The checksum does not match the blocks that have been written.")


def _checksum(content: bytes) -> str:
    return base64.b64encode(hashlib.sha256(content).digest()).decode()


def _translated(exc: Ec2Error) -> EbsError:
    if exc.code == "InvalidSnapshot.NotFound":
        return not_found(exc.message, "SNAPSHOT_NOT_FOUND")
    if exc.code == "InvalidSnapshotID.Malformed":
        return invalid(exc.message, "INVALID_SNAPSHOT_ID")
    return invalid(exc.message)
