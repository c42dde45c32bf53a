# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lab's one process: HTTP on one port, told apart by path and signature."""

from __future__ import annotations

import io
import json
import logging
import socket
import time
import typing as t
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

from lab import calls
from lab.admin import Admin
from lab.answers import Reply, error_reply
from lab.calls import Call, CallLog
from lab.ebs import EbsDirect
from lab.ebs_calls import EbsCall, EbsError
from lab.ebs_calls import parse as parse_ebs
from lab.ec2.backend import FAULT_KEY
from lab.imds import Metadata, is_metadata_path
from lab.oapi.metadata import OscMetadata
from lab.oapi.metadata import is_metadata_path as is_osc_metadata_path
from lab.oapi.server import Oapi, asked_action
from lab.policy import missing_tags
from lab.settings import LATER_EFFECTS, METADATA, Fault, SettingsStore

if t.TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

LOG = logging.getLogger(__name__)
#: Bytes of a request that are read at most: a block of the EBS direct APIs, and room for a large form.
LARGEST_BODY = 16 * 1024 * 1024
#: What Outscale's API is called in the log of calls.
OAPI = "oapi"


@dataclass(frozen=True)
class ApiRequest:
    """What an API request says about itself before anybody serves it."""

    service: str
    region: str
    action: str
    params: dict[str, str]
    ebs: EbsCall | None = None
    body: bytes = b""


class Front:
    """The WSGI application: metadata, the lab's own endpoint, EBS direct, Outscale's API, and moto for everything else.

    Faults and the log of calls are here, so that they hold for every service alike.
    """

    def __init__(
        self,
        *,
        settings: SettingsStore,
        log: CallLog,
        metadata: Metadata,
        admin: Admin,
        ebs: EbsDirect,
        oapi: Oapi,
        osc_metadata: OscMetadata,
        apis: WSGIApplication,
        account: str,
    ) -> None:
        self._settings = settings
        self._log = log
        self._metadata = metadata
        self._admin = admin
        self._ebs = ebs
        self._oapi = oapi
        self._osc_metadata = osc_metadata
        self._apis = apis
        self._account = account

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        try:
            if path == "/lab" or path.startswith("/lab/"):
                reply = self._admin.serve(environ, _body(environ))
            elif is_metadata_path(path):
                reply = self._metadata_reply(environ, self._metadata)
            elif is_osc_metadata_path(path):
                reply = self._metadata_reply(environ, self._osc_metadata)
            else:
                reply = self._api(environ)
        except Exception as exc:
            LOG.exception("%s %s", environ["REQUEST_METHOD"], path)
            reply = error_reply(_scope(environ)[0], "InternalFailure", f"The lab failed: {exc!r}", 500)
        if reply.status == 0:
            _hang_up(environ)
        return reply.send(start_response)

    def _metadata_reply(self, environ: WSGIEnvironment, metadata: Metadata | OscMetadata) -> Reply:
        fault = self._settings.fault_for(METADATA, {"path": environ["PATH_INFO"]})
        if fault is None:
            return metadata.serve(environ)
        return Reply(0) if fault.effect == "disconnect" else Reply(fault.status, body=fault.message.encode())

    def _api(self, environ: WSGIEnvironment) -> Reply:
        body = _body(environ)
        environ["wsgi.input"] = io.BytesIO(body)
        environ["CONTENT_LENGTH"] = str(len(body))
        started, clock = calls.now(), time.monotonic()
        asked = self._parsed(environ, body)
        time.sleep(self._settings.current.api_seconds)
        fault = self._settings.over_limit(asked.service, asked.action)
        if fault is None and asked.action:
            fault = self._settings.fault_for(asked.action, asked.params)
        reply = self._refused(asked) or self._with_fault(environ, asked, fault)
        seconds = time.monotonic() - clock
        shown = calls.without_secrets(asked.params)
        self._log.add(
            Call(started, seconds, asked.service, asked.action, asked.region, shown, reply.status, reply.error)
        )
        return reply

    def _refused(self, asked: ApiRequest) -> Reply | None:
        missing = missing_tags(asked.action, asked.params, self._settings.current.required_tags)
        if not missing:
            return None
        message = f"You are not authorized to perform this operation. The policy asks for {', '.join(missing)}."
        return error_reply(asked.service, "UnauthorizedOperation", message, 403)

    def _with_fault(self, environ: WSGIEnvironment, asked: ApiRequest, fault: Fault | None) -> Reply:
        if fault is None or fault.effect in LATER_EFFECTS:
            return self._served(environ, asked, fault)
        if fault.effect != "error":
            done = self._served(environ, asked, None)
            if done.status >= 400:
                return done
        if fault.effect == "disconnect":
            return Reply(0)
        if asked.service == OAPI:
            return self._oapi.refuse(fault)
        return error_reply(asked.service, fault.code, fault.message, fault.status)

    def _served(self, environ: WSGIEnvironment, asked: ApiRequest, fault: Fault | None) -> Reply:
        if asked.service == "ebs":
            if asked.ebs is None:
                return error_reply("ebs", "UnknownOperationException", "There is no such operation.", 404)
            return self._ebs.serve(asked.ebs, fault)
        if asked.service == OAPI:
            return self._oapi.serve(environ, asked.body, fault)
        environ[FAULT_KEY] = fault
        return self._from_moto(environ, asked)

    def _from_moto(self, environ: WSGIEnvironment, asked: ApiRequest) -> Reply:
        reply = Reply()

        def start(status: str, headers: list[tuple[str, str]], exc_info: object = None) -> Callable[[bytes], object]:
            reply.status = int(status.split(" ", 1)[0])
            reply.headers = dict(headers)
            return lambda _: None

        try:
            chunks = self._apis(environ, start)
            reply.body = b"".join(chunks)
        except Exception as exc:
            LOG.exception("%s %s", asked.service, asked.action)
            return _unserved(asked, exc)
        if reply.status == 500 and "html" in reply.headers.get("Content-Type", ""):
            return _unserved(asked, None)
        if reply.status >= 400:
            reply.error = _error_code(reply)
        return reply

    def _parsed(self, environ: WSGIEnvironment, body: bytes) -> ApiRequest:
        service, region = _scope(environ)
        osc_action = asked_action(environ["PATH_INFO"])
        if osc_action:
            return ApiRequest(OAPI, region, osc_action, _flat_json(body), body=body)
        if service == "ebs":
            call = parse_ebs(environ, body, self._account, region)
            return ApiRequest(service, region, call.action if call else "", _logged(call), call)
        target = environ.get("HTTP_X_AMZ_TARGET", "")
        if target:
            return ApiRequest(service, region, target.rsplit(".", 1)[-1], _flat_json(body))
        form = body.decode("utf-8", "replace") or environ.get("QUERY_STRING", "")
        params = dict(parse_qsl(form, keep_blank_values=True))
        action = params.pop("Action", "")
        params.pop("Version", None)
        return ApiRequest(service or ("ec2" if action else "s3"), region, action, params)


