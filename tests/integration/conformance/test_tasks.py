# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ordinary tasks in an image: those that move files, those that become another user, those that take their time."""

from __future__ import annotations

import os
import stat
import subprocess
import typing as t
from pathlib import Path

import pytest

from tests.integration.plays import CHROOT, Playbooks, Tasks
from tests.integration.roots import opened, tiny_root

Variables = dict[str, t.Any]

PIP = {"name": "pip", "virtualenv": "/srv/no-setting/env", "virtualenv_command": "python3 -m venv"}

# One name with all that a shell or YAML could take for something else, and one that looks like an option. Variables
# that are set are the one thing that Ansible itself replaces in paths.
NAME = 'it\'s "$unset" $(touch pwned) `id` \\ a;b&&c|d *?[x] {} ☃\nnew line'
NAMES = [NAME, "-rf"]

# /tmp as careful administrators have it: nobody reads or runs there what another has put there.
LOCKED = "mkdir -p /srv/locked && mount -t tmpfs -o noexec,nosuid,nodev,mode=1777 tmpfs /srv/locked"


def named(*tests: str) -> dict[str, t.Any]:
    return {"ansible.builtin.assert": {"that": list(tests)}}


@pytest.mark.parametrize("pipelining", [True, False], ids=["piped", "by files"])
def test_modules_that_move_files_take_any_name(
    playbooks: Playbooks, image: Variables, root: Path, tmp_path: Path, pipelining: bool
) -> None:
    for name in NAMES:
        (tmp_path / name).write_text("from {{ 'a' }} file\n")
    place = f"/srv/{'piped' if pipelining else 'files'}"
    tasks: Tasks = [
        {"ansible.builtin.file": {"path": f"{place}/{NAME}", "state": "directory", "mode": "0711"}},
        {"ansible.builtin.copy": {"src": "{{ item }}", "dest": f"{place}/{NAME}/copy {{{{ item }}}}"}, "loop": NAMES},
        {"ansible.builtin.template": {"src": "{{ names[0] }}", "dest": f"{place}/{NAME}/", "mode": "4750"}},
        {"ansible.builtin.stat": {"path": f"{place}/{NAME}/{NAME}"}, "register": "found"},
        {"ansible.builtin.slurp": {"src": f"{place}/{NAME}/{NAME}"}, "register": "slurped"},
        {"ansible.builtin.fetch": {"src": f"{place}/{NAME}/{NAME}", "dest": "back/", "flat": True}},
        {"ansible.builtin.script": {"cmd": "'./two words.sh' 'an argument' '$HOME'"}, "register": "script"},
        named(
            "found.stat.mode == '4750'",
            "(slurped.content | b64decode) == 'from a file\\n'",
            "script.stdout == 'an argument,$HOME'",
        ),
    ]
    (tmp_path / "two words.sh").write_text('#!/bin/sh\nprintf "%s,%s" "$@"\n')
    host = {"image": {**image, "ansible_pipelining": pipelining}}
    playbooks.succeed(host, tasks, vars={"names": NAMES})
    made = root / place[1:] / NAME
    assert sorted(os.listdir(made)) == sorted([NAME, *(f"copy {name}" for name in NAMES)])
    assert (made / "copy -rf").read_text() == "from {{ 'a' }} file\n"
    assert (tmp_path / "back" / NAME).read_text() == "from a file\n"
    assert stat.S_IMODE(made.stat().st_mode) == 0o711
    assert not list(tmp_path.rglob("pwned")) + list((root / "root").rglob("pwned"))


