"""The bridge on the chain's page: what it is, plainly, in both languages and with a node away."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from chain_seen import NOW_S, address
from doors import Doors
from market import HandClock
from test_chain_page import Shown

from allmende.core.units import SECOND
from allmende.doors.bridge_look import FRESH_S, BridgeLook
from allmende.ports import ChainFailed

SIDE = {
    "chain_id": 7_700_123,
    "bridge": address(0xB1),
    "token": address(0xC1),
    "validators": [address(n) for n in (1, 2, 3)],
    "threshold": 2,
    "per_transfer": "50",
    "per_day": "200",
    "out_left": "180",
    "in_left": "195.5",
    "paused_s": 0,
    "proposed_s": 0,
}
FACTS: dict[str, Any] = {
    "ok": True,
    "compared": 8,
    "bad": [],
    "locked": "15",
    "minted": "12.5",
    "flying": "2.5",
    "whole": True,
    "ours": "home",
    "symbol": "CRED",
    "sides": [SIDE | {"name": "home"}, SIDE | {"name": "away", "chain_id": 56}],
}


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shown]:
    with Doors(tmp_path_factory.mktemp("market")) as doors:
        yield Shown(doors)


def text(shown: Shown, facts: dict[str, Any] | None, lang: str = "en") -> str:
    page = shown.stands()

    async def read() -> dict[str, Any] | None:
        return facts

    page.bridge = BridgeLook(read, shown.clock)
    return shown.text(f"/chain?lang={lang}")


def test_the_page_says_that_so_many_validators_can_take_everything(shown: Shown) -> None:
    english, german = text(shown, FACTS), text(shown, FACTS, "de")
    for said in (
        "any 2 of its 3 validators together can take everything that is locked here",
        "Locked 15 CRED",
        "Minted there 12.5 CRED",
        "On its way 2.5 CRED",
        "50 CRED a transfer, 200 CRED in any 24 hours each way",
        "180 CRED may still leave, 195.5 CRED may still arrive",
        address(2),
    ):
        assert said in english
    assert "Je 2 ihrer 3 Prüfer können zusammen alles nehmen" in german
    assert "12,5 CRED" in german
    assert "not what was put up" not in english


def test_a_bridge_that_does_not_fit_heads_its_section(shown: Shown) -> None:
    bad = FACTS | {"ok": False, "bad": ["away: it does NOT alone mint"], "sides": []}
    said = text(shown, bad)
    assert "Do not use it" in said
    assert "does NOT alone mint" in said


def test_a_pause_a_proposal_and_half_a_look_are_said(shown: Shown) -> None:
    side = SIDE | {"name": "home", "paused_s": 3_600, "proposed_s": 86_400}
    half = FACTS | {"minted": None, "flying": None, "whole": False, "sides": [side]}
    said = text(shown, half)
    for words in ("paused this side for 1 hour", "can hold in 1 day", "Minted there not read"):
        assert words in said
    assert "bridge_node" in said


def test_a_market_without_a_bridge_says_nothing_of_one(shown: Shown) -> None:
    assert "Bridge to another chain" not in text(shown, None)
    assert json.loads(shown.get("/api/chain").text)["bridge"] is None


def test_programs_read_the_same(shown: Shown) -> None:
    text(shown, FACTS)
    told = json.loads(shown.get("/api/chain").text)["bridge"]
    assert (told["locked"], told["minted"], told["state"]) == ("15", "12.5", "seen")


def test_what_was_seen_stays_while_a_node_is_away_and_a_look_is_not_repeated_at_once() -> None:
    clock, looks = HandClock(NOW_S * SECOND), [0]

    async def read() -> dict[str, Any] | None:
        looks[0] += 1
        if looks[0] == 2:
            raise ChainFailed("unreachable")
        return FACTS

    async def story() -> None:
        look = BridgeLook(read, clock)
        first = await look.facts()
        assert first is not None
        assert (first["state"], first["away"]) == ("seen", "")
        await look.facts()
        assert looks == [1]
        clock.at += FRESH_S * SECOND
        second = await look.facts()
        assert second is not None
        assert (second["away"], second["locked"]) == ("unreachable", "15")
        look.close()

    asyncio.run(story())


def test_a_node_that_was_never_there_is_said(shown: Shown) -> None:
    page = shown.stands()

    async def read() -> dict[str, Any] | None:
        raise ChainFailed("timeout")

    page.bridge = BridgeLook(read, shown.clock)
    assert "not fresh: a node takes too long to answer" in shown.text()
