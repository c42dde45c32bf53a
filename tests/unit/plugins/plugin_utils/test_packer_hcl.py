# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Expressions of HCL, and the functions that templates use."""

from __future__ import annotations

import base64
import gzip
import typing as t
from pathlib import Path

import pytest
from ansible_collections.bakehouse.images.plugins.module_utils._errors import Invalid
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_hcl_eval import Evaluator
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_hcl_functions import FUNCTIONS, Library
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_hcl_parse import parse_hcl
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_late import late

from tests.unit.plugins.plugin_utils.packer_templates import value

EXPRESSIONS: list[tuple[str, t.Any]] = [
    ("1 + 2 * 3 - 4", 3),
    ("(1 + 2) * 3", 9),
    ("7 / 2", 3.5),
    ("6 / 2", 3),
    ("-7 % 3", -1),
    ("-a.n", -5),
    ("!true || 1 < 2 && 2 >= 2", True),
    ("1 == 1.0", True),
    ('1 == "1"', False),
    ("true != false", True),
    ('a.n > 4 ? "big" : "small"', "big"),
    ("null", None),
    ("1.5e3", 1500.0),
    ("[1, 2,\n 3,]", [1, 2, 3]),
    ('{ a = 1, "b c" = 2, (a.s) = 3 }', {"a": 1, "b c": 2, "text": 3}),
    ("{ a : 1\n b : 2 }", {"a": 1, "b": 2}),
    ("a.list[1]", "y"),
    ("a.list.0", "x"),
    ('a["n"]', 5),
    ("a.people[*].name", ["ann", "bob"]),
    ("a.people.*.name", ["ann", "bob"]),
    ("[for x in a.list : upper(x)]", ["X", "Y"]),
    ('[for i, x in a.list : i if x != "x"]', [1]),
    ("{ for k, v in a.map : v => k }", {"1": "one", "2": "two"}),
    ("{ for p in a.people : p.team => p.name... }", {"red": ["ann", "bob"]}),
    ('"${a.n}"', 5),
    ('"n is ${a.n}, ${true} and ${1.5}"', "n is 5, true and 1.5"),
    (r'"tab\tquote\" \u00e9 $${no} %%{no}"', 'tab\tquote" é ${no} %{no}'),
    ('"%{ if a.n == 5 }five%{ else }other%{ endif }"', "five"),
    ('"%{ for x in a.list }${x},%{ endfor }"', "x,y,"),
    ('"${upper("in ${a.s}")}"', "IN TEXT"),
    ("max(a.numbers...)", 9),
    ("try(a.nothing, a.s)", "text"),
    ("can(a.nothing)", False),
    ("can(a.s)", True),
    ("a.n > 1 ?\n  1 :\n  2", 1),
]
NAMES = {
    "a": {
        "n": 5,
        "s": "text",
        "list": ["x", "y"],
        "map": {"one": 1, "two": 2},
        "numbers": [3, 9],
        "people": [{"name": "ann", "team": "red"}, {"name": "bob", "team": "red"}],
    }
}

