# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Disk images in a real registry: pushed, pulled, pinned, tampered with."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
import typing as t
from pathlib import Path

import pytest
from ansible_collections.bakehouse.images.plugins.module_utils._errors import (
    BuildError,
    Conflict,
    Invalid,
    NotFound,
    Refused,
)
from ansible_collections.bakehouse.images.plugins.module_utils._oci.pull import (
    PullRequest,
    plan_pull,
)
from ansible_collections.bakehouse.images.plugins.module_utils._oci.push import PushRequest, plan_push
from ansible_collections.bakehouse.images.plugins.module_utils._oci.registry import Access

from tests.integration.module_runs import CHECKOUT, environment, playbook_command
from tests.integration.oci_images import LAYER, PLAIN, RUNNER, files, layer_of, publish, pull, push
from tests.integration.registry import (
    INDEX,
    MANIFEST,
    PASSWORD,
    USER,
    TestRegistry,
    running_registry,
)


def run_tasks(folder: Path, *tasks: dict[str, t.Any]) -> list[dict[str, t.Any]]:
    """Run tasks as a playbook, and return their results."""
    play = {"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": list(tasks)}
    command = playbook_command(folder, [play])
    done = subprocess.run(command, check=False, env=environment(folder), capture_output=True, text=True, timeout=600)
    print(done.stdout, done.stderr)  # shown by pytest when the test fails
    return [task["hosts"]["localhost"] for task in json.loads(done.stdout)["plays"][0]["tasks"]]


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """A disk with data at both ends and nothing between."""
    path = tmp_path / "disk.raw"
    path.write_bytes(os.urandom(100_000).ljust(32 * 1024 * 1024, b"\0") + b"the end")
    return path


def test_what_is_pushed_is_what_is_pulled(registry: TestRegistry, disk: Path, tmp_path: Path) -> None:
    name = f"{registry.name()}:1.4"
    qcow2, work, there = tmp_path / "web.qcow2", tmp_path / "work", tmp_path / "there"
    subprocess.run(["qemu-img", "convert", "-O", "qcow2", disk, qcow2], check=True)
    pushing = {
        "name": name,
        "images": [{"path": str(disk), "name": "base.raw"}, {"path": str(qcow2)}],
        "annotations": {"org.opencontainers.image.version": 1.4},
        "work_directory": str(work),
        "validate_certs": False,
    }
    pulling = {"name": "{{ pushed.reference }}", "directory": str(there), "validate_certs": False}
    # fmt: off
    would_push, pushed, pushed_again, would_pull, pulled, pulled_again = run_tasks(
        tmp_path,
        {"bakehouse.images.oci_image_push": pushing, "check_mode": True, "diff": True},
        {"bakehouse.images.oci_image_push": pushing, "register": "pushed"},
        {"bakehouse.images.oci_image_push": pushing},
        {"bakehouse.images.oci_image_pull": pulling, "check_mode": True, "diff": True},
        {"bakehouse.images.oci_image_pull": pulling},
        {"bakehouse.images.oci_image_pull": pulling},
    )
    # fmt: on
    results = (would_push, pushed, pushed_again, would_pull, pulled, pulled_again)
    assert [it["changed"] for it in results] == [True, True, False, True, True, False]
    assert {it["digest"] for it in results} == {pushed["digest"]}
    assert f"push {name}: {pushed['digest']}, base.raw.zst" in would_push["diff"]["after"]
    assert would_pull["diff"]["after"].startswith(f"pull {pushed['reference']} into {there}/images")
    assert would_pull["images"] == []
    assert files(work) == []

    assert [Path(image["path"]).name for image in pulled["images"]] == ["base.raw", "web.qcow2"]
    assert [image["format"] for image in pulled["images"]] == ["raw", "qcow2"]
    assert pulled_again["images"] == pulled["images"]
    assert files(there) == ["images", "images/base.raw", "images/web.qcow2"]
    for path, origin in (("base.raw", disk), ("web.qcow2", qcow2)):
        subprocess.run(["cmp", there / "images" / path, origin], check=True)
    assert (there / "images/base.raw").stat().st_blocks * 512 < 1024 * 1024


