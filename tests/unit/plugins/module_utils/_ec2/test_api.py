# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Retries: what is tried again, what is not, and for how long."""

from __future__ import annotations

import typing as t

import boto3
import pytest
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.api import Ec2Api
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.retries import CONNECT_ATTEMPTS
from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError, Refused


def test_pages_are_put_together(ec2: t.Any) -> None:
    ec2.answer("DescribeVolumes", {"Volumes": [{"VolumeId": "vol-1"}], "NextToken": "more"})
    ec2.answer("DescribeVolumes", {"Volumes": [{"VolumeId": "vol-2"}]})
    found = ec2.api.find("describe_volumes", "Volumes", "list volumes")
    assert [volume["VolumeId"] for volume in found] == ["vol-1", "vol-2"]


def test_parameters_that_are_not_set_are_not_sent(ec2: t.Any) -> None:
    assert ec2.api.call("describe_volumes", "list volumes", VolumeIds=None)["Volumes"] == []


def test_an_endpoint_that_nobody_listens_on_is_given_up_after_a_few_attempts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    client: t.Any = boto3.client(
        "ec2",
        region_name="us-east-1",
        endpoint_url="http://127.0.0.1:1",
        aws_access_key_id="testtesttest",
        aws_secret_access_key="testtesttest",
    )
    attempts: list[int] = []
    client.meta.events.register("before-send.ec2", lambda **_: attempts.append(1))
    with pytest.raises(BuildError, match="EC2's endpoint http://127.0.0.1:1 cannot be reached"):
        Ec2Api(client).call("describe_volumes", "list volumes")
    assert len(attempts) == CONNECT_ATTEMPTS


def test_a_refusal_is_not_tried_again(ec2: t.Any) -> None:
    ec2.refuse("DescribeVolumes", "UnauthorizedOperation", "You are not authorized to perform this operation.")
    with pytest.raises(Refused, match="ec2:DescribeVolumes"):
        ec2.api.find("describe_volumes", "Volumes", "list volumes")
    assert ec2.count("DescribeVolumes") == 1
