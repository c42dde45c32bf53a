# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Talking to registries, by skopeo: reading manifests, downloading and uploading images.

skopeo brings what its users have configured: mirrors, trust policy, credentials (C(/etc/containers), C(auth.json)).
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import typing as t
from dataclasses import dataclass, field

from ansible_collections.bakehouse.images.plugins.module_utils._errors import (
    BuildError,
    CommandFailed,
    NotFound,
    Refused,
)

if t.TYPE_CHECKING:
    from ansible_collections.bakehouse.images.plugins.module_utils._oci.references import Reference
    from ansible_collections.bakehouse.images.plugins.module_utils._run import Completed, Runner

DEFAULT_RETRIES = 3

# What registries answer, as skopeo words it. The distribution specification has the codes in capitals.
_DENIED = re.compile(r"unauthorized:|authentication required|denied:|resource is denied|invalid username/password")
_MISSING = re.compile(r"manifest unknown|name unknown|repository name not known|status(?: code|Code)?:? 404")
_CERTIFICATE = re.compile(r"x509:|tls: |HTTP response to HTTPS client")
_OTHER_BYTES = re.compile(r"[Dd]igest did not match|does not match provided manifest digest|[Ss]ize mismatch")
_MESSAGE = re.compile(r'level=fatal msg="((?:[^"\\]|\\.)*)"')
# What stands before the cause, and only repeats what was asked for.
_PREAMBLE = re.compile(r'^Error parsing image name "[^"]*": ')


def access_argument_spec() -> t.Dict[str, t.Any]:
    """The options of modules that talk to a registry."""
    return {
        "username": {"type": "str"},
        "password": {"type": "str", "no_log": True},
        "authfile": {"type": "path"},
        "validate_certs": {"type": "bool", "default": True},
        "cert_dir": {"type": "path"},
        "retries": {"type": "int", "default": DEFAULT_RETRIES},
    }


@dataclass(frozen=True)
class Access:
    """How a registry is reached, and as whom."""

    username: t.Optional[str] = None
    password: t.Optional[str] = field(default=None, repr=False)
    authfile: t.Optional[str] = None
    validate_certs: bool = True
    cert_dir: t.Optional[str] = None
    retries: int = DEFAULT_RETRIES

    @classmethod
    def from_params(cls, params: t.Mapping[str, t.Any]) -> Access:
        """The access in a module's parameters."""
        return cls(**{name: params[name] for name in access_argument_spec()})

    def problems(self) -> t.List[str]:
        """All mistakes that can be seen beforehand."""
        problems = []
        if bool(self.username) != bool(self.password):
            problems.append("Give username and password together.")
        if self.username and ":" in self.username:
            problems.append("username holds a colon, which ends a name where registries are told of it.")
        if self.authfile and self.username:
            problems.append("Give either authfile or username and password.")
        if self.authfile and not os.path.isfile(self.authfile):
            problems.append("There is no file %s, which authfile names." % self.authfile)
        if self.cert_dir and not os.path.isdir(self.cert_dir):
            problems.append("There is no folder %s, which cert_dir names." % self.cert_dir)
        if self.retries < 0:
            problems.append("retries is %d, and cannot be below 0." % self.retries)
        return problems