def test_check_mode_changes_nothing(registry: TestRegistry, disk: Path, tmp_path: Path) -> None:
    name = registry.name()
    with plan_push(
        RUNNER, PushRequest(name, [{"path": str(disk)}], work_directory=str(tmp_path), access=PLAIN)
    ) as plan:
        assert len(plan.operations) == 1
    with pytest.raises(NotFound, match="There is no image"):
        pull(tmp_path / "there", name)
    push(tmp_path, name, disk)
    assert len(plan_pull(RUNNER, PullRequest(name, str(tmp_path / "there"), access=PLAIN)).operations) == 1
    assert files(tmp_path) == ["disk.raw"]


def test_a_second_pull_downloads_no_layer(registry: TestRegistry, disk: Path, tmp_path: Path) -> None:
    name, there = registry.name(), tmp_path / "there"
    digest = push(tmp_path, name, disk)
    assert pull(there, name).operations
    kept = pull(there, name, cache=True)
    assert kept.operations
    assert kept.compressed == [str(there / "images/disk.raw.zst")]

    layer = registry.blob(json.loads(registry.blob(digest).read_bytes())["layers"][0]["digest"])
    layer.unlink()
    for cache in (False, True):
        plan = pull(there, name, cache=cache)
        assert plan.operations == []
        assert [image.path for image in plan.images] == [str(there / "images/disk.raw")]
    assert files(there) == ["images", "images/disk.raw", "images/disk.raw.zst"]
    (there / "images/disk.raw").unlink()
    with pytest.raises(BuildError):
        pull(there, name)
    assert files(there) == ["images", "images/disk.raw.zst"]


def test_the_same_files_are_the_same_image(registry: TestRegistry, disk: Path, tmp_path: Path) -> None:
    name = f"{registry.name()}:main"
    digest = push(tmp_path, name, disk)
    disk.touch()
    assert push(tmp_path, name, disk) == digest
    with disk.open("ab") as stream:
        stream.write(b"more")
    with pytest.raises(Conflict, match=f"is there, and is another image .{digest}."):
        push(tmp_path, name, disk)
    changed = push(tmp_path, name, disk, overwrite=True)
    assert changed != digest

    there = tmp_path / "there"
    pull(there, name)
    with pytest.raises(Conflict, match="is another file than the image has. Set overwrite"):
        pull(there, f"{name.rpartition(':')[0]}@{digest}")
    assert pull(there, name.rpartition(":")[0], digest=digest, overwrite=True).pinned.digest == digest
    assert (there / "images/disk.raw").read_bytes().endswith(b"the end")


@pytest.mark.parametrize("tampered", ["manifest", "layer"])
def test_what_was_tampered_with_is_refused(registry: TestRegistry, disk: Path, tmp_path: Path, tampered: str) -> None:
    name = registry.name()
    digest = push(tmp_path, name, disk)
    content = json.loads(registry.blob(digest).read_bytes())
    path = registry.blob(digest if tampered == "manifest" else content["layers"][0]["digest"])
    held = bytearray(path.read_bytes())
    held[-2000 if tampered == "layer" else -20] ^= 1
    path.write_bytes(held)
    with pytest.raises(BuildError):
        pull(tmp_path / "there", f"{name}@{digest}")
    assert files(tmp_path / "there") in ([], ["images"])


def test_another_digest_than_the_pinned_one_is_refused(registry: TestRegistry, disk: Path, tmp_path: Path) -> None:
    name = registry.name()
    push(tmp_path, name, disk)
    with pytest.raises(NotFound, match="There is no image"):
        pull(tmp_path / "there", name, digest="sha256:" + "0" * 64)
    assert files(tmp_path / "there") == []


def test_a_configuration_that_lies_about_its_layers_is_refused(registry: TestRegistry, tmp_path: Path) -> None:
    name = registry.name()
    layer = (layer_of("data/images/a", b"x"), LAYER + "+gzip")
    publish(registry, name, layer, rootfs={"type": "layers", "diff_ids": ["sha256:" + "0" * 64]})
    with pytest.raises(BuildError, match="decompressed, has the digest"):
        pull(tmp_path, name)
    publish(registry, name, layer, rootfs={"type": "layers", "diff_ids": []})
    with pytest.raises(BuildError, match="has 1 layers, and its configuration knows of 0"):
        pull(tmp_path, name)
    assert files(tmp_path) == ["images"]


