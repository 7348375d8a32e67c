"""The members' contracts: put up once, in the Assembly's hands, and held against their record."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from chains import ACCOUNT, OTHER
from deployed import CACHE, Town, deployed
from killing import Death, Killed
from msgspec import structs

from allmende.adapters import chain_contracts
from allmende.adapters.chain.deploy import Contracts
from allmende.adapters.chain.establish import (
    NAMES,
    Founding,
    ensure_established,
    establish,
)
from allmende.adapters.chain.institutions import ChainCommons, recall
from allmende.adapters.chain.outbox import Outbox
from allmende.adapters.chain.submitter import Submitter
from allmende.adapters.chain.verify_institutions import verify_institutions
from allmende.adapters.clock import SystemClock
from allmende.institutions import Institutions
from allmende.ports import ChainFailed

TICKS = 700
"""Calls of chain and outbox that it makes, about; before and after some of them a death."""


@cache
def theirs() -> Contracts:
    return {name: chain_contracts.load(name, CACHE) for name in NAMES}


def founding(town: Town, **other: Any) -> Founding:
    fields: dict[str, Any] = {
        "profile": town.rig.profile,
        "norm": "fast",
        "mode": "lab",
        "registrar": OTHER.address,
        "deployment": town.deployment,
    }
    return Founding(**{**fields, **other})


def check(folder: Path, test: Callable[[Town], Awaitable[None]]) -> None:
    async def work() -> None:
        async with deployed("embedded", folder) as town, asyncio.timeout(60):
            await test(town)

    asyncio.run(work())


async def put_up(town: Town) -> Institutions:
    return await establish(town.rig.chain, town.sender, theirs(), founding(town))


async def bad(town: Town, record: Institutions) -> dict[str, str]:
    """What is wrong, and what is said of it."""
    found = await verify_institutions(town.rig.chain, record, theirs())
    return {one.what: one.says for one in found if not one.ok}


def test_they_are_put_up_once_and_belong_to_the_assembly(tmp_path: Path) -> None:
    async def test(town: Town) -> None:
        record = await put_up(town)
        assert await bad(town, record) == {}
        sent = await town.rig.chain.nonce(ACCOUNT.address)
        assert await put_up(town) == record
        assert await town.rig.chain.nonce(ACCOUNT.address) == sent
        commons = ChainCommons(town.rig.chain, record, theirs(), town.rig.profile)
        at = await commons.final_block()
        assert await commons["Share"].get("totalSupply", at) == 0
        assert await commons["Stake"].get("share", at) == record.contracts["Share"]
        assert "Nothing" not in commons
        assert await commons.time_s(at) == record.made_at

    check(tmp_path, test)


def test_who_put_them_up_can_give_himself_nothing(tmp_path: Path) -> None:
    async def test(town: Town) -> None:
        record = await put_up(town)
        commons = ChainCommons(town.rig.chain, record, theirs(), town.rig.profile)
        minter = await commons["Share"].get("MINTER", None)
        call = commons["Share"].call("grantRole", minter, ACCOUNT.address)
        with pytest.raises(ChainFailed, match="reverted"):
            await town.rig.chain.estimate(ACCOUNT.address, call.to, call.data)
        seen = await commons["Share"].logs(
            "RoleGranted", record.block, await commons.newest_block()
        )
        assert {one.fields["account"] for one in seen} > {record.contracts["Assembly"]}

    check(tmp_path, test)


def test_another_admin_and_another_code_are_found(tmp_path: Path) -> None:
    async def test(town: Town) -> None:
        record = await put_up(town)
        other = structs.replace(
            record, contracts={**record.contracts, "Assembly": record.contracts["Stake"]}
        )
        assert "Do not use it" in (await bad(town, other))["Assembly"]
        taken = structs.replace(record, founder=OTHER.address)
        assert any("role REGISTRAR" in what for what in await bad(town, taken))

    check(tmp_path, test)


@pytest.mark.parametrize("point", [60, 400])
def test_death_between_two_steps_puts_nothing_up_twice(point: int, tmp_path: Path) -> None:
    async def test(town: Town) -> None:
        def die() -> None:
            raise Killed

        death, outbox = Death(point, die), Outbox(tmp_path / "outbox.sqlite")
        chain: Any = death.watch(town.rig.chain)
        dying = Submitter(chain, death.watch(outbox), ACCOUNT, town.rig.profile, SystemClock())
        with pytest.raises(Killed):
            await establish(chain, dying, theirs(), founding(town))
        outbox.close()
        record = await put_up(town)
        assert await bad(town, record) == {}
        at = await town.rig.chain.nonce(ACCOUNT.address)
        assert await put_up(town) == record
        assert await town.rig.chain.nonce(ACCOUNT.address) == at

    check(tmp_path, test)


def test_a_record_is_kept_and_used_for_its_own_market_alone(tmp_path: Path) -> None:
    async def ensure(town: Town, create: bool, **other: Any) -> Any:
        parts = (town.rig.chain, town.sender, founding(town, **other), tmp_path, CACHE)
        return await ensure_established(*parts, create=create)

    async def test(town: Town) -> None:
        assert await ensure(town, create=False) is None
        record, _ = await ensure(town, create=True)
        assert recall(tmp_path) == record
        assert (await ensure(town, create=False))[0] == record
        with pytest.raises(ChainFailed, match="of mode lab"):
            await ensure(town, create=False, mode="open")
        elsewhere = structs.replace(town.deployment, genesis="0x" + "11" * 32)
        with pytest.raises(ChainFailed, match="belongs together"):
            await ensure(town, create=False, deployment=elsewhere)
        (tmp_path / "institutions.json").write_text("{")
        with pytest.raises(ChainFailed, match="garbled"):
            await ensure(town, create=False)

    check(tmp_path, test)
