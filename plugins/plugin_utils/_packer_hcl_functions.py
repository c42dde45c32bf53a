# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""The functions of HCL templates on texts, numbers, encodings, files and times. Others are in a file of their own."""

from __future__ import annotations

import base64
import binascii
import csv
import dataclasses
import gzip
import hashlib
import inspect
import io
import json
import math
import os
import re
import typing as t
import urllib.parse
import uuid
from collections.abc import Mapping
from pathlib import Path

import yaml
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_hcl_collections import COLLECTIONS, Failure
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_hcl_networks import NETWORKS
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_times import (
    format_date,
    format_layout,
    format_strftime,
    parse_time,
    time_add,
    timestamp_text,
)
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_values import as_number, as_text


@dataclasses.dataclass(frozen=True)
class Library:
    """What functions know beside their arguments.

    Attributes:
        folder: the template's, where files are looked for.
        began: seconds since 1970 when the template was read; all of it has one time, as with Packer.
        environment: this process's variables; None where C(env) may not be used.
        in_template: whether what is evaluated stands in a file given to C(templatefile).
    """

    folder: str
    began: float
    environment: Mapping[str, str] | None = None
    in_template: bool = False


UNSUPPORTED = {
    "aws_secretsmanager": "give the value as a variable, for example in the environment as PKR_VAR_name.",
    "consul_key": "give the value as a variable, for example in the environment as PKR_VAR_name.",
    "vault": "give the value as a variable, for example in the environment as PKR_VAR_name.",
    "bcrypt": "give the value as a variable: with Packer it is another one each time, too.",
    "rsadecrypt": "give the value as a variable.",
}

# Those that may be given a text which only the build knows.
LATE_TEXT = frozenset({"coalesce", "concat", "format", "join", "jsonencode", "merge", "tolist", "tomap", "tostring"})

PIECE = re.compile(r"%(?P<flags>[-+ 0#]*)(?P<width>\d*)(?:\.(?P<precision>\d+))?(?P<verb>[a-zA-Z%])")


def _format(_library: Library, pattern: str, *values: t.Any) -> str:
    given = list(values)

    def piece(match: re.Match[str]) -> str:
        verb = match["verb"]
        if verb == "%":
            return "%"
        if not given:
            raise Failure(f"there are not enough values for {pattern!r}")
        value = given.pop(0)
        form = f"%{match['flags']}{match['width']}" + (f".{match['precision']}" if match["precision"] else "")
        try:
            if verb in "sv":
                return (form + "s") % (as_text(value) if not isinstance(value, (list, Mapping)) else json.dumps(value))
            if verb == "q":
                return json.dumps(as_text(value))
            if verb == "t":
                return as_text(value)
            if verb in "dboxX":
                number = int(as_number(value))
                return f"{number:b}" if verb == "b" else (form + verb) % number
            if verb in "eEfFgG":
                return (form + verb) % as_number(value)
        except ValueError as exc:
            raise Failure(str(exc)) from exc
        raise Failure(f"%{verb} is not supported")

    return PIECE.sub(piece, pattern)


def _formatlist(library: Library, pattern: str, *values: t.Any) -> list[str]:
    count = max((len(value) for value in values if isinstance(value, list)), default=1)
    rows = [[value[n] if isinstance(value, list) else value for value in values] for n in range(count)]
    return [_format(library, pattern, *row) for row in rows]


