# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The instance metadata service ("Use instance metadata to manage your EC2 instance", EC2 User Guide)."""

from __future__ import annotations

import json
import urllib.error
import urllib.request

import botocore.session
import botocore.utils
import pytest

from tests.lab.resources import Resources
from tests.lab_fixture import RunningLab

TTL = "X-aws-ec2-metadata-token-ttl-seconds"
TOKEN = "X-aws-ec2-metadata-token"


class Answered(Exception):
    """The service answered with another status than 200."""


def _ask(lab: RunningLab, path: str, method: str = "GET", **headers: str) -> str:
    url = lab.env["AWS_EC2_METADATA_SERVICE_ENDPOINT"].rstrip("/") + path
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method=method, headers=named), timeout=60) as answer:
            return str(answer.read().decode())
    except urllib.error.HTTPError as exc:
        raise Answered(exc.code) from exc


def _get(lab: RunningLab, path: str) -> str:
    token = _ask(lab, "/latest/api/token", "PUT", **{TTL: "60"})
    return _ask(lab, path, **{TOKEN: token})


def test_version_two_only(lab: RunningLab) -> None:
    """Without a token, or with one that was not given: 401."""
    with pytest.raises(Answered, match="401"):
        _ask(lab, "/latest/meta-data/instance-id")
    with pytest.raises(Answered, match="401"):
        _ask(lab, "/latest/meta-data/instance-id", **{TOKEN: "made-up"})
    assert _get(lab, "/latest/meta-data/instance-id") == lab.instance_id


def test_tokens(lab: RunningLab) -> None:
    """PUT, a lifetime of 1 to 21600 seconds, no proxies; a token ends with its lifetime."""
    with pytest.raises(Answered, match="405"):
        _ask(lab, "/latest/api/token")
    for bad in ("0", "21601", "soon"):
        with pytest.raises(Answered, match="400"):
            _ask(lab, "/latest/api/token", "PUT", **{TTL: bad})
    with pytest.raises(Answered, match="400"):
        _ask(lab, "/latest/api/token", "PUT")
    with pytest.raises(Answered, match="403"):
        _ask(lab, "/latest/api/token", "PUT", **{TTL: "60", "X-Forwarded-For": "192.0.2.1"})
    short = _ask(lab, "/latest/api/token", "PUT", **{TTL: "600"})
    assert _ask(lab, "/latest/meta-data/instance-id", **{TOKEN: short}) == lab.instance_id
    lab.api.forward(600)
    with pytest.raises(Answered, match="401"):
        _ask(lab, "/latest/meta-data/instance-id", **{TOKEN: short})


def test_version_one_where_allowed(lab: RunningLab) -> None:
    """HttpTokens optional: requests without a token are answered; HttpEndpoint disabled: none is."""
    lab.api.set(imds="optional")
    assert _ask(lab, "/latest/meta-data/instance-id") == lab.instance_id
    lab.api.set(imds="off")
    with pytest.raises(Answered, match="403"):
        _ask(lab, "/latest/api/token", "PUT", **{TTL: "60"})


def test_it_describes_the_build_host(lab: RunningLab) -> None:
    """The instance is the one that DescribeInstances shows ("Instance identity documents")."""
    document = json.loads(_get(lab, "/latest/dynamic/instance-identity/document"))
    found = lab.client("ec2").describe_instances(InstanceIds=[document["instanceId"]])
    instance = found["Reservations"][0]["Instances"][0]
    assert instance["State"]["Name"] == "running"
    assert instance["InstanceType"] == document["instanceType"] == "m5.large"
    assert instance["Placement"]["AvailabilityZone"] == document["availabilityZone"]
    assert instance["Architecture"] == document["architecture"]
    assert document["region"] == lab.region
    assert document["accountId"] == lab.account


def test_listings(lab: RunningLab) -> None:
    """Categories end in a slash ("Instance metadata categories")."""
    assert _get(lab, "/latest/").split() == ["dynamic/", "meta-data/"]
    assert "placement/" in _get(lab, "/latest/meta-data/").split()
    assert _get(lab, "/latest/meta-data/placement/").split() == ["availability-zone", "availability-zone-id", "region"]
    assert _get(lab, "/latest/meta-data/placement/region") == lab.region
    assert _get(lab, "/latest/meta-data/services/partition") == "aws"
    assert _get(lab, "/2021-03-23/meta-data/instance-type") == "m5.large"
    for absent in ("/latest/user-data", "/latest/meta-data/nothing", "/latest/meta-data/instance-id/more"):
        with pytest.raises(Answered, match="404"):
            _get(lab, absent)


def test_block_devices(lab: RunningLab, made: Resources) -> None:
    """block-device-mapping lists what is attached."""
    made.attached(made.volume(), "/dev/sdf")
    names = _get(lab, "/latest/meta-data/block-device-mapping/").split()
    assert "sdf" in [_get(lab, f"/latest/meta-data/block-device-mapping/{name}") for name in names]


def test_botocore_finds_credentials_and_region(lab: RunningLab, monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK's own provider works unchanged: role, credentials, region."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_DEFAULT_REGION", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", lab.env["AWS_EC2_METADATA_SERVICE_ENDPOINT"])
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    credentials = botocore.session.Session().get_credentials()
    assert credentials is not None
    assert credentials.access_key == lab.env["AWS_ACCESS_KEY_ID"]
    assert credentials.method == "iam-role"
    region = botocore.utils.InstanceMetadataRegionFetcher(
        timeout=60, num_attempts=1, base_url=lab.env["AWS_EC2_METADATA_SERVICE_ENDPOINT"], env={}
    ).retrieve_region()
    assert region == lab.region