FUNCTION_CALLS: list[tuple[str, t.Any]] = [
    ("abs(-3)", 3),
    ("alltrue([true, false])", False),
    ("anytrue([true, false])", True),
    ('base64decode("aGk=")', "hi"),
    ('base64encode("hi")', "aGk="),
    ('basename("/a/b.txt")', "b.txt"),
    ("ceil(1.2)", 2),
    ('chomp("a\\n")', "a"),
    ("chunklist([1, 2, 3], 2)", [[1, 2], [3]]),
    ('coalesce("", "b")', "b"),
    ("coalescelist([], [1])", [1]),
    ('compact(["a", ""])', ["a"]),
    ("concat([1], [2])", [1, 2]),
    ('contains(["a"], "a")', True),
    ('cidrhost("10.1.2.0/24", 5)', "10.1.2.5"),
    ('cidrhost("fd00::/64", 1)', "fd00::1"),
    ('cidrhost("10.1.2.0/24", -2)', "10.1.2.254"),
    ('cidrnetmask("10.0.0.0/12")', "255.240.0.0"),
    ('cidrsubnet("10.0.0.0/16", 8, 3)', "10.0.3.0/24"),
    ('cidrsubnet("fd00::/48", 16, 1)', "fd00:0:0:1::/64"),
    ('cidrsubnets("10.0.0.0/16", 8, 4, 8)', ["10.0.0.0/24", "10.0.16.0/20", "10.0.32.0/24"]),
    ('csvdecode("a,b\\n1,2\\n")', [{"a": "1", "b": "2"}]),
    ('dirname("/a/b.txt")', "/a"),
    ("distinct([1, 1, 2])", [1, 2]),
    ("element([1, 2], 3)", 2),
    ('endswith("abc", "c")', True),
    ("flatten([[1], [[2], 3]])", [1, 2, 3]),
    ("floor(1.8)", 1),
    ('format("%s-%03d-%.1f-%t-%q-%%", "a", 7, 1.25, true, "q")', 'a-007-1.2-true-"q"-%'),
    ("formatdate(\"YYYY-MM-DD'T'hh:mm:ssZ\", timestamp())", "2026-03-01T10:20:30Z"),
    ('formatdate("EEEE D MMM YY h", timestamp())', "Sunday 1 Mar 26 10"),
    ('formatlist("%s-%s", ["a", "b"], "x")', ["a-x", "b-x"]),
    ('indent(2, "a\\nb")', "a\n  b"),
    ('index(["a", "b"], "b")', 1),
    ('join(",", ["a", "b"])', "a,b"),
    ('jsondecode("{\\"a\\": [1]}")', {"a": [1]}),
    ('jsonencode({ b = 1, a = "<" })', '{"a":"\\u003c","b":1}'),
    ("keys({ b = 1, a = 2 })", ["a", "b"]),
    ('legacy_isotime("2006-01-02 15:04:05")', "2026-03-01 10:20:30"),
    ('legacy_isotime("Mon Jan 2 3:04PM")', "Sun Mar 1 3:20AM"),
    ('legacy_strftime("%Y%m%d")', "20260301"),
    ("length([1, 2])", 2),
    ("log(8, 2)", 3),
    ('lookup({ a = 1 }, "b", 2)', 2),
    ('lower("ABC")', "abc"),
    ("max(1, 3, 2)", 3),
    ('md5("a")', "0cc175b9c0f1b6a831c399e269772661"),
    ("merge({ a = 1 }, { a = 2, b = 3 })", {"a": 2, "b": 3}),
    ("min(2, 1)", 1),
    ('parseint("ff", 16)', 255),
    ("pow(2, 3)", 8),
    ("range(1, 4)", [1, 2, 3]),
    ('regex("[a-z]+", "12ab")', "ab"),
    ('regex("(\\\\d)(\\\\d)", "12")', ["1", "2"]),
    ('regex_replace("a1b2", "([a-z])(\\\\d)", "$2$1")', "1a2b"),
    ('regexall("\\\\d", "a1b2")', ["1", "2"]),
    ('replace("a.b.c", ".", "-")', "a-b-c"),
    ('replace("a1", "/[0-9]/", "x")', "ax"),
    ("reverse([1, 2])", [2, 1]),
    ("setintersection([1, 2], [2, 3])", [2]),
    ("setproduct([1], [2, 3])", [[1, 2], [1, 3]]),
    ("setsubtract([1, 2], [2])", [1]),
    ("setunion([1], [2])", [1, 2]),
    ('sha1("a")', "86f7e437faa5a7fce15d1ddcb9eaeaea377667b8"),
    ('substr(sha256("a"), 0, 8)', "ca978112"),
    ("signum(-2)", -1),
    ("slice([1, 2, 3], 1, 2)", [2]),
    ('sort(["b", "a"])', ["a", "b"]),
    ('split(",", "a,b")', ["a", "b"]),
    ('startswith("abc", "a")', True),
    ('strcontains("abc", "b")', True),
    ('strrev("ab")', "ba"),
    ('substr("hello", -3, 2)', "ll"),
    ("sum([1, 2])", 3),
    ('textdecodebase64("4QA=", "utf-16-le")', "á"),
    ('textencodebase64("á", "UTF-16LE")', "4QA="),
    ('timeadd("2026-03-01T10:00:00Z", "1h30m")', "2026-03-01T11:30:00Z"),
    ("timestamp()", "2026-03-01T10:20:30Z"),
    ('title("hello big world")', "Hello Big World"),
    ('tobool("true")', True),
    ('tonumber("5")', 5),
    ("tostring(5)", "5"),
    ("toset([2, 1, 2])", [1, 2]),
    ('transpose({ a = ["x"], b = ["x"] })', {"x": ["a", "b"]}),
    ('trim("--a--", "-")', "a"),
    ('trimprefix("aab", "a")', "ab"),
    ('trimspace(" a ")', "a"),
    ('trimsuffix("abb", "b")', "ab"),
    ('upper("a")', "A"),
    ('urlencode("a b&c")', "a+b%26c"),
    ("values({ b = 1, a = 2 })", [2, 1]),
    ('yamldecode("a: [1]")', {"a": [1]}),
    ("yamlencode({ a = 1 })", "a: 1\n"),
    ('zipmap(["a"], [1])', {"a": 1}),
]


