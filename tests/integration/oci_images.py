# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Disk images in registries, as tests want them: pushed and pulled by the cores, or put together by hand."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import subprocess
import tarfile
import typing as t
from pathlib import Path

from ansible_collections.bakehouse.images.plugins.module_utils._oci.pull import (
    PullPlan,
    PullRequest,
    plan_pull,
    pulled_images,
)
from ansible_collections.bakehouse.images.plugins.module_utils._oci.push import PushRequest, plan_push
from ansible_collections.bakehouse.images.plugins.module_utils._oci.registry import Access
from ansible_collections.bakehouse.images.plugins.module_utils._plan import apply_plan
from ansible_collections.bakehouse.images.plugins.module_utils._run import LocalRunner

from tests.integration.registry import MANIFEST, TestRegistry

RUNNER = LocalRunner()
PLAIN = Access(validate_certs=False, retries=0)
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"


def push(folder: Path, name: str, *paths: Path, **options: t.Any) -> str:
    """Have an image of these files, and return its digest."""
    images = [{"path": str(path)} for path in paths]
    request = PushRequest(name=name, images=images, work_directory=str(folder), **{"access": PLAIN, **options})
    with plan_push(RUNNER, request) as plan:
        apply_plan(plan.operations)
        return plan.image.digest


def pull(folder: Path, name: str, **options: t.Any) -> PullPlan:
    """Have the files of an image."""
    request = PullRequest(name=name, directory=str(folder), **{"access": PLAIN, **options})
    plan = plan_pull(RUNNER, request)
    apply_plan(plan.operations)
    return pulled_images(RUNNER, request, plan)


def files(folder: Path) -> list[str]:
    """All that is below a folder, hidden files too."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def layer_of(name: str, content: bytes, **fields: t.Any) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as made:
        entry = tarfile.TarInfo(name)
        entry.size = len(content)
        for field, value in fields.items():
            setattr(entry, field, value)
        made.addfile(entry, io.BytesIO(content))
    return target.getvalue()


def publish(
    registry: TestRegistry,
    name: str,
    *layers: tuple[bytes, str],
    tag: str = "latest",
    end_of_line: str = "",
    **config: t.Any,
) -> str:
    """Put an image together by hand: each layer with its kind, compressed as that says; returned is its digest.

    With C(end_of_line) what describes it has more lines than one, with these ends.
    """

    def dump(data: dict[str, t.Any]) -> bytes:
        text = json.dumps(data, indent=1 if end_of_line else None)
        return text.replace("\n", end_of_line).encode()

    descriptors = []
    for layer, kind in layers:
        content = layer
        if kind.endswith("gzip"):
            content = gzip.compress(layer)
        elif kind.endswith("zstd"):
            content = subprocess.run(["zstd", "-c"], check=True, input=layer, capture_output=True).stdout
        descriptors.append({"mediaType": kind, "digest": registry.put_blob(name, content), "size": len(content)})
    diff_ids = [f"sha256:{hashlib.sha256(layer).hexdigest()}" for layer, _kind in layers]
    rootfs = {"type": "layers", "diff_ids": diff_ids}
    blob = dump({"os": "linux", "architecture": "amd64", "rootfs": rootfs, **config})
    described = {"mediaType": CONFIG, "digest": registry.put_blob(name, blob), "size": len(blob)}
    manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": described, "layers": descriptors}
    return registry.put_manifest(name, tag, manifest, dump(manifest))


__all__ = ("LAYER", "PLAIN", "RUNNER", "files", "layer_of", "publish", "pull", "push")
