# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a VM's metadata service says, over real HTTP."""

from __future__ import annotations

import http.server
import socket
import threading
import typing as t
from collections.abc import Iterator

import pytest
from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError, NotFound
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.metadata import read_vm_metadata

from tests.replay import StillClock

BASE = "/latest/meta-data/"
VM = {"instance-id": "i-12345678", "placement/availability-zone": "eu-west-2a", "instance-type": "tinav5.c2r4p1"}


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers with what is there, after as many refusals as a test wants."""

    pages: t.ClassVar[dict[str, str]] = {}
    refusals: t.ClassVar[list[int]] = []

    def do_GET(self) -> None:
        page = self.pages.get(self.path[len(BASE) :])
        status = self.refusals.pop() if self.refusals else 200 if page else 404
        body = (page or "").encode() if status == 200 else b""
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_words: t.Any) -> None:
        pass


@pytest.fixture
def endpoint() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    Handler.pages = dict(VM)
    Handler.refusals.clear()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def read(endpoint: str) -> dict[str, t.Any]:
    return read_vm_metadata(endpoint, timeout_seconds=30, clock=StillClock())


def test_the_vm_its_subregion_and_so_its_region(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    assert read(endpoint + "/") == {
        "vm_id": "i-12345678",
        "subregion": "eu-west-2a",
        "region": "eu-west-2",
        "image_id": None,
        "vm_type": "tinav5.c2r4p1",
    }


def test_a_service_that_is_busy_is_asked_again(endpoint: str) -> None:
    Handler.refusals.extend([503, 500])
    assert read(endpoint)["vm_id"] == "i-12345678"


def test_what_is_no_metadata_service(endpoint: str) -> None:
    Handler.pages["instance-id"] = "<html>"
    with pytest.raises(BuildError, match="is no metadata service of a VM"):
        read(endpoint)
    Handler.pages.update({"instance-id": "i-1", "placement/availability-zone": ""})
    with pytest.raises(BuildError, match="does not say subregion"):
        read(endpoint)
    with pytest.raises(BuildError, match="is not an http URL"):
        read("169.254.169.254")


def test_nobody_there_says_what_to_do() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        with pytest.raises(NotFound, match="No metadata service answers.*bake_build_vm"):
            read(f"http://127.0.0.1:{free.getsockname()[1]}")
