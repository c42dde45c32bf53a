# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""What an instance's metadata service says of it: version 2 of the service, with a session token.

Spoken over a plain connection: the service is on the link, and a proxy would answer for another
machine. Settings are those of AWS's own tools:
https://docs.aws.amazon.com/sdkref/latest/guide/feature-imds-credentials.html
"""

from __future__ import annotations

import http.client
import json
import time
import typing as t
import urllib.parse
from dataclasses import dataclass

from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError, NotFound, Refused

ENDPOINTS = {"ipv4": "http://169.254.169.254", "ipv6": "http://[fd00:ec2::254]"}
DOCUMENT = "/latest/dynamic/instance-identity/document"
TOKEN_SECONDS = 60
# So many times as long as until a connection is taken may an answer take.
PATIENCE = 5
# The service is throttled, and restarted, like any other.
ATTEMPTS = 3
RETRY_SECONDS = 0.5

_HINT = (
    "Run this on the EC2 instance that is the build host, or say which instance that is"
    " (bake_build_instance: instance_id, region, availability_zone)."
)
_NAMES = {
    "instance_id": "instanceId",
    "instance_type": "instanceType",
    "region": "region",
    "availability_zone": "availabilityZone",
    "architecture": "architecture",
    "account_id": "accountId",
    "image_id": "imageId",
    "private_ip": "privateIp",
    "pending_time": "pendingTime",
    "kernel_id": "kernelId",
    "ramdisk_id": "ramdiskId",
}


@dataclass(frozen=True)
class Settings:
    """How the service is reached. C(endpoint) is a URL without path; the timeout is in seconds."""

    endpoint: str
    timeout_seconds: float = 2.0
    allow_v1: bool = False

    @classmethod
    def from_environment(
        cls,
        environment: t.Mapping[str, str],
        *,
        endpoint: t.Optional[str] = None,
        timeout_seconds: float = 2.0,
        allow_v1: bool = False,
    ) -> Settings:
        """The settings given, else those of the environment.

        Raises:
            Refused: the environment says not to ask the service.
        """
        if environment.get("AWS_EC2_METADATA_DISABLED", "").lower() == "true":
            raise Refused("AWS_EC2_METADATA_DISABLED is true: the metadata service is not to be asked.", hint=_HINT)
        mode = environment.get("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "ipv4").lower()
        if mode not in ENDPOINTS:
            raise Refused("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE is %r, neither IPv4 nor IPv6." % mode)
        chosen = endpoint or environment.get("AWS_EC2_METADATA_SERVICE_ENDPOINT") or ENDPOINTS[mode]
        return cls(chosen.rstrip("/"), timeout_seconds, allow_v1)


class Answer(t.NamedTuple):
    """An HTTP answer."""

    status: int
    text: str


def read_instance(settings: Settings) -> t.Dict[str, t.Any]:
    """The instance that this code runs on.

    Raises:
        NotFound: no metadata service answers.
        Refused: the service does not give a token, or not the document.
        BuildError: what answers is no metadata service.
    """
    headers = {}
    token = _token(settings)
    if token:
        headers["X-aws-ec2-metadata-token"] = token
    answer = _request(settings, "GET", DOCUMENT, headers)
    if answer.status != 200:
        raise Refused(
            "The metadata service at %s refuses the identity document (status %d)."
            % (settings.endpoint, answer.status),
            hint=_HINT,
        )
    instance = parse_document(answer.text, settings.endpoint)
    zone_id = _request(settings, "GET", "/latest/meta-data/placement/availability-zone-id", headers)
    instance["availability_zone_id"] = zone_id.text.strip() if zone_id.status == 200 else None
    return instance


def parse_document(text: str, endpoint: str) -> t.Dict[str, t.Any]:
    """An instance identity document in our names."""
    try:
        document = json.loads(text)
        instance = {ours: document.get(theirs) for ours, theirs in _NAMES.items()}
    except (ValueError, AttributeError) as exc:
        raise BuildError("What answers at %s is no metadata service: %s." % (endpoint, exc), hint=_HINT) from exc
    missing = [name for name in ("instance_id", "region", "availability_zone") if not instance[name]]
    if missing:
        raise BuildError("The identity document at %s lacks %s." % (endpoint, ", ".join(missing)), hint=_HINT)
    return instance


def _token(settings: Settings) -> t.Optional[str]:
    wanted = {"X-aws-ec2-metadata-token-ttl-seconds": str(TOKEN_SECONDS)}
    answer = _request(settings, "PUT", "/latest/api/token", wanted)
    if answer.status == 200 and answer.text:
        return answer.text
    if settings.allow_v1:
        return None
    raise Refused(
        "The metadata service at %s gives no session token (status %d)." % (settings.endpoint, answer.status),
        hint="It must speak version 2 (IMDSv2); allow_v1: true would do without.",
    )


def _request(settings: Settings, method: str, path: str, headers: t.Mapping[str, str]) -> Answer:
    """Ask, and ask again where somebody is there who cannot answer just now."""
    for attempt in range(1, ATTEMPTS):
        answer = _ask(settings, method, path, headers, last=False)
        if answer is not None:
            return answer
        time.sleep(RETRY_SECONDS * attempt)
    return t.cast("Answer", _ask(settings, method, path, headers, last=True))


def _ask(settings: Settings, method: str, path: str, headers: t.Mapping[str, str], *, last: bool) -> t.Optional[Answer]:
    """The answer; None for one that another attempt may better."""
    connection = _connection(settings)
    base = urllib.parse.urlsplit(settings.endpoint).path.rstrip("/")
    taken = False
    try:
        connection.connect()
        taken = True
        # Somebody is there, and may be busy.
        connection.sock.settimeout(settings.timeout_seconds * PATIENCE)
        connection.request(method, base + path, headers=dict(headers))
        response = connection.getresponse()
        answer = Answer(response.status, response.read().decode("utf-8", "replace"))
    except (OSError, http.client.HTTPException) as exc:
        if taken and not last:
            return None
        raise NotFound(
            "No EC2 metadata service answers at %s (%s)." % (settings.endpoint, exc or type(exc).__name__),
            hint=_HINT + " In a container, the instance's hop limit must be 2.",
        ) from exc
    finally:
        connection.close()
    return None if (answer.status >= 500 or answer.status == 429) and not last else answer


def _connection(settings: Settings) -> http.client.HTTPConnection:
    url = urllib.parse.urlsplit(settings.endpoint)
    if url.scheme not in ("http", "https") or not url.hostname:
        raise BuildError("The metadata endpoint %r is not an http URL." % settings.endpoint)
    kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
    try:
        return kind(url.hostname, url.port, timeout=settings.timeout_seconds)
    except (ValueError, http.client.InvalidURL) as exc:
        raise BuildError("The metadata endpoint %r is not a URL: %s." % (settings.endpoint, exc)) from exc


__all__ = ("ENDPOINTS", "Settings", "parse_document", "read_instance")
