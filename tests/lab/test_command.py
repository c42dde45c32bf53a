# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command line, and what is left when a lab ends."""

from __future__ import annotations

import json
import os
import signal
import socket
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.lab.resources import BY_ID, Resources, link_of, refused, run
from tests.lab_fixture import RunningLab, lab_command, running_lab
from tests.waiting import eventually


def _traces(folder: Path) -> list[str]:
    """Loop devices, mounts and processes that belong to a folder."""
    found = [line for line in run("losetup", "--list", "--noheadings", "--output", "NAME,BACK-FILE").splitlines()]
    found += Path("/proc/self/mountinfo").read_text().splitlines()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            found.append((process / "cmdline").read_text().replace("\0", " "))
        except OSError:
            continue
    return [line for line in found if f"{folder}/" in line or line.rstrip().endswith(str(folder))]


def _links() -> set[str]:
    return {path.name for path in BY_ID.iterdir()} if BY_ID.is_dir() else set()


def test_up_and_down(tmp_path: Path) -> None:
    """up waits until the lab answers; a second up and a second down do nothing; nothing is left."""
    folder = tmp_path / "lab"
    first = lab_command("up", folder=folder)
    assert "The lab is up on http://127.0.0.1:" in first.stdout
    before = (folder / "env").read_text()
    second = lab_command("up", folder=folder)
    assert "is up already" in second.stdout
    assert (folder / "env").read_text() == before

    script = f". {folder}/env; echo $AWS_ENDPOINT_URL $AWS_ACCESS_KEY_ID $AWS_REGION ${{AWS_PROFILE-none}}"
    url, key, region, profile = run("sh", "-c", script, env={**os.environ, "AWS_PROFILE": "mine"}).split()
    assert (region, profile) == ("eu-west-1", "none")
    assert len(key) >= 20
    script = f". {folder}/env; echo $OSC_ENDPOINT_API $OSC_REGION ${{OSC_PROFILE-none}}"
    outscale = run("sh", "-c", script, env={**os.environ, "OSC_PROFILE": "mine"}).split()
    assert outscale == [f"{url}/api/v1", "eu-west-2", "none"]
    assert lab_command("env", folder=folder).stdout == before
    status = json.loads(lab_command("status", folder=folder).stdout)
    assert (status["port"], status["outscale"]["endpoint"]) == (int(url.rpartition(":")[2]), outscale[0])

    assert "is down" in lab_command("down", folder=folder).stdout
    assert not folder.exists()
    assert _traces(folder) == []
    assert "There is no lab" in lab_command("down", folder=folder).stdout
    assert lab_command("status", folder=folder, check=False).returncode == 3


def test_down_takes_mounted_volumes_away(tmp_path: Path) -> None:
    """Volumes that are still attached and mounted go, too."""
    folder = tmp_path / "lab"
    with running_lab(folder) as lab:
        made = Resources(lab)
        volume_id = made.volume()
        device = made.attached(volume_id)
        run("mkfs.ext4", "-q", str(device))
        (tmp_path / "mnt").mkdir()
        run("mount", str(device), str(tmp_path / "mnt"))
        links = {name for name in _links() if volume_id.replace("-", "") in name}
        assert links
    assert not links & _links()
    assert _traces(folder) == []


def test_down_after_kill(tmp_path: Path) -> None:
    """A server that was killed leaves its devices; down finds them all by their files."""
    folder = tmp_path / "lab"
    with running_lab(folder) as lab:
        made = Resources(lab)
        volume_id = made.volume()
        device = made.attached(volume_id)
        run("sfdisk", "--quiet", "--no-reread", "--label", "gpt", str(device), input="size=16MiB\n")
        run("partx", "--update", str(device))
        eventually(link_of(volume_id, 1).exists)
        os.kill(lab.api.status()["pid"], signal.SIGKILL)
        eventually(lambda: lab_command("status", folder=folder, check=False).returncode == 3)
        assert link_of(volume_id).exists()
    assert not folder.exists()
    assert not link_of(volume_id).is_symlink()
    assert not link_of(volume_id, 1).is_symlink()
    assert _traces(folder) == []


