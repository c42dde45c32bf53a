# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A small image of each provider, to be killed while it is built."""

from __future__ import annotations

import sys
import typing as t
from pathlib import Path

from tests.disks import run
from tests.integration.disks import loop_disk, mounted, unpack
from tests.integration.killing import Matrix, local_build_ids
from tests.integration.outscale import BUILD_TAG, Outscale, Resource, tags_of, write_image
from tests.integration.project import Cloud, Project

# Long enough to be killed in, at random.
PROVISION = [{"shell": "sleep 0.5; echo done > /etc/provisioned"}]


def ec2_matrix(project: Project, cloud: Cloud, source_ami: str) -> Matrix:
    """An AMI on the lab."""
    project.images(
        web={
            "bake_image_name": "web",
            "bake_source": source_ami,
            "bake_gather_facts": False,
            "bake_provision": PROVISION,
        }
    )
    ours = [{"Name": "tag-key", "Values": ["bakehouse:build-id"]}]

    def build_ids() -> set[str]:
        found = [
            *cloud.ec2.describe_volumes(Filters=ours)["Volumes"],
            *cloud.ec2.describe_snapshots(OwnerIds=["self"], Filters=ours)["Snapshots"],
        ]
        return {tag["Value"] for one in found for tag in one["Tags"] if tag["Key"] == "bakehouse:build-id"}

    def artifacts() -> list[str]:
        return [one["ImageId"] for one in cloud.ec2.describe_images(Owners=["self"], Filters=ours)["Images"]]

    return Matrix(project, build_ids, artifacts, cloud.leftovers)


# A connection that does as "local" until a file is there.
FLAKY = """
import os
from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.connection.local import Connection as LocalConnection
DOCUMENTATION = "name: flaky\\nshort_description: the local machine, until a file is there\\ndescription: for a test"
class Connection(LocalConnection):
    transport = "flaky"
    def exec_command(self, *args, **kwargs):
        if os.path.exists(os.environ["FLAKY_FILE"]):
            raise AnsibleConnectionFailure("gone")
        return super().exec_command(*args, **kwargs)
"""


def flaky_build_host(project: Project, source_ami: str, **image: t.Any) -> Path:
    """A project with one image, and a build host that cannot be reached as soon as the file returned is there."""
    project.write("connections/flaky.py", FLAKY)
    gone = project.folder / "gone"
    project.env = {
        **project.env,
        "ANSIBLE_CONNECTION_PLUGINS": str(project.folder / "connections"),
        "FLAKY_FILE": str(gone),
    }
    web = {
        "bake_image_name": "web",
        "bake_source": source_ami,
        "bake_build_host": "builder",
        "bake_gather_facts": False,
        "bake_provision": PROVISION,
        **image,
    }
    builder = {"ansible_connection": "flaky", "ansible_python_interpreter": sys.executable}
    project.write(
        "inventory.yml",
        {
            "images": {"vars": {"ansible_connection": "bakehouse.images.chroot"}, "hosts": {"web": web}},
            "builders": {"hosts": {"builder": builder}},
        },
    )
    return gone


def outscale_matrix(project: Project, outscale: Outscale) -> Matrix:
    """An OMI on the lab, from another account's image, which is copied first."""
    write_image(project, PROVISION[0]["shell"])

    def ours(call: str, key: str) -> list[Resource]:
        filters = (
            {"TagKeys": [BUILD_TAG]}
            if call == "ReadVolumes"
            else {"TagKeys": [BUILD_TAG], "AccountIds": [outscale.account]}
        )
        found: list[Resource] = outscale(call, Filters=filters)[key]
        return found

    def build_ids() -> set[str]:
        found = [*ours("ReadVolumes", "Volumes"), *ours("ReadSnapshots", "Snapshots"), *ours("ReadImages", "Images")]
        return {tags_of(one)[BUILD_TAG] for one in found if one.get("ImageName") != "web"}

    def artifacts() -> list[str]:
        return [one["ImageId"] for one in ours("ReadImages", "Images") if one["ImageName"] == "web"]

    return Matrix(project, build_ids, artifacts, outscale.leftovers)


def local_matrix(folder: Path, tarball: Path) -> Matrix:
    """A raw file."""
    source = folder / "debian.raw"
    with loop_disk(folder / "disk", size_mib=400, table="label: gpt\n, +, L\n") as disk:
        run("mkfs.ext4", "-q", "-L", "root", disk.partition(1))
        with mounted(folder / "mnt", (disk.partition(1), "/", "")) as root:
            unpack(tarball, root, "LABEL=root / auto defaults 0 1\n")
        source.hardlink_to(disk.file)
    project = Project(folder / "project", {})
    project.folder.mkdir()
    project.images(
        web={
            "bake_provider": "local",
            "bake_image_name": "web",
            "bake_source": {"path": str(source)},
            "bake_gather_facts": False,
            "bake_provision": PROVISION,
        }
    )
    images = project.folder / "images"

    def names() -> list[str]:
        return sorted(path.name for path in images.iterdir()) if images.exists() else []

    def left() -> list[str]:
        return [name for name in names() if name != "web.raw"] + sorted(local_build_ids(images))

    return Matrix(project, lambda: local_build_ids(images), lambda: [one for one in names() if one == "web.raw"], left)
