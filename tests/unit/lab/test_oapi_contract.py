# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lab's Outscale and Outscale's own description: its examples are the contract."""

from __future__ import annotations

import itertools
import json
import typing as t

import pytest

from lab.config import OSC_ACCOUNT
from lab.oapi.description import description
from lab.oapi.images import Images
from lab.oapi.snapshots import Snapshots
from lab.oapi.state import Request
from lab.oapi.volumes import Volumes
from lab.settings import Fault
from tests.unit.lab.osc import Osc, Refused

SERVED = [
    *("CreateImage", "CreateSnapshot", "CreateTags", "CreateVolume", "DeleteImage", "DeleteSnapshot", "DeleteTags"),
    *("DeleteVolume", "LinkVolume", "ReadAccounts", "ReadConsoleOutput", "ReadImages", "ReadQuotas", "ReadRegions"),
    *("ReadSnapshots", "ReadSubregions", "ReadTags", "ReadVms", "ReadVolumes", "UnlinkVolume", "UpdateImage"),
    *("UpdateSnapshot", "UpdateVolume"),
]
#: What the examples show of an answer and the lab leaves out, as the API may.
LEFT_OUT = {
    "Volume": {"TaskId", "SnapshotId", "Iops"},
    "Vms": {
        *("ActionsOnNextBoot", "BsuOptimized", "DeletionProtection", "IsSourceDestChecked", "KeypairName"),
        *("LaunchNumber", "NestedVirtualization", "NetId", "Nics", "Performance", "ReservationId", "SecurityGroups"),
        *("SubnetId", "TpmEnabled", "UserData", "VmInitiatedShutdownBehavior"),
    },
}


def test_the_calls_that_are_served(osc: Osc) -> None:
    """They all are calls of the description."""
    assert sorted(osc.oapi.actions) == SERVED
    assert set(SERVED) < set(description().actions)


def test_every_example_of_a_request_fits_the_description() -> None:
    """So the checks refuse nothing that Outscale shows, for any of its calls."""
    form = description()
    misfits = {
        action: found
        for action in form.actions
        for example in form.request_examples(action)
        if (found := form.misfits(f"{action}Request", example))
    }
    assert not misfits


@pytest.mark.parametrize("action", SERVED)
def test_the_examples_are_served(osc: Osc, action: str) -> None:
    """Each example as a request has an answer with all that the example's answer has."""
    form = description()
    osc.fill_as_in_examples()
    if action == "UnlinkVolume":
        osc.call("LinkVolume", VolumeId="vol-12345678", VmId="i-12345678", DeviceName="/dev/sdb")
    asked = form.request_examples(action)
    shown = form.answer_examples(action)
    # Some calls show more requests than answers.
    for request, example in itertools.zip_longest(asked, shown, fillvalue=shown[-1]):
        if "FileLocation" in request:
            with pytest.raises(Refused, match="buckets"):
                osc.call(action, **request)
            continue
        answer = osc.call(action, **request)
        assert set(example) - {"NextPageToken"} <= set(answer)
        for name, value in example.items():
            assert not _missing(name, value, answer.get(name)), action


def _missing(name: str, shown: t.Any, given: t.Any) -> set[str]:
    """Names that the example's resource has and the lab's has not; for lists, those of their first elements."""
    if isinstance(shown, list) and isinstance(given, list):
        shown, given = (shown or [{}])[0], (given or [{}])[0]
        if not given:  # a filter of the example that nothing here matches
            return set()
    if not isinstance(shown, dict) or not isinstance(given, dict):
        return set()
    return set(shown) - set(given) - LEFT_OUT.get(name, set())


def test_every_filter_of_volumes_snapshots_and_images_is_served(osc: Osc) -> None:
    """But for the names of product codes, which the lab does not have."""
    form = description()
    where = Request("", {}, osc.world.account(OSC_ACCOUNT))
    snapshots = Snapshots(osc.world)
    assert set(Volumes(osc.world).readers(where)) == form.fields("FiltersVolume")
    dates = {"FromCreationDate", "ToCreationDate"}
    assert set(snapshots.readers(where)) | dates == form.fields("FiltersSnapshot")
    images = Images(osc.world, snapshots)
    assert set(images.readers(where)) | {"ProductCodeNames"} == form.fields("FiltersImage")


