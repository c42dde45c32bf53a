"""Makes the checkout importable as ansible_collections.bakehouse.images."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

from ansible.plugins.loader import init_plugin_loader

CHECKOUT = Path(__file__).resolve().parent.parent
COLLECTIONS = CHECKOUT / ".collections"
LINK = COLLECTIONS / "ansible_collections" / "bakehouse" / "images"


def _link_checkout() -> None:
    LINK.parent.mkdir(parents=True, exist_ok=True)
    # Another test run may make it just then.
    with contextlib.suppress(FileExistsError):
        LINK.symlink_to(Path("../../.."))


_link_checkout()
sys.path.insert(0, str(COLLECTIONS))
sys.path.insert(0, str(CHECKOUT))
# Before any test imports the collection: plugins can be loaded by name, as Ansible does it, only from packages that
# Ansible's own importer has loaded.
init_plugin_loader(str(COLLECTIONS))
