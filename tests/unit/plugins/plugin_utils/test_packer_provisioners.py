# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Provisioners and post-processors: the steps and variables that they become."""

from __future__ import annotations

import os
import typing as t
from pathlib import Path

import pytest
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_provisioners import TABLES
from ansible_collections.bakehouse.images.plugins.plugin_utils._provision_steps import parse_steps

from tests.unit.plugins.plugin_utils.packer_templates import BUILD, SOURCE, host, hosts

DOCS = Path(__file__).resolve().parents[4] / "docs"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A template's folder with the files that provisioners name."""
    (tmp_path / "setup.sh").write_text("#!/bin/sh\n")
    (tmp_path / "windows.sh").write_bytes(b"#!/bin/sh\r\ntrue\r\n")
    (tmp_path / "site").mkdir()
    (tmp_path / "site.yml").write_text("- hosts: all\n  tasks: []\n")
    (tmp_path / "local.yml").write_text("- hosts: localhost\n  tasks: []\n")
    (tmp_path / "roles" / "web").mkdir(parents=True)
    (tmp_path / "elsewhere" / "db").mkdir(parents=True)
    return tmp_path


def steps(folder: Path, text: str, **settings: t.Any) -> list[dict[str, t.Any]]:
    """The steps of a build with these provisioners; they are such that the role takes them."""
    found = host(folder, steps=text, **settings)
    assert found.problems == []
    made: list[dict[str, t.Any]] = found.variables.get("bake_provision", [])
    assert parse_steps(made)[1] == []
    return made


def commands(step: dict[str, t.Any]) -> list[str]:
    """The commands of a step's tasks."""
    [task] = step["tasks"]
    return [inner["ansible.builtin.raw"]["_raw_params"] for inner in task["block"] if "ansible.builtin.raw" in inner]


def test_inline_commands_are_one_script(folder: Path) -> None:
    [step] = steps(folder, 'provisioner "shell" {\n  inline = ["echo \'a\'", "echo $HOME"]\n}')
    write, run = commands(step)
    assert write == ("printf %s '#!/bin/sh -e\necho '\"'\"'a'\"'\"'\necho $HOME\n' > /tmp/packer-script-1-1.sh")
    assert run == (
        "chmod +x /tmp/packer-script-1-1.sh; PACKER_BUILDER_TYPE='amazon-chroot' PACKER_BUILD_NAME='web' "
        " /tmp/packer-script-1-1.sh"
    )
    task = step["tasks"][0]
    assert task["block"][1]["failed_when"] == "packer_ran.rc not in [0]"
    assert task["always"][0]["ansible.builtin.raw"]["_raw_params"].startswith("rm -f /tmp/packer-script-1-1.sh ")


def test_braces_that_are_no_template_stay_as_they_are(folder: Path) -> None:
    [step] = steps(
        folder,
        r"""provisioner "shell" {
  inline = ["docker ps -f '{{ "{{" }}.Names}}'"]
}""".replace('{{ "{{" }}', "{{ `{{` }}"),
    )
    assert "docker ps -f '\"'\"'{{ '{{' }}.Names}}'\"'\"'\n" in commands(step)[0]


