# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fixtures of the tests that take many minutes and have a make target each."""

from __future__ import annotations

from tests.leftovers import _nothing_left

__all__ = ("_nothing_left",)
