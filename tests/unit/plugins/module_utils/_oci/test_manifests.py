# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names, manifests and indexes: nothing that a registry sends is believed before it has been looked at."""

from __future__ import annotations

import json
import typing as t

import pytest
from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError, Invalid, NotFound
from ansible_collections.bakehouse.images.plugins.module_utils._oci.manifests import (
    OCI_CONFIG,
    OCI_LAYER,
    OCI_MANIFEST,
    check_digest,
    choose_platform,
    digest_of,
    parse_configuration,
    parse_manifest,
    parse_platform,
)
from ansible_collections.bakehouse.images.plugins.module_utils._oci.references import parse_reference

DIGEST = "sha256:" + "a" * 64
INDEX = "application/vnd.oci.image.index.v1+json"


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("quay.io/lvh-images/kind:main", "quay.io/lvh-images/kind:main"),
        ("docker://localhost:5000/web", "localhost:5000/web:latest"),
        ("localhost/web:1", "localhost/web:1"),
        ("debian", "docker.io/library/debian:latest"),
        ("someone/web:1", "docker.io/someone/web:1"),
        (f"[::1]:5000/a/b__c@{DIGEST}", f"[::1]:5000/a/b__c@{DIGEST}"),
        (f"quay.io/kind:main@{DIGEST}", f"quay.io/kind@{DIGEST}"),
    ],
)
def test_names_are_read_as_everywhere(text: str, read: str) -> None:
    assert str(parse_reference(text)) == read


@pytest.mark.parametrize(
    "text",
    ["", ":", "quay.io/", "quay.io/UPPER", "quay.io/a:", "quay.io/a:-x", "quay.io/a/../b", "quay.io/a@sha256:1", "-a/b"]
    + ["quay.io/a b", "--help", "quay.io/a\n", "dir:/etc", "quay.io/a@sha512:" + "a" * 64],
)
def test_other_names_are_refused(text: str) -> None:
    with pytest.raises(Invalid):
        parse_reference(text)


def manifest(**changes: t.Any) -> bytes:
    config = {"mediaType": OCI_CONFIG, "digest": DIGEST, "size": 2}
    layer = {"mediaType": OCI_LAYER + "+zstd", "digest": DIGEST, "size": 3}
    return json.dumps(
        {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config, "layers": [layer], **changes}
    ).encode()


def test_a_manifest_is_known_by_its_bytes() -> None:
    found = parse_manifest(manifest(), "web")
    assert found.digest == digest_of(manifest())
    assert [layer.digest for layer in found.layers] == [DIGEST]
    assert parse_manifest(manifest(mediaType=None), "web").platforms is None, "the first ones did not say what they are"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html>",
        b"[1]",
        b"[" * 100000,
        b"\xff\xfe",
        manifest(layers=None),
        manifest(layers=["x"]),
        manifest(layers=[{"mediaType": OCI_LAYER, "digest": "sha256:../../../etc/passwd", "size": 1}]),
        manifest(layers=[{"mediaType": OCI_LAYER, "digest": DIGEST, "size": -1}]),
        manifest(
            layers=[
                {"mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", "digest": DIGEST, "size": 1}
            ]
        ),
        manifest(config={"mediaType": "application/vnd.cncf.helm.config.v1+json", "digest": DIGEST, "size": 1}),
        manifest(mediaType="application/vnd.docker.distribution.manifest.v1+json"),
        manifest(schemaVersion=1, mediaType=None),
    ],
)
def test_what_is_no_image_is_one_error(content: bytes) -> None:
    with pytest.raises(Invalid):
        parse_manifest(content, "web")


@pytest.mark.parametrize("content", [b"{}", b'{"rootfs": {"diff_ids": ["md5:1"]}}', b'{"rootfs": []}'])
def test_a_configuration_must_know_its_layers(content: bytes) -> None:
    with pytest.raises(Invalid):
        parse_configuration(content, "web")


def index(*platforms: t.Mapping[str, str]) -> bytes:
    entries = [
        {"mediaType": OCI_MANIFEST, "digest": "sha256:" + str(number) * 64, "size": 1, "platform": dict(platform)}
        for number, platform in enumerate(platforms)
    ]
    return json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}).encode()


AMD64, ARM64 = {"os": "linux", "architecture": "amd64"}, {"os": "linux", "architecture": "arm64"}
ARM_V6, ARM_V7 = ({"os": "linux", "architecture": "arm", "variant": variant} for variant in ("v6", "v7"))


@pytest.mark.parametrize(
    ("wanted", "number"),
    [("linux/amd64", 0), ("linux/arm64", 1), ("linux/arm64/v8", 1), ("linux/arm", 2), ("linux/arm/v7", 3)],
)
def test_the_image_for_a_platform_is_chosen(wanted: str, number: int) -> None:
    found = parse_manifest(index(AMD64, ARM64, ARM_V6, ARM_V7), "web")
    assert choose_platform(found, parse_platform(wanted), "web").digest == "sha256:" + str(number) * 64


@pytest.mark.parametrize("wanted", ["linux/s390x", "linux/arm64/v9", "windows/amd64"])
def test_a_platform_that_is_not_there_names_those_that_are(wanted: str) -> None:
    found = parse_manifest(index(AMD64, ARM64), "web")
    with pytest.raises(NotFound, match="images for linux/amd64, linux/arm64: choose"):
        choose_platform(found, parse_platform(wanted), "web")


@pytest.mark.parametrize("text", ["linux", "linux/", "Linux/amd64", "linux/amd64/v1/x", "linux/../x"])
def test_platforms_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(Invalid, match="linux/arm64"):
        parse_platform(text)


def test_another_digest_than_asked_for_is_refused() -> None:
    check_digest(DIGEST, None, "web")
    check_digest(DIGEST, DIGEST, "web")
    with pytest.raises(BuildError, match=r"web has the digest sha256:a+, and should have sha256:b+\. Nothing of it"):
        check_digest(DIGEST, "sha256:" + "b" * 64, "web")
