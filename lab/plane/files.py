# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the bytes of volumes and snapshots are kept."""

from __future__ import annotations

import os
from pathlib import Path

from lab.plane.copying import copy_sparse

GIB = 1024**3


class VolumeFiles:
    """Sparse files, one for each volume and snapshot, under one folder.

    Args:
        root: an existing folder; used by nothing else.
    """

    def __init__(self, root: Path) -> None:
        self._volumes = root / "volumes"
        self._snapshots = root / "snapshots"
        for folder in (self._volumes, self._snapshots):
            folder.mkdir(mode=0o700, exist_ok=True)

    def volume(self, volume_id: str) -> Path:
        return self._volumes / volume_id

    def snapshot(self, snapshot_id: str) -> Path:
        return self._snapshots / snapshot_id

    def make_volume(self, volume_id: str, size_gib: int, snapshot_id: str | None = None) -> None:
        """A new volume: blank, or with the bytes of a snapshot that is not larger."""
        path = self.volume(volume_id)
        if snapshot_id is None:
            path.touch(exist_ok=False)
        else:
            copy_sparse(self.snapshot(snapshot_id), path)
        os.truncate(path, size_gib * GIB)

    def grow_volume(self, volume_id: str, size_gib: int) -> None:
        os.truncate(self.volume(volume_id), size_gib * GIB)

    def make_snapshot(self, snapshot_id: str, size_gib: int, parent_id: str | None = None) -> None:
        """A snapshot that is still to be written: blank, or with its parent's bytes."""
        path = self.snapshot(snapshot_id)
        if parent_id is None:
            path.touch(exist_ok=False)
        else:
            copy_sparse(self.snapshot(parent_id), path)
        os.truncate(path, size_gib * GIB)

    def freeze_volume(self, volume_id: str, snapshot_id: str) -> None:
        """Keep the bytes that a volume has now. The caller has flushed its device."""
        copy_sparse(self.volume(volume_id), self.snapshot(snapshot_id))

    def share_snapshot(self, source_id: str, target_id: str) -> None:
        """A second snapshot with the same bytes: a hard link, as snapshots never change."""
        os.link(self.snapshot(source_id), self.snapshot(target_id))

    def drop_volume(self, volume_id: str) -> None:
        self.volume(volume_id).unlink(missing_ok=True)

    def drop_snapshot(self, snapshot_id: str) -> None:
        self.snapshot(snapshot_id).unlink(missing_ok=True)