def test_how_scripts_are_run(folder: Path) -> None:
    text = """
  provisioner "shell" {
    scripts           = ["setup.sh", "windows.sh"]
    environment_vars  = ["A=it's", "B=x=y"]
    env               = { C = "3" }
    execute_command   = "echo {{.Vars}} | sudo -S sh {{.Path}}"
    valid_exit_codes  = [0, "3"]
    remote_folder     = "/var/tmp"
    skip_clean        = true
    max_retries       = 2
    timeout           = "1m30s"
    pause_before      = "2s"
    pause_after       = "1s"
  }
"""
    found = steps(folder, text)
    upload, first, upload_second, second, wait = found
    path = "/var/tmp/packer-script-1-1.sh"  # noqa: S108 - the image's
    assert upload["actions"] == [{"type": "upload", "op": {"File": str(folder / "setup.sh"), "Dest": path}}]
    assert upload_second["actions"][0]["op"]["File"] == str(folder / "windows.sh")
    assert commands(first)[0] == "sleep 2"
    variables = "A='it'\"'\"'s' B='x=y' C='3' PACKER_BUILDER_TYPE='amazon-chroot' PACKER_BUILD_NAME='web' "
    assert commands(first)[1] == f"echo {variables} | sudo -S sh {path}"
    assert commands(second)[0] == "sed -i 's/\\r$//' /var/tmp/packer-script-1-2.sh"
    run = first["tasks"][0]["block"][-1]
    assert {key: run[key] for key in ("failed_when", "until", "retries", "timeout")} == {
        "failed_when": "packer_ran.rc not in [0, 3]",
        "until": "packer_ran.rc in [0, 3]",
        "retries": 2,
        "timeout": 90,
    }
    assert "always" not in first["tasks"][0]
    assert wait["tasks"][0]["ansible.builtin.raw"]["_raw_params"] == "sleep 1"


def test_variables_in_a_file(folder: Path) -> None:
    text = 'provisioner "shell" {\n  inline = ["x"]\n  use_env_var_file = true\n  environment_vars = ["A=b"]\n}'
    _write, variables, run = commands(steps(folder, text)[0])
    assert variables.startswith("printf %s 'export A='\"'\"'b'\"'\"'\n")
    assert run == "chmod +x /tmp/packer-script-1-1.sh; . /tmp/packer-variables-1.sh && /tmp/packer-script-1-1.sh"


def test_a_secret_in_a_script_is_looked_up_and_quoted(folder: Path) -> None:
    before = 'variable "token" {\n  default = "it\'s-secret"\n  sensitive = true\n}\n'
    text = 'provisioner "shell" {\n  inline = ["echo ${var.token}"]\n  environment_vars = ["T=${var.token}"]\n}'
    [step] = steps(folder, text, before=before)
    write, run = step["tasks"][0]["block"]
    for task in (write, run):
        command = task["ansible.builtin.raw"]["_raw_params"]
        assert "secret-" not in command
        assert "lookup('bakehouse.images.packer_value', 'var.token'" in command
        assert task["no_log"] is True
    assert "| string | quote }}" in write["ansible.builtin.raw"]["_raw_params"]
    assert "| string | replace(" in run["ansible.builtin.raw"]["_raw_params"]


def test_files_and_folders_go_up(folder: Path) -> None:
    text = """
  provisioner "file" {
    sources     = ["setup.sh", "site.yml"]
    destination = "/opt/"
  }
  provisioner "file" {
    source      = "site/"
    destination = "/srv/site"
  }
  provisioner "file" {
    source      = "site"
    destination = "/srv"
    max_retries = 1
  }
  provisioner "file" {
    content     = "{{`{{ x }}`}}"
    destination = "/etc/x"
  }
  provisioner "file" {
    source      = "later.txt"
    destination = "/etc/later"
    generated   = true
  }
"""
    first, second, contents, itself, content, generated = steps(folder, text)
    assert first["actions"][0]["op"] == {"File": str(folder / "setup.sh"), "Dest": "/opt/setup.sh"}
    assert second["actions"][0]["op"]["Dest"] == "/opt/site.yml"
    module = "bakehouse.images.directory_transfer"
    assert contents["tasks"][0][module] == {"src": f"{folder}/site/", "dest": "/srv/site"}
    assert itself["tasks"][0][module] == {"src": f"{folder}/site", "dest": "/srv"}
    assert itself["tasks"][0]["retries"] == 1
    assert content["tasks"][0]["ansible.builtin.copy"]["content"] == "{{ '{{' }} x }}"
    assert generated["tasks"][0]["ansible.builtin.copy"]["src"] == "later.txt"


