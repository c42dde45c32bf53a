# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One template, built by Packer and by this collection: what each made, and where the two differ."""

from __future__ import annotations

import dataclasses
import fnmatch
import json
import subprocess
import sys
import typing as t
from pathlib import Path

from tests.integration.project import CHECKOUT, Cloud
from tests.integration.trees import Entry, entries
from tests.lab_fixture import RunningLab

#: What every image here is called.
NAME = "compared"
#: What every build has of its own.
OWN = ("CreationDate", "ImageId", "SourceImageId", "SnapshotId", "StartTime", "CompletionTime", "VolumeId")
#: Where each image of ours may differ from Packer's, and why.
IMPROVED = {
    "image.Tags.bakehouse:*": "what a build left can be found, and an image that is up to date be known, by its tags",
    "snapshots.*.Tags.bakehouse:*": "the same",
    "snapshots.*.Description": "Packer's is the time, ours says of what image it is",
}
#: The same for what is built from a source image.
FROM_SOURCE = {
    "image.EnaSupport": "it is as with the source; Packer's image has lost it, and does not start on newer types",
}
#: The same for what is built with copy_files that name /etc/resolv.conf, as they do by default.
LENT = {
    "tree.etc/resolv.conf": "the image's own file is there again; Packer has deleted it",
}


@dataclasses.dataclass(frozen=True)
class Made:
    """What a build left.

    Attributes:
        image: as EC2 describes it, without ids and times.
        snapshots: the same of the image's snapshots, by the name of the device.
        shared: with whom the image and its snapshots are shared.
        elsewhere: the same of other regions' images, by the name of the region.
        tree: every entry of the root file system.
        output: what the builder said.
    """

    image: dict[str, t.Any]
    snapshots: dict[str, dict[str, t.Any]]
    shared: dict[str, t.Any]
    elsewhere: dict[str, t.Any]
    tree: dict[str, Entry]
    output: str

    def compared(self) -> dict[str, t.Any]:
        """What must be the same."""
        return {name: value for name, value in vars(self).items() if name != "output"}


