# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every result of a module that calls a cloud says how many calls were throttled."""

from __future__ import annotations

import threading
import typing as t

import pytest
from ansible_collections.bakehouse.images.plugins.module_utils._cloud.throttling import ThrottledCalls, ThrottlingModule


class Ended(Exception):
    """A module has ended with this result."""

    def __init__(self, **result: t.Any) -> None:
        super().__init__(str(result))
        self.result = result


class Base:
    """What a module is in Ansible, as far as it matters here."""

    def __init__(self, valid: bool = True) -> None:
        if not valid:
            self.fail_json(msg="missing required arguments: name")

    def exit_json(self, **result: t.Any) -> None:
        raise Ended(**result)

    def fail_json(self, msg: str, **result: t.Any) -> None:
        raise Ended(msg=msg, failed=True, **result)


class Module(ThrottlingModule, Base):
    pass


def test_a_result_has_the_number() -> None:
    module = Module()
    for _ in range(3):
        module.throttled.add()
    with pytest.raises(Ended) as caught:
        module.exit_json(changed=True)
    assert caught.value.result == {"changed": True, "throttled_calls": 3}


def test_so_has_that_of_a_failure() -> None:
    module = Module()
    module.throttled.add()
    with pytest.raises(Ended) as caught:
        module.fail_json("No.", left=[])
    assert caught.value.result == {"msg": "No.", "failed": True, "left": [], "throttled_calls": 1}


def test_wrong_options_can_be_told() -> None:
    with pytest.raises(Ended, match="missing required arguments"):
        Module(valid=False)


def test_threads_share_a_count() -> None:
    calls = ThrottledCalls()

    def add() -> None:
        for _ in range(200):
            calls.add()

    threads = [threading.Thread(target=add) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert calls.count == 1600
