# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""HTTP answers, in the forms that AWS clients parse."""

from __future__ import annotations

import json
import typing as t
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from http import HTTPStatus
from xml.sax.saxutils import escape

if t.TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse


@dataclass
class Reply:
    """One HTTP answer."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    #: An error code of the API, for the log.
    error: str = ""

    def send(self, start_response: StartResponse) -> Iterable[bytes]:
        headers = {"Content-Length": str(len(self.body)), **self.headers}
        start_response(f"{self.status} {phrase(self.status)}", list(headers.items()))
        return [self.body]


def phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"


def text(content: str, status: int = 200) -> Reply:
    return Reply(status, content.encode(), {"Content-Type": "text/plain"})


def json_reply(value: t.Any, status: int = 200, **headers: str) -> Reply:
    return Reply(status, json.dumps(value).encode(), {"Content-Type": "application/json", **headers})


def ec2_error(code: str, message: str, status: int) -> tuple[int, dict[str, str], str]:
    """An error as EC2 sends it: status, headers, body."""
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Response><Errors><Error><Code>{escape(code)}</Code><Message>{escape(message)}</Message></Error></Errors>"
        f"<RequestID>{uuid.uuid4()}</RequestID></Response>"
    )
    return status, {"Content-Type": "text/xml;charset=UTF-8"}, body


def error_reply(service: str, code: str, message: str, status: int) -> Reply:
    """An error in the protocol of a service: EC2's XML, the query XML of STS and IAM, or JSON."""
    if service == "ec2":
        status, headers, body = ec2_error(code, message, status)
        return Reply(status, body.encode(), headers, code)
    if service in ("sts", "iam"):
        kind = "Receiver" if status >= 500 else "Sender"
        body = (
            f"<ErrorResponse><Error><Type>{kind}</Type><Code>{escape(code)}</Code>"
            f"<Message>{escape(message)}</Message></Error><RequestId>{uuid.uuid4()}</RequestId></ErrorResponse>"
        )
        return Reply(status, body.encode(), {"Content-Type": "text/xml"}, code)
    reply = json_reply({"__type": code, "Message": message, "message": message}, status)
    reply.headers["x-amzn-ErrorType"] = code
    reply.error = code
    return reply
