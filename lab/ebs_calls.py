# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Requests and errors of the EBS direct APIs, as they look on the wire."""

from __future__ import annotations

import json
import re
import typing as t
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qs

from lab.answers import Reply, error_reply


class EbsError(Exception):
    """An error answer; C(kind) is the exception's name in the API."""

    def __init__(self, kind: str, status: int, message: str, reason: str | None = None) -> None:
        super().__init__(message)
        self.kind, self.status, self.message, self.reason = kind, status, message, reason

    def to_reply(self) -> Reply:
        reply = error_reply("ebs", self.kind, self.message, self.status)
        body = {"Message": self.message, **({"Reason": self.reason} if self.reason else {})}
        reply.body = json.dumps(body).encode()
        return reply


def invalid(message: str, reason: str = "INVALID_PARAMETER_VALUE") -> EbsError:
    return EbsError("ValidationException", 400, message, reason)


def not_found(message: str, reason: str) -> EbsError:
    return EbsError("ResourceNotFoundException", 404, message, reason)


@dataclass(frozen=True)
class EbsCall:
    """One call: the action, parameters of path, query and headers by their names in the API, and the body."""

    action: str
    account: str
    region: str
    params: Mapping[str, str]
    body: bytes

    def number(self, name: str, default: int | None = None) -> int | None:
        value = self.params.get(name)
        if value is None:
            return default
        if not re.fullmatch(r"\d+", value):
            raise invalid(f"{name} is a number, not '{value}'.")
        return int(value)

    def to_log(self) -> dict[str, str]:
        shown = dict(self.params)
        if self.action == "StartSnapshot":
            shown.update({key: json.dumps(value) for key, value in json_object(self.body).items()})
        return shown


ROUTES = (
    ("POST", r"/snapshots", "StartSnapshot"),
    ("POST", r"/snapshots/completion/(?P<SnapshotId>[^/]+)", "CompleteSnapshot"),
    ("PUT", r"/snapshots/(?P<SnapshotId>[^/]+)/blocks/(?P<BlockIndex>[^/]+)", "PutSnapshotBlock"),
    ("GET", r"/snapshots/(?P<SnapshotId>[^/]+)/blocks/(?P<BlockIndex>[^/]+)", "GetSnapshotBlock"),
    ("GET", r"/snapshots/(?P<SnapshotId>[^/]+)/blocks", "ListSnapshotBlocks"),
    ("GET", r"/snapshots/(?P<SecondSnapshotId>[^/]+)/changedblocks", "ListChangedBlocks"),
)
QUERY = {
    "blockToken": "BlockToken",
    "pageToken": "NextToken",
    "maxResults": "MaxResults",
    "startingBlockIndex": "StartingBlockIndex",
    "firstSnapshotId": "FirstSnapshotId",
}
HEADERS = {
    "HTTP_X_AMZ_DATA_LENGTH": "DataLength",
    "HTTP_X_AMZ_PROGRESS": "Progress",
    "HTTP_X_AMZ_CHECKSUM": "Checksum",
    "HTTP_X_AMZ_CHECKSUM_ALGORITHM": "ChecksumAlgorithm",
    "HTTP_X_AMZ_CHECKSUM_AGGREGATION_METHOD": "ChecksumAggregationMethod",
    "HTTP_X_AMZ_CHANGEDBLOCKSCOUNT": "ChangedBlocksCount",
}


def parse(environ: Mapping[str, t.Any], body: bytes, account: str, region_name: str) -> EbsCall | None:
    """The call in a request, or None when there is no such call."""
    for method, path, action in ROUTES:
        match = re.fullmatch(path, environ["PATH_INFO"])
        if match and environ["REQUEST_METHOD"] == method:
            query = parse_qs(environ.get("QUERY_STRING", ""))
            params = {QUERY[key]: values[0] for key, values in query.items() if key in QUERY}
            params.update({name: environ[key] for key, name in HEADERS.items() if key in environ})
            return EbsCall(action, account, region_name, {**params, **match.groupdict()}, body)
    return None


def json_object(body: bytes) -> dict[str, t.Any]:
    """A body that is a JSON object.

    Raises:
        EbsError: it is not.
    """
    try:
        value = json.loads(body or b"{}")
    except ValueError as exc:
        raise invalid(f"The body is not JSON: {exc}") from exc
    if not isinstance(value, dict):
        raise invalid("The body is not a JSON object.")
    return value
