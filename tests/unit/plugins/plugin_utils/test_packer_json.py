# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Go templates in texts, and templates in JSON."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from ansible_collections.bakehouse.images.plugins.module_utils._errors import Invalid
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_go import GoTemplates
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_json import is_json_template
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_late import late, to_variable
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_located import Located
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_model import Place

from tests.unit.plugins.plugin_utils.packer_templates import BEGAN, hosts, read, write

PLACE = Place("web.json", 7)
GO = GoTemplates(
    began=BEGAN,
    folder="/srv/templates",
    user={"name": "web", "spaced": "a b"},
    build_name="web",
    data={"Path": "/tmp/x.sh", "SourceAMIName": late("src.name"), "SourceAMITags": late("src.tags")},  # noqa: S108
)
BUILDER = {"type": "amazon-chroot", "ami_name": "web", "source_ami": "ami-0123456789abcdef0"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("no template", "no template"),
        ("{{user `name`}}-{{ user \"name\" }}", "web-web"),
        ("{{timestamp}}", "1772360430"),
        ("{{isotime}}", "2026-03-01T10:20:30Z"),
        ('{{isotime "2006-01-02"}}', "2026-03-01"),
        ('{{strftime "%Y"}}', "2026"),
        ("{{isotime | clean_resource_name}}", "2026-03-01T10-20-30Z"),
        ("{{user `spaced` | clean_resource_name | upper}}", "A B"),
        ('{{clean_resource_name "a:b?c"}}', "a-b-c"),
        ("{{build_name}} {{build_type}}", "web amazon-chroot"),
        ("{{template_dir}}", "/srv/templates"),
        ('{{lower "AbC"}}', "abc"),
        ('{{replace "a" "b" 1 "aaa"}}', "baa"),
        ('{{replace_all "a" "b" "aaa"}}', "bbb"),
        ('{{split "a-b-c" "-" 1}}', "b"),
        ('{{printf "%s_%v" (user `name`) "x"}}', "web_x"),
        ("{{.Path}}", "/tmp/x.sh"),
        ("a {{- .Path -}} b", "a/tmp/x.shb"),
        ("{{/* a comment */}}x", "x"),
        ('{{ "{{" }}.Names{{ "}}" }}', "{{.Names}}"),
        ("{{`{{.Names}}`}}", "{{.Names}}"),
        ("{{if .Path}}yes{{else}}no{{end}}", "yes"),
        ("{{if not .Path}}yes{{else}}no{{end}}", "no"),
        ('{{if eq (user `name`) "db"}}a{{else if ne build_name "web"}}b{{else}}c{{end}}', "c"),
        ('{{if eq build_name "db" "web"}}a{{end}}', "a"),
        ('{{if and .Path (eq 1 1) (lt 1 2) (ge "b" "a")}}a{{end}}', "a"),
        ('{{if or "" .Path}}a{{end}}-{{or "" "b"}}-{{and "" "c"}}', "a-b-"),
        ("{{with .Path}}<{{.}}> {{$.Path}}{{end}}", "</tmp/x.sh> /tmp/x.sh"),
        ('{{with ""}}x{{else}}empty{{end}}', "empty"),
        ('{{$x := user `name`}}{{$x}}{{ $x = "y" }}{{$x}}', "weby"),
        ("{{with $p := .Path}}{{$p}}{{end}}", "/tmp/x.sh"),
        ("a {{- if true -}} b {{- end}} c", "ab c"),
        ('{{len "four"}} {{eq 1 2}} {{print "a" 1 2 "b"}}', "4 false a1 2b"),
        ('{{printf "%d %q 100%%" 5 "x"}}', '5 "x" 100%'),
    ],
)  # fmt: skip
def test_actions(text: str, expected: str) -> None:
    assert GO.render(text, PLACE) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x {{.SourceAMIName}}", "x {{ src.name }}"),
        ("{{.SourceAMITags.Name}}", "{{ src.tags['Name'] | default('') }}"),
        ('{{index .SourceAMITags "a b"}}', "{{ src.tags['a b'] | default('') }}"),
        ("{{build `SourceAMI`}}", "{{ __bake_source_image.image_id }}"),
        ("{{.SourceAMIName | upper}}", "{{ ((src.name)) | upper }}"),
        ("{{`{{x}}`}} {{.SourceAMIName}}\n", "{{ '{{' }}x}} {{ src.name }}\n"),
        ("{{if .SourceAMIName}}a{{else}}b{{end}}", "{{ ('a') if ((src.name)) else ('b') }}"),
        ('{{eq .SourceAMIName "a"}}', "{{ (((src.name)) == ('a')) | string | lower }}"),
        ('{{if eq .SourceAMITags.A "a"}}{{.SourceAMIName}}{{end}}',
         "{{ ((src.name)) if (((src.tags['A'] | default(''))) == ('a')) else ('') }}"),
        ("{{len .SourceAMITags}}", "{{ ((src.tags)) | length }}"),
        ("{{range $k, $v := .SourceAMITags}}{{$k}}={{$v}}{{.}}\n{{else}}none{{end}}",
         "{% for packer_key_1, packer_item_1 in (src.tags) | dictsort(true) +%}{{ packer_key_1 }}={{ packer_item_1 }}"
         "{{ packer_item_1 }}\n{% else +%}none{% endfor +%}"),
        ("{{`{% {# {`}}{{.SourceAMIName}}", "{{ '{%' }} {{ '{#' }} {{ '{' }}{{ src.name }}"),
    ],
)  # fmt: skip
def test_what_only_the_build_knows_becomes_a_template_of_ansible(text: str, expected: str) -> None:
    assert to_variable(GO.render(text, PLACE), "/srv/web.json") == expected


