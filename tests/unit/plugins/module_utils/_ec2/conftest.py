# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""EC2 for tests of the cores: moto behind a real boto3 client, and a clock that does not take time."""

from __future__ import annotations

import typing as t
from collections.abc import Iterator

import boto3
import pytest
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.api import Ec2Api
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders

ZONE = "us-east-1a"


class FakeClock:
    """Time that passes only when somebody sleeps."""

    def __init__(self) -> None:
        self.time = 0.0
        self.naps: list[float] = []

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds
        self.naps.append(seconds)


class Ec2:
    """An account's EC2, with the calls counted and answers put in their place where a test says so."""

    def __init__(self, client: t.Any) -> None:
        self.client = client
        self.clock = FakeClock()
        self.api = Ec2Api(client, clock=self.clock)
        self.calls: list[str] = []
        self._handlers: list[tuple[str, t.Callable[..., t.Any]]] = []
        self.on("provide-client-params.ec2", lambda model, **_event: self.calls.append(model.name))

    def on(self, event: str, handler: t.Callable[..., t.Any]) -> None:
        """Have one of botocore's events handled until the test ends."""
        self.client.meta.events.register_first(event, handler)
        self._handlers.append((event, handler))

    def close(self) -> None:
        """Forget what the test has changed."""
        for event, handler in self._handlers:
            self.client.meta.events.unregister(event, handler)

    def count(self, action: str) -> int:
        """How often an action was called."""
        return self.calls.count(action)

    def refuse(self, action: str, code: str, message: str = "No.", *, times: int = 1, status: int = 400) -> None:
        """Let the next calls of an action fail."""
        self.answer(action, {"Error": {"Code": code, "Message": message}}, times=times, status=status)

    def answer(self, action: str, answer: dict[str, t.Any], *, times: int = 1, status: int = 200) -> None:
        """Let the next calls of an action be answered so, without being carried out."""
        self.answer_by(action, lambda: answer, times=times, status=status)

    def answer_by(
        self, action: str, make: t.Callable[[], dict[str, t.Any]], *, times: int = 1, status: int = 200
    ) -> None:
        """The same with an answer that is made when the call comes."""
        left = [times]

        def handle(**_event: t.Any) -> t.Any:
            if not left[0]:
                return None
            left[0] -= 1
            metadata = {"HTTPStatusCode": status, "RequestId": "test"}
            return AWSResponse("http://test", status, HTTPHeaders(), None), {**make(), "ResponseMetadata": metadata}

        # botocore asks those registered first last: answers come in the order in which a test gives them.
        self.client.meta.events.register(f"before-call.ec2.{action}", handle)
        self._handlers.append((f"before-call.ec2.{action}", handle))

    def instance(self, zone: str = ZONE) -> str:
        """Start an instance and return its id."""
        vpc = self.client.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        subnet = self.client.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24", AvailabilityZone=zone)
        image = self.client.register_image(Name=f"host-{vpc}")["ImageId"]
        answer = self.client.run_instances(
            ImageId=image, MinCount=1, MaxCount=1, SubnetId=subnet["Subnet"]["SubnetId"], InstanceType="m5.large"
        )
        return str(answer["Instances"][0]["InstanceId"])

    def volume(self, zone: str = ZONE, size_gib: int = 1) -> str:
        """Create a volume, not by a build, and return its id."""
        return str(self.client.create_volume(AvailabilityZone=zone, Size=size_gib)["VolumeId"])


@pytest.fixture(scope="session", name="mocked")
def _mocked() -> Iterator[t.Any]:
    """moto in this process, and one client: making one takes a third of a second."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
        for name in ("AWS_ENDPOINT_URL", "AWS_PROFILE"):
            patch.delenv(name, raising=False)
        from moto import mock_aws  # reads the setting above when it is imported

        mock = mock_aws()
        mock.start()
        client = boto3.client(
            "ec2", region_name="us-east-1", aws_access_key_id="testtesttest", aws_secret_access_key="testtesttest"
        )
        yield mock, client
        mock.stop()


@pytest.fixture
def ec2(mocked: t.Any) -> Iterator[Ec2]:
    """An empty account."""
    mock, client = mocked
    mock.reset()
    account = Ec2(client)
    yield account
    account.close()