def test_up_after_kill(tmp_path: Path) -> None:
    """up cleans what a killed server left, and starts afresh."""
    folder = tmp_path / "lab"
    with running_lab(folder) as lab:
        made = Resources(lab)
        volume_id = made.volume()
        made.attached(volume_id)
        os.kill(lab.api.status()["pid"], signal.SIGKILL)
        eventually(lambda: lab_command("status", folder=folder, check=False).returncode == 3)
        assert lab_command("up", folder=folder).returncode == 0
        assert not link_of(volume_id).is_symlink()
        again = RunningLab(folder)
        with refused("InvalidVolume.NotFound"):
            again.client("ec2").describe_volumes(VolumeIds=[volume_id])
    assert _traces(folder) == []


def test_two_labs_side_by_side(lab: RunningLab, made: Resources, tmp_path: Path) -> None:
    """Each has its own volumes and devices; one going down leaves the other alone."""
    mine = made.volume()
    made.attached(mine)
    with running_lab(tmp_path / "other") as other:
        there = Resources(other)
        theirs = there.volume()
        there.attached(theirs, "/dev/sdf")
        assert os.path.realpath(link_of(mine)) != os.path.realpath(link_of(theirs))
        with refused("InvalidVolume.NotFound"):
            made.state(theirs)
    assert link_of(mine).exists()
    assert not link_of(theirs).is_symlink()
    assert made.state(mine) == "in-use"


def test_up_says_why_it_failed(tmp_path: Path) -> None:
    """A port that is taken: the end of the server's log, and nothing left behind."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        failed = lab_command("up", "--port", str(port), folder=tmp_path / "lab", check=False)
    assert failed.returncode == 1
    assert "Address already in use" in failed.stderr
    lab_command("down", folder=tmp_path / "lab")
    assert _traces(tmp_path / "lab") == []


def test_up_leaves_other_folders_alone(tmp_path: Path) -> None:
    """A folder with files in it is refused."""
    (tmp_path / "precious").write_text("x")
    failed = lab_command("up", folder=tmp_path, check=False)
    assert failed.returncode == 1
    assert "is not empty" in failed.stderr
    assert (tmp_path / "precious").read_text() == "x"


def test_unknown_actions(lab: RunningLab) -> None:
    """An action the lab does not know is an error in the service's protocol, never a page of HTML."""
    with refused("UnsupportedOperation", "DescribeFleetHistory"):
        lab.client("ec2").describe_fleet_history(FleetId="fleet-1", StartTime="2020-01-01")
    with refused("UnsupportedOperation", "GetCalendarState"):
        lab.client("ssm").get_calendar_state(CalendarNames=["x"])


def test_an_action_that_does_not_exist(lab: RunningLab) -> None:
    """InvalidAction: "The action is not valid for this web service" ("Error codes for the Amazon EC2 API")."""
    scope = "AWS4-HMAC-SHA256 Credential=AKIALABLABLABLABLAB0/20260101/eu-west-1/ec2/aws4_request, x=y"
    request = urllib.request.Request(
        lab.env["AWS_ENDPOINT_URL"], data=b"Action=BakeBread", headers={"Authorization": scope}
    )
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request, timeout=60)
    assert caught.value.code == 400
    assert b"<Code>InvalidAction</Code>" in caught.value.read()


def test_settings_are_checked(lab: RunningLab) -> None:
    """A misspelt setting or fault is refused, with those that exist."""
    for values in ({"snapshot_second": 1}, {"snapshot_seconds": -1}, {"faults": [{"action": "X", "effect": "boom"}]}):
        with pytest.raises(Exception, match="there are|is a number of seconds"):
            lab.api.set(**values)
