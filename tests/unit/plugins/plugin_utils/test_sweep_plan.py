# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is alive, kept, or of nobody knows whom stays; what is dead goes."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.bakehouse.images.plugins.module_utils._leftovers import Leftover
from ansible_collections.bakehouse.images.plugins.plugin_utils._sweep_plan import (
    Decision,
    Item,
    Wish,
    decide,
    monthly_cost,
    show_age,
    table,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

BUILD = "0123456789abcdef"
OTHER = "fedcba9876543210"
HOUR = 3600.0


def item(build_id: str = BUILD, *, owner: str = "me", **facts: t.Any) -> Item:
    found: dict[str, t.Any] = {"type": "volume", "id": "vol-1", "age_seconds": HOUR, **facts}
    return Item("here", Leftover(build_id=build_id, owner=owner, **found).to_ansible())


def life(life: str, owner: str = "me") -> dict[str, str]:
    return {"owner": owner, "life": life, "reason": f"it is {life}"}


def one(items: list[Item], lives: list[dict[str, str]], **wish: t.Any) -> Decision:
    (decision,) = decide(items, lives, Wish(**wish))
    return decision


def test_what_is_dead_goes() -> None:
    assert one([item()], [life("unknown"), life("dead")]).remove


@pytest.mark.parametrize("expires", [None, 50, 5000])
def test_what_is_alive_stays_however_old(expires: int | None) -> None:
    decision = one([item(expires=expires)], [life("dead"), life("alive")], now=100, unknown_older_than=0)
    assert not decision.remove
    assert decision.life == "alive"


def test_what_nobody_knows_stays_unless_it_is_older_than_the_user_says() -> None:
    assert not one([item()], [life("unknown")]).remove
    assert not one([item()], []).remove
    assert not one([item(owner="")], [life("dead", "")]).remove, "nothing proves that it is dead"
    assert not one([item()], [], unknown_older_than=2 * HOUR).remove
    assert one([item()], [], unknown_older_than=HOUR / 2).remove


def test_a_thing_without_an_age_counts_as_new() -> None:
    assert not one([item(age_seconds=None)], [], unknown_older_than=1).remove
    assert not one([item(age_seconds=None)], [life("dead")], older_than=1).remove


def test_the_newest_thing_of_a_build_says_how_old_it_is() -> None:
    items = [item(age_seconds=10 * HOUR), item(id="snap-1", age_seconds=60.0)]
    decision = one(items, [life("dead")], older_than=HOUR)
    assert not decision.remove
    assert "only 1m old" in decision.reason


def test_what_is_kept_stays_until_its_time_is_over() -> None:
    items = [item(), item(id="web", type="sandbox", expires=1000)]
    decision = one(items, [life("dead")], now=999)
    assert not decision.remove
    assert decision.reason == "its build is kept until 1970-01-01 00:16 UTC"
    assert one(items, [life("dead")], now=1000).remove
    assert one(items, [], now=1000).remove, "it has said itself that it has ended"


def test_of_a_build_with_two_owners_one_that_may_live_decides() -> None:
    items = [item(owner="a"), item(owner="b")]
    assert not one(items, [life("dead", "a"), life("unknown", "b")]).remove
    assert not one(items, [life("dead", "a")]).remove
    assert one(items, [life("dead", "a"), life("dead", "b")]).remove


def test_what_is_of_no_build_goes_when_it_has_ended() -> None:
    assert one([item("", owner="", ended=True)], []).remove
    assert not decide([item("", owner="", ended=True)], [], Wish(build_ids=frozenset([BUILD])))


def test_only_the_builds_asked_for_are_decided_upon() -> None:
    decisions = decide([item(), item(OTHER)], [life("dead")], Wish(build_ids=frozenset([OTHER])))
    assert [(decision.build_id, decision.remove) for decision in decisions] == [(OTHER, True)]


def test_the_table_has_all_that_was_found_and_what_it_costs() -> None:
    prices = {"gp3": 0.08, "snapshot": 0.05}
    items = [
        item(size_gib=100, price="gp3", state="in-use"),
        item(id="snap-1", type="snapshot", size_gib=8, price="snapshot"),
        item(OTHER, id="vol-2", owner="you", size_gib=1, price="gp3"),
    ]
    decisions = decide(items, [life("dead"), life("alive", "you")], Wish())
    lines = table(decisions, prices)
    assert lines[0].split() == ["BUILD", "SWEEP", "TYPE", "ID", "WHERE", "AGE", "GIB", "PER", "MONTH", "STATE"]
    assert lines[1].split() == [BUILD, "remove", "volume", "vol-1", "here", "1h0m", "100", "8.00", "in-use"]
    assert lines[3].split()[:5] == [OTHER, "alive", "volume", "vol-2", "here"]
    assert f"Leaves {OTHER}: its build is alive: it is alive." in lines
    assert lines[-1] == "What goes costs 8.40 a month."
    assert monthly_cost(items, {}) == 0
    assert table([], prices) == ["Nothing was found that builds have left."]


@pytest.mark.parametrize(("seconds", "shown"), [(5, "5s"), (65, "1m"), (2 * HOUR + 90, "2h1m"), (50 * HOUR, "2d2h")])
def test_ages_are_short(seconds: float, shown: str) -> None:
    assert show_age(seconds) == shown


@settings(deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.tuples(st.sampled_from(["", "a", "b"]), st.sampled_from([BUILD, OTHER]), st.booleans()), max_size=8),
    st.lists(st.tuples(st.sampled_from(["a", "b"]), st.sampled_from(["alive", "dead", "unknown"])), max_size=6),
    st.sampled_from([0.0, HOUR]),
)
def test_nothing_goes_of_a_build_that_anyone_has_seen_alive_or_that_is_not_proven_dead(
    found: list[tuple[str, str, bool]], said: list[tuple[str, str]], older_than: float
) -> None:
    items = [item(build, owner=owner, ended=ended) for owner, build, ended in found]
    lives = [life(word, owner) for owner, word in said]
    for decision in decide(items, lives, Wish(older_than=older_than)):
        if decision.remove:
            owners = {entry.facts["owner"] for entry in decision.items} - {""}
            assert all(("alive" not in _words(said, owner)) and "dead" in _words(said, owner) for owner in owners)
            assert owners or all(entry.facts["ended"] for entry in decision.items)


def _words(said: list[tuple[str, str]], owner: str) -> set[str]:
    return {word for name, word in said if name == owner}
