# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who calls Outscale's API: the signature of a request is checked ("Signature of API Requests", Outscale user guide).

The scheme is that of AWS's version 4, with names of its own: OSC4-HMAC-SHA256, X-Osc-Date, osc4_request. AWS's names
are taken, too, as Outscale does.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import re
import typing as t
from collections.abc import Mapping
from dataclasses import dataclass

from lab.config import OSC_SECRET_KEY, osc_access_key
from lab.oapi.errors import OapiError, error

#: How far the time of a request may be off.
ALLOWED_SKEW = dt.timedelta(minutes=15)
SCHEMES = {
    "OSC4-HMAC-SHA256": ("OSC4", "osc4_request", "x-osc-date"),
    "AWS4-HMAC-SHA256": ("AWS4", "aws4_request", "x-amz-date"),
}
HEADER = re.compile(
    r"(?P<scheme>\S+) Credential=(?P<credential>[^,]+), *SignedHeaders=(?P<signed>[^,]+), *Signature=(?P<signature>\S+)"
)


@dataclass(frozen=True)
class Caller:
    """Whose access key signed, and for which region."""

    account: str
    region: str


@dataclass(frozen=True)
class SignedRequest:
    """What a signature covers. Header names are in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @classmethod
    def from_environ(cls, environ: Mapping[str, t.Any], body: bytes) -> SignedRequest:
        headers = {
            key[5:].replace("_", "-").lower(): value for key, value in environ.items() if key.startswith("HTTP_")
        }
        headers["content-type"] = environ.get("CONTENT_TYPE", "")
        return cls(environ["REQUEST_METHOD"], environ["PATH_INFO"], headers, body)


def caller(request: SignedRequest) -> Caller:
    """The caller, when the signature is right.

    Raises:
        OapiError: no signature, an unknown access key, a wrong signature or a time that is off.
    """
    match = HEADER.fullmatch(request.headers.get("authorization", "").strip())
    if match is None or match["scheme"] not in SCHEMES:
        raise error("1", "The request has no signature.")
    prefix, ending, date_header = SCHEMES[match["scheme"]]
    access_key, scope = _credential(match["credential"], ending)
    account = _account_of(access_key)
    if account is None:
        raise error("4120", f"The access key '{access_key}' doesn't exist.")
    stamp = request.headers.get(date_header, "")
    _check_time(stamp, scope[0])
    key = f"{prefix}{OSC_SECRET_KEY}".encode()
    for part in scope:
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    host = request.headers.get("host", "")
    # Outscale's SDK signs the host without its port, others with it.
    for name in (host.rsplit(":", 1)[0], host):
        digest = hashlib.sha256(_canonical(request, match["signed"], name)).hexdigest()
        text = "\n".join((match["scheme"], stamp, "/".join(scope), digest))
        if hmac.compare_digest(hmac.new(key, text.encode(), hashlib.sha256).hexdigest(), match["signature"]):
            return Caller(account, scope[1])
    raise error("1", "The signature is wrong.")


def _credential(text: str, ending: str) -> tuple[str, list[str]]:
    access_key, *scope = text.split("/")
    if len(scope) != 4 or scope[2] != "api" or scope[3] != ending:
        raise error("1", f"The credential's scope is not DATE/REGION/api/{ending}.")
    return access_key, scope


def _account_of(access_key: str) -> str | None:
    account = access_key[-12:]
    return account if access_key == osc_access_key(account) and account.isdigit() else None


def _check_time(stamp: str, date: str) -> None:
    try:
        moment = dt.datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=dt.UTC)
    except ValueError:
        raise error("1", "The request has no time of the form YYYYMMDDTHHMMSSZ.") from None
    if abs(dt.datetime.now(dt.UTC) - moment) > ALLOWED_SKEW or not stamp.startswith(date):
        raise error("1", "The request's time is too far off.")


def _canonical(request: SignedRequest, signed: str, host: str) -> bytes:
    names = signed.split(";")
    if "host" not in names:
        raise error("1", "The header host is not signed.")
    lines = [request.method, request.path, ""]
    for name in names:
        value = host if name == "host" else request.headers.get(name, "").strip()
        lines.append(f"{name}:{value}")
    lines += ["", signed, hashlib.sha256(request.body).hexdigest()]
    return "\n".join(lines).encode()


__all__ = ("Caller", "OapiError", "SignedRequest", "caller")
