# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Errors as Outscale's API words them.

Codes and types are those of the table that the SDK ships (resources/gateway_errors.yaml). What the gateway itself
answers is not in it; GATEWAY says where each comes from. Where that is "chosen", no public source was found: the number
is of the range that means the same, and nothing should depend on more than range and status. An InvalidState and a
ResourceConflict are HTTP 409, everything else of the table 400, as public reports of clients show. The real API's
details are often empty: they are for people.
"""

from __future__ import annotations

import typing as t
import uuid
from dataclasses import dataclass

from lab.answers import Reply, json_reply
from lab.oapi.description import error_codes
from lab.settings import Fault, default_status

#: What is not in the SDK's table: the gateway's own errors, as (type, status).
GATEWAY = {
    # https://docs.outscale.com/api-errors.html, and reports of what an unknown key and a missing right are answered.
    "1": ("AccessDenied", 401),
    "4": ("AccessDenied", 403),
    "4120": ("InvalidParameterValue", 400),
    # https://docs.outscale.com/en/userguide/API-Throttling.html; chosen: the type, and 25 for the third limiter.
    "6": ("OperationThrottled", 503),
    "24": ("OperationThrottled", 429),
    "25": ("OperationThrottled", 429),
    # github.com/outscale/terraform-provider-outscale, issue 836.
    "7007": ("MissingParameter", 400),
    # Chosen.
    "2000": ("InternalError", 500),
    "3001": ("InvalidParameter", 400),
    "9029": ("ResourceConflict", 409),
    "12000": ("InvalidAction", 404),
}
CONFLICTS = ("InvalidState", "ResourceConflict")
#: Codes that faults of the lab may be given in the words of AWS, for tests that hold for every provider.
AS_IN_AWS = {
    "AccessDenied": "4",
    "AuthFailure": "1",
    "InternalError": "2000",
    "InternalFailure": "2000",
    "RequestLimitExceeded": "6",
    "Throttling": "24",
    "UnauthorizedOperation": "4",
    "Unavailable": "2000",
}


@dataclass(frozen=True)
class Detail:
    """One error of an answer."""

    code: str
    text: str

    @property
    def type(self) -> str:
        if self.code in GATEWAY:
            return GATEWAY[self.code][0]
        _, kind = error_codes().get(self.code, ("", "InvalidParameterValue"))
        return kind.split(" ", 1)[0]

    @property
    def status(self) -> int:
        if self.code in GATEWAY:
            return GATEWAY[self.code][1]
        return 409 if self.type in CONFLICTS else 400


class OapiError(Exception):
    """An error answer; it may name several mistakes at once."""

    def __init__(self, *details: Detail, status: int = 0) -> None:
        super().__init__("; ".join(f"{detail.code}: {detail.text}" for detail in details))
        self.details = details
        self.status = status or details[0].status


def error(code: str, text: str) -> OapiError:
    return OapiError(Detail(code, text))


def not_there(code: str, parameter: str, value: str) -> OapiError:
    return error(code, f"The {parameter} '{value}' doesn't exist.")


def missing(name: str) -> OapiError:
    return error("7007", f"The parameter '{name}' is required.")


def invalid(text: str) -> OapiError:
    return error("4047", text)


def bad_combination(text: str) -> OapiError:
    return error("4046", text)


def fault_error(fault: Fault) -> OapiError:
    """The answer that a fault of the lab asks for."""
    detail = Detail(AS_IN_AWS.get(fault.code, fault.code), fault.message)
    # A status that was given goes before the one that belongs to the code.
    given = fault.status if fault.status != default_status(fault.code) else 0
    known = detail.code in GATEWAY or detail.code in error_codes()
    return OapiError(detail, status=given or (0 if known else fault.status))


def context() -> dict[str, str]:
    return {"RequestId": str(uuid.uuid4())}


def error_answer(exc: OapiError) -> Reply:
    """An error in the API's form, ErrorResponse of the description."""
    body: dict[str, t.Any] = {
        "Errors": [{"Code": one.code, "Type": one.type, "Details": one.text} for one in exc.details],
        "ResponseContext": context(),
    }
    reply = json_reply(body, exc.status)
    reply.error = exc.details[0].code
    return reply
