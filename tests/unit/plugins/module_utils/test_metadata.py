# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which instance this is, by a metadata service that speaks as EC2's does."""

from __future__ import annotations

import http.server
import json
import threading
import typing as t

import pytest
from ansible_collections.bakehouse.images.plugins.module_utils import _metadata
from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError, NotFound, Refused
from ansible_collections.bakehouse.images.plugins.module_utils._metadata import (
    Settings,
    parse_document,
    read_instance,
)

DOCUMENT = {
    "instanceId": "i-1234567890abcdef0",
    "instanceType": "m7i.large",
    "region": "eu-west-1",
    "availabilityZone": "eu-west-1a",
    "architecture": "x86_64",
    "accountId": "123456789012",
    "imageId": "ami-1",
}


class Service:
    """A metadata service with switches."""

    def __init__(self) -> None:
        self.token: str | None = "secret-token"
        self.requires_token = True
        self.document: t.Any = json.dumps(DOCUMENT)
        self.requests: list[str] = []
        self.broken: list[int] = []  # statuses of the next answers; 0 hangs up
        self.url = ""


@pytest.fixture
def service() -> t.Iterator[Service]:
    """A service that requires a token, as current instances do."""
    running = Service()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            if running.broken:
                status = running.broken.pop(0)
                if status:
                    self.reply(status, "")
                else:
                    self.close_connection = True
                return
            lifetime = self.headers.get("X-aws-ec2-metadata-token-ttl-seconds")
            granted = self.path == "/latest/api/token" and lifetime and running.token
            self.reply(200 if granted else 403, running.token or "")

        def do_GET(self) -> None:
            running.requests.append(self.path)
            if running.requires_token and self.headers.get("X-aws-ec2-metadata-token") != running.token:
                self.reply(401, "")
            elif self.path == "/latest/dynamic/instance-identity/document":
                self.reply(200, running.document)
            else:
                self.reply(404, "")

        def reply(self, status: int, text: str) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *args: t.Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    running.url = "http://127.0.0.1:%d" % server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield running
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_identity_document_is_read_with_a_token(service: Service) -> None:
    instance = read_instance(Settings(service.url))
    assert instance["instance_id"] == "i-1234567890abcdef0"
    assert instance["availability_zone"] == "eu-west-1a"
    assert instance["region"] == "eu-west-1"
    assert instance["availability_zone_id"] is None
    assert instance["kernel_id"] is None


def test_a_proxy_in_the_environment_is_not_asked(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    assert read_instance(Settings(service.url + "/"))["account_id"] == "123456789012"


def test_a_service_without_tokens_is_refused(service: Service) -> None:
    service.token, service.requires_token = None, False
    with pytest.raises(Refused, match="gives no session token .status 403.*allow_v1"):
        read_instance(Settings(service.url))
    assert service.requests == []


def test_version_1_is_spoken_when_allowed(service: Service) -> None:
    service.token, service.requires_token = None, False
    assert read_instance(Settings(service.url, allow_v1=True))["instance_type"] == "m7i.large"


def test_no_service_says_what_to_do_instead() -> None:
    with pytest.raises(NotFound, match="No EC2 metadata service answers at http://127.0.0.1:1 .*bake_build_instance"):
        read_instance(Settings("http://127.0.0.1:1"))


@pytest.mark.parametrize("text", ["<html>", "[]", "{}"])
def test_what_is_no_identity_document_is_an_error(text: str) -> None:
    with pytest.raises(BuildError, match="http://x"):
        parse_document(text, "http://x")


@pytest.mark.parametrize("endpoint", ["169.254.169.254", "ftp://x", "http://x:port"])
def test_an_endpoint_that_is_no_url_is_an_error(endpoint: str) -> None:
    with pytest.raises(BuildError, match="The metadata endpoint"):
        read_instance(Settings(endpoint))


@pytest.mark.parametrize(
    ("environment", "endpoint"),
    [
        ({}, "http://169.254.169.254"),
        ({"AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE": "IPv6"}, "http://[fd00:ec2::254]"),
        ({"AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://127.0.0.1:80/"}, "http://127.0.0.1:80"),
        ({"AWS_EC2_METADATA_DISABLED": "false"}, "http://169.254.169.254"),
    ],
)
def test_the_environment_says_where_the_service_is(environment: dict[str, str], endpoint: str) -> None:
    assert Settings.from_environment(environment).endpoint == endpoint


def test_an_endpoint_that_is_given_wins_over_the_environment() -> None:
    environment = {"AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://a"}
    assert Settings.from_environment(environment, endpoint="http://b").endpoint == "http://b"


@pytest.mark.parametrize(
    "environment",
    [{"AWS_EC2_METADATA_DISABLED": "True"}, {"AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE": "ipx"}],
)
def test_the_environment_can_rule_the_service_out(environment: dict[str, str]) -> None:
    with pytest.raises(Refused):
        Settings.from_environment(environment)


@pytest.mark.parametrize("broken", [[503], [0], [500, 429]])
def test_a_service_that_cannot_answer_just_now_is_asked_again(
    service: Service, broken: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_metadata, "RETRY_SECONDS", 0)
    service.broken = broken
    assert read_instance(Settings(service.url))["instance_id"] == DOCUMENT["instanceId"]


@pytest.mark.parametrize(("broken", "error"), [([503] * 3, Refused), ([0] * 3, NotFound)])
def test_a_service_that_stays_broken_is_given_up(
    service: Service, broken: list[int], error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_metadata, "RETRY_SECONDS", 0)
    service.broken = broken
    with pytest.raises(error):
        read_instance(Settings(service.url))
    assert service.broken == []