class Registry:
    """The registry of one image."""

    def __init__(self, runner: Runner, access: Access) -> None:
        self.runner = runner
        self.access = access

    def manifest(self, reference: Reference) -> bytes:
        """The bytes of the manifest, or index, that the reference leads to.

        Raises:
            NotFound: there is no such image.
        """
        with self._flags(reference) as flags:
            done = self._run(reference, ["inspect", "--raw", *flags, reference.address])
        return done.out.encode("utf-8", "surrogateescape")

    def configuration(self, reference: Reference) -> bytes:
        """The bytes of the image's configuration."""
        with self._flags(reference) as flags:
            done = self._run(reference, ["inspect", "--config", "--raw", *flags, reference.address])
        return done.out.encode("utf-8", "surrogateescape")

    def find_manifest(self, reference: Reference) -> t.Optional[bytes]:
        """The same; None where there is no such image."""
        try:
            return self.manifest(reference)
        except NotFound as exc:
            if "cmd" in exc.facts:  # there is no skopeo
                raise
            return None

    def download(self, reference: Reference, folder: str) -> None:
        """Write the image into a folder: C(manifest.json), and configuration and layers by their digests."""
        with self._flags(reference, "src-") as flags:
            # fmt: off
            self._run(reference, [
                "copy", "--quiet", "--preserve-digests", *flags,
                reference.address, "dir:" + folder,
            ])
            # fmt: on

    def upload(self, folder: str, reference: Reference) -> None:
        """Write an image into the registry from such a folder, byte by byte the same."""
        with self._flags(reference, "dest-") as flags:
            # fmt: off
            self._run(reference, [
                "copy", "--quiet", "--preserve-digests", *flags,
                "dir:" + folder, reference.address,
            ])
            # fmt: on

    @contextlib.contextmanager
    def _flags(self, reference: Reference, side: str = "") -> t.Iterator[t.List[str]]:
        verify = "true" if self.access.validate_certs else "false"
        flags = ["--retry-times", str(self.access.retries), "--%stls-verify=%s" % (side, verify)]
        if self.access.cert_dir:
            flags += ["--%scert-dir" % side, self.access.cert_dir]
        with self._credentials(reference) as authfile:
            yield flags + (["--authfile", authfile] if authfile else [])

    @contextlib.contextmanager
    def _credentials(self, reference: Reference) -> t.Iterator[t.Optional[str]]:
        """A file with the password that exists in memory only, and ends with this process however that ends."""
        if not self.access.username:
            yield self.access.authfile
            return
        pair = "%s:%s" % (self.access.username, self.access.password)
        encoded = base64.b64encode(pair.encode("utf-8")).decode("ascii")
        descriptor = os.memfd_create("registry-credentials")
        try:
            with open(descriptor, "w", encoding="ascii", closefd=False) as stream:
                json.dump({"auths": {reference.registry: {"auth": encoded}}}, stream)
            yield "/proc/%d/fd/%d" % (os.getpid(), descriptor)
        finally:
            os.close(descriptor)

    def _run(self, reference: Reference, arguments: t.List[str]) -> Completed:
        try:
            return self.runner.run(["skopeo", *arguments])
        except CommandFailed as exc:
            raise self._translated(exc, reference) from exc

    def _translated(self, exc: CommandFailed, reference: Reference) -> BuildError:
        text = str(exc.facts["stderr"])
        fatal = _MESSAGE.search(text)
        said = _PREAMBLE.sub("", fatal.group(1).replace('\\"', '"') if fatal else text)
        facts = {"reference": str(reference), "stderr": text}
        if _OTHER_BYTES.search(said):
            message = "The registry %s has sent other bytes for %s than their digest says: %s."
            hint = "Nothing of them was used. They were damaged or tampered with."
            return BuildError(message % (reference.registry, reference, said), hint=hint, **facts)
        if _CERTIFICATE.search(said):
            message = "The registry %s cannot be trusted: %s."
            hint = "Give the certificate of its authority in cert_dir, or set validate_certs to false."
            return Refused(message % (reference.registry, said), hint=hint, **facts)
        if _MISSING.search(said):
            return NotFound("There is no image %s: %s." % (reference, said), hint="Check its name and tag.", **facts)
        if _DENIED.search(said):
            who = "the user %s" % self.access.username if self.access.username else "us, as skopeo is set up,"
            message = "The registry %s does not let %s at %s: %s."
            hint = "Check username and password, or authfile. Some registries say so of what does not exist."
            return Refused(message % (reference.registry, who, reference, said), hint=hint, **facts)
        return BuildError("skopeo cannot reach %s: %s." % (reference, said), **facts)


__all__ = ("Access", "Registry", "access_argument_spec")