@pytest.mark.parametrize(("text", "expected"), EXPRESSIONS, ids=[text for text, _value in EXPRESSIONS])
def test_expressions(text: str, expected: t.Any) -> None:
    found = value(text, **NAMES)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(("text", "expected"), FUNCTION_CALLS, ids=[text for text, _value in FUNCTION_CALLS])
def test_functions(text: str, expected: t.Any) -> None:
    assert value(text) == expected


def test_functions_that_look_at_files(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("hi\n")
    assert value(f'file("{tmp_path}/a.txt")') == "hi\n"
    assert value(f'fileexists("{tmp_path}/b.txt")') is False
    assert value(f'filebase64("{tmp_path}/a.txt")') == "aGkK"
    assert value(f'fileset("{tmp_path}", "*.txt")') == ["a.txt"]
    with pytest.raises(Invalid, match=r"line 1: file: .*b\.txt cannot be read: No such file"):
        value(f'file("{tmp_path}/b.txt")')


def test_texts_are_packed() -> None:
    assert gzip.decompress(base64.b64decode(value('base64gzip("text")'))) == b"text"


def test_files_are_templates_of_texts(tmp_path: Path) -> None:
    path = tmp_path / "hosts.pkrtpl.hcl"
    path.write_text(
        "# %{ if loud }${upper(name)}%{ else }${name}%{ endif }\n%{ for x in list ~}\n${x}\n%{ endfor ~}\n$${x}"
    )
    assert value(f'templatefile("{path}", {{ name = "web", loud = true, list = ["a", "b"] }})') == "# WEB\na\nb\n${x}"
    path.write_text("one\n${nme}")
    with pytest.raises(Invalid, match=r"hosts\.pkrtpl\.hcl, line 2: there is nothing called nme here"):
        value(f'templatefile("{path}", {{ name = "web" }})')
    path.write_text(f'${{templatefile("{path}", {{}})}}')
    with pytest.raises(Invalid, match="templatefile cannot be used in such a file itself"):
        value(f'templatefile("{path}", {{}})')
    for arguments, said in (
        (f'"{path}"', "line 1: templatefile takes a path and a map"),
        (f'"{path}", []', "templatefile takes a map of names, and this is a list"),
        (f'"{path}.not", {{}}', r"templatefile: .*cannot be read: No such file"),
    ):
        with pytest.raises(Invalid, match=said):
            value(f"templatefile({arguments})")


def test_every_function_is_in_the_documentation() -> None:
    text = (Path(__file__).resolve().parents[4] / "docs" / "packer-language.md").read_text(encoding="utf-8")
    assert [name for name in FUNCTIONS if f"`{name}`" not in text] == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("\nuper(\"a\")", "line 2: there is no function uper. Did you mean upper?"),
        ("vault(\"a\", \"b\")", "the function vault is not supported: give the value as a variable"),
        ("env(\"HOME\")", "env: it may be used in the default of a variable only"),
        ("upper()", "upper: it does not take 0 arguments"),
        ("a.zero", "this object has no zero. It has: n, s,"),
        ("b.zero", "there is nothing called b here. There is: a."),
        ("a.list[2]", "this list has 2 elements, and no element 2"),
        ("a.n.b", "a number has no parts, such as 'b'"),
        ('"x" + 1', "this must be a number, and is the text 'x'"),
        ("1 / 0", "this divides by zero"),
        ("cidrhost(\"10.0.0.0/24\", 256)", "cidrhost: 10.0.0.0/24 has no address 256"),
        ("cidrsubnet(\"10.0.0.0/24\", 9, 0)", "cidrsubnet: 10.0.0.0/24 cannot be made longer by 9 bits"),
        ("cidrsubnet(\"10.0.0.0/24\", 1, 2)", "cidrsubnet: 10.0.0.0/24 has no part 2 of /25"),
        ("cidrsubnets(\"10.0.0.0/24\", 1, 1, 1)", "cidrsubnets: 10.0.0.0/24 has no room for the part of /25"),
        ("cidrnetmask(\"fd00::/8\")", "cidrnetmask: netmasks are of IPv4"),
        ("log(8, 1)", "log: it cannot be given these arguments"),
        ('textdecodebase64("YQ==", "none")', "textdecodebase64: it cannot be given these arguments"),
        ('"a" ? 1 : 2', "this must be true or false, and is the text 'a'"),
        ('"${null} x"', "a text cannot hold null"),
        ('"${a.list} x"', "this must be a text, and is a list"),
        ("{ for x in a.list : \"k\" => x }", "this 'for' gives the key 'k' twice"),
        ("[for x in 5 : x]", "'for' goes over a list or a map, and this is a number"),
        ("coalesce(\"\")", "coalesce: all of what is given is null or empty"),
        (r'"\q"', r"\\q is no escape of HCL"),
        ("\n1 +\n)", "this is no HCL"),
    ],
)  # fmt: skip
def test_mistakes_name_their_line(text: str, said: str) -> None:
    with pytest.raises(Invalid) as caught:
        value(text, **NAMES)
    assert said.replace("\\\\", "\\") in str(caught.value)
    assert "x.pkr.hcl, line " in str(caught.value)


