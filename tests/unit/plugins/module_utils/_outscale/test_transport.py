# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Calls over a real connection, through Outscale's SDK: certificates, answers that are none, and nobody there."""

from __future__ import annotations

import http.server
import socket
import ssl
import subprocess
import threading
import typing as t
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError, Refused
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.settings import Settings
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.transport import Lost, NotSent, SdkTransport


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers as the test says: a status with a body, or nothing for status 0."""

    answer: t.ClassVar[tuple[int, bytes]] = (200, b"{}")
    authorizations: t.ClassVar[list[str]] = []

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.authorizations.append(self.headers["Authorization"])
        status, body = self.answer
        if status:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, *_words: t.Any) -> None:
        pass


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate that no authority has signed, with its key beside it."""
    folder = tmp_path_factory.mktemp("tls")
    key, own = folder / "key.pem", folder / "cert.pem"
    subject = ("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", own, *subject],
        check=True,
        capture_output=True,
    )
    return own


@pytest.fixture
def url(certificate: Path) -> Iterator[str]:
    """An API behind that certificate."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, certificate.parent / "key.pem")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    Handler.answer = (200, b'{"Vms": []}')
    Handler.authorizations.clear()
    yield f"https://127.0.0.1:{server.server_port}/api/v1"
    server.shutdown()
    thread.join()
    server.server_close()


def transport(url: str, *, validate_certs: bool = False) -> SdkTransport:
    return SdkTransport(Settings("AK", "SK", "eu-west-2", url, validate_certs=validate_certs))


def test_a_certificate_is_checked_unless_asked_otherwise(
    url: str, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Refused, match="is not accepted.*validate_certs: false"):
        transport(url, validate_certs=True).send("ReadVms", {})
    assert transport(url).send("ReadVms", {}) == (200, {"Vms": []})
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    assert transport(url, validate_certs=True).send("ReadVms", {}).status == 200


def test_calls_are_signed_with_the_keys_and_the_region(url: str) -> None:
    transport(url).send("ReadVms", {})
    (given,) = Handler.authorizations
    assert given.startswith("OSC4-HMAC-SHA256 Credential=AK/")
    assert "/eu-west-2/api/osc4_request" in given
    assert "SK" not in given.split("Signature")[0]


def test_errors_come_with_their_status_and_are_not_tried_again_here(url: str) -> None:
    Handler.answer = (503, b'{"Errors": [{"Code": "6"}]}')
    assert transport(url).send("ReadVms", {}) == (503, {"Errors": [{"Code": "6"}]})
    assert len(Handler.authorizations) == 1


def test_an_answer_that_does_not_come_is_no_answer(url: str) -> None:
    Handler.answer = (0, b"")
    with pytest.raises(Lost):
        transport(url).send("CreateImage", {})


def test_who_hangs_up_while_a_connection_is_made_has_refused_no_certificate() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def hang_up() -> None:
            connection, _address = server.accept()
            with connection:
                connection.recv(65536)

        thread = threading.Thread(target=hang_up)
        thread.start()
        with pytest.raises(Lost):
            transport(f"https://127.0.0.1:{server.getsockname()[1]}/api/v1", validate_certs=True).send("ReadVms", {})
        thread.join()


def test_what_is_no_api_is_said(url: str) -> None:
    Handler.answer = (200, b"<html>")
    with pytest.raises(BuildError, match="is not Outscale's API"):
        transport(url).send("ReadVms", {})


def test_nobody_there_means_that_nothing_was_done() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        with pytest.raises(NotSent):
            transport(f"https://127.0.0.1:{port}/api/v1").send("CreateImage", {})