def test_a_map_whose_keys_only_the_build_knows_is_one_template(tmp_path: Path) -> None:
    tags = {"{{.SourceAMIName}}": "a 'b'", "Loop": "{{range $k, $v := .SourceAMITags}}{{$k}};{{end}}", "c": "{{.Path}}"}
    variable = to_variable(GO.render_all(tags, lambda *_path: PLACE), "/srv/web.json")
    names = {"src": {"name": "base", "tags": {"x": "1", "Y": "2"}}}
    templar = Templar(loader=DataLoader(), variables=names)
    assert templar.template(variable) == {"base": "a 'b'", "Loop": "Y;x;", "c": "/tmp/x.sh"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{{usr `name`}}", "there is no function usr; did you mean user?"),
        ("{{user `nme`}}", "there is no variable nme; did you mean name?"),
        ("{{.Pth}}", "there is no .Pth; did you mean .Path?"),
        ("{{.Names}}", "there is no .Names; known here is .Path, "),
        ("{{env `HOME`}}", "env may be used in the section variables only"),
        ("{{build `ID`}}", "a build in a chroot knows no ID"),
        ("{{if .Path}}x", "this if has no end"),
        ("x{{end}}", "end belongs to no if, range or with"),
        ("{{with .Path}}x{{else}}y{{else}}z{{end}}", "this with has no end"),
        ("{{range .Path}}x{{end}}", "range goes over a map, and this is '/tmp/x.sh'"),
        ("{{define `x`}}y{{end}}", "define is not supported"),
        ("{{$x}}", "there is no variable $x here"),
        ("{{if .Pth}}x{{end}}", "there is no .Pth; did you mean .Path?"),
        ("{{if eq 1 `1`}}x{{end}}", "eq compares values of one kind"),
        ("{{range .SourceAMITags}}x{{end | upper}}", "this range has no end"),
        ('{{printf "%s"}}', "printf takes %s, %v, %d, %q and %%, and a value for each of them"),
        ("{{vault `a` `b`}}", "the function vault is not supported: give the value as a variable"),
        ("{{split `a` `-` 3}}", "'a' has no part 3"),
        ("{{user}}", "user does not take 0 arguments"),
        ("{{}}", "it is empty"),
        ("{{a + b}}", "this is no template of Packer"),
        ("{{(user `name`}}", "a parenthesis is not closed"),
    ],
)  # fmt: skip
def test_mistakes_in_actions(text: str, said: str) -> None:
    with pytest.raises(Invalid) as caught:
        GO.render(text, PLACE)
    assert str(caught.value).startswith("web.json, line 7: in {{")
    assert said in str(caught.value)


def test_json_knows_where_everything_stands() -> None:
    found = Located('{\n\t"a": [1, {\n"b": "x\\/y"}],\r\n "c": null, "d": -1.5e2 }\n', "x.json")
    assert found.value == {"a": [1, {"b": "x/y"}], "c": None, "d": -150.0}
    lines = {path: place.line for path, place in found.places.items()}
    assert (lines[("a",)], lines[("a", 1)], lines[("a", 1, "b")], lines[("c",)]) == (2, 2, 3, 4)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"a": 1,\n}', "line 2: this is no JSON: a name between double quotes is missing here."),
        ('{"a": 1\n"b": 2}', "line 2: this is no JSON: ',' is missing here."),
        ('{"a" 1}', "line 1: this is no JSON: ':' is missing here."),
        ('{"a": \nx}', "line 2: this is no JSON, at x."),
        ('{"a": "x', "line 1: this is no JSON: a text has no end"),
        ('{"a": 1,\n"a": 2}', "line 2: 'a' is there twice."),
        ("{}\n{}", "there is more after its end."),
        ("[1", "',' is missing here"),
    ],
)  # fmt: skip
def test_mistakes_in_json(text: str, said: str) -> None:
    with pytest.raises(Invalid) as caught:
        Located(text, "x.json")
    assert said in str(caught.value)


