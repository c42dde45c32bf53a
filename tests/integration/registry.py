# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A registry of OCI images: Debian's docker-registry on a port of its own, for the session.

The fixture C(registry) is what most tests want; C(locked_registry) is one that asks for a password.
"""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import hashlib
import http.client
import http.server
import json
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import typing as t
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.waiting import eventually

SERVER = "/usr/bin/docker-registry"

USER, PASSWORD = "builder", "correct horse"
# bcrypt is all that the server takes: htpasswd -nbB builder 'correct horse'
HTPASSWD = f"{USER}:$2y$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e\n"

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"


@dataclasses.dataclass(frozen=True)
class TestRegistry:
    """A registry that runs.

    Attributes:
        address: host and port.
        folder: what it stores, and its log.
    """

    address: str
    folder: Path
    password: str | None = None

    __test__ = False

    def name(self) -> str:
        """The name of a repository that is not there yet."""
        return f"{self.address}/tests/{uuid.uuid4().hex}"

    @property
    def certificates(self) -> Path:
        """The folder with the certificate of its authority, of one with TLS."""
        return self.folder / "certificates"

    def request(self, method: str, path: str, body: bytes | None = None, kind: str = "") -> tuple[int, bytes]:
        """Ask the registry itself."""
        connection = http.client.HTTPConnection(self.address, timeout=120)
        headers = {"Accept": f"{MANIFEST}, {INDEX}", **({"Content-Type": kind} if kind else {})}
        if self.password:
            encoded = base64.b64encode(f"{USER}:{self.password}".encode()).decode()
            headers["Authorization"] = f"Basic {encoded}"
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def put_blob(self, repository: str, content: bytes) -> str:
        """Store a blob, and return its digest."""
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        connection = http.client.HTTPConnection(self.address, timeout=120)
        try:
            connection.request("POST", f"/v2/{_path(repository)}/blobs/uploads/")
            answer = connection.getresponse()
            answer.read()
            location = answer.headers["Location"].partition(self.address)[2]
        finally:
            connection.close()
        status, said = self.request("PUT", f"{location}&digest={digest}", content, "application/octet-stream")
        assert status == 201, said
        return digest

    def put_manifest(
        self, repository: str, tag: str, manifest: Mapping[str, t.Any], written: bytes | None = None
    ) -> str:
        """Store a manifest or an index, in these bytes if they are given, and return its digest."""
        content = written or json.dumps(manifest).encode()
        status, said = self.request(
            "PUT", f"/v2/{_path(repository)}/manifests/{tag}", content, str(manifest["mediaType"])
        )
        assert status == 201, said
        return f"sha256:{hashlib.sha256(content).hexdigest()}"

    def blob(self, digest: str) -> Path:
        """The file that the registry keeps a blob in."""
        number = digest.partition(":")[2]
        return self.folder / "docker/registry/v2/blobs/sha256" / number[:2] / number / "data"


def _path(repository: str) -> str:
    return repository.partition("/")[2]


@contextlib.contextmanager
def running_registry(password: str | None = None, *, tls: bool = False) -> Iterator[TestRegistry]:
    """A registry that runs as long as the context: one that asks for a password, or one with TLS."""
    folder = Path(tempfile.mkdtemp(prefix="bakehouse-registry-"))
    try:
        settings: dict[str, t.Any] = {}
        if password:
            (folder / "htpasswd").write_text(HTPASSWD)
            settings["auth"] = {"htpasswd": {"realm": "tests", "path": str(folder / "htpasswd")}}
        if tls:
            _make_certificate(folder)
            names = {"certificate": "certificates/ca.crt", "key": "server.key"}
            settings["http"] = {"tls": {key: str(folder / name) for key, name in names.items()}}
        port, process = _start(folder, settings)
        try:
            yield TestRegistry(f"127.0.0.1:{port}", folder, password)
        finally:
            process.terminate()
            process.wait(timeout=60)
    finally:
        shutil.rmtree(folder)


def _make_certificate(folder: Path) -> None:
    """A certificate for this machine that is its own authority."""
    (folder / "certificates").mkdir()
    files: list[str | Path] = ["-keyout", folder / "server.key", "-out", folder / "certificates/ca.crt"]
    kind = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    names = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run(["openssl", "req", *kind, *names, *files], check=True, capture_output=True)


def _start(folder: Path, settings: Mapping[str, t.Any]) -> tuple[int, subprocess.Popen[bytes]]:
    for _attempt in range(5):
        with socket.create_server(("127.0.0.1", 0)) as free:
            port: int = free.getsockname()[1]
        config: dict[str, t.Any] = {
            "version": 0.1,
            "log": {"level": "info", "accesslog": {"disabled": False}},
            "storage": {"filesystem": {"rootdirectory": str(folder)}, "delete": {"enabled": True}},
            **settings,
            "http": {"addr": f"127.0.0.1:{port}", **settings.get("http", {})},
        }
        (folder / "config.json").write_text(json.dumps(config))
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "TERM", SERVER, "serve", str(folder / "config.json")],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # Tracing would look for a collector that is not there.
                env={**os.environ, "OTEL_TRACES_EXPORTER": "none"},
                start_new_session=True,
            )
        if _starts(process, port, folder / "log"):
            return port, process
        # Another process may have taken the port meanwhile.
    raise AssertionError(f"The registry does not start: {(folder / 'log').read_text()}")


def _starts(process: subprocess.Popen[bytes], port: int, log: Path) -> bool:
    def listens() -> bool:
        # Who answers there may be the process that has taken the port.
        return f"listening on 127.0.0.1:{port}" in log.read_text(encoding="utf-8")

    eventually(lambda: process.poll() is not None or listens())
    return process.poll() is None


class HeldRegistry(http.server.ThreadingHTTPServer):
    """Hands on what it is asked to a registry, and waits before it does so for one blob.

    Attributes:
        asked: whether the blob was asked for.
        go_on: set it to let the answers come.
    """

    daemon_threads = True

    def __init__(self, registry: TestRegistry, digest: str) -> None:
        super().__init__(("127.0.0.1", 0), HeldRequest)
        self.registry = registry
        self.digest = digest
        self.asked = threading.Event()
        self.go_on = threading.Event()

    @property
    def address(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self.server_port}"


class HeldRequest(http.server.BaseHTTPRequestHandler):
    """A request to such a registry."""

    server: HeldRegistry

    def do_GET(self) -> None:
        """Ask the registry, and answer what it does."""
        if self.path.endswith(self.server.digest):
            self.server.asked.set()
            self.server.go_on.wait(600)
        connection = http.client.HTTPConnection(self.server.registry.address, timeout=120)
        try:
            connection.request("GET", self.path, headers={"Accept": self.headers.get("Accept", "*/*")})
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.headers.get("Content-Type", ""))
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(content)

    def log_message(self, *_what: t.Any) -> None:
        """Say nothing."""


@contextlib.contextmanager
def held_registry(registry: TestRegistry, digest: str) -> Iterator[HeldRegistry]:
    """A registry that does not answer what is asked for this blob, until it is told to."""
    with HeldRegistry(registry, digest) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.go_on.set()
            server.shutdown()
            thread.join()


@pytest.fixture(scope="session")
def registry(_nothing_left: None) -> Iterator[TestRegistry]:
    """A registry that lets anyone in."""
    with running_registry() as found:
        yield found


@pytest.fixture(scope="session")
def locked_registry(_nothing_left: None) -> Iterator[TestRegistry]:
    """A registry that asks for a user and a password."""
    with running_registry(PASSWORD) as found:
        yield found


__all__ = (
    "INDEX",
    "MANIFEST",
    "PASSWORD",
    "USER",
    "TestRegistry",
    "held_registry",
    "locked_registry",
    "registry",
    "running_registry",
)
