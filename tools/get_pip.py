# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Stands in for PyPA's get-pip.py where that cannot be fetched: installs the pip that Python carries."""

from __future__ import annotations

import ensurepip
import os
import subprocess
import sys

ensurepip.bootstrap(default_pip=True)
# ensurepip points it at an empty file; pip is to find the settings of the machine again.
os.environ.pop("PIP_CONFIG_FILE", None)
arguments = [it for it in sys.argv[1:] if it not in ("--no-setuptools", "--no-wheel")]
sys.exit(subprocess.call([sys.executable, "-m", "pip", "install", *arguments]))