def test_files_and_folders_come_down(folder: Path) -> None:
    text = """
  provisioner "file" {
    direction   = "download"
    source      = "/var/log/dpkg.log"
    destination = "logs/"
  }
  provisioner "file" {
    direction   = "download"
    source      = "/var/log/apt/"
    destination = "/tmp/apt"
  }
"""
    file, tree = steps(folder, text)
    assert file["tasks"][0]["ansible.builtin.fetch"] == {
        "src": "/var/log/dpkg.log",
        "dest": os.path.join(os.getcwd(), "logs/"),
        "flat": True,
        "fail_on_missing": True,
    }
    assert tree["tasks"][0]["bakehouse.images.directory_transfer"] == {
        "mode": "pull",
        "src": "/var/log/apt/",
        "dest": "/tmp/apt",  # noqa: S108 - never written
    }


def test_commands_on_this_machine(folder: Path) -> None:
    text = """
  provisioner "shell-local" {
    inline           = ["echo $A"]
    environment_vars = ["A=b"]
  }
  provisioner "shell-local" {
    script          = "setup.sh"
    execute_command = ["/bin/sh", "{{.Script}}"]
  }
  provisioner "shell-local" {
    command = "true"
    only_on = ["windows"]
  }
"""
    inline, script = steps(folder, text)
    [task] = inline["tasks"]
    run = task["block"][2]
    assert run["ansible.builtin.command"]["argv"] == [
        "/bin/sh",
        "-c",
        "A='b' PACKER_BUILDER_TYPE='amazon-chroot' PACKER_BUILD_NAME='web'  {{ packer_script.path }}",
    ]
    for it in (*task["block"], *task["always"], *script["tasks"]):
        assert (it["delegate_to"], it["become"]) == ("localhost", False)
    assert task["block"][1]["ansible.builtin.copy"]["content"] == "#!/bin/sh -e\necho $A\n"
    assert script["tasks"][0]["ansible.builtin.command"]["argv"] == ["/bin/sh", str(folder / "setup.sh")]


def test_breakpoints(folder: Path) -> None:
    text = 'provisioner "breakpoint" {\n  note = "look"\n}\nprovisioner "breakpoint" {\n  disable = true\n}'
    [step] = steps(folder, text)
    assert step["tasks"][0]["ansible.builtin.pause"] == {"prompt": "look. Press Enter to go on"}


def test_a_manifest_is_written_as_packer_writes_it(folder: Path) -> None:
    text = 'post-processor "manifest" {\n  output = "out/m.json"\n  strip_time = true\n  custom_data = { a = "b" }\n}'
    found = host(folder, steps=text)
    assert found.problems == []
    [step] = found.variables["packer_after_build"]
    [task] = step["tasks"]
    assert task["ansible.builtin.copy"]["dest"] == os.path.join(os.getcwd(), "out/m.json")
    assert task["throttle"] == 1
    assert task["vars"]["packer_entry"] == {
        "name": "web",
        "builder_type": "amazon-chroot",
        "build_time": 0,
        "files": None,
        "artifact_id": "{{ dict(__bake_images.keys() | zip(__bake_images.values() | map(attribute='image_id')))"
        " | dictsort | map('join', ':') | join(',')"
        " if __bake_images else (__bake_host.region | default('')) ~ ':' ~ __bake_image.image_id }}",
        "packer_run_uuid": "{{ __bake_build_id }}",
        "custom_data": {"a": "b"},
    }