def test_heredocs() -> None:
    text = """a = <<-EOT
    first ${upper("x")}
      second "quoted" \\n
    %{ for x in ["1", "2"] ~}
    - ${x}
    %{ endfor ~}

    last $${no}
  EOT
b = <<EOT
  kept
EOT
c = <<-EOT
    ${join(",", [
      "a", "}"])}
    end
EOT
"""
    body = parse_hcl(text, "x.pkr.hcl")
    evaluator = Evaluator("x.pkr.hcl", {}, Library("/", 0.0), {})
    assert evaluator.value(body.attributes["a"]) == 'first X\n  second "quoted" \\n\n- 1\n- 2\nlast ${no}\n'
    assert evaluator.value(body.attributes["b"]) == "  kept\n"
    assert evaluator.value(body.attributes["c"]) == "a,}\nend\n"


def test_a_mistake_in_a_heredoc_names_its_line() -> None:
    with pytest.raises(Invalid, match=r"line 3: there is no function uper"):
        value('<<EOT\nfirst\n${uper("x")}\nEOT\n')


def test_what_only_the_build_knows_is_carried_and_not_computed_with() -> None:
    names = {"id": late("x.id")}
    assert value('"a-${id}-b"', **names) == f"a-{late('x.id')}-b"
    assert value('join(",", ["a", id])', **names) == f"a,{late('x.id')}"
    for text in ("upper(id)", 'id == "a"', 'id == "a" ? 1 : 2'):
        with pytest.raises(Invalid, match="only the build knows"):
            value(text, **names)


def test_blocks_and_labels() -> None:
    body = parse_hcl('a "b" c {\n  d = 1\n  e {\n    f = 2\n  }\n}\n', "x")
    block = body.blocks[0]
    assert (block.type, block.labels, block.line, block.lines) == ("a", ("b", "c"), 1, {"d": 2})
    assert block.blocks[0].lines == {"f": 4}


def test_an_attribute_that_is_set_twice() -> None:
    with pytest.raises(Invalid, match=r"x, line 2: a is set twice, and also in line 1"):
        parse_hcl("a = 1\na = 2\n", "x")
