# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A user's project for tests: an inventory with images, a playbook, a role; and a look at what builds leave."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import subprocess
import sys
import typing as t
from collections.abc import Iterator
from pathlib import Path

import yaml

from lab.plane.names import is_nitro
from tests.disks import mounted, run
from tests.waiting import eventually

CHECKOUT = Path(__file__).resolve().parents[2]

# What the tests' roles leave running in their images: no other test run on this machine has the same.
DAEMON = f"sleep 4711.{os.getpid()}"

# How botocore's waiters wait: a minute in all.
WAITING = {"Delay": 0.1, "MaxAttempts": 600}


@dataclasses.dataclass
class Ran:
    """How a run of ansible-playbook ended."""

    rc: int
    output: str

    def __str__(self) -> str:
        return f"rc={self.rc}\n{self.output}"


@dataclasses.dataclass
class Project:
    """A folder as users have them.

    Attributes:
        folder: where it lies.
        env: variables of the lab, as its env file sets them.
        command: the words that start Ansible.
    """

    folder: Path
    env: dict[str, str]
    command: tuple[str, ...] = (sys.executable, "-m", "ansible")

    def write(self, name: str, content: t.Any) -> Path:
        """Write a file; what is not text becomes YAML."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else yaml.safe_dump(content, sort_keys=False))
        return path

    def images(self, **hosts: dict[str, t.Any]) -> None:
        """Write the inventory: each host is an image with these variables."""
        shared = {"ansible_connection": "bakehouse.images.chroot"}
        self.write("inventory.yml", {"images": {"vars": shared, "hosts": hosts}})

    def build(self, *arguments: str, playbook: str | None = None, **extra: t.Any) -> Ran:
        """Run the build playbook of the collection, or one of this project."""
        command = [*self.command, "playbook", "-i", str(self.folder / "inventory.yml"), *arguments]
        if extra:
            command += ["--extra-vars", json.dumps(extra)]
        command.append(str(self.folder / playbook) if playbook else str(CHECKOUT / "playbooks" / "build.yml"))
        env = {**os.environ, **self.env, "ANSIBLE_CONFIG": str(CHECKOUT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"}
        env["ANSIBLE_HOME"] = str(self.folder / ".ansible")
        done = subprocess.run(
            command,
            check=False,
            cwd=self.folder,
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=900,
        )
        ran = Ran(done.returncode, done.stdout + done.stderr)
        print(ran)  # shown by pytest when the test fails
        return ran


@dataclasses.dataclass(frozen=True)
class AttachedVolume:
    """A volume as this machine sees it: a link with the volume's id on Nitro, /dev/xvd* on Xen."""

    volume_id: str
    device: Path

    def partition(self, number: int) -> Path:
        """The path of a partition; it appears some time after the partition was made."""
        on_nitro = self.device.name.startswith("nvme")
        return Path(f"{self.device}-part{number}" if on_nitro else f"{self.device}{number}")


@dataclasses.dataclass
class Cloud:
    """What the lab holds, seen through its API and on this machine."""

    ec2: t.Any
    lab_dir: Path

    def image(self, name: str) -> dict[str, t.Any] | None:
        """The image of this name."""
        found = self.ec2.describe_images(Owners=["self"], Filters=[{"Name": "name", "Values": [name]}])["Images"]
        assert len(found) <= 1
        return found[0] if found else None

    def forget(self, name: str) -> None:
        """Remove an image and its snapshots."""
        image = self.image(name)
        if image:
            self.ec2.deregister_image(ImageId=image["ImageId"])
            for snapshot in _snapshots(image):
                self.ec2.delete_snapshot(SnapshotId=snapshot)

    def leftovers(self) -> list[str]:
        """What no finished build leaves: volumes, and snapshots that no image uses.

        A sandbox or a mount that is left keeps its volume busy, so it shows here too.
        """
        images = self.ec2.describe_images(Owners=["self"])["Images"]
        used = {snapshot for image in images for snapshot in _snapshots(image)}
        snapshots = self.ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]
        left = [volume["VolumeId"] for volume in self.ec2.describe_volumes()["Volumes"] if _is_ours(volume)]
        left += [snapshot["SnapshotId"] for snapshot in snapshots if snapshot["SnapshotId"] not in used]
        return left

    @contextlib.contextmanager
    def attached(
        self, *, snapshot_id: str | None = None, size_gib: int | None = None, name: str = "/dev/sdz"
    ) -> Iterator[AttachedVolume]:
        """A volume of its own, attached to this machine under a name of the API."""
        instance = self.ec2.describe_instances()["Reservations"][0]["Instances"][0]
        request: dict[str, t.Any] = {"AvailabilityZone": instance["Placement"]["AvailabilityZone"]}
        request.update({"SnapshotId": snapshot_id} if snapshot_id else {"Size": size_gib})
        volume_id = self.ec2.create_volume(**request)["VolumeId"]
        try:
            self.ec2.get_waiter("volume_available").wait(VolumeIds=[volume_id], WaiterConfig=WAITING)
            self.ec2.attach_volume(VolumeId=volume_id, InstanceId=instance["InstanceId"], Device=name)
            link = Path(f"/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_{volume_id.replace('-', '')}")
            device = link if is_nitro(instance["InstanceType"]) else Path(name.replace("/dev/sd", "/dev/xvd"))
            eventually(device.exists)
            yield AttachedVolume(volume_id, device)
        finally:
            with contextlib.suppress(self.ec2.exceptions.ClientError):  # the attachment itself may have failed
                self.ec2.detach_volume(VolumeId=volume_id)
            self.ec2.get_waiter("volume_available").wait(VolumeIds=[volume_id], WaiterConfig=WAITING)
            self.ec2.delete_volume(VolumeId=volume_id)

    @contextlib.contextmanager
    def mounted(self, image: dict[str, t.Any], place: Path, partition: int | None = 1) -> Iterator[Path]:
        """The root file system of an image, mounted read-only below a place, from a volume made from it."""
        snapshot_id = image["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
        with self.attached(snapshot_id=snapshot_id) as volume:
            path = volume.partition(partition) if partition else volume.device
            eventually(path.exists)
            place.mkdir(exist_ok=True)
            with mounted(str(path.resolve()), place, "ro", "noload") as root:
                yield root


def _snapshots(image: dict[str, t.Any]) -> list[str]:
    """Of an image's volumes; one that is made empty has none."""
    volumes = [mapping.get("Ebs", {}) for mapping in image["BlockDeviceMappings"]]
    return [volume["SnapshotId"] for volume in volumes if "SnapshotId" in volume]


def _is_ours(resource: dict[str, t.Any]) -> bool:
    return any(tag["Key"].startswith("bakehouse:") for tag in resource.get("Tags", []))


def host_state() -> dict[str, t.Any]:
    """What a build must not change on the build host."""
    return {
        "hostname": os.uname().nodename,
        "mounts": sorted(Path("/proc/self/mountinfo").read_text().splitlines()),
        "resolv.conf": Path("/etc/resolv.conf").read_bytes(),
        "policy-rc.d": Path("/usr/sbin/policy-rc.d").exists(),
        "sysctl": run("sysctl", "-a", "--pattern", "^kernel.(hostname|panic|core_pattern)|^vm.swappiness"),
    }


def daemons() -> set[str]:
    """The daemons that the tests' images leave running, as they would show on the build host."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
            if line == DAEMON:
                found.add(f"{path.parent.name} {line}")
    return found