def test_modes_owners_and_kinds_of_files(playbooks: Playbooks, image: Variables, root: Path, tmp_path: Path) -> None:
    (tmp_path / "tree/empty").mkdir(parents=True)
    (tmp_path / "tree/run.sh").write_text("#!/bin/sh\n")
    (tmp_path / "tree/run.sh").chmod(0o754)
    (tmp_path / "tree/link").symlink_to("run.sh")
    (tmp_path / "tree/binary").write_bytes(bytes(range(256)))
    subprocess.run(["tar", "-C", tmp_path / "tree", "-czf", tmp_path / "tree.tar.gz", "."], check=True)
    modes = ["0000", "0644", "1777", "2755", "4711", "u=rwx,g=r,o="]
    tasks: Tasks = [
        {"ansible.builtin.copy": {"content": "", "dest": "/srv/mode-{{ item }}", "mode": "{{ item }}"}, "loop": modes},
        {
            "ansible.builtin.copy": {
                "src": "tree",
                "dest": "/srv/copied",
                "mode": "preserve",
                "local_follow": False,
                "owner": "app",
                "group": "games",
            }
        },
        {"ansible.builtin.file": {"path": "/srv/unpacked", "state": "directory"}},
        {"ansible.builtin.unarchive": {"src": "tree.tar.gz", "dest": "/srv/unpacked", "owner": "app"}},
        {"ansible.builtin.copy": {"src": "/srv/copied/", "dest": "/srv/inside", "remote_src": True}},
        {"ansible.builtin.fetch": {"src": "/srv/unpacked/binary", "dest": "back", "flat": True}},
    ]
    playbooks.succeed({"image": image}, tasks)
    found = [stat.S_IMODE((root / "srv" / f"mode-{mode}").stat().st_mode) for mode in modes]
    assert found == [0o000, 0o644, 0o1777, 0o2755, 0o4711, 0o740]
    for place in ("copied/tree", "unpacked", "inside/tree"):
        script = root / "srv" / place / "run.sh"
        assert stat.S_IMODE(script.stat().st_mode) == 0o754
        assert os.readlink(script.with_name("link")) == "run.sh"
    app = (root / "srv/copied").stat().st_uid
    assert {app, (root / "srv/unpacked/run.sh").stat().st_uid} != {0}
    assert (root / "srv/copied/tree/run.sh").stat().st_gid == 60
    assert (tmp_path / "back").read_bytes() == bytes(range(256))


@pytest.mark.parametrize(
    ("login", "pipelining"),
    [
        pytest.param("root", True, id="from root, piped"),
        pytest.param("games", False, id="from another user, by files"),
    ],
)
def test_another_user_where_temporary_files_are_locked_down(
    playbooks: Playbooks, image: Variables, root: Path, tmp_path: Path, login: str, pipelining: bool
) -> None:
    """No sudo, no ACL tools, no home directory; a mode mask that hides what users make from one another."""
    place = f"/srv/{login}-{pipelining}"
    (tmp_path / "report.j2").write_text("{{ 6 * 7 }}\n")
    (tmp_path / "whoami.sh").write_text("id -un\n")
    (tmp_path / "content").mkdir()
    (tmp_path / "content/packed").write_text("packed\n")
    subprocess.run(["tar", "-C", tmp_path / "content", "-czf", tmp_path / "packed.tgz", "packed"], check=True)
    tasks: Tasks = [
        {"ansible.builtin.raw": f"[ -d /srv/locked ] || {{ {LOCKED}; }}", "become": True},
        {"ansible.builtin.raw": f"install -d -o app -m 0700 {place}", "become": True},
        {
            "become": True,
            "become_user": "app",
            "block": [
                {"ansible.builtin.template": {"src": "report.j2", "dest": f"{place}/report", "mode": "0600"}},
                {"ansible.builtin.unarchive": {"src": "packed.tgz", "dest": place}},
                {"ansible.builtin.script": {"cmd": "whoami.sh", "executable": "/bin/sh"}, "register": "script"},
                {"ansible.builtin.command": "sleep 1", "async": 200, "poll": 0, "register": "job"},
                {
                    "ansible.builtin.async_status": {"jid": "{{ job.ansible_job_id }}"},
                    "register": "ended",
                    "until": "ended is finished",
                    "retries": 50,
                    "delay": 1,
                },
                {"ansible.builtin.async_status": {"jid": "{{ job.ansible_job_id }}", "mode": "cleanup"}},
                {"ansible.builtin.shell": f"umask 077; id -un > {place}/private"},
                {"ansible.builtin.fetch": {"src": f"{place}/private", "dest": "back", "flat": True}},
            ],
        },
        named("script.stdout | trim == 'app'", "ended.rc == 0"),
        {"ansible.builtin.raw": "find /srv/locked -mindepth 1", "become": True, "register": "left"},
        named("left.stdout_lines | reject('search', 'async') | list == []"),
    ]
    variables = {"ansible_user": login, "ansible_pipelining": pipelining, "ansible_remote_tmp": "/srv/locked"}
    host = {"image": {**image, **variables, "ansible_async_dir": "/srv/locked/async"}}
    playbooks.succeed(host, tasks)
    made = {path.name: path.stat() for path in (root / place[1:]).iterdir()}
    assert sorted(made) == ["packed", "private", "report"]
    assert {status.st_uid for status in made.values()} == {(root / place[1:]).stat().st_uid} != {0}
    assert (tmp_path / "back").read_text() == "app\n"