def test_layers_of_all_kinds_are_laid_over_one_another(registry: TestRegistry, tmp_path: Path) -> None:
    name = registry.name()
    publish(
        registry,
        name,
        (layer_of("data/images/a", b"old"), LAYER),
        (layer_of("data/images/b", b"b"), "application/vnd.docker.image.rootfs.diff.tar.gzip"),
        (layer_of("data/images/a", b"new"), LAYER + "+zstd"),
        (layer_of("data/images/.wh.b", b""), LAYER + "+gzip"),
        (layer_of("data/images/deep/c", b"c"), LAYER + "+gzip"),
    )
    pull(tmp_path, name)
    assert files(tmp_path) == ["images", "images/a", "images/deep", "images/deep/c"]
    assert (tmp_path / "images/a").read_text() == "new"


def test_a_hostile_image_writes_nothing(registry: TestRegistry, tmp_path: Path) -> None:
    name = registry.name()
    hostile = layer_of("data/images/link", b"", type=tarfile.SYMTYPE, linkname=str(tmp_path / "outside"))
    publish(
        registry,
        name,
        (layer_of("data/images/good", b"x"), LAYER),
        (hostile, LAYER),
        (layer_of("data/images/../../../outside", b"x"), LAYER + "+gzip"),
    )
    with pytest.raises(Invalid) as caught:
        pull(tmp_path / "there", name)
    assert caught.value.problems == [
        f"A layer holds 'data/images/link', which is a symbolic link to '{tmp_path}/outside', "
        "where only folders and files belong.",
        "A layer holds 'data/images/../../../outside', which would lead out of the image.",
    ]
    assert files(tmp_path / "there") == ["images"]
    assert not (tmp_path / "outside").exists()


def test_the_image_of_a_platform_is_chosen_from_an_index(registry: TestRegistry, tmp_path: Path) -> None:
    name = registry.name()
    entries = []
    for number, architecture in enumerate(("amd64", "arm64")):
        layer = layer_of("data/images/a", architecture.encode())
        digest = publish(registry, name, (layer, LAYER), tag=f"v{number}", architecture=architecture)
        size = registry.blob(digest).stat().st_size
        platform = {"os": "linux", "architecture": architecture}
        entries.append({"mediaType": MANIFEST, "digest": digest, "size": size, "platform": platform})
    index = registry.put_manifest(name, "main", {"schemaVersion": 2, "mediaType": INDEX, "manifests": entries})
    for number, architecture in enumerate(("amd64", "arm64")):
        folder = tmp_path / architecture
        plan = pull(folder, name, digest=index, platform=f"linux/{architecture}")
        assert (plan.platform, plan.pinned.digest) == (f"linux/{architecture}", entries[number]["digest"])
        assert (folder / "images/a").read_text() == architecture
    with pytest.raises(NotFound, match="It has images for linux/amd64, linux/arm64"):
        pull(tmp_path, f"{name}:main", platform="linux/s390x")
    with pytest.raises(BuildError, match="is for linux/amd64, and linux/arm64 was asked for"):
        pull(tmp_path, f"{name}:v0", platform="linux/arm64")


def test_a_password_is_asked_for_and_never_shown(locked_registry: TestRegistry, disk: Path, tmp_path: Path) -> None:
    name = locked_registry.name()
    known = Access(username=USER, password=PASSWORD, validate_certs=False, retries=0)
    push(tmp_path, name, disk, access=known)
    authfile = tmp_path / "auth.json"
    login: list[str | Path] = [
        "skopeo",
        "login",
        "--tls-verify=false",
        "--username",
        USER,
        "--password-stdin",
        "--authfile",
        authfile,
    ]
    subprocess.run([*login, locked_registry.address], check=True, input=PASSWORD, text=True)
    assert pull(tmp_path / "by-file", name, access=Access(authfile=str(authfile), validate_certs=False)).operations

    wrong = {"name": name, "directory": str(tmp_path / "there"), "validate_certs": False}
    task = {"bakehouse.images.oci_image_pull": {**wrong, "username": USER, "password": "wrong horse"}}
    (result,) = run_tasks(tmp_path, task)
    assert result["failed"]
    assert f"The registry {locked_registry.address} does not let the user {USER} at {name}:latest" in result["msg"]
    assert "wrong horse" not in json.dumps(result)
    assert not (tmp_path / "there").exists()


