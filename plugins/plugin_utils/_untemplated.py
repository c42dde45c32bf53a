# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Variables as their author wrote them: not templated, not decrypted.

An image's definition is read before anything can be templated: steps may use facts of an image that
does not exist yet, and a fingerprint must not depend on rendered secrets. ansible-core 2.19 tags such
values with where they come from and whether they may be templated; before 2.19, classes of their own
say the same. Only this file knows the difference.
"""

from __future__ import annotations

import typing as t
from collections.abc import Mapping

import yaml
from ansible.utils.unsafe_proxy import AnsibleUnsafe, wrap_var

try:  # ansible-core 2.19 and newer
    from ansible._internal._datatag._tags import Origin
    from ansible.parsing.vault import VaultHelper
    from ansible.template import is_trusted_as_template, trust_as_template

    HAS_TAGS = True
except ImportError:
    from ansible.parsing.yaml.objects import AnsibleUnicode

    HAS_TAGS = False

TEMPLATE_MARKS = ("{{", "{%", "{#")


class Vaulted(str):
    """The ciphertext of a vaulted variable."""

    __slots__ = ()


class NotATemplate(str):
    """Text that looks like a template and must never be rendered, because it is data from elsewhere."""

    __slots__ = ()


def ciphertext(value: t.Any) -> str | None:
    """The ciphertext of a vaulted value; None for any other value."""
    if HAS_TAGS:
        return VaultHelper.get_ciphertext(value, with_tags=False) if isinstance(value, str) else None
    raw = getattr(value, "_ciphertext", None)
    return raw.decode() if isinstance(raw, bytes) else raw


def has_template(value: t.Any) -> bool:
    """Whether any text in the value holds a template."""
    if isinstance(value, str):
        return ciphertext(value) is None and any(mark in value for mark in TEMPLATE_MARKS)
    if isinstance(value, Mapping):
        return any(has_template(key) or has_template(item) for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return any(has_template(item) for item in value)
    return False


def plain(value: t.Any) -> t.Any:
    """The value as plain Python: no tags, vaulted text as Vaulted, foreign templates as NotATemplate."""
    if isinstance(value, Mapping):
        return {plain(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    secret = ciphertext(value)
    if secret is not None:
        return Vaulted(secret)
    return _plain_scalar(value)


def _plain_scalar(value: t.Any) -> t.Any:
    if value is None or isinstance(value, bool):
        return value
    for kind in (int, float):
        if isinstance(value, kind):
            return kind(value)
    text = str.__str__(value) if isinstance(value, str) else str(value)
    return text if _may_be_rendered(value) else NotATemplate(text)


def _may_be_rendered(value: t.Any) -> bool:
    if not isinstance(value, str) or not any(mark in value for mark in TEMPLATE_MARKS):
        return True
    if HAS_TAGS:
        return is_trusted_as_template(value)
    return not isinstance(value, AnsibleUnsafe)


def defined_in(value: t.Any) -> str | None:
    """The file that a value was read from, where Ansible remembers it.

    A container made while variables were merged has lost its own origin, so its parts are asked too.
    """
    path = _origin(value)
    if path:
        return path
    parts: t.Iterable[t.Any] = ()
    if isinstance(value, Mapping):
        parts = [*value.keys(), *value.values()]
    elif isinstance(value, (list, tuple)):
        parts = value
    return next((found for found in map(defined_in, parts) if found), None)


def literal(value: t.Any, path: str) -> t.Any:
    """The value as data read from the file C(path): no text in it is ever rendered, and its file is known."""
    if isinstance(value, Mapping):
        return {literal(key, path): literal(item, path) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [literal(item, path) for item in value]
    if not isinstance(value, str):
        return value
    text = str.__str__(value)
    if HAS_TAGS:
        return Origin(path=path).tag(text)
    placed = wrap_var(text)
    placed.ansible_pos = (path, 0, 0)
    return placed


def template(text: str, path: str) -> t.Any:
    """A template of our own making, for a value that was read from the file C(path)."""
    if HAS_TAGS:
        return trust_as_template(Origin(path=path).tag(text))
    placed: t.Any = AnsibleUnicode(text)
    placed.ansible_pos = (path, 0, 0)
    return placed


def _origin(value: t.Any) -> str | None:
    if HAS_TAGS:
        tag = Origin.get_tag(value)
        return tag.path if tag else None
    position = getattr(value, "ansible_pos", None)
    return position[0] if position else None


class _Dumper(yaml.SafeDumper):
    """Writes plain values as YAML that Ansible reads back with the same meaning."""

    def ignore_aliases(self, data: t.Any) -> bool:
        return True


def _represent_vaulted(dumper: _Dumper, data: Vaulted) -> yaml.Node:
    return dumper.represent_scalar("!vault", str(data), style="|")


def _represent_not_a_template(dumper: _Dumper, data: NotATemplate) -> yaml.Node:
    return dumper.represent_scalar("!unsafe", str(data), style='"')


_Dumper.add_representer(Vaulted, _represent_vaulted)
_Dumper.add_representer(NotATemplate, _represent_not_a_template)


def to_yaml(value: t.Any) -> str:
    """YAML text of a value that came from C(plain)."""
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=4096)


__all__ = (
    "NotATemplate",
    "Vaulted",
    "ciphertext",
    "defined_in",
    "has_template",
    "literal",
    "plain",
    "template",
    "to_yaml",
)
