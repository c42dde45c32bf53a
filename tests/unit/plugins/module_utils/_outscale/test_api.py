# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Calls: what is tried again, what is not, and what is said when nothing helps."""

from __future__ import annotations

import pytest
from ansible_collections.bakehouse.images.plugins.module_utils._cloud.errors import Throttled
from ansible_collections.bakehouse.images.plugins.module_utils._errors import (
    BuildError,
    Busy,
    Conflict,
    Invalid,
    NotFound,
    Refused,
)
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.errors import OutcomeUnknown, translate
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.transport import Answer, NotSent

from tests.unit.plugins.module_utils._outscale.conftest import ZONE, World


@pytest.mark.parametrize(("status", "code"), [(503, "6"), (429, "24"), (429, "25")])
def test_throttled_calls_are_tried_again_with_growing_delays(world: World, status: int, code: str) -> None:
    world.refuse("ReadVms", status, code, "ErrorOperationThrottled", times=5)
    assert world.api.call("ReadVms", "look")["Vms"]
    assert world.count("ReadVms") == 6
    assert world.clock.time > 0.5 * (1 + 2 + 4 + 8 + 16) * 0.5 - 0.01


def test_throttled_calls_are_counted_and_others_are_not(world: World) -> None:
    world.refuse("ReadVms", 429, "24", "ErrorOperationThrottled", times=2)
    world.refuse("ReadVms", 500)
    world.refuse("ReadVolumes", 503, "6", "ErrorOperationThrottled")
    world.api.call("ReadVms", "look")
    world.api.call("ReadVolumes", "look")
    assert world.api.throttled.count == 3


def test_throttling_that_lasts_is_said(world: World) -> None:
    world.refuse("ReadVms", 429, "24", "ErrorOperationThrottledPerAccount", times=99)
    with pytest.raises(Throttled, match="too many calls at the same time"):
        world.api.call("ReadVms", "look")
    assert world.count("ReadVms") == world.api.attempts


def test_an_image_is_not_made_twice_but_a_throttled_call_is_sent_again(world: World) -> None:
    world.refuse("CreateImage", 500)
    with pytest.raises(OutcomeUnknown):
        world.api.call("CreateImage", "make an image")
    world.lose("CreateImage")
    with pytest.raises(OutcomeUnknown):
        world.api.call("CreateImage", "make an image")
    world.refuse("CreateImage", 503, "6", "ErrorOperationThrottledWholePlatform")
    with pytest.raises(Invalid):
        world.api.call("CreateImage", "make an image")
    assert world.count("CreateImage") == 4


def test_a_lost_answer_with_a_token_gives_the_same_volume(world: World) -> None:
    world.lose("CreateVolume")
    made = world.api.call("CreateVolume", "create", SubregionName=ZONE, Size=1, ClientToken="x")
    assert len(world.api.find("ReadVolumes", "Volumes", "look")) == 1
    assert made["Volume"]["VolumeId"]


def test_an_endpoint_that_nobody_listens_on_is_said_soon(world: World) -> None:
    def refused() -> Answer:
        raise NotSent("connection refused")

    world.transport.troubles += [("ReadVms", refused, False)] * 9
    with pytest.raises(BuildError, match="cannot be reached: connection refused. Check the region and the endpoint"):
        world.api.call("ReadVms", "look")
    assert world.count("ReadVms") == 3


def test_a_call_that_is_malformed_is_refused_with_its_parameter(world: World) -> None:
    with pytest.raises(Invalid, match="Sizzle"):
        world.api.call("CreateVolume", "create the volume", SubregionName=ZONE, Sizzle=1)
    assert world.count("CreateVolume") == 1


def test_pages_are_put_together(world: World) -> None:
    for _number in range(3):
        world.osc.volume()
    assert len(world.api.find("ReadVolumes", "Volumes", "look")) == 3
    assert "ResultsPerPage" in world.transport.params("ReadVolumes")


@pytest.mark.parametrize(
    ("status", "code", "kind", "error", "said"),
    [
        (401, "1", "AccessDenied", Refused, "does not accept the access key"),
        (400, "4120", "InvalidParameterValue", Refused, "does not accept the access key"),
        (403, "4", "AccessDenied", Refused, "an EIM policy has to allow api:CreateVolume"),
        (400, "10018", "TooManyResources (QuotaExceded)", Refused, "Have this quota raised"),
        (400, "5064", "InvalidResource", NotFound, "Cannot do it"),
        (409, "9015", "ResourceConflict", Conflict, "Cannot do it"),
        (409, "9004", "ResourceConflict", Busy, "Cannot do it"),
        (409, "6007", "InvalidState", Busy, "Cannot do it"),
        (400, "4047", "InvalidParameterValue", Invalid, "Cannot do it: Details of it (InvalidParameterValue 4047)"),
        (418, "", "", BuildError, "it answered with status 418 and no reason"),
    ],
)
def test_errors_in_our_own_words(status: int, code: str, kind: str, error: type[BuildError], said: str) -> None:
    body = {"Errors": [{"Code": code, "Type": kind, "Details": "Details of it" if code else ""}]}
    found = translate("CreateVolume", status, body, "do it")
    assert type(found) is error
    assert said in str(found)
    assert found.facts["operation"] == "CreateVolume"


def test_an_answer_that_is_not_of_the_api_gives_no_traceback(world: World) -> None:
    world.transport.troubles.append(("ReadVms", lambda: Answer(404, "<html>"), False))
    with pytest.raises(BuildError, match="status 404"):
        world.api.call("ReadVms", "look")