def _pattern(text: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except re.error as exc:
        raise Failure(f"{text!r} is not a regular expression: {exc}") from exc


def _regex_replace(_library: Library, text: str, pattern: str, replacement: str) -> str:
    # Go writes groups as $1 and ${name}.
    python = re.sub(r"\$\{?(\w+)\}?", r"\\g<\1>", replacement.replace("\\", "\\\\"))
    try:
        return _pattern(pattern).sub(python, text)
    except (re.error, IndexError) as exc:
        raise Failure(f"{replacement!r} cannot be put there: {exc}") from exc


def _replace(_library: Library, text: str, old: str, new: str) -> str:
    if len(old) > 1 and old.startswith("/") and old.endswith("/"):
        return _regex_replace(_library, text, old[1:-1], new)
    return text.replace(old, new)


def _regex(_library: Library, pattern: str, text: str) -> t.Any:
    found = _pattern(pattern).search(text)
    if not found:
        raise Failure(f"{pattern!r} matches nothing in {text!r}")
    return _groups(found)


def _groups(found: re.Match[str]) -> t.Any:
    return found.groupdict() or (list(found.groups()) if found.groups() else found[0])


def _substr(_library: Library, text: str, offset: int, length: int) -> str:
    start = offset if offset >= 0 else len(text) + offset
    return text[start:] if length < 0 else text[start : start + length]


def _indent(_library: Library, spaces: int, text: str) -> str:
    return text.replace("\n", "\n" + " " * int(spaces))


def _decode64(_library: Library, text: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError) as exc:
        raise Failure("this is no text in base64") from exc


def _jsondecode(_library: Library, text: str) -> t.Any:
    try:
        return json.loads(text)
    except ValueError as exc:
        raise Failure(f"this is no JSON ({exc})") from exc


def _yamldecode(_library: Library, text: str) -> t.Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as exc:
        raise Failure(f"this is no YAML ({exc})") from exc


def _jsonencode(_library: Library, value: t.Any) -> str:
    text = json.dumps(value, separators=(",", ":"), sort_keys=True, ensure_ascii=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _csvdecode(_library: Library, text: str) -> list[dict[str, str]]:
    return [dict(row) for row in csv.DictReader(io.StringIO(text))]


def _env(library: Library, name: str) -> str:
    if library.environment is None:
        raise Failure("it may be used in the default of a variable only, as with Packer")
    return library.environment.get(name, "")


def _path(library: Library, name: str) -> Path:
    return Path(library.folder) / Path(name).expanduser()


def _read(library: Library, name: str) -> bytes:
    try:
        return _path(library, name).read_bytes()
    except OSError as exc:
        raise Failure(f"{_path(library, name)} cannot be read: {exc.strerror}") from exc


def read_text(library: Library, name: str) -> str:
    """The content of a file."""
    try:
        return _read(library, name).decode()
    except UnicodeDecodeError as exc:
        raise Failure(f"{name} is no text in UTF-8") from exc


def _fileset(library: Library, folder: str, pattern: str) -> list[str]:
    base = _path(library, folder)
    return sorted(str(found.relative_to(base)) for found in base.glob(pattern) if found.is_file())


def _digest(name: str) -> t.Callable[[Library, str], str]:
    return lambda _library, text: hashlib.new(name, text.encode(), usedforsecurity=False).hexdigest()


def _title(_library: Library, text: str) -> str:
    return re.sub(r"(?<![^\W_])[^\W\d_]", lambda match: match[0].upper(), text)


TEXTS: dict[str, t.Callable[..., t.Any]] = {
    "chomp": lambda _, text: text.rstrip("\r\n"),
    "format": _format,
    "formatlist": _formatlist,
    "indent": _indent,
    "join": lambda _, separator, *lists: separator.join(as_text(item) for items in lists for item in items),
    "lower": lambda _, text: text.lower(),
    "regex": _regex,
    "regexall": lambda _, pattern, text: [_groups(found) for found in _pattern(pattern).finditer(text)],
    "regex_replace": _regex_replace,
    "replace": _replace,
    "split": lambda _, separator, text: text.split(separator) if separator else list(text),
    "strrev": lambda _, text: text[::-1],
    "substr": _substr,
    "title": _title,
    "trim": lambda _, text, cut: text.strip(cut),
    "trimprefix": lambda _, text, prefix: text.removeprefix(prefix),
    "trimspace": lambda _, text: text.strip(),
    "trimsuffix": lambda _, text, suffix: text.removesuffix(suffix),
    "upper": lambda _, text: text.upper(),
}

NUMBERS: dict[str, t.Callable[..., t.Any]] = {
    "abs": lambda _, number: abs(as_number(number)),
    "ceil": lambda _, number: math.ceil(as_number(number)),
    "floor": lambda _, number: math.floor(as_number(number)),
    "log": lambda _, number, base: math.log(as_number(number), as_number(base)),
    "max": lambda _, *numbers: max(map(as_number, numbers)),
    "min": lambda _, *numbers: min(map(as_number, numbers)),
    "parseint": lambda _, text, base: int(text, base),
    "pow": lambda _, number, power: as_number(number) ** as_number(power),
    "signum": lambda _, number: (as_number(number) > 0) - (as_number(number) < 0),
    "sum": lambda _, numbers: sum(map(as_number, numbers)),
}

ENCODINGS: dict[str, t.Callable[..., t.Any]] = {
    "base64decode": _decode64,
    "base64encode": lambda _, text: base64.b64encode(text.encode()).decode(),
    "base64gzip": lambda _, text: base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode(),
    "csvdecode": _csvdecode,
    "jsondecode": _jsondecode,
    "jsonencode": _jsonencode,
    "textdecodebase64": lambda _, text, encoding: base64.b64decode(text, validate=True).decode(encoding),
    "textencodebase64": lambda _, text, encoding: base64.b64encode(text.encode(encoding)).decode(),
    "urlencode": lambda _, text: urllib.parse.quote_plus(text),
    "yamldecode": _yamldecode,
    "yamlencode": lambda _, value: yaml.safe_dump(value, sort_keys=True, allow_unicode=True),
    "md5": _digest("md5"),
    "sha1": _digest("sha1"),
    "sha256": _digest("sha256"),
    "sha512": _digest("sha512"),
}

SURROUNDINGS: dict[str, t.Callable[..., t.Any]] = {
    "abspath": lambda library, name: os.path.abspath(_path(library, name)),
    "basename": lambda _, name: os.path.basename(name.rstrip("/")),
    "dirname": lambda _, name: os.path.dirname(name) or ".",
    "env": _env,
    "file": read_text,
    "filebase64": lambda library, name: base64.b64encode(_read(library, name)).decode(),
    "fileexists": lambda library, name: _path(library, name).is_file(),
    "fileset": _fileset,
    "formatdate": lambda _, layout, moment: format_date(layout, parse_time(moment)),
    "legacy_isotime": lambda library, layout="": format_layout(layout, library.began),
    "legacy_strftime": lambda library, layout: format_strftime(layout, library.began),
    "pathexpand": lambda _, name: os.path.expanduser(name),
    "timeadd": time_add,
    "timestamp": lambda library: timestamp_text(library.began),
    "uuidv4": lambda _: str(uuid.uuid4()),
    "uuidv5": lambda _, space, name: str(uuid.uuid5(_namespace(space), name)),
}


def _namespace(text: str) -> uuid.UUID:
    named = {"dns": uuid.NAMESPACE_DNS, "url": uuid.NAMESPACE_URL, "oid": uuid.NAMESPACE_OID}
    return named[text] if text in named else uuid.UUID(text)


FUNCTIONS: dict[str, t.Callable[..., t.Any]] = {
    **TEXTS,
    **NUMBERS,
    **ENCODINGS,
    **SURROUNDINGS,
    **COLLECTIONS,
    **NETWORKS,
}


def call(name: str, library: Library, given: t.Sequence[t.Any]) -> t.Any:
    """The result of a function.

    Raises:
        Failure: it cannot do what is asked.
    """
    function = FUNCTIONS[name]
    try:
        inspect.signature(function).bind(library, *given)
    except TypeError as exc:
        raise Failure(f"it does not take {len(given)} arguments") from exc
    try:
        return function(library, *given)
    except (ValueError, AttributeError, TypeError, LookupError, ArithmeticError) as exc:
        raise Failure(f"it cannot be given these arguments ({exc})") from exc


__all__ = ("FUNCTIONS", "LATE_TEXT", "UNSUPPORTED", "Failure", "Library", "call", "read_text")