@pytest.mark.parametrize(
    ("action", "params", "code", "text"),
    [
        ("CreateVolume", {"Size": 1}, "7007", "'SubregionName' is required"),
        ("CreateVolume", {"SubregionName": "eu-west-2a", "Sise": 1}, "3001", "'Sise' is unknown"),
        ("CreateVolume", {"SubregionName": "eu-west-2a", "Size": "1"}, "4108", "'Size' is invalid"),
        ("ReadVolumes", {"Filters": {"VolumeId": ["vol-12345678"]}}, "3001", "'Filters.VolumeId' is unknown"),
        ("CreateTags", {"ResourceIds": [], "Tags": [{"Key": "a"}]}, "7007", "'Tags.0.Value' is required"),
        ("CreateImage", {"BootModes": ["bios"]}, "4047", "'BootModes.0' is invalid"),
        ("StartEngine", {}, "12000", "no action 'StartEngine'"),
        ("CreateNet", {"IpRange": "10.0.0.0/16"}, "2000", "does not know the action CreateNet"),
    ],
)
def test_requests_that_do_not_fit_are_refused(
    osc: Osc, action: str, params: dict[str, t.Any], code: str, text: str
) -> None:
    with pytest.raises(Refused) as caught:
        osc.call(action, **params)
    assert caught.value.codes == [code]
    assert text in caught.value.text


def test_all_mistakes_of_a_request_are_told(osc: Osc) -> None:
    with pytest.raises(Refused) as caught:
        osc.call("LinkVolume", VolumeId=1, Device="/dev/sdb")
    assert sorted(caught.value.codes) == ["3001", "4108", "7007", "7007"]


def test_a_body_that_is_no_json_is_refused(osc: Osc) -> None:
    for body in ("{", "[]"):
        with pytest.raises(Refused, match="body"):
            osc.send("ReadVms", body, osc.signed("ReadVms", body))


def test_the_lab_does_not_give_answers_that_outscale_would_not(osc: Osc, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer that does not fit is an error of the lab, not something a client sees."""
    monkeypatch.setitem(osc.oapi.actions, "ReadVolumes", lambda _: {"Volumes": [{"VolumeID": "vol-1"}]})
    with pytest.raises(Refused, match="The lab.*additionalProperties") as caught:
        osc.call("ReadVolumes")
    assert caught.value.status == 500


def test_a_dry_run_does_nothing(osc: Osc) -> None:
    """Rights and the request are checked, and the answer says nothing."""
    assert set(osc.call("CreateVolume", SubregionName="eu-west-2a", Size=1, DryRun=True)) == {"ResponseContext"}
    assert osc.call("ReadVolumes")["Volumes"] == []


@pytest.mark.parametrize(
    ("values", "status", "code", "type_"),
    [
        ({"code": "RequestLimitExceeded"}, 503, "6", "OperationThrottled"),
        ({"code": "Throttling"}, 429, "24", "OperationThrottled"),
        ({"code": "24"}, 429, "24", "OperationThrottled"),
        ({"code": "AccessDenied"}, 403, "4", "AccessDenied"),
        ({"code": "AuthFailure"}, 401, "1", "AccessDenied"),
        ({}, 500, "2000", "InternalError"),
        ({"code": "10018"}, 400, "10018", "TooManyResources"),
        ({"code": "6007"}, 409, "6007", "InvalidState"),
        ({"code": "6007", "status": 502}, 502, "6007", "InvalidState"),
    ],
)
def test_faults_are_outscales_errors(osc: Osc, values: dict[str, t.Any], status: int, code: str, type_: str) -> None:
    """In the form of its ErrorResponse, for codes of its own and for the words that faults of EC2 have."""
    reply = osc.oapi.refuse(Fault("CreateVolume", **values))
    answer = json.loads(reply.body)
    assert (reply.status, reply.error) == (status, code)
    assert (answer["Errors"][0]["Code"], answer["Errors"][0]["Type"]) == (code, type_)
    assert not description().misfits("ErrorResponse", answer)