class Comparison:
    """Builds templates with both.

    Args:
        lab: its build host shows volumes as Xen disks.
        folder: an empty one, from which both are started.
        environment: variables for the template.

    Attributes:
        regions: those besides the lab's own in which there are images to be compared.
    """

    regions: tuple[str, ...] = ()

    def __init__(self, lab: RunningLab, folder: Path, environment: dict[str, str]) -> None:
        self.lab = lab
        self.folder = folder
        self.environment = environment
        self.cloud = Cloud(lab.client("ec2"), lab.dir)
        self.template = ""

    def write(self, template: dict[str, t.Any] | str) -> None:
        """Write the template: what is no text becomes JSON."""
        if isinstance(template, str):
            self.template = "template.pkr.hcl"
        else:
            self.template = "template.json" if "builders" in template else "template.pkr.json"
        text = template if isinstance(template, str) else json.dumps(template, indent=2)
        (self.folder / self.template).write_text(text)

    def packer(self, **environment: str) -> str:
        """Build with Packer, and return what it said."""
        # It asks its maker for news otherwise, and waits 15 seconds before it looks again.
        own = {"CHECKPOINT_DISABLE": "1", "AWS_POLL_DELAY_SECONDS": "1", "AWS_MAX_ATTEMPTS": "600"}
        own["PACKER_CONFIG_DIR"] = own["HOME"] = str(self.folder)
        return self._run(["packer", "build", "-color=false", self.template], {**own, **environment})

    def ours(self, **environment: str) -> str:
        """Build with this collection, and return what Ansible said."""
        own = {"ANSIBLE_CONFIG": str(CHECKOUT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"}
        own["ANSIBLE_HOME"] = str(self.folder / ".ansible")
        command = [sys.executable, "-m", "ansible", "playbook", "-i", self.template, "bakehouse.images.build"]
        return self._run(command, {**own, **environment})

    def _run(self, command: list[str], environment: dict[str, str]) -> str:
        done = subprocess.run(
            command,
            check=False,
            cwd=self.folder,
            env=self.lab.environ(**self.environment, **environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=600,
        )
        print(done.stdout + done.stderr)  # shown by pytest when the test fails
        assert done.returncode == 0, f"{' '.join(command)} ended with {done.returncode}"
        return done.stdout

    def both(self, partition: int | None = 1) -> tuple[Made, Made]:
        """What Packer makes of the template, and what this collection does."""
        packer = self._made(self.packer(), partition)
        return packer, self._made(self.ours(), partition)

    def must_agree(self, *accepted: dict[str, str], partition: int | None = 1) -> tuple[Made, Made]:
        """Build the template with both: what they made differs in what is accepted, and in nothing else.

        Args:
            accepted: patterns of paths where there is a difference, each with the reason. There must be one.
            partition: of the root file system; None where it is the whole disk.
        """
        packer, ours = self.both(partition)
        found = differences(packer.compared(), ours.compared())
        patterns = [pattern for patterns in (IMPROVED, *accepted) for pattern in patterns]
        unknown = {path: it for path, it in found.items() if not any(fnmatch.fnmatch(path, one) for one in patterns)}
        assert unknown == {}, f"Packer's on the left, ours on the right: {unknown}"
        gone = [pattern for pattern in patterns if not fnmatch.filter(found, pattern)]
        assert gone == [], f"there is no such difference any more: {gone}"
        return packer, ours

    def forget(self) -> None:
        """Remove the image, if there is one, and its snapshots."""
        for region in (None, *self.regions):
            ec2 = self.lab.client("ec2", region=region)
            for image in _named(ec2):
                ec2.deregister_image(ImageId=image["ImageId"])
                for snapshot_id in _snapshots(image).values():
                    ec2.delete_snapshot(SnapshotId=snapshot_id)

    def leftovers(self) -> list[str]:
        """Volumes and snapshots that no image uses."""
        images = self.cloud.ec2.describe_images(Owners=["self"])["Images"]
        used = {snapshot for image in images for snapshot in _snapshots(image).values()}
        found = [it["SnapshotId"] for it in self.cloud.ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]]
        volumes = [it["VolumeId"] for it in self.cloud.ec2.describe_volumes()["Volumes"] if _is_built(it)]
        return [*volumes, *(snapshot for snapshot in found if snapshot not in used)]

    def _made(self, output: str, partition: int | None) -> Made:
        found = self.cloud.image(NAME)
        assert found, f"there is no image {NAME}"
        ids = _snapshots(found)
        root_alone = {"BlockDeviceMappings": [{"Ebs": {"SnapshotId": ids[found["RootDeviceName"]]}}]}
        with self.cloud.mounted(root_alone, self.folder / "root", partition) as root:
            # Times are those of builds and of copying.
            tree = {path: entry._replace(modified=None) for path, entry in entries(root, now=0).items()}
        image, snapshots, shared = _described(self.cloud.ec2, found)
        elsewhere = {}
        for region in self.regions:
            ec2 = self.lab.client("ec2", region=region)
            elsewhere[region] = dict(zip(("image", "snapshots", "shared"), _described(ec2, *_named(ec2)), strict=True))
        self.forget()
        return Made(image, snapshots, shared, elsewhere, tree, output)


def _is_built(volume: dict[str, t.Any]) -> bool:
    """Whether a build made a volume: the build host's own disk was there before."""
    return all(attachment["Device"] not in ("/dev/xvda", "/dev/sda1") for attachment in volume["Attachments"])


def _snapshots(image: dict[str, t.Any]) -> dict[str, str]:
    """The image's snapshots by the name of the device."""
    mapped = {mapping["DeviceName"]: mapping.get("Ebs", {}) for mapping in image["BlockDeviceMappings"]}
    return {device: ebs["SnapshotId"] for device, ebs in mapped.items() if "SnapshotId" in ebs}


def _named(ec2: t.Any) -> list[dict[str, t.Any]]:
    found: list[dict[str, t.Any]] = ec2.describe_images(Owners=["self"], Filters=[{"Name": "name", "Values": [NAME]}])[
        "Images"
    ]
    return found


def _described(ec2: t.Any, image: dict[str, t.Any]) -> tuple[t.Any, dict[str, t.Any], dict[str, t.Any]]:
    """An image, its snapshots, and with whom they are shared."""
    ids = _snapshots(image)
    snapshots = {
        device: _plain(ec2.describe_snapshots(SnapshotIds=[snapshot])["Snapshots"][0])
        for device, snapshot in ids.items()
    }
    launch = ec2.describe_image_attribute(ImageId=image["ImageId"], Attribute="launchPermission")
    shared = {"image": _plain(launch.get("LaunchPermissions"))}
    for device, snapshot in ids.items():
        create = ec2.describe_snapshot_attribute(SnapshotId=snapshot, Attribute="createVolumePermission")
        shared[device] = _plain(create.get("CreateVolumePermissions"))
    return _plain(image), snapshots, shared


def _plain(value: t.Any) -> t.Any:
    """A description without ids and times, and with tags as a map."""
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if not isinstance(value, dict):
        return value
    found = {key: _plain(item) for key, item in value.items() if key not in OWN}
    if "OwnerId" in found:  # of what has tags; without any there is no word of them
        found["Tags"] = {tag["Key"]: tag["Value"] for tag in found.get("Tags", [])}
    return found


def differences(packer: t.Any, ours: t.Any, path: str = "") -> dict[str, tuple[t.Any, t.Any]]:
    """Where two values differ, by the path to it: Packer's part, and ours."""
    if isinstance(packer, dict) and isinstance(ours, dict):
        found = {}
        for key in sorted({*packer, *ours}):
            found.update(differences(packer.get(key), ours.get(key), f"{path}.{key}" if path else str(key)))
        return found
    if isinstance(packer, list) and isinstance(ours, list) and len(packer) == len(ours):
        found = {}
        for number, (one, other) in enumerate(zip(packer, ours, strict=True)):
            found.update(differences(one, other, f"{path}.{number}"))
        return found
    return {} if packer == ours else {path: (packer, ours)}


__all__ = ("FROM_SOURCE", "LENT", "NAME", "Comparison", "Made")