def _body(environ: WSGIEnvironment) -> bytes:
    length = int(environ.get("CONTENT_LENGTH") or 0)
    if length > LARGEST_BODY:
        raise ValueError(f"a request of {length} bytes")
    if length:
        return bytes(environ["wsgi.input"].read(length))
    # Streams of unknown length are sent in chunks, which werkzeug ends where the body ends.
    return bytes(environ["wsgi.input"].read()) if environ.get("wsgi.input_terminated") else b""


def _scope(environ: Mapping[str, t.Any]) -> tuple[str, str]:
    """Service and region that a request is signed for; empty without a signature."""
    header = environ.get("HTTP_AUTHORIZATION", "")
    try:
        _, _, region, service, _ = header.split("Credential=", 1)[1].split(",", 1)[0].strip().split("/")
    except (IndexError, ValueError):
        return "", ""
    return service, region


def _logged(call: EbsCall | None) -> dict[str, str]:
    if call is None:
        return {}
    try:
        return call.to_log()
    except EbsError:
        return dict(call.params)


def _flat_json(body: bytes) -> dict[str, str]:
    try:
        value = json.loads(body or b"{}")
    except ValueError:
        return {}
    if not isinstance(value, dict):
        return {}
    return {key: item if isinstance(item, str) else json.dumps(item) for key, item in value.items()}


def _unserved(asked: ApiRequest, exc: Exception | None) -> Reply:
    if isinstance(exc, NotImplementedError) or exc is None:
        message = f"The lab does not know {asked.service}:{asked.action}. {exc or ''}".rstrip()
        return error_reply(asked.service, "UnsupportedOperation", message, 400)
    return error_reply(asked.service, "InternalFailure", f"The lab failed in {asked.action}: {exc!r}", 500)


def _error_code(reply: Reply) -> str:
    body = reply.body.decode("utf-8", "replace")
    if "<Code>" in body:
        return body.split("<Code>", 1)[1].split("</Code>", 1)[0]
    code = reply.headers.get("x-amzn-errortype") or reply.headers.get("x-amzn-ErrorType") or ""
    return code or str(_flat_json(reply.body).get("__type", ""))


def _hang_up(environ: WSGIEnvironment) -> t.NoReturn:
    connection = environ.get("werkzeug.socket")
    if connection is not None:
        connection.shutdown(socket.SHUT_RDWR)
    raise ConnectionAbortedError("a fault of the lab closed the connection")