def test_commands_after_the_build(folder: Path) -> None:
    text = """
  post-processors {
    post-processor "manifest" {}
    post-processor "shell-local" {
      inline = ["cat packer-manifest.json"]
    }
  }
"""
    found = host(folder, steps=text)
    assert found.problems == []
    manifest, command = found.variables["packer_after_build"]
    assert manifest["tasks"][0]["delegate_to"] == "localhost"
    assert command["tasks"][0]["block"][2]["delegate_to"] == "localhost"
    assert parse_steps(found.variables["packer_after_build"])[1] == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('"shell" {}', "shell has exactly one of inline, script or scripts, and this has none."),
        ('"shell" {\ninline = ["x"]\nscript = "setup.sh"\n}', "this has inline and script"),
        ('"shell" {\nscript = "missing.sh"\n}', "script: missing.sh was not found. Looked in: "),
        ('"shell" {\nscript = "site"\n}', "script: site is no file."),
        ('"shell" {\nscript = "${build.SourceAMI}.sh"\n}', "the path of a file cannot hold what only the build knows"),
        ('"shell" {\ninline = ["x"]\nenvironment_vars = ["A"]\n}', "environment_vars: each is NAME=value."),
        ('"shell" {\ninline = ["{{.Names}}"]\n}', "in {{.Names}}: there is no .Names"),
        ('"shell" {\ninline = ["x"]\nexecute_command = "{{.Pth}}"\n}', "in {{.Pth}}: there is no .Pth; did you mean ."),
        ('"shell" {\ninline = ["x"]\nenv_var_format = "%s"\n}', "env_var_format has two places %s"),
        ('"shell" {\ninline = ["x"]\ntimeout = "5"\n}', "timeout: this must be a duration such as 90s or 1h30m"),
        ('"shell" {\ninline = ["${build.ID}"]\n}', "there is no build.ID. It has: name, BuildRegion,"),
        ('"file" {\ndestination = "/x"\n}', "file has exactly one of source, sources and content, and this has none."),
        ('"file" {\nsource = "setup.sh"\n}', "file has a destination."),
        ('"file" {\nsource = "nothing"\ndestination = "/x"\n}', "source: nothing was not found."),
        ('"file" {\ncontent = "x"\ndestination = "/x"\ndirection = "download"\n}', "content is for uploads."),
        ('"file" {\nsource = "site"\ndestination = "/x"\ndirection = "up"\n}', "direction: this must be one of upload"),
        ('"ansible" {}', "ansible has a playbook_file."),
        ('"ansible" {\nplaybook_file = "site.yml"\ngalaxy_file = "r.yml"\n}', "galaxy_file: r.yml was not found."),
        ('"ansible" {\nplaybook_file = "site.yml"\nroles_path = "nowhere"\n}', "roles_path: nowhere was not found."),
        ('"ansible" {\nplaybook_file = "site.yml"\nansible_env_vars = ["A"]\n}', "'A' is not NAME=value."),
        ('"ansible-local" {\nplaybook_file = "site.yml"\ngroup_vars = "none"\n}', "group_vars: none was not found."),
        ('"ansible" {\nplaybook_file = "site.yml"\nextra_arguments = ["--forks", "3"]\n}', "--forks is not supported"),
        ('"ansible" {\nplaybook_file = "site.yml"\nextra_arguments = ["-e", "@v.yml"]\n}', "v.yml was not found."),
        ('"ansible" {\nplaybook_file = "site.yml"\ngroups = ["a-b"]\n}', "groups: 'a-b' is no name for a group"),
        ('"ansible" {\nplaybook_file = "site.yml"\nmax_retries = 1\n}', "max_retries is not supported for playbooks."),
        ('"ansible-local" {\nplaybook_file = "local.yml"\n}', "local.yml has a play with 'hosts: localhost'"),
        ('"powershell" {}', "provisioners of the type powershell are not supported. There are: ansible, ansible-local"),
    ],
)  # fmt: skip
def test_mistakes(folder: Path, text: str, said: str) -> None:
    problems = host(folder, steps=f"provisioner {text}").problems
    assert any(said in problem for problem in problems), problems
    assert all(problem.startswith("web.pkr.hcl, line ") for problem in problems)


def test_post_processors_that_are_not_there(folder: Path) -> None:
    found = hosts(folder, SOURCE % "" + BUILD % 'post-processor "compress" {}')["amazon-chroot.web"]
    assert "post-processors of the type compress are not supported." in found.problems[0]


def test_every_option_is_in_the_documentation() -> None:
    text = (DOCS / "packer.md").read_text(encoding="utf-8")
    names = {f"`{name}`" for table in TABLES.values() for name, row in table.items() if not row.note}
    assert sorted(name for name in names if name not in text) == []
