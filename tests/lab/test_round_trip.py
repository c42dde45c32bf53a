# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An image with contents, from its first byte through EBS direct to the bytes of a volume made from it."""

from __future__ import annotations

import base64
import hashlib
import typing as t
from pathlib import Path

from lab.plane.blocks import BLOCK_SIZE, changed_blocks, read_block, written_blocks
from tests.lab.resources import Resources, link_of, mounted, run
from tests.lab_fixture import RunningLab
from tests.waiting import eventually


def _digest(content: bytes) -> str:
    return base64.b64encode(hashlib.sha256(content).digest()).decode()


def _disk_image(folder: Path) -> Path:
    """One GiB with a GPT and an ext4 partition that holds a file."""
    tree = folder / "tree"
    tree.mkdir()
    (tree / "from-the-start").write_text("uploaded\n")
    partition = folder / "partition"
    run("mkfs.ext4", "-q", "-d", str(tree), str(partition), "64M")
    image = folder / "image"
    image.touch()
    run("truncate", "-s", "1G", str(image))
    run("sfdisk", "--quiet", "--label", "gpt", str(image), input="start=2048, size=64MiB\n")
    run("dd", f"if={partition}", f"of={image}", "bs=1M", "seek=1", "conv=notrunc,sparse", "status=none")
    return image


def upload(ebs: t.Any, image: Path) -> str:
    """Make a snapshot of a file as a user of the EBS direct APIs does."""
    snapshot_id = str(ebs.start_snapshot(VolumeSize=1)["SnapshotId"])
    digests = []
    for index in written_blocks(image):
        content = read_block(image, index)
        ebs.put_snapshot_block(
            SnapshotId=snapshot_id,
            BlockIndex=index,
            BlockData=content,
            DataLength=BLOCK_SIZE,
            Checksum=_digest(content),
            ChecksumAlgorithm="SHA256",
        )
        digests.append(hashlib.sha256(content).digest())
    ebs.complete_snapshot(
        SnapshotId=snapshot_id,
        ChangedBlocksCount=len(digests),
        Checksum=_digest(b"".join(digests)),
        ChecksumAlgorithm="SHA256",
        ChecksumAggregationMethod="LINEAR",
    )
    return snapshot_id


def download(ebs: t.Any, snapshot_id: str, target: Path) -> None:
    """Write a snapshot's blocks to a sparse file, page by page, checking each."""
    with open(target, "wb") as stream:
        stream.truncate(1024**3)
        token: dict[str, str] = {}
        while True:
            page = ebs.list_snapshot_blocks(SnapshotId=snapshot_id, MaxResults=100, **token)
            for block in page["Blocks"]:
                index = block["BlockIndex"]
                answer = ebs.get_snapshot_block(
                    SnapshotId=snapshot_id, BlockIndex=index, BlockToken=block["BlockToken"]
                )
                content = answer["BlockData"].read()
                assert answer["Checksum"] == _digest(content)
                stream.seek(index * BLOCK_SIZE)
                stream.write(content)
            if "NextToken" not in page:
                return
            token = {"NextToken": page["NextToken"]}


def test_bytes_survive_the_whole_way(lab: RunningLab, made: Resources, tmp_path: Path) -> None:
    """Upload, volume, change on the device, snapshot, image: the image has what was written, and nothing later."""
    ebs, ec2 = lab.client("ebs"), made.ec2
    uploaded = made.keep(upload(ebs, _disk_image(tmp_path)))

    volume_id = made.volume(SnapshotId=uploaded)
    made.attached(volume_id)
    with mounted(link_of(volume_id, 1), tmp_path / "mnt") as root:
        assert (root / "from-the-start").read_text() == "uploaded\n"
        (root / "written").write_text("on the device\n")
    ec2.detach_volume(VolumeId=volume_id)
    eventually(lambda: made.state(volume_id) == "available")
    frozen = made.snapshot(volume_id)
    image_id = made.image(frozen)

    # The volume goes on living; the image does not follow.
    made.attached(volume_id)
    with mounted(link_of(volume_id, 1), tmp_path / "mnt") as root:
        (root / "written").write_text("too late\n")

    mapping = made.describe(image_id)["BlockDeviceMappings"][0]["Ebs"]
    assert mapping["SnapshotId"] == frozen
    download(ebs, frozen, tmp_path / "downloaded")
    run("dd", f"if={tmp_path}/downloaded", f"of={tmp_path}/part", "bs=1M", "skip=1", "count=64", "status=none")
    assert run("debugfs", "-R", "cat /written", str(tmp_path / "part")) == "on the device\n"

    second = made.volume(SnapshotId=mapping["SnapshotId"])
    made.attached(second, "/dev/sdg")
    with mounted(link_of(second, 1), tmp_path / "mnt2") as root:
        assert (root / "written").read_text() == "on the device\n"
        assert (root / "from-the-start").read_text() == "uploaded\n"


def test_a_copy_in_another_region_has_the_same_bytes(lab: RunningLab, made: Resources, tmp_path: Path) -> None:
    """CopyImage copies the snapshots of the source image to the destination region (CopyImage reference)."""
    snapshot_id = made.keep(upload(lab.client("ebs"), _disk_image(tmp_path)))
    image_id = made.image(snapshot_id)
    there = lab.client("ec2", region="eu-central-1")
    copy = there.copy_image(Name="copied", SourceImageId=image_id, SourceRegion=lab.region)["ImageId"]
    try:
        copied = there.describe_images(ImageIds=[copy])["Images"][0]["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
        assert copied != snapshot_id
        download(lab.client("ebs", region="eu-central-1"), copied, tmp_path / "copied")
        assert changed_blocks(tmp_path / "copied", tmp_path / "image") == []
    finally:
        there.deregister_image(ImageId=copy, DeleteAssociatedSnapshots=True)
