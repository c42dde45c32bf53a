# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""How a fork of the agent runs a module's payload faster than a fresh interpreter would.

A payload (ansible-core's "AnsiballZ") is a program that writes a zip file with the module and the module_utils it
needs, and imports from that. The program runs unchanged. What is spared is compiling, and for what most modules
need importing too:

- The contents of the zip file are compiled once and known by their hash (C(CodeCache)). C(zipimport), where a fork
  asks for a file of the zip file, gets the code that is there already.
- Modules of C(ansible.module_utils) are imported before the fork, and put in place at the moment the payload first
  imports C(ansible), if the payload brings all of them unchanged (C(Warm)). They then look as if they had come out
  of the payload's zip file: C(__file__), C(__path__), C(__loader__), C(__spec__), and the files of tracebacks.
"""

from __future__ import annotations

import _imp
import base64
import binascii
import hashlib
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import io
import marshal
import os
import re
import struct
import sys
import types
import typing as t
import warnings
import zipfile
import zipimport

from ansible_collections.bakehouse.images.plugins.module_utils._sandbox.agent_protocol import LONG_TEXT, name_of

PLACEHOLDER = "bakehouse/the+text+of+the+zip+file"
ZIP_NAME = re.compile(r"/ansible_[^/]+_payload_[^/]+/ansible_[^/]+_payload\.zip\Z")

# What is imported ahead, with what it imports in turn: what payloads import in any case, and no more, so that no module
# finds imported what it has not imported.
WANTED = ("ansible.module_utils.basic", "ansible.module_utils._internal._ansiballz._loader")

# The contents of some thousand files. More than that is no ordinary build; then everything is forgotten.
MAX_CODE_BYTES = 64 << 20
NOWHERE = "/dev/null/"
LOCAL_HEADER = struct.Struct("<26xHH")

Listing = t.Dict[str, bytes]

# Sets the file that code says it is from, in it and in all functions in it: what the import system does with files
# that were moved.
fix_co_filename: t.Callable[[types.CodeType, str], None] = t.cast(t.Any, _imp)._fix_co_filename


class CodeCache:
    """Compiled code of payloads' files by what they contain, and the payloads that are known.

    Args:
        codes: code by key; a key is the hash of a file's name and contents.
        listings: by the name of a zip file's text, the keys of its Python files by their names.
        texts: those texts by their names.
    """

    def __init__(self) -> None:
        self.codes: t.Dict[bytes, types.CodeType] = {}
        self.listings: t.Dict[bytes, Listing] = {}
        self.texts: t.Dict[bytes, bytes] = {}
        self.size = 0

    def look_up(self, payload: bytes) -> t.Tuple[t.Optional[Listing], bytes]:
        """What is in the payload's zip file, and what was learned from it: for C(learn) of another process.

        Nothing for a program that is no payload.
        """
        found = LONG_TEXT.findall(payload)
        if len(found) != 1:
            return None, b""
        name = name_of(found[0])
        if name in self.listings:
            return self.listings[name], b""
        try:
            learned = self._compile(name, found[0])
        except (binascii.Error, zipfile.BadZipFile, SyntaxError, ValueError, OSError, struct.error):
            return None, b""
        self.learn(learned)
        return self.listings[name], learned

    def _compile(self, name: bytes, text: bytes) -> bytes:
        archive = base64.b64decode(text, validate=True)
        listing: Listing = {}
        fresh: t.Dict[bytes, types.CodeType] = {}
        size = len(text)
        with zipfile.ZipFile(io.BytesIO(archive)) as opened:
            for info in opened.infolist():
                if not info.filename.endswith(".py"):
                    continue
                start = info.header_offset + 30
                start += sum(LOCAL_HEADER.unpack_from(archive, info.header_offset))
                contents = archive[start : start + info.compress_size]
                key = hashlib.sha256(b"%d %s\0%s" % (info.compress_type, info.filename.encode(), contents)).digest()
                listing[info.filename] = key
                if key not in self.codes:
                    source = opened.read(info)
                    size += len(source)
                    fresh[key] = compile(source, info.filename, "exec", dont_inherit=True)
        return marshal.dumps((name, text, listing, fresh, size))

    def learn(self, learned: bytes) -> Listing:
        """Take over what another process of the same interpreter has compiled, and return what its payload holds."""
        name, text, listing, fresh, size = marshal.loads(learned)  # noqa: S302 - a fork of the agent wrote it
        if self.size + size > MAX_CODE_BYTES:
            self.codes.clear()
            self.listings.clear()
            self.texts.clear()
            self.size = 0
        self.size += size
        for key, code in fresh.items():
            self.codes.setdefault(key, code)
        self.listings[name] = listing
        self.texts[name] = text
        return t.cast(Listing, listing)


def compile_payload(payload: bytes) -> types.CodeType:
    """The program's code, as from standard input. The compiler is slow with the zip file's text, of which it makes a
    constant; so that is put into the code afterwards."""
    found = list(LONG_TEXT.finditer(payload))
    if len(found) == 1 and PLACEHOLDER.encode() not in payload:
        start, end = found[0].span(1)
        short = payload[:start] + PLACEHOLDER.encode() + payload[end:]
        code, count = _filled(compile(short, "<stdin>", "exec", dont_inherit=True), payload[start:end].decode())
        if count == 1:
            return code
    return compile(payload, "<stdin>", "exec", dont_inherit=True)


def compiled_ahead(payload: bytes) -> t.Optional[types.CodeType]:
    """The same before it is known where the program runs. None when the compiler has something to say, which is to be
    said there."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            return compile_payload(payload)
    except Exception:
        return None


def _filled(code: types.CodeType, text: str) -> t.Tuple[types.CodeType, int]:
    """The code with this text in place of the placeholder, and how often that was there."""
    consts: t.List[t.Any] = []
    count = 0
    for const in code.co_consts:
        filled, inside = (const, 0)
        if isinstance(const, types.CodeType):
            filled, inside = _filled(const, text)
        elif const == PLACEHOLDER:
            filled, inside = text, 1
        count += inside
        consts.append(filled)
    return (code.replace(co_consts=tuple(consts)) if count else code), count


class Imported(t.NamedTuple):
    """A module that was imported ahead."""

    module: types.ModuleType
    path: str
    key: bytes
    code: types.CodeType


class Warm(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """The modules of C(ansible.module_utils) that were imported ahead.

    They are kept out of C(sys.modules), where nothing may be that a fresh interpreter lacks.
    """

    def __init__(self, cache: CodeCache) -> None:
        self.cache = cache
        self.listing: Listing = {}
        self.imported: t.Dict[str, Imported] = {}
        self.tried: t.Set[str] = set()
        # What six makes of itself: modules that are in no file, and a finder.
        self.made: t.Dict[str, types.ModuleType] = {}
        self.finders: t.List[t.Any] = []

    def import_ahead(self, listing: Listing) -> None:
        """Import what is wanted of what this payload brings, unless that was tried before."""
        names = [name for name in WANTED if name not in self.tried and _find(listing, name)]
        if not names or not all(listing.get(one.path) in (None, one.key) for one in self.imported.values()):
            return
        self.tried.update(names)
        self.listing = listing
        sys.modules.update({name: one.module for name, one in self.imported.items()})
        sys.modules.update(self.made)
        before = list(sys.meta_path)
        sys.meta_path[:] = [self, *before, *self.finders]
        try:
            for name in names:
                try:
                    importlib.import_module(name)
                except Exception:  # noqa: S112 - the module itself will say so, in its own task
                    continue
        finally:
            self.finders = [finder for finder in sys.meta_path if finder is not self and finder not in before]
            sys.meta_path[:] = before
            for name in [name for name in sys.modules if name.split(".")[0] == "ansible"]:
                self._put_aside(name, sys.modules.pop(name))

    def _put_aside(self, name: str, module: types.ModuleType) -> None:
        if name in self.imported:
            return
        path = _find(self.listing, name)
        if path:
            key = self.listing[path]
            self.imported[name] = Imported(module, path, key, self.cache.codes[key])
            return
        self.made[name] = module

    def find_spec(self, fullname: str, path: object, target: object = None) -> t.Any:
        """For C(import_ahead): out of the cache. The modules have folders where nothing can be found."""
        place = _find(self.listing, fullname) if fullname.split(".")[0] == "ansible" else None
        if place is None:
            return None
        folder = [NOWHERE + os.path.dirname(place)] if place.endswith("/__init__.py") else None
        return importlib.util.spec_from_file_location(
            fullname, NOWHERE + place, loader=self, submodule_search_locations=folder
        )

    def create_module(self, spec: object) -> None:
        """An ordinary module."""

    def exec_module(self, module: types.ModuleType) -> None:
        """See find_spec."""
        exec(self.cache.codes[self.listing[_find(self.listing, module.__name__) or ""]], module.__dict__)  # noqa: S102

    def put_in_place(self, archive: str, listing: Listing) -> bool:
        """In a fork: the modules as if the payload had imported them from its zip file.

        Not when the payload brings another version of any, or lacks any: they belong together.
        """
        if "ansible" not in self.imported:
            return False
        if not all(listing.get(one.path) == one.key for one in self.imported.values()):
            return False
        for name, one in self.imported.items():
            place = archive + "/" + one.path
            fix_co_filename(one.code, place)
            # distro puts another module in its own place, which is dressed under its own name or comes from elsewhere.
            if one.module.__name__ == name:
                self._dress(name, one, place)
            sys.modules[name] = one.module
        sys.modules.update(self.made)
        sys.meta_path.extend(self.finders)
        return True

    @staticmethod
    def _dress(name: str, one: Imported, place: str) -> None:
        """What the import system sets on a module."""
        folder, _slash, leaf = place.rpartition("/")
        is_package = leaf == "__init__.py"
        loader = _importer_of(folder.rpartition("/")[0] if is_package else folder)
        spec = importlib.machinery.ModuleSpec(name, loader, origin=place, is_package=is_package)
        spec.has_location = True
        module = one.module
        module.__spec__ = spec
        module.__loader__ = loader
        module.__file__ = place
        if sys.version_info < (3, 10):
            # What came out of a zip file had none then.
            vars(module)["__cached__"] = None
        elif "__cached__" in vars(module):
            cached = "%s/__pycache__/%s.%s.pyc" % (folder, leaf[: -len(".py")], sys.implementation.cache_tag)
            spec.cached = vars(module)["__cached__"] = cached
        if is_package:
            spec.submodule_search_locations = module.__path__ = [folder]


class Trigger(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """In a fork: waits for the payload to import C(ansible), which is when its zip file is in C(sys.path)."""

    def __init__(self, warm: Warm, listing: Listing) -> None:
        self.warm = warm
        self.listing = listing
        self.spec: t.Any = None

    def find_spec(self, fullname: str, path: object, target: object = None) -> t.Any:
        """Nothing but C(ansible), once."""
        if fullname != "ansible":
            return None
        sys.meta_path.remove(self)
        archive = sys.path[0] if sys.path else ""
        if not ZIP_NAME.search(archive):
            return None
        _serve_code(archive, self.listing, self.warm.cache.codes)
        if not self.warm.put_in_place(archive, self.listing):
            return None
        module = sys.modules.pop("ansible")
        self.spec = module.__spec__
        return importlib.machinery.ModuleSpec("ansible", self, is_package=True)

    def create_module(self, spec: object) -> types.ModuleType:
        """The one that was imported ahead."""
        return self.warm.imported["ansible"].module

    def exec_module(self, module: types.ModuleType) -> None:
        """It has been executed; only what the import system has just overwritten is to be set right."""
        module.__spec__ = self.spec
        module.__loader__ = self.spec.loader


def _serve_code(archive: str, listing: Listing, codes: t.Dict[bytes, types.CodeType]) -> None:
    """Have C(zipimport) take the code of this zip file's modules from the cache."""
    importer = t.cast(t.Any, zipimport)
    plain = importer._get_module_code

    def get_module_code(self: t.Any, fullname: str) -> t.Any:
        if self.archive == archive:
            stem = self.prefix + fullname.rpartition(".")[2]
            for name, is_package in ((stem + "/__init__.py", True), (stem + ".py", False)):
                code = codes.get(listing.get(name, b""))
                if code is not None:
                    place = archive + "/" + name
                    fix_co_filename(code, place)
                    return code, is_package, place
        return plain(self, fullname)

    importer._get_module_code = get_module_code


def _importer_of(folder: str) -> t.Any:
    """The zipimporter of a folder, the same that the import system uses."""
    if folder not in sys.path_importer_cache:
        sys.path_importer_cache[folder] = zipimport.zipimporter(folder)
    return sys.path_importer_cache[folder]


def _find(listing: Listing, name: str) -> t.Optional[str]:
    stem = name.replace(".", "/")
    for path in (stem + "/__init__.py", stem + ".py"):
        if path in listing:
            return path
    return None


__all__ = ("CodeCache", "Listing", "Trigger", "Warm", "compile_payload", "compiled_ahead")
