# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Outscale's API over HTTP: who asks, what is asked, the answer, and that all of it fits the description."""

from __future__ import annotations

import json
import logging
import re
import typing as t
from collections.abc import Callable, Mapping

from lab.answers import Reply, json_reply
from lab.ec2.tokens import ClientTokens, TokenMismatch
from lab.oapi.description import Description, Misfit, description
from lab.oapi.errors import Detail, OapiError, context, error, error_answer, fault_error
from lab.oapi.images import Images
from lab.oapi.links import Links
from lab.oapi.places import Places
from lab.oapi.signature import Caller, SignedRequest, caller
from lab.oapi.snapshots import Snapshots
from lab.oapi.state import Action, Answer, Request, World
from lab.oapi.tags import TagCalls
from lab.oapi.volumes import Volumes
from lab.settings import Fault

LOG = logging.getLogger(__name__)
PATH = re.compile(r"/api/(v1|latest)/(?P<action>[A-Za-z]+)/?")
#: Codes of what does not fit, by the keyword of the schema that is broken.
MISFITS = {"additionalProperties": "3001", "required": "7007", "type": "4108", "enum": "4047", "format": "4047"}
#: The environment's key for a fault that is carried out while the call is served.
FAULT_KEY = "lab.fault"


def asked_action(path: str) -> str | None:
    """The call that a path is for, or None when it is not one of this API."""
    match = PATH.fullmatch(path)
    return match["action"] if match else None


class Oapi:
    """All calls of the lab's Outscale."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.links = Links(world)
        snapshots = Snapshots(world)
        parts = (Volumes(world), snapshots, Images(world, snapshots), TagCalls(world), Places(world))
        self.actions: dict[str, Action] = {
            **{name: act for part in parts for name, act in part.actions().items()},
            **self.links.calls(),
        }
        self._tokens = ClientTokens()

    def serve(self, environ: Mapping[str, t.Any], body: bytes, fault: Fault | None = None) -> Reply:
        """Answer one request. A fault that stands for the answer is the caller's matter (C(refuse))."""
        action = asked_action(environ["PATH_INFO"]) or ""
        try:
            return json_reply(self._answer(environ, action, body, fault))
        except OapiError as exc:
            return error_answer(exc)
        except Exception as exc:
            LOG.exception("%s", action)
            return error_answer(error("2000", f"The lab failed in {action}: {exc!r}"))

    def refuse(self, fault: Fault) -> Reply:
        """The answer of a fault."""
        return error_answer(fault_error(fault))

    def _answer(self, environ: Mapping[str, t.Any], action: str, body: bytes, fault: Fault | None) -> Answer:
        who = caller(SignedRequest.from_environ(environ, body))
        form = description()
        if action not in form.actions:
            raise error("12000", f"There is no action '{action}'.")
        params = _params(body)
        misfits = form.misfits(f"{action}Request", params)
        if misfits:
            raise OapiError(*map(_detail, misfits))
        if action not in self.actions:
            raise error("2000", f"The lab does not know the action {action}.")
        answer = self._done(who, action, params, fault)
        answer = {**answer, "ResponseContext": context()}
        return self._checked(form, action, answer)

    def _done(self, who: Caller, action: str, params: dict[str, t.Any], fault: Fault | None) -> Answer:
        where = self.world.account(who.account)
        if who.region != where.region_name:
            raise error("1", f"The request is signed for {who.region}; this is {where.region_name}.")
        if params.get("DryRun"):
            return {}
        self.world.drop_deleted()
        request = Request(action, params, where, fault)
        return self._once(request, lambda: self.actions[action](request))

    def _once(self, request: Request, work: Callable[[], Answer]) -> Answer:
        token = request.params.get("ClientToken")
        if not token:
            return work()
        try:
            return self._tokens.once((request.account, request.action, token), request.params, work)
        except TokenMismatch:
            raise error("4091", f"The ClientToken '{token}' came with other parameters before.") from None

    def _checked(self, form: Description, action: str, answer: Answer) -> Answer:
        misfits = form.misfits(f"{action}Response", answer)
        if misfits:
            raise error("2000", f"The lab's answer to {action} is none of Outscale's: {misfits}")
        return answer


def _params(body: bytes) -> dict[str, t.Any]:
    try:
        params = json.loads(body or b"{}")
    except ValueError:
        raise error("4045", "The request's body is no JSON.") from None
    if not isinstance(params, dict):
        raise error("4045", "The request's body is no JSON object.")
    return params


def _detail(misfit: Misfit) -> Detail:
    texts = {
        "additionalProperties": f"The parameter '{misfit.name}' is unknown.",
        "required": f"The parameter '{misfit.name}' is required.",
    }
    text = texts.get(misfit.kind, f"The value of the parameter '{misfit.name}' is invalid: {misfit.text}")
    return Detail(MISFITS.get(misfit.kind, "4047"), text)
