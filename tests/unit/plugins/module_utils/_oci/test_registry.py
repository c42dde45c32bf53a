# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What skopeo is told, and what becomes of what it says."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest
from ansible_collections.bakehouse.images.plugins.module_utils._errors import (
    BuildError,
    CommandFailed,
    NotFound,
    Refused,
)
from ansible_collections.bakehouse.images.plugins.module_utils._oci.references import parse_reference
from ansible_collections.bakehouse.images.plugins.module_utils._oci.registry import Access, Registry
from ansible_collections.bakehouse.images.plugins.module_utils._run import Completed

from tests.replay import ReplayRunner

WEB = parse_reference("localhost:5000/web:1")
INSPECT = "skopeo inspect --raw --retry-times 3 --tls-verify=true docker://localhost:5000/web:1"
FATAL = (
    'time="2026-11-21T12:00:00Z" level=fatal msg="Error parsing image name \\"docker://localhost:5000/web:1\\": %s"\n'
)


def test_bytes_come_back_as_they_are() -> None:
    runner = ReplayRunner({INSPECT: b'{"a": "\xc3\xbc\xff"}'.decode("utf-8", "surrogateescape")})
    assert Registry(runner, Access()).manifest(WEB) == b'{"a": "\xc3\xbc\xff"}'


# Each as skopeo 1.9 has said it, the registries' names apart.
@pytest.mark.parametrize(
    ("said", "kind", "told"),
    [
        ("reading manifest 1 in localhost:5000/web: manifest unknown: manifest unknown", NotFound, "There is no image"),
        ("reading manifest 1 in localhost:5000/web: unauthorized: authentication required", Refused, "Check username"),
        (
            "pinging container registry localhost:5000: x509: certificate signed by unknown authority",
            Refused,
            "cert_dir",
        ),
        ("http: server gave HTTP response to HTTPS client", Refused, "validate_certs"),
        ("Digest did not match, expected sha256:aa, got sha256:bb", BuildError, "has sent other bytes"),
        (
            "dial tcp 127.0.0.1:5000: connect: connection refused",
            BuildError,
            "skopeo cannot reach localhost:5000/web:1",
        ),
    ],
)
def test_what_registries_say_becomes_one_error(said: str, kind: t.Type[BuildError], told: str) -> None:
    runner = ReplayRunner({INSPECT: ("", 1, FATAL % said)})
    with pytest.raises(BuildError) as caught:
        Registry(runner, Access()).manifest(WEB)
    assert type(caught.value) is kind
    assert told in str(caught.value)
    assert "Error parsing" not in str(caught.value)


def test_an_image_that_is_not_there_is_no_error_where_it_may_be_missing() -> None:
    runner = ReplayRunner({INSPECT: ("", 1, FATAL % "reading manifest 1 in localhost:5000/web: manifest unknown")})
    assert Registry(runner, Access()).find_manifest(WEB) is None


class Missing:
    """A machine without skopeo."""

    def run(self, argv: t.Sequence[str], **_given: t.Any) -> Completed:
        raise NotFound("The command skopeo is not installed on this machine.", cmd=list(argv))


def test_a_missing_program_is_not_a_missing_image() -> None:
    with pytest.raises(NotFound, match="not installed"):
        Registry(Missing(), Access()).find_manifest(WEB)


class Witness:
    """Reads the credentials as skopeo would, and fails."""

    def __init__(self) -> None:
        self.argv: t.List[str] = []
        self.read: t.Any = None

    def run(self, argv: t.Sequence[str], **_given: t.Any) -> Completed:
        self.argv = list(argv)
        self.read = json.loads(Path(self.argv[self.argv.index("--authfile") + 1]).read_text())
        raise CommandFailed("skopeo failed", argv=self.argv, rc=1, stderr="no")


def test_the_password_is_in_no_file_and_in_no_command_line() -> None:
    witness = Witness()
    access = Access(username="builder", password="correct horse", validate_certs=False, cert_dir="/certs", retries=0)
    with pytest.raises(BuildError) as caught:
        Registry(witness, access).download(WEB, "/tmp/x:y")
    assert witness.read == {"auths": {"localhost:5000": {"auth": "YnVpbGRlcjpjb3JyZWN0IGhvcnNl"}}}
    assert "horse" not in " ".join([*witness.argv, str(caught.value.to_result()), repr(access)])
    where = witness.argv[witness.argv.index("--authfile") + 1]
    assert where.startswith("/proc/")
    assert not Path(where).exists()
    fixed = [word for word in witness.argv if word != where]
    assert fixed == (
        ["skopeo", "copy", "--quiet", "--preserve-digests", "--retry-times", "0", "--src-tls-verify=false"]
        + ["--src-cert-dir", "/certs", "--authfile", "docker://localhost:5000/web:1", "dir:/tmp/x:y"]
    )


def test_all_mistakes_are_told_together(tmp_path: Path) -> None:
    there = tmp_path / "auth.json"
    there.touch()
    assert Access(authfile=str(there), cert_dir=str(tmp_path)).problems() == []
    wrong = Access(username="a:b", authfile="/nowhere", cert_dir="/nowhere", retries=-1)
    assert len(wrong.problems()) == 6
