"""A market started with --pay-per-call: what it needs, and a payment through all of it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from chains import ACCOUNT, CHAIN_ID, open_chain
from click.testing import CliRunner
from deployed import CACHE
from doors import Doors
from eth_abi import encode
from eth_utils import keccak
from market import HandClock
from msgspec import structs
from paying import REQUIRED, RESPONSE, SIGNATURE, deploy, person, read, written
from served import run
from x402.mechanisms.evm.exact import ExactEvmScheme
from x402.schemas import PaymentRequirements

from allmende.adapters.chain.ensure import CACHE as FOLDER
from allmende.adapters.chain.paid_in import _text, open_payments, token_of
from allmende.adapters.chain.profiles import EMBEDDED
from allmende.adapters.chain.record import keep, recall
from allmende.cli import main
from allmende.core import commands as c
from allmende.core import ledger
from allmende.core.refusals import Refused
from allmende.core.units import CREDIT
from allmende.custody import BondTerms, Deployment, Terms
from allmende.ports import Stage, Wanted

ELSEWHERE = "0x" + "12" * 20
CHAT = "/v1/chat/completions"
BODY = {"model": "smol", "messages": [{"role": "user", "content": "Hello"}]}


def deployed(folder: Path) -> str:
    """The Credit of a data directory whose contracts are up before the market opens."""
    data = folder / "data"
    data.mkdir()
    (data / FOLDER).symlink_to(CACHE)
    done = CliRunner().invoke(main, ["chain", "deploy", "--data", str(data)])
    assert done.exit_code == 0, done.output
    made = recall(data)
    assert made is not None
    return made.credit


async def give(doors: Doors, credit: str, to: str, amount: int) -> None:
    """From the operator, on the chain."""
    chain = doors.market.chain
    assert chain is not None
    name = keccak(text="transfer(address,uint256)")[:4]
    chain.sender.put(Wanted("gift", credit, name + encode(["address", "uint256"], [to, amount])))
    while (send := chain.sender.get("gift")) is None or send.stage is not Stage.FINAL:
        await asyncio.sleep(0.02)
    assert send.ok


def test_a_market_with_a_chain_takes_a_payment_for_a_call(tmp_path: Path) -> None:
    credit, payer = deployed(tmp_path), person("a payer of the tests")
    settings: dict[str, Any] = {"chain": "embedded", "mode": "lab", "pay_per_call": True}
    with Doors(tmp_path, **settings) as doors:
        doors.furnish()
        open_offer = structs.replace(doors.market.desk.state.offers["o"], sealed_secret="")
        doors.run(doors.market.desk.submit(c.PostOffer(at=doors.now(), offer=open_offer)))
        doors.run(give(doors, credit, payer.address, CREDIT))
        unpaid = doors.post(CHAT, BODY)
        assert (unpaid.status, unpaid.code) == (402, "payment_required")
        (accepted,) = read(unpaid.headers[REQUIRED])["accepts"]
        asked = PaymentRequirements.model_validate(accepted)
        inner = ExactEvmScheme(payer).create_payment_payload(asked)
        payment = written({"x402Version": 2, "accepted": accepted, "payload": inner})
        paid = doors.post(CHAT, BODY, headers={SIGNATURE: payment})
        assert (paid.status, paid.code) == (502, "upstream_failed")  # there is no provider here
        told = read(paid.headers[RESPONSE])
        assert (told["success"], told["amount"]) == (True, accepted["amount"])
        state, member = doors.market.desk.state, "w-" + payer.address[2:].lower()
        assert ledger.balance(state, member, "credit") == int(accepted["amount"])
        assert (
            doors.post(CHAT, {**BODY, "max_tokens": 1}, headers={SIGNATURE: payment}).status == 409
        )
    with Doors(tmp_path, **settings) as again:
        state = again.market.desk.state
        assert ledger.balance(state, member, "credit") == int(accepted["amount"])
        retry = again.post(CHAT, BODY, headers={SIGNATURE: payment})
        assert (retry.status, retry.headers[RESPONSE]) == (502, paid.headers[RESPONSE])


@pytest.mark.parametrize(
    ("least", "says"), [("-1", "below zero"), ("much", "pay_per_call_least: ")]
)
def test_the_least_payment_is_credits(tmp_path: Path, least: str, says: str) -> None:
    doors = Doors(tmp_path, pay_per_call=True, pay_per_call_least=least, mode="lab")
    with pytest.raises(Refused, match=says):
        doors.__enter__()
    doors.__exit__(None, None, None)


def test_without_a_chain_it_says_what_to_do(tmp_path: Path) -> None:
    doors = Doors(tmp_path, pay_per_call=True, mode="lab")
    with pytest.raises(Refused, match="--chain embedded"):
        doors.__enter__()
    doors.__exit__(None, None, None)


def record(tmp_path: Path, **other: Any) -> Deployment:
    """One that is kept in the folder; only what is looked at here is filled in."""
    fields: dict[str, Any] = {
        "profile": "embedded", "chain_id": CHAIN_ID, "genesis": "", "block": 0, "admin": "",
        "operator": ACCOUNT.address, "market_key": "", "guardian": "", "commons": "",
        "credit": ELSEWHERE, "bond": "", "vault": "", "rights": {}, "own_credit": True,
        "decimals": 12, "terms": Terms(*range(10)), "bond_terms": BondTerms(*range(4)),
        "grace": 0, "codes": {}, "source_hash": "", "made_at": 0,
    }  # fmt: skip
    made = Deployment(**{**fields, **other})
    keep(tmp_path, made)
    return made


def test_contracts_that_calls_cannot_be_paid_in_are_refused(tmp_path: Path) -> None:
    async def work() -> None:
        async with open_chain("embedded", tmp_path) as rig:
            opened: Any = SimpleNamespace(
                chain=rig.chain, account=ACCOUNT, sender=None, named=None, profile=EMBEDDED
            )

            async def refused() -> str:
                with pytest.raises(Refused) as no:
                    await open_payments(opened, tmp_path, HandClock())
                return str(no.value)

            assert "allmende chain deploy" in await refused()
            record(tmp_path, decimals=18)
            assert "more than 12 decimals" in await refused()
            record(tmp_path, operator=ELSEWHERE)
            assert f"we are {ACCOUNT.address}" in await refused()
            record(tmp_path, own_credit=False)
            assert "does not say its name" in await refused()
            tally = await rig.deploy()
            record(tmp_path, own_credit=False, credit=tally)
            assert "does not say its name" in await refused()
            own = record(tmp_path)
            assert (await open_payments(opened, tmp_path, HandClock())).unit == 1
            assert (await token_of(rig.chain, own)).name == "Allmende Credit"
            credit = await deploy(rig, {})
            other = record(tmp_path, own_credit=False, credit=credit)
            assert "does not say its version" in await refused()  # EIP-3009 tokens say it
            assert await _text(rig.chain, other.credit, "name") == "Credit"

    run(work())


def test_in_a_closed_loop_it_does_not_start(tmp_path: Path) -> None:
    deployed(tmp_path)
    doors = Doors(tmp_path, pay_per_call=True, chain="embedded")
    with pytest.raises(Refused, match=r"lacks 'withdraw'; these have it: open, lab"):
        doors.__enter__()
    doors.__exit__(None, None, None)
