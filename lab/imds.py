# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The instance metadata service of the lab's build host ("Use instance metadata", EC2 User Guide)."""

from __future__ import annotations

import datetime as dt
import json
import re
import secrets
import threading
import typing as t
from collections.abc import Mapping

from lab.answers import Reply, text
from lab.clock import CLOCK
from lab.ec2.backend import region
from lab.ec2.cloud import Cloud
from lab.ec2.models import Tags

#: Seconds that a session token may be good for: one second to six hours.
TTL = (1, 21600)
#: Paths with a version, and those of older SDKs that leave it out when given another endpoint.
VERSION = re.compile(r"/(latest|1\.0|\d{4}-\d{2}-\d{2})(?=/|$)")
ROOTS = ("/meta-data", "/dynamic", "/user-data", "/api/token")
ROLE = "lab-build-host"

Tree = str | Mapping[str, "Tree"]


def is_metadata_path(path: str) -> bool:
    """Whether a request is one for the metadata service; everything else on the port is an API."""
    return bool(VERSION.match(path)) or path.startswith(ROOTS)


class Metadata:
    """Answers for one instance, which EC2's DescribeInstances shows as well.

    Args:
        cloud: where the instance is.
        account, region_name: of the instance.
        credentials: what the instance's role gives: access key id and secret.
    """

    def __init__(self, cloud: Cloud, account: str, region_name: str, credentials: tuple[str, str]) -> None:
        self._cloud = cloud
        self._account = account
        self._region = region_name
        self._credentials = credentials
        self._tokens: dict[str, float] = {}
        self._lock = threading.Lock()

    def serve(self, environ: Mapping[str, t.Any]) -> Reply:
        mode = self._cloud.settings.current.imds
        path = VERSION.sub("", environ["PATH_INFO"], count=1)
        method = environ["REQUEST_METHOD"]
        if mode == "off":
            return text("Forbidden", 403)
        if path.rstrip("/") == "/api/token":
            return self._new_token(environ) if method == "PUT" else text("Method Not Allowed", 405)
        if method not in ("GET", "HEAD"):
            return text("Method Not Allowed", 405)
        token = environ.get("HTTP_X_AWS_EC2_METADATA_TOKEN")
        if (token is None and mode == "required") or (token is not None and not self._is_good(token)):
            return text("Unauthorized", 401)
        return find(self._tree(), path)

    def _new_token(self, environ: Mapping[str, t.Any]) -> Reply:
        if "HTTP_X_FORWARDED_FOR" in environ:
            return text("Forbidden", 403)
        seconds = environ.get("HTTP_X_AWS_EC2_METADATA_TOKEN_TTL_SECONDS", "")
        if not seconds.isdigit() or not TTL[0] <= int(seconds) <= TTL[1]:
            return text("Bad Request", 400)
        token = secrets.token_urlsafe(40)
        now = CLOCK.now()
        with self._lock:
            self._tokens = {one: until for one, until in self._tokens.items() if until > now}
            self._tokens[token] = now + int(seconds)
        reply = text(token)
        reply.headers["X-aws-ec2-metadata-token-ttl-seconds"] = seconds
        return reply

    def _is_good(self, token: str) -> bool:
        with self._lock:
            return self._tokens.get(token, 0.0) > CLOCK.now()

    def _tree(self) -> Tree:
        with self._cloud.lock:
            where = region(self._account, self._region)
            instance = where.get_instance(self._cloud.build_host_id)
            tags: Tags = dict(where.tags.get(instance.id, {}))
            blocks = list(instance.block_device_mapping)
            zone_id = where.zone_ids().get(instance.placement.zone, "")
        return {
            "dynamic": {"instance-identity": {"document": self._document(instance)}},
            "meta-data": self._meta_data(instance, tags, blocks, zone_id),
        }

    def _document(self, instance: t.Any) -> str:
        document = {
            "accountId": self._account,
            "architecture": instance.architecture,
            "availabilityZone": instance.placement.zone,
            "billingProducts": None,
            "devpayProductCodes": None,
            "imageId": instance.image_id,
            "instanceId": instance.id,
            "instanceType": instance.instance_type,
            "kernelId": None,
            "marketplaceProductCodes": None,
            "pendingTime": f"{instance.launch_time.isoformat(timespec='seconds')}Z",
            "privateIp": instance.private_ip,
            "ramdiskId": None,
            "region": self._region,
            "version": "2017-09-30",
        }
        return json.dumps(document, indent=2)

    def _meta_data(self, instance: t.Any, tags: Tags, blocks: list[str], zone_id: str) -> Tree:
        zone = instance.placement.zone
        root = instance.root_device_name
        return {
            "ami-id": instance.image_id,
            "ami-launch-index": "0",
            "ami-manifest-path": "(unknown)",
            "block-device-mapping": {
                "ami": root.removeprefix("/dev/"),
                "root": root,
                **{f"ebs{i}": name.removeprefix("/dev/") for i, name in enumerate(blocks, 1) if name != root},
            },
            "hostname": instance.private_dns_name,
            "iam": {"info": self._role_info(), "security-credentials": {ROLE: self._role_credentials()}},
            "instance-action": "none",
            "instance-id": instance.id,
            "instance-life-cycle": "on-demand",
            "instance-type": instance.instance_type,
            "local-hostname": instance.private_dns_name,
            "local-ipv4": instance.private_ip,
            "placement": {
                "availability-zone": zone,
                "availability-zone-id": zone_id,
                "region": self._region,
            },
            "profile": "default-hvm",
            "reservation-id": "r-0bakehouselab00000",
            "security-groups": "default",
            "services": {"domain": "amazonaws.com", "partition": "aws"},
            **({"tags": {"instance": dict(tags)}} if tags else {}),
        }

    def _role_info(self) -> str:
        profile = f"arn:aws:iam::{self._account}:instance-profile/{ROLE}"
        info = {
            "Code": "Success",
            "LastUpdated": _iso(0),
            "InstanceProfileArn": profile,
            "InstanceProfileId": "AIPALABLABLABLABLAB0",
        }
        return json.dumps(info, indent=2)

    def _role_credentials(self) -> str:
        key, secret = self._credentials
        credentials = {
            "Code": "Success",
            "LastUpdated": _iso(0),
            "Type": "AWS-HMAC",
            "AccessKeyId": key,
            "SecretAccessKey": secret,
            "Token": "labsessiontokenlabsessiontokenlabsessiontoken",
            "Expiration": _iso(6),
        }
        return json.dumps(credentials, indent=2)


def _iso(hours: int) -> str:
    moment = dt.datetime.now(dt.UTC) + dt.timedelta(hours=hours)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def find(tree: Tree, path: str) -> Reply:
    """What a path leads to: a text, the names of what is below it, or nothing."""
    node: Tree = tree
    # Instance tags may hold slashes in their keys: the longest name that fits wins.
    rest = path.strip("/")
    while rest:
        if isinstance(node, str):
            return text("Not Found", 404)
        name = max((key for key in node if rest == key or rest.startswith(f"{key}/")), key=len, default=None)
        if name is None:
            return text("Not Found", 404)
        node = node[name]
        rest = rest[len(name) :].strip("/")
    if isinstance(node, str):
        return text(node)
    # A role's name is listed as it is: SDKs ask for exactly what they read here.
    lines = [f"{key}/" if not isinstance(value, str) else key for key, value in sorted(node.items())]
    return text("\n".join(lines))
