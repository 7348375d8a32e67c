"""Simulation: a few dozen seeds of whole markets, and every seed that ever failed by name."""

from __future__ import annotations

import asyncio

import pytest
from msgspec import structs

from allmende.core import commands as c
from allmende.core import machine
from allmende.lab import rig, simulation
from allmende.lab.rig import Rig

FAILED = {
    "a correction took payees below zero": 30,
    "a tick lost the receipts it made final when it also closed the batch": 31,
    "the audit believed a desk that had lost its power": 87,
}
"""What was wrong -> a seed that showed it."""


@pytest.mark.parametrize("seed", range(30))
def test_a_market_survives_its_faults(seed: int):
    report = simulation.run(seed)
    assert report.failure == ""
    assert report.receipts > 0
    assert report.starts > 1


@pytest.mark.parametrize("seed", range(15))
def test_a_market_with_an_exchange_survives_its_faults(seed: int):
    report = simulation.run(seed, exchange=True)
    assert report.failure == ""
    assert report.starts > 1


@pytest.mark.parametrize("name", FAILED)
def test_what_once_failed_stays_repaired(name: str):
    assert simulation.run(FAILED[name]).failure == ""


def test_a_seed_is_a_whole_life_and_always_the_same():
    assert simulation.run(7) == simulation.run(7)
    assert simulation.run(7).digest != simulation.run(8).digest


def test_the_faults_do_happen():
    reports = [simulation.run(seed) for seed in range(20)]
    refused = {why for report in reports for why in report.refused}
    expected = {"hold_closed", "already_served", "budget_spent", "capacity", "no_offer", "exists"}
    assert expected <= refused


def test_everything_that_can_happen_at_an_exchange_does():
    reports = [simulation.run(seed, exchange=True) for seed in range(100, 120)]
    assert not [report.failure for report in reports if report.failure]
    told = {kind for report in reports for kind in report.told}
    assert told >= {
        *("Listed", "LotsMinted", "LotsRetired", "OrderPlaced", "Filled", "OrderRested"),
        *("OrderReduced", "OrderEnded", "CallOpened", "Uncrossed", "QuotesRequested"),
        *("RequestEnded", "Redeemed", "Claimed", "ClaimSettled", "Pleaded", "InstrumentSettled"),
        *("Captured", "Finalised", "Voided"),
    }
    refused = {why for report in reports for why in report.refused}
    assert {"halted", "would_trade", "unfilled", "over_capacity", "ended", "owed"} <= refused


def test_everything_that_can_happen_to_wallets_does():
    reports = [simulation.run(seed, exchange=True) for seed in (100, 101, 104, 105, 108, 109)]
    assert not [report.failure for report in reports if report.failure]
    told = {kind for report in reports for kind in report.told}
    assert told >= {
        *("WalletLinked", "PermitGranted", "PermitEnded", "Vouched", "VaultFollowed"),
        *("WalletsCut", "RightsWrapped", "WrapEnded", "RightsUnwrapped"),
    }
    assert "not_signed" in {why for report in reports for why in report.refused}
    others = {kind for seed in (102, 103) for kind in simulation.run(seed).told}
    assert "WalletLinked" not in others


def test_a_failure_is_told_with_its_seed(monkeypatch: pytest.MonkeyPatch):
    """A machine that forgets a check is found out, and the seed is printed."""

    def broken(state: object) -> None:
        raise AssertionError("the sky is down")

    monkeypatch.setattr(machine, "check", broken)
    assert "the sky is down" in simulation.run(3).failure
    said: list[str] = []
    assert simulation.main(2, 5, said.append) == 1
    text = "\n".join(said)
    assert "seed 5 failed: AssertionError: the sky is down" in text
    assert "Failed seeds: 5, 5x, 6, 6x" in text


def test_main_says_that_audit_and_replay_agree():
    said: list[str] = []
    assert simulation.main(4, 100, said.append) == 0
    assert said[-1].startswith("Audit and replay agree for all 8 markets")


def test_the_auditor_finds_a_disk_that_was_changed():
    async def scenario() -> Rig:
        found = Rig()
        await found.start()
        await found.ask(
            c.Found(at=1, market="m", name="M", mode="lab", operator="op", public_key="")
        )
        await found.stop()
        return found

    spoiled = asyncio.run(scenario())
    frame = spoiled.disk.frames[0]
    body = frame.body.replace(b"lab", b"bal")
    spoiled.disk.frames[0] = structs.replace(frame, body=body)
    auditor = rig.Auditor(spoiled.disk)
    with pytest.raises(rig.journal.Broken, match="its hash differs"):
        auditor.read()
