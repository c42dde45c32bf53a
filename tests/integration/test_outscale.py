# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whole builds for Outscale from the example templates: what is in the images, and what is left (nothing)."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

from lab.config import OSC_VENDOR_ACCOUNT
from tests.integration.outscale import Outscale, outscale, snapshots_of, source_omi, tags_of
from tests.integration.project import CHECKOUT, Project, host_state
from tests.lab_fixture import RunningLab

EXAMPLES = CHECKOUT / "examples" / "outscale"
CREATING = ("CreateVolume", "LinkVolume", "CreateSnapshot", "CreateImage")

__all__ = ("outscale", "source_omi")


@pytest.fixture
def packer(project: Project) -> t.Callable[..., None]:
    """Has the project's inventory name an example, with variables of its own."""

    def give(template: str, **variables: str) -> None:
        content = {"plugin": "bakehouse.images.packer", "template": str(EXAMPLES / template), "variables": variables}
        project.write("inventory.yml", content)

    return give


def test_an_image_of_another_account_becomes_an_omi(
    packer: t.Callable[..., None],
    project: Project,
    outscale: Outscale,
    source_omi: str,
    lab: RunningLab,
    tmp_path: Path,
) -> None:
    packer("from-image.pkr.hcl", owner=OSC_VENDOR_ACCOUNT, source_name="Debian-12-*")
    lab.api.fault("ReadImages", code="RequestLimitExceeded", times=3)
    before = host_state()
    ran = project.build()
    assert ran.rc == 0, ran
    assert host_state() == before
    assert outscale.leftovers() == []

    image = outscale.image("web")
    assert image is not None
    tags = tags_of(image)
    assert (tags["Source"], tags["Team"]) == (source_omi, "web")
    assert {"bakehouse:build-id", "bakehouse:fingerprint", "bakehouse:image", "bakehouse:host"} <= tags.keys()
    assert image["Description"] == "Made from Debian-12-test"
    assert [one["DeviceName"] for one in image["BlockDeviceMappings"]] == ["/dev/sda1", "/dev/xvdb"]
    root, data = (one["Bsu"] for one in image["BlockDeviceMappings"])
    assert (root["VolumeSize"], data["VolumeSize"]) == (2, 1)
    taken = outscale("ReadSnapshots", Filters={"SnapshotIds": snapshots_of(image)[:1]})["Snapshots"][0]
    assert tags_of(taken)["Kind"] == "root"

    with outscale.mounted(image, tmp_path / "mnt") as found:
        assert (found / "etc/motd").read_text() == "Welcome to web\n"
        assert (found / "etc/made-from").read_text() == "Debian-12-test\n"
        assert not (found / "usr/sbin/policy-rc.d").exists()

    lab.api.clear_calls()
    again = project.build()
    assert again.rc == 0, again
    assert "changed=0" in again.output.split("PLAY RECAP")[1]
    assert [call["action"] for call in lab.api.calls() if call["action"] in CREATING] == []


def test_an_omi_from_scratch_with_a_failure_before_it(
    packer: t.Callable[..., None],
    project: Project,
    outscale: Outscale,
    lab: RunningLab,
    debian_tarball: Path,
    tmp_path: Path,
) -> None:
    packer("from-scratch.pkr.hcl", bootstrap=f"tar -xf {debian_tarball} -C")
    # The commands count on partitions that are called as the disk and their number.
    lab.api.set(osc_devices="xvd")
    lab.api.fault("CreateSnapshot", "fail", at=80)
    failed = project.build()
    assert failed.rc != 0, failed
    assert "has failed" in failed.output
    assert outscale.leftovers() == []

    ran = project.build()
    assert ran.rc == 0, ran
    assert outscale.leftovers() == []
    image = outscale.image("bare")
    assert image is not None
    assert image["BootModes"] == ["legacy"]
    root, data = (one["Bsu"] for one in image["BlockDeviceMappings"])
    assert (root["VolumeSize"], root["VolumeType"]) == (2, "gp2")
    assert (data["VolumeSize"], data["VolumeType"], data["Iops"]) == (4, "io1", 200)
    lab.api.set(osc_devices="scsi")
    with outscale.mounted(image, tmp_path / "mnt") as found:
        assert (found / "etc/made-from").read_text() == "bare\n"
        assert (found / "etc/fstab").read_text() == "LABEL=root / ext4 defaults 0 1\n"
