# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Publishing an image's id: what is set back when something goes wrong on the way."""

from __future__ import annotations

import typing as t

import boto3
import pytest
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.api import Ec2Api
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.parameters import (
    ParameterRequest,
    apply_parameter,
    plan_parameter,
)
from ansible_collections.bakehouse.images.plugins.module_utils._errors import Refused
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders

NAME = "/images/web"


def test_what_is_set_but_cannot_be_read_is_set_back(ec2: t.Any) -> None:
    client: t.Any = boto3.client(
        "ssm", region_name="us-east-1", aws_access_key_id="testtesttest", aws_secret_access_key="testtesttest"
    )
    api = Ec2Api(client, clock=ec2.clock)
    changes = plan_parameter(lambda _region: api, ParameterRequest(NAME, {"us-east-1": "ami-00000001"}))
    denied = {"Error": {"Code": "AccessDeniedException", "Message": "No."}, "ResponseMetadata": {"HTTPStatusCode": 400}}
    client.meta.events.register(
        "before-call.ssm.GetParameter",
        lambda **_event: (AWSResponse("http://test", 400, HTTPHeaders(), None), denied),
    )
    with pytest.raises(Refused, match="ssm:GetParameter.*In us-east-1 it is not there again"):
        apply_parameter(changes)
    assert client.get_parameters(Names=[NAME])["Parameters"] == []
