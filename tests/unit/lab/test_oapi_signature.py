# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Signatures are checked as Outscale checks them."""

from __future__ import annotations

import pytest

from lab.config import OSC_ACCOUNT, OSC_VENDOR_ACCOUNT
from lab.oapi import signature
from tests.unit.lab.osc import Osc, Refused


def refused(osc: Osc, body: str, headers: dict[str, str]) -> tuple[int, str, str]:
    with pytest.raises(Refused) as caught:
        osc.send("ReadVms", body, headers)
    return caught.value.status, caught.value.codes[0], caught.value.types[0]


def test_the_sdks_signature_is_right(osc: Osc) -> None:
    """The SDK signs the host without its port, others with it."""
    headers = osc.signed("ReadVms", "{}")
    for host in ("api.eu-west-2.outscale.com", "api.eu-west-2.outscale.com:443"):
        assert osc.send("ReadVms", "{}", headers, host=host)["Vms"]
    with pytest.raises(Refused):
        osc.send("ReadVms", "{}", headers, host="api.us-east-2.outscale.com")


def test_an_unknown_access_key(osc: Osc) -> None:
    """HTTP 400 and 4120, as clients report it."""
    headers = osc.signed("ReadVms", "{}", access_key="ABCDEFGHIJ0123456789")
    assert refused(osc, "{}", headers) == (400, "4120", "InvalidParameterValue")


def test_a_wrong_secret_key(osc: Osc) -> None:
    """HTTP 401 and 1."""
    headers = osc.signed("ReadVms", "{}", secret_key="another")
    assert refused(osc, "{}", headers) == (401, "1", "AccessDenied")


@pytest.mark.parametrize(
    "change",
    [
        {"Authorization": ""},
        {"Authorization": "Basic bGFiOmxhYg=="},
        {"Authorization": "OSC4-HMAC-SHA256 Credential=a/b, SignedHeaders=host, Signature=c"},
        {"X-Osc-Date": ""},
        {"X-Osc-Date": "20200101T000000Z"},
        {"Content-Type": "text/plain"},
    ],
    ids=lambda change: " ".join(f"{key}={value[:12]}" for key, value in change.items()),
)
def test_what_a_signature_covers(osc: Osc, change: dict[str, str]) -> None:
    assert refused(osc, "{}", {**osc.signed("ReadVms", "{}"), **change})[:2] == (401, "1")


def test_another_body_than_the_signed_one(osc: Osc) -> None:
    assert refused(osc, '{"DryRun": true}', osc.signed("ReadVms", "{}"))[:2] == (401, "1")


def test_another_region(osc: Osc) -> None:
    """A request that is signed for another Region than the one that is asked."""
    assert refused(osc, "{}", osc.signed("ReadVms", "{}", region="us-east-2"))[:2] == (401, "1")


def test_aws_names_of_the_scheme(osc: Osc) -> None:
    """AWS4-HMAC-SHA256 with X-Amz-Date is taken, too."""
    scheme = signature.SCHEMES["AWS4-HMAC-SHA256"]
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    from lab.config import OSC_REGION, OSC_SECRET_KEY, osc_access_key
    from tests.unit.lab.osc import HOST

    request = AWSRequest("POST", f"https://{HOST}/api/v1/ReadVms", {"Content-Type": "application/json"}, b"{}")
    credentials = Credentials(osc_access_key(OSC_ACCOUNT), OSC_SECRET_KEY)
    SigV4Auth(credentials, "api", OSC_REGION).add_auth(request)
    assert scheme[2] in request.headers
    assert osc.send("ReadVms", "{}", dict(request.headers.items()), host=HOST)["Vms"]


def test_accounts_see_their_own(osc: Osc) -> None:
    """Each access key is one account's."""
    mine = osc.volume()
    assert osc.call("ReadAccounts")["Accounts"][0]["AccountId"] == OSC_ACCOUNT
    assert osc.call("ReadAccounts", account=OSC_VENDOR_ACCOUNT)["Accounts"][0]["AccountId"] == OSC_VENDOR_ACCOUNT
    assert osc.call("ReadVolumes", account=OSC_VENDOR_ACCOUNT)["Volumes"] == []
    with pytest.raises(Refused) as caught:
        osc.call("DeleteVolume", account=OSC_VENDOR_ACCOUNT, VolumeId=mine)
    assert caught.value.codes == ["5064"]