def test_another_user_needs_no_setting_at_all(
    playbooks: Playbooks, local_image: Variables, root: Path, tmp_path: Path
) -> None:
    """Nor does root need a home directory."""
    (tmp_path / "report.j2").write_text("{{ 6 * 7 }}\n")
    (tmp_path / "packed").write_text("packed\n")
    subprocess.run(["tar", "-C", tmp_path, "-czf", tmp_path / "packed.tgz", "packed"], check=True)
    place = "/srv/no-setting"
    tasks: Tasks = [
        {"ansible.builtin.raw": f"mv /root /root.away && install -d -o app {place}"},
        {"ansible.builtin.copy": {"content": "of root\n", "dest": "/srv/of-root"}},
        {
            "become": True,
            "become_user": "app",
            "block": [
                {"ansible.builtin.copy": {"content": "of app\n", "dest": f"{place}/copied"}},
                {"ansible.builtin.template": {"src": "report.j2", "dest": f"{place}/report"}},
                {"ansible.builtin.unarchive": {"src": "packed.tgz", "dest": place}},
                {"ansible.builtin.pip": PIP},
                {"ansible.builtin.lineinfile": {"path": f"{place}/copied", "line": "more"}},
            ],
        },
        {"ansible.builtin.raw": '[ -z "$(find /root /nonexistent -type f)" ]; rm -rf /root; mv /root.away /root'},
    ]
    playbooks.succeed({"image": local_image}, tasks)
    assert (root / "srv/of-root").read_text() == "of root\n"
    made = {path.name: path.stat().st_uid for path in (root / place[1:]).iterdir()}
    assert sorted(made) == ["copied", "env", "packed", "report"]
    assert set(made.values()) == {(root / place[1:]).stat().st_uid} != {0}
    assert not list((root / "var/tmp").glob("ansible*"))


def test_tasks_that_take_their_time_run_side_by_side(playbooks: Playbooks, image: Variables) -> None:
    """A task that is polled, one that is left alone and asked for later, one that runs too long; five hosts at once."""
    tasks: Tasks = [
        {"ansible.builtin.shell": "sleep 2; echo polled", "async": 200, "poll": 1, "register": "polled"},
        {"ansible.builtin.command": "sleep 300", "async": 1, "poll": 1, "register": "long", "ignore_errors": True},
        {"ansible.builtin.shell": "sleep 1; exit 3", "async": 200, "poll": 0, "register": "job"},
        {
            "ansible.builtin.async_status": {"jid": "{{ job.ansible_job_id }}"},
            "register": "ended",
            "until": "ended is finished",
            "retries": 50,
            "delay": 1,
            "ignore_errors": True,
        },
        named("polled.stdout == 'polled'", "long is failed", "ended.rc == 3"),
    ]
    async_dir = {"ansible_async_dir": "/tmp/.ansible_async"}
    hosts = {f"image{number}": {**image, **async_dir} for number in range(5)}
    playbooks.succeed(hosts, tasks, env={"ANSIBLE_FORKS": "5"})


