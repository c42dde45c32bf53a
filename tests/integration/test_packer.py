# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Templates of Packer, built as they are."""

from __future__ import annotations

import hashlib
import json
import shutil

import pytest

from tests.integration.build_fixtures import SOURCE
from tests.integration.project import CHECKOUT, Cloud, Project
from tests.lab_fixture import RunningLab

SECRET = "it's a s3cret, $HOME"
CREATING = ("CreateVolume", "AttachVolume", "CreateSnapshot", "RegisterImage")


@pytest.fixture
def packer(project: Project, source_ami: str) -> Project:
    """A project with the templates of examples/packer, and what they need in the environment."""
    shutil.copytree(CHECKOUT / "examples" / "packer", project.folder, dirs_exist_ok=True)
    project.images()
    project.env = {**project.env, "PKR_VAR_source_ami": source_ami, "WEB_TOKEN": SECRET}
    return project


def test_a_template_builds_as_it_is(
    packer: Project, cloud: Cloud, source_ami: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    ran = packer.build("-i", "web.pkr.hcl", "-v")
    assert ran.rc == 0, ran
    assert SECRET not in ran.output
    assert cloud.leftovers() == []

    image = cloud.image("web-1.0")
    assert image is not None
    tags = {tag["Key"]: tag["Value"] for tag in image["Tags"]}
    assert (tags["Name"], tags["Base"]) == ("web", SOURCE)
    assert image["Description"] == f"Built from {source_ami}"
    with cloud.mounted(image, tmp_path_factory.mktemp("root")) as root:
        assert (root / "etc/motd").read_text() == (packer.folder / "files/motd").read_text()
        assert (root / "srv/site/index.html").is_file()
        assert (root / "srv/site/.settings").read_text() == "hidden\n"
        assert (root / "etc/mounted").read_text() == "mounted\n"
        assert (root / "etc/greeting").read_text() == "it's web\n"
        assert (root / "etc/token.sha256").read_text().split()[0] == hashlib.sha256(SECRET.encode()).hexdigest()
        assert (root / "etc/base").read_text() == f"{source_ami} {SOURCE}\n"
        assert (root / "etc/played").read_text() == "web test Debian\n"
        assert (root / "etc/setup").read_text() == "web amazon-chroot one two\n"
        assert not list((root / "tmp").iterdir())
    manifest = json.loads((packer.folder / "manifest.json").read_text())
    [built] = manifest["builds"]
    assert built["artifact_id"].endswith(f":{image['ImageId']}")
    assert built["packer_run_uuid"] == manifest["last_run_uuid"] == tags["bakehouse:build-id"]
    assert built["custom_data"] == {"base": SOURCE}
    assert (packer.folder / "built.txt").read_text() == "built web\n"


def test_a_wrong_template_is_refused_before_anything_is_created(packer: Project, lab: RunningLab) -> None:
    text = (packer.folder / "web.pkr.hcl").read_text()
    text = text.replace('"${var.name}-1.0"', '"a?"').replace(
        "ena_support     = true", 'enna_support = true\n  vault_aws_engine {\n    name = "x"\n  }'
    )
    packer.write("wrong.pkr.hcl", text.replace('"scripts/setup.sh"', '"scripts/missing.sh"'))
    ran = packer.build("-i", "wrong.pkr.hcl")
    assert ran.rc != 0
    lines = {word: number for number, line in enumerate(text.splitlines(), start=1) for word in line.split()[:1]}
    for said in (
        f"line {lines['ami_name']}: ami_name 'a?' is no name that EC2 takes",
        f"line {lines['enna_support']}: amazon-chroot has no option enna_support. Did you mean ena_support?",
        f"line {lines['vault_aws_engine']}: vault_aws_engine is not supported",
        f"line {lines['script']}: script: scripts/missing.sh was not found",
    ):
        assert f"wrong.pkr.hcl, {said}" in ran.output
    assert [call for name in CREATING for call in lab.api.calls(name)] == []
