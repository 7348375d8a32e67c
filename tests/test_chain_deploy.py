"""Deployment: once, whatever happens between two steps; and what `verify` finds."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import zipfile
from collections.abc import Awaitable, Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from chains import ACCOUNT, NODES, OTHER, Rig
from deployed import CACHE, CREDIT, STEPS, Town, contracts, deployed, open_town_chain, plan, sender
from eth_utils import keccak
from killing import Death, Killed
from msgspec import structs
from test_custody_adapter import INSTRUMENT, Crooked

from allmende.adapters import chain_contracts
from allmende.adapters.chain.abi import Abi
from allmende.adapters.chain.account import Account
from allmende.adapters.chain.deploy import deploy
from allmende.adapters.chain.ensure import ensure_deployed
from allmende.adapters.chain.outbox import Outbox
from allmende.adapters.chain.profiles import EMBEDDED, PROFILES
from allmende.adapters.chain.record import FILE, keep, recall
from allmende.adapters.chain.rights import deploy_rights, instrument_hash, rights_wanted
from allmende.adapters.chain.submitter import Submitter
from allmende.adapters.chain.terms import FAST, NORMS, OF_PROFILE, Norm
from allmende.adapters.chain.verify import verify
from allmende.adapters.chain_contracts import Contract
from allmende.adapters.clock import SystemClock
from allmende.core.refusals import Refused, Why
from allmende.custody import Deployment
from allmende.ports import Chain, ChainFailed

ROOT = Path(__file__).parents[1]
STRANGER = Account(keccak(text="a stranger"))
TICKS = 670
"""Calls of chain and outbox that a deployment makes, before and after each a death."""
FUZZ = os.environ.get("HYPOTHESIS_PROFILE") == "fuzz"


def check(kind: str, folder: Path, test: Callable[[Town], Awaitable[None]], **other: Any) -> None:
    async def work() -> None:
        async with deployed(kind, folder, **other) as town, asyncio.timeout(60):
            await test(town)

    asyncio.run(work())


def on_a_chain(folder: Path, test: Callable[[Rig], Awaitable[None]]) -> None:
    async def work() -> None:
        async with open_town_chain("embedded", folder) as (rig, _), asyncio.timeout(60):
            await test(rig)

    asyncio.run(work())


async def bad(chain: Chain, made: Deployment) -> dict[str, str]:
    """What is wrong, and what is said of it."""
    found = await verify(chain, made, contracts())
    return {one.what: one.says for one in found if not one.ok}


# --- once --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", NODES)
def test_what_was_deployed_is_what_verify_expects(kind: str, tmp_path: Path) -> None:
    async def test(town: Town) -> None:
        found = await verify(town.rig.chain, town.deployment, contracts())
        assert len(found) == 33
        assert [one.says for one in found if not one.ok] == []
        assert await town.rig.chain.nonce(ACCOUNT.address) == STEPS
        at = await town.now()
        assert (
            await town.custody.credit_balance(ACCOUNT.address, at) == 1_000 * CREDIT + 1
        )  # of the listing

    check(kind, tmp_path, test)


@pytest.mark.parametrize("point", range(1, TICKS, 1 if FUZZ else 61))
def test_death_between_any_two_steps_deploys_nothing_twice(point: int, tmp_path: Path) -> None:
    async def test(rig: Rig) -> None:
        def die() -> None:
            raise Killed

        death, outbox = Death(point, die), Outbox(tmp_path / "outbox.sqlite")
        chain: Any = death.watch(rig.chain)
        dying = Submitter(chain, death.watch(outbox), ACCOUNT, rig.profile, SystemClock())
        with pytest.raises(Killed):
            await deploy(chain, dying, contracts(), plan(rig))
        outbox.close()
        made = await deploy(rig.chain, sender(rig, tmp_path), contracts(), plan(rig))
        assert await rig.chain.nonce(ACCOUNT.address) == STEPS
        assert await bad(rig.chain, made) == {}

    on_a_chain(tmp_path, test)


def test_again_is_nothing_new_and_the_record_can_be_made_again(tmp_path: Path) -> None:
    async def test(town: Town) -> None:
        lines: list[str] = []
        ours, wanted = contracts(), plan(town.rig)
        again = await deploy(town.rig.chain, town.sender, ours, wanted, lines.append)
        assert again == town.deployment
        assert await town.rig.chain.nonce(ACCOUNT.address) == STEPS
        assert len(lines) == STEPS
        assert lines[0].startswith("deploy 1: credit: block 1 0x")

    check("embedded", tmp_path, test)


def test_another_plan_needs_another_attempt(tmp_path: Path) -> None:
    async def test(town: Town) -> None:
        ours, other = contracts(), plan(town.rig, norm=NORMS["local"])
        with pytest.raises(Refused) as refused:
            await deploy(town.rig.chain, town.sender, ours, other)
        assert refused.value.why is Why.REPLAYED
        other = structs.replace(other, attempt=2)
        made = await deploy(town.rig.chain, town.sender, ours, other)
        assert made.vault != town.deployment.vault
        assert await bad(town.rig.chain, made) == {}
        assert await bad(town.rig.chain, town.deployment) == {}

    check("embedded", tmp_path, test)


def test_roles_can_be_handed_to_an_admin_who_is_not_the_operator(tmp_path: Path) -> None:
    async def test(town: Town) -> None:
        assert town.deployment.admin == OTHER.address
        assert await bad(town.rig.chain, town.deployment) == {}
        grant = town.custody.grant(town.deployment.vault, "MARKET", STRANGER.address)
        with pytest.raises(AssertionError, match="access_control"):
            await town.do(grant)
        assert (await town.by(OTHER, grant)).ok

    check("embedded", tmp_path, test, admin=OTHER.address)


@pytest.mark.parametrize("norm", NORMS.values(), ids=list(NORMS))
def test_every_row_of_terms_is_one_that_the_contracts_take(norm: Norm, tmp_path: Path) -> None:
    bond = norm.bond
    assert bond.dispute >= norm.window + norm.response
    assert bond.unbonding > bond.audit + bond.dispute + bond.judging
    assert norm.why
    assert len(norm.read) == 7
    assert set(OF_PROFILE) == set(PROFILES)

    async def test(town: Town) -> None:
        assert town.deployment.terms == norm.terms(CREDIT)
        assert await bad(town.rig.chain, town.deployment) == {}

    check("embedded", tmp_path, test, norm=norm)


# --- another's token ---------------------------------------------------------------------


@cache
def fee_token(folder: Path) -> Contract:
    """The token that can misbehave, with the decimals that it lacks."""
    text = (ROOT / "tests/contracts/tokens/FeeToken.vy").read_text()
    said = "\n\n@external\n@view\ndef decimals() -> uint8:\n    return 6\n"
    (folder / "FeeToken.vy").write_text(text + said)
    return chain_contracts.load("FeeToken", CACHE, folder)


async def other_token(rig: Rig, folder: Path, fee: int) -> str:
    """Deployed by somebody else, who gives the operator some."""
    made = fee_token(folder)
    abi = Abi(made)
    await rig.send(OTHER.address, value=10**18, gas=21_000)
    theirs = Rig(rig.kind, rig.chain, rig.profile, OTHER)
    address = (await theirs.send(data=made.creation, gas=3_000_000)).contract
    await theirs.send(address, abi.call("mint", ACCOUNT.address, 10**9))
    await theirs.send(address, abi.call("misbehave", fee, False))
    return address


def test_any_honest_token_is_a_pay_unit(tmp_path: Path) -> None:
    async def test(rig: Rig) -> None:
        token = await other_token(rig, tmp_path, fee=0)
        wanted = plan(rig, token=token)
        made = await deploy(rig.chain, sender(rig, tmp_path), contracts(), wanted)
        assert (made.credit, made.own_credit, made.decimals) == (token, False, 6)
        assert made.terms.stake == 10**6
        assert await bad(rig.chain, made) == {}

    on_a_chain(tmp_path, test)


def test_a_token_with_fees_is_refused_at_its_listing(tmp_path: Path) -> None:
    async def test(rig: Rig) -> None:
        wanted = plan(rig, token=await other_token(rig, tmp_path, fee=1))
        steps = sender(rig, tmp_path)
        for _ in range(2):
            with pytest.raises(ChainFailed, match=r"list the token.*took a fee"):
                await deploy(rig.chain, steps, contracts(), wanted)
        made = await deploy(rig.chain, steps, contracts(), plan(rig, attempt=2))
        assert await bad(rig.chain, made) == {}

    on_a_chain(tmp_path, test)


def test_what_is_no_token_or_too_little_of_one_is_said_before_anything_is_paid(
    tmp_path: Path,
) -> None:
    async def test(rig: Rig) -> None:
        token, steps = await other_token(rig, tmp_path, fee=0), sender(rig, tmp_path)
        before = await rig.chain.nonce(ACCOUNT.address)
        rich = structs.replace(FAST, penalty_units=1_000)
        with pytest.raises(ChainFailed, match="send it 3000000002 more"):
            await deploy(rig.chain, steps, contracts(), plan(rig, token=token, norm=rich))
        for nothing in (OTHER.address, "0x" + "00" * 20):
            with pytest.raises(Refused, match="does not say its decimals"):
                await deploy(rig.chain, steps, contracts(), plan(rig, token=nothing))
        assert await rig.chain.nonce(ACCOUNT.address) == before

    on_a_chain(tmp_path, test)


# --- verify ------------------------------------------------------------------------------


def test_verify_says_which_chain_is_the_wrong_one(tmp_path: Path) -> None:
    async def test(town: Town) -> None:
        chain, made = town.rig.chain, town.deployment
        other = structs.replace(made, chain_id=1)
        assert list(await bad(chain, other)) == ["chain id"]
        other = structs.replace(made, genesis="0x" + "11" * 32)
        assert "ask another node" in (await bad(chain, other))["first block"]

    check("embedded", tmp_path, test)


def test_verify_finds_code_that_is_not_ours(tmp_path: Path) -> None:
    async def test(town: Town) -> None:
        chain, made = town.rig.chain, town.deployment
        for field, value, says in (
            ("vault", made.bond, "other code is at"),
            ("bond", made.credit, "other code is at"),
            ("credit", STRANGER.address, "there is no contract at"),
        ):
            found = await bad(chain, structs.replace(made, **{field: value}))
            assert [says in text for text in found.values()] == [True]
        codes = made.codes | {"Vault": "00" * 32}
        found = await bad(chain, structs.replace(made, codes=codes))
        assert "version of Allmende that deployed it" in found["Vault"]

    check("embedded", tmp_path, test)


def test_verify_finds_a_vault_of_our_code_that_somebody_else_made(tmp_path: Path) -> None:
    async def test(town: Town) -> None:
        made = town.deployment
        terms = structs.astuple(structs.replace(made.terms, window=1))
        data = Abi(contracts()["Vault"]).creation(
            made.credit, made.bond, STRANGER.address, made.grace, terms
        )
        await town.by(STRANGER, town.custody.approve(made.vault, 0))
        theirs = Rig(town.rig.kind, town.rig.chain, town.rig.profile, STRANGER)
        vault = (await theirs.send(data=data, gas=8_000_000)).contract
        found = await bad(town.rig.chain, structs.replace(made, vault=vault))
        assert {"term window", "Vault.commons", "token listed"} <= set(found)
        assert {"Vault role DEFAULT_ADMIN", "Vault role OPERATOR"} <= set(found)
        assert STRANGER.address in found["Vault role DEFAULT_ADMIN"]

    check("embedded", tmp_path, test)


@pytest.mark.parametrize("kind", NODES)
def test_verify_finds_a_role_that_nobody_recorded_and_one_that_is_gone(
    kind: str, tmp_path: Path
) -> None:
    """Rehearses docs/runbook-chain.md, "The market key is stolen"."""

    async def test(town: Town) -> None:
        c, made = town.custody, town.deployment
        await town.do(c.grant(made.bond, "JUDGE", STRANGER.address))
        found = await bad(town.rig.chain, made)
        assert list(found) == ["Bond role JUDGE"]
        assert STRANGER.address in found["Bond role JUDGE"]
        await town.do(c.revoke(made.bond, "JUDGE", STRANGER.address))
        assert await bad(town.rig.chain, made) == {}
        await town.do(c.revoke(made.vault, "MARKET", OTHER.address))
        await town.do(c.grant(made.vault, "MARKET", STRANGER.address))
        assert list(await bad(town.rig.chain, made)) == ["Vault role MARKET"]
        rotated = structs.replace(made, market_key=STRANGER.address)
        assert await bad(town.rig.chain, rotated) == {}

    check(kind, tmp_path, test)


@pytest.mark.parametrize("kind", NODES)
def test_an_operator_is_replaced_by_the_admin(kind: str, tmp_path: Path) -> None:
    """Rehearses docs/runbook-chain.md, "The operator's key is lost or stolen"."""

    async def test(town: Town) -> None:
        c, made = town.custody, town.deployment
        assert (await town.by(OTHER, c.revoke(made.vault, "OPERATOR", made.operator))).ok
        assert (await town.by(OTHER, c.grant(made.vault, "OPERATOR", STRANGER.address))).ok
        with pytest.raises(AssertionError, match="access_control"):
            await town.do(c.cut())
        await town.do(c.transfer(STRANGER.address, made.terms.penalty))
        await town.by(STRANGER, c.approve(made.bond, made.terms.penalty))
        assert (await town.by(STRANGER, c.bond_for(STRANGER.address, made.terms.penalty))).ok
        assert (await town.by(STRANGER, c.cut())).ok
        replaced = structs.replace(made, operator=STRANGER.address, own_credit=False)
        assert await bad(town.rig.chain, replaced) == {}

    check(kind, tmp_path, test, admin=OTHER.address)


def test_verify_finds_a_bond_that_is_leaving(tmp_path: Path) -> None:
    async def test(town: Town) -> None:
        made, abi = town.deployment, Abi(contracts()["Bond"])
        leave = abi.call("leave", 4 * made.terms.penalty)
        await town.do(town.custody.cut()._replace(to=made.bond, data=leave))
        assert "bond more" in (await bad(town.rig.chain, made))["bond"]

    check("embedded", tmp_path, test)


def test_a_false_node_is_found_out(tmp_path: Path) -> None:
    async def test(town: Town) -> None:
        async def code(address: str) -> bytes:
            return b"\x60\x00" * 100

        async def call(to: str, data: bytes, *, at: int | None = None) -> bytes:
            return bytes(32)

        async def hidden(*asked: object) -> list[object]:
            return []

        for instead, what in (({"code": code}, "Vault"), ({"call": call}, "term window")):
            crooked: Any = Crooked(town.rig.chain, **instead)
            assert what in await bad(crooked, town.deployment)
        crooked = Crooked(town.rig.chain, logs=hidden)
        assert "Vault role OPERATOR" in await bad(crooked, town.deployment)

    check("embedded", tmp_path, test)


# --- instruments -------------------------------------------------------------------------


def test_an_instrument_gets_one_contract_that_a_wallet_can_name(tmp_path: Path) -> None:
    async def test(town: Town) -> None:
        ours, profile = contracts(), town.rig.profile
        address = await deploy_rights(town.sender, ours, profile, INSTRUMENT)
        assert await deploy_rights(town.sender, ours, profile, INSTRUMENT) == address
        made = structs.replace(town.deployment, rights={"i": address})
        assert await bad(town.rig.chain, made) == {}
        abi = Abi(ours["Rights"])

        async def told(function: str) -> Any:
            data = await town.rig.chain.call(address, abi.call(function))
            return abi.answer(function, data)[0]

        digest = instrument_hash(INSTRUMENT)
        assert await told("name") == "Qwen2.5 Coder tokens, May"
        assert await told("symbol") == "R" + digest[:2].hex().upper()
        assert await told("instrument") == "0x" + digest.hex()
        assert (await told("end"), await told("issue")) == (2**33, 10**9)
        made = structs.replace(made, rights={"i": made.credit})
        assert list(await bad(town.rig.chain, made)) == ["Rights of i"]

    check("embedded", tmp_path, test)


@pytest.mark.parametrize("name", ["x" * 26, "ä" * 13, "日本語" * 5, "", "a\U0001f600" * 6])
def test_a_name_is_cut_between_characters(name: str) -> None:
    wanted = rights_wanted(contracts(), structs.replace(INSTRUMENT, name=name))
    shown = (name or "i").encode()[:25].decode(errors="ignore")
    assert shown.encode() in wanted.data
    assert (name or "i").startswith(shown)


# --- the record --------------------------------------------------------------------------


def test_a_market_deploys_on_its_own_chain_by_itself_and_nowhere_else(tmp_path: Path) -> None:
    async def test(rig: Rig) -> None:
        steps, key = sender(rig, tmp_path), OTHER.address
        given = (rig.chain, steps, ACCOUNT.address, key)
        with pytest.raises(ChainFailed, match="allmende chain deploy"):
            await ensure_deployed(*given, PROFILES["ethereum"], tmp_path, cache=CACHE)
        made, _ = await ensure_deployed(*given, EMBEDDED, tmp_path, cache=CACHE)
        assert recall(tmp_path) == made
        assert await bad(rig.chain, made) == {}
        again, ours = await ensure_deployed(*given, EMBEDDED, tmp_path, cache=CACHE)
        assert (again, set(ours)) == (made, set(chain_contracts.NAMES))
        assert await rig.chain.nonce(ACCOUNT.address) == STEPS
        (tmp_path / FILE).unlink()  # rehearses docs/runbook-chain.md, "The record is lost"
        again, _ = await ensure_deployed(*given, EMBEDDED, tmp_path, cache=CACHE)
        assert again == made
        for other in ({"chain_id": 1}, {"genesis": "0x" + "11" * 32}):
            keep(tmp_path, structs.replace(made, **other))
            with pytest.raises(ChainFailed) as failed:
                await ensure_deployed(*given, EMBEDDED, tmp_path, cache=CACHE)
            assert failed.value.cause == "wrong_deployment"
        (tmp_path / FILE).write_text("{")
        with pytest.raises(ChainFailed, match="garbled"):
            recall(tmp_path)

    on_a_chain(tmp_path, test)


def test_amounts_of_any_size_are_kept(tmp_path: Path) -> None:
    terms = FAST.terms(10**36)
    made = _some(structs.replace(FAST, name="x").terms(10**36))
    keep(tmp_path, made)
    found = recall(tmp_path)
    assert found == made
    assert found is not None
    assert found.terms.rate_floor == terms.rate_floor > 2**128
    assert list(tmp_path.iterdir()) == [tmp_path / FILE]


def _some(terms: Any) -> Deployment:
    fields: dict[str, Any] = dict.fromkeys(Deployment.__struct_fields__, "")
    numbers = dict.fromkeys(("chain_id", "block", "decimals", "grace", "made_at"), 0)
    rest = {"rights": {}, "codes": {}, "own_credit": True, "bond_terms": FAST.bond, "terms": terms}
    return Deployment(**{**fields, **numbers, **rest})


# --- the wheel ---------------------------------------------------------------------------


def test_a_wheel_carries_the_contracts_and_compiles_the_same(tmp_path: Path) -> None:
    code = (
        f"import os; os.chdir({str(ROOT)!r}); from flit_core import buildapi; "
        f"print(buildapi.build_wheel({str(tmp_path)!r}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    wheel = tmp_path / done.stdout.split()[-1]
    with zipfile.ZipFile(wheel) as file:
        file.extractall(tmp_path / "site")
    names = {path.name for path in (tmp_path / "site/allmende/contracts").iterdir()}
    assert names == {path.name for path in (ROOT / "contracts").glob("*.vy")}
    code = (
        "from allmende.adapters.chain_contracts import SOURCES, source_hash; "
        "print(SOURCES, source_hash())"
    )
    env = {**os.environ, "PYTHONPATH": str(tmp_path / "site")}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env
    )
    where, hash_ = done.stdout.split()
    assert where == str(tmp_path / "site/allmende/contracts")
    assert hash_ == chain_contracts.source_hash()