def test_a_registry_is_trusted_by_its_certificate(registry: TestRegistry, disk: Path, tmp_path: Path) -> None:
    with pytest.raises(Refused, match="set validate_certs to false"):
        pull(tmp_path, registry.name(), access=Access(retries=0))
    with running_registry(tls=True) as secured:
        name = secured.name()
        with pytest.raises(Refused, match="Give the certificate of its authority in cert_dir"):
            push(tmp_path, name, disk, access=Access(retries=0))
        known = Access(cert_dir=str(secured.certificates), retries=0)
        digest = push(tmp_path, name, disk, access=known)
        assert pull(tmp_path / "there", name, access=known).pinned.digest == digest


def test_a_forest_is_built_on_what_was_pulled(registry: TestRegistry, debian_tarball: Path, tmp_path: Path) -> None:
    base, folder = tmp_path / "base.raw", tmp_path / "forest"
    root = tmp_path / "root"
    root.mkdir()
    without = ["--exclude=./usr/share", "--exclude=./usr/lib/python3*"]
    subprocess.run(["tar", "-x", "--numeric-owner", *without, "-f", debian_tarball, "-C", root], check=True)
    subprocess.run(["mkfs.ext4", "-q", "-d", root, base, "300M"], check=True)
    push(tmp_path, f"{registry.address}/examples/base:main", base)
    shutil.copytree(CHECKOUT / "examples/registry", folder)
    given = {"registry": f"{registry.address}/examples", "registry_has_tls": False}

    def run(playbook: Path, *arguments: str | Path) -> t.Any:
        command = [sys.executable, "-m", "ansible", "playbook", *arguments, "-e", json.dumps(given), playbook]
        done = subprocess.run(command, check=False, env=environment(folder), capture_output=True, text=True)
        print(done.stdout, done.stderr)  # shown by pytest when the test fails
        assert done.returncode == 0
        return json.loads(done.stdout)["stats"]

    assert run(folder / "pull.yml")["localhost"]["changed"] == 1
    run(CHECKOUT / "playbooks/build.yml", "-i", folder / "images.json")
    assert run(folder / "publish.yml")["localhost"]["changed"] == 1

    raw = tmp_path / "k8s.raw"
    subprocess.run(["qemu-img", "convert", "-O", "raw", folder / "images/k8s.qcow2", raw], check=True)
    read = subprocess.run(["debugfs", "-R", "cat /etc/motd", raw], check=True, capture_output=True, text=True)
    assert read.stdout.endswith("\nA node of a cluster\n")
    status, _manifest = registry.request("GET", "/v2/examples/k8s/manifests/main")
    assert status == 200


def test_manifests_with_other_ends_of_lines_have_the_digest_of_their_bytes(
    registry: TestRegistry, tmp_path: Path
) -> None:
    name = registry.name()
    digest = publish(registry, name, (layer_of("data/images/a", b"x"), LAYER), end_of_line="\r\n")
    assert b"\r\n" in registry.blob(digest).read_bytes()
    assert pull(tmp_path, f"{name}@{digest}").pinned.digest == digest
    assert (tmp_path / "images/a").read_text() == "x"


@pytest.mark.parametrize("compressed", ["layer", "file"])
def test_what_would_fill_the_disk_is_refused(registry: TestRegistry, tmp_path: Path, compressed: str) -> None:
    name, zeros, kind = registry.name(), bytes(64 * 1024 * 1024), LAYER
    if compressed == "layer":
        layer, kind = layer_of("data/images/a.raw", zeros), LAYER + "+zstd"
    else:
        packed = subprocess.run(["zstd", "-c"], check=True, input=zeros, capture_output=True).stdout
        layer = layer_of("data/images/a.raw.zst", packed)
    publish(registry, name, (layer, kind))
    with pytest.raises(Refused, match="larger than 16 MiB .16777216 bytes., which is what max_unpacked_size allows"):
        pull(tmp_path, name, max_unpacked_size="16MiB")
    assert files(tmp_path) == ["images"]
    assert pull(tmp_path, name, max_unpacked_size="80MiB").images[0].size_bytes == len(zeros)