def test_only_templates_are_taken(tmp_path: Path) -> None:
    assert is_json_template(write(tmp_path, {"builders": [BUILDER]}))
    others: list[dict[str, t.Any]] = [{"all": {}}, {"builders": {}}, {"builders": [{"name": "x"}]}, {"builders": []}]
    for content in others:
        assert not is_json_template(write(tmp_path, content))
    (tmp_path / "list.json").write_text("[1]")
    assert not is_json_template(tmp_path / "list.json")


def test_user_variables(tmp_path: Path) -> None:
    content: dict[str, t.Any] = {
        "variables": {"a": "{{env `HERE`}}", "b": "{{user `a`}}-b", "c": "default", "number": 5},
        "builders": [{**BUILDER, "ami_name": "{{user `b`}} {{user `c`}} {{user `number`}}"}],
    }
    given = {"environment": {"HERE": "x", "PKR_VAR_c": "from environment"}}
    found = hosts(tmp_path, content, **given)["amazon-chroot"]
    assert found.problems == []
    assert found.variables["bake_image_name"] == "x-b from environment 5"
    (tmp_path / "vars.json").write_text('{"c": "from file"}')
    files = (str(tmp_path / "vars.json"),)
    assert hosts(tmp_path, content, var_files=files)["amazon-chroot"].variables["bake_image_name"] == "-b from file 5"
    last = hosts(tmp_path, content, var_files=files, variables={"c": "option"})["amazon-chroot"]
    assert last.variables["bake_image_name"] == "-b option 5"


def test_all_mistakes_of_a_json_template(tmp_path: Path) -> None:
    content: dict[str, t.Any] = {
        "_comment": "ignored",
        "variabls": {},
        "variables": {"needed": None, "circle": "{{user `circle`}}"},
        "builders": [
            {**BUILDER, "name": "a", "enna_support": True, "ami_name": "{{user `nothing`}}"},
            {**BUILDER, "name": "a"},
            {"type": "amazon-ebs"},
        ],
        "provisioners": [{"type": "shell", "inlin": ["x"]}, {"inline": ["x"]}, {"type": "puppet-masterless"}],
    }
    found = hosts(tmp_path, content, variables={"more": "x"})["a"].problems
    for said in (
        "line 3: a template has no variabls.",
        "line 5: the variable needed has no value. Set PKR_VAR_needed",
        "line 6: in {{user `circle`}}: there is no variable circle",
        "The variable more is given a value, and the template does not declare it.",
        "line 16: there are two builders with the name a.",
        "line 22: builders of the type amazon-ebs are not supported",
        "line 14: amazon-chroot has no option enna_support. Did you mean ena_support?",
        "line 11: in {{user `nothing`}}: there is no variable nothing",
        "this has no type",
        "shell has no option inlin. Did you mean inline?",
        "provisioners of the type puppet-masterless are not supported",
    ):
        assert any(said in problem for problem in found), (said, found)


def test_only_and_except_are_names_of_builders(tmp_path: Path) -> None:
    content: dict[str, t.Any] = {
        "builders": [{**BUILDER, "name": "a"}, {**BUILDER, "name": "b"}],
        "provisioners": [
            {"type": "shell", "inline": ["x"], "only": ["a"]},
            {"type": "shell", "inline": ["y"], "override": {"b": {"inline": ["z"]}}},
        ],
        "post-processors": ["manifest", [{"type": "manifest", "except": ["a", "b"]}]],
    }
    builds = {it.name: it for it in read(tmp_path, content).builds}
    assert [it.values["inline"] for it in builds["a"].provisioners] == [["x"], ["y"]]
    assert [it.values["inline"] for it in builds["b"].provisioners] == [["z"]]
    assert [len(sequence) for sequence in builds["b"].post_processors] == [1, 0]
    assert list(hosts(tmp_path, content, only=("b",))) == ["b"]


def test_sensitive_variables_are_looked_up(tmp_path: Path) -> None:
    content: dict[str, t.Any] = {
        "variables": {"token": "s3cr3t"},
        "sensitive-variables": ["token"],
        "builders": [BUILDER],
        "provisioners": [{"type": "shell", "inline": ["echo {{user `token`}}"]}],
    }
    text = str(hosts(tmp_path, content)["amazon-chroot"].variables)
    assert "s3cr3t" not in text
    assert "bakehouse.images.packer_value" in text


def test_a_provisioner_that_packer_does_not_run_either_is_said(tmp_path: Path) -> None:
    found = read(tmp_path, {"builders": [BUILDER], "error-cleanup-provisioner": {"type": "shell", "inline": ["x"]}})
    assert found.problems == []
    assert "error-cleanup-provisioner has no effect" in found.warnings[0]