def test_a_task_that_leaves_a_daemon_does_not_hold_the_play(playbooks: Playbooks, image: Variables) -> None:
    tasks: Tasks = [
        {"ansible.builtin.shell": "sleep 300 & echo started", "register": "started", "timeout": 200},
        {"ansible.builtin.raw": "sleep 300 & echo started", "register": "raw", "timeout": 200},
        named("started.stdout == 'started'", "raw.stdout_lines == ['started']"),
    ]
    playbooks.succeed({"image": image}, tasks)


def test_modules_for_services_mounts_and_sources_of_software(
    playbooks: Playbooks, local_image: Variables, root: Path
) -> None:
    tasks: Tasks = [
        {"ansible.builtin.cron": {"name": "nightly", "job": "/bin/true", "minute": "7", "user": "app"}},
        {"ansible.builtin.service": {"name": "cron", "enabled": False}},
        {
            "ansible.posix.mount": {
                "path": "/srv/data",
                "src": "LABEL=data",
                "fstype": "ext4",
                "opts": "nofail",
                "state": "present",
            }
        },
        {"ansible.posix.mount": {"path": "/srv/now", "src": "tmpfs", "fstype": "tmpfs", "state": "mounted"}},
        {"ansible.builtin.command": "findmnt -n -o FSTYPE /srv/now", "register": "mounted"},
        named("mounted.stdout == 'tmpfs'"),
        {"ansible.posix.mount": {"path": "/srv/now", "state": "absent"}},
        {"ansible.builtin.hostname": {"name": "built"}},
        {"ansible.builtin.package": {"name": "git", "update_cache": True}},
        {"ansible.builtin.command": "git init --quiet --bare /srv/origin.git"},
        {
            "ansible.builtin.shell": "git clone --quiet /srv/origin.git /srv/work && cd /srv/work && "
            "git -c user.name=x -c user.email=x@example.com commit --quiet --allow-empty -m first && git push --quiet"
        },
        {"ansible.builtin.git": {"repo": "/srv/origin.git", "dest": "/srv/checkout"}, "register": "cloned"},
        named("cloned.after | length == 40"),
        {"ansible.builtin.file": {"path": "/srv/origin.git", "owner": "app", "recurse": True}},
        {
            "ansible.builtin.git": {"repo": "file:///srv/origin.git", "dest": "/var/tmp/of-app"},
            "become": True,
            "become_user": "app",
        },
    ]
    host_name, before = Path("/proc/sys/kernel/hostname").read_text(), Path("/proc/self/mountinfo").read_text()
    playbooks.succeed({"image": local_image}, tasks)
    assert "LABEL=data /srv/data ext4 nofail" in (root / "etc/fstab").read_text()
    assert (root / "etc/hostname").read_text() == "built\n"
    assert not (root / "etc/systemd/system/multi-user.target.wants/cron.service").is_symlink()
    assert (root / "var/tmp/of-app/.git").stat().st_uid == (root / "var/spool/cron/crontabs/app").stat().st_uid != 0
    assert Path("/proc/sys/kernel/hostname").read_text() == host_name
    assert Path("/proc/self/mountinfo").read_text() == before


def test_an_image_without_python_takes_raw_commands_and_says_what_modules_lack(
    playbooks: Playbooks, root: Path, way: Variables, tmp_path: Path
) -> None:
    tasks: Tasks = [
        {"ansible.builtin.raw": "echo $USER; exit 7", "register": "raw", "failed_when": "raw.rc != 7"},
        {"ansible.builtin.raw": "echo >&2 problem", "register": "err"},
        {"ansible.builtin.command": "true", "register": "module", "ignore_errors": True},
        named("raw.stdout == 'root\\n'", "err.stderr == 'problem\\n'", "module is failed"),
    ]
    with opened(tiny_root(root, tmp_path / "tiny")) as record:
        host = {"ansible_connection": CHROOT, "ansible_chroot_sandbox": record.name, **way}
        ran = playbooks.succeed({"image": host}, tasks)
    assert "python" in ran.output.lower()
    assert "unreachable=0" in ran.output
