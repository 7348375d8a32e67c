"""Old vouchers are looked for among all wallets: not every second, and never in one breath."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

from allmende.core.custody import Permit
from allmende.core.state import Lane, State, Wallet
from allmende.core.units import CREDIT
from allmende.doors.settler_vouchers import AGE_S, TOGETHER, Vouchers

MANY = 5 * TOGETHER
LATE_S = 1_800_000_000


class FakeCustody:
    deployment = SimpleNamespace(decimals=12, grace=7 * 86_400)

    async def lane(self, account: str, lane: int, at: int) -> int:
        return 0


def vouchers() -> Vouchers:
    """Of many wallets, whose permits all ended long ago."""
    state = State()
    for number in range(MANY):
        address, member = f"0x{number + 1:040x}", f"m{number}"
        permit = Permit(0, address, CREDIT, (), 1, "0x", "sealed")
        state.wallets[member] = Wallet(address, "credit", spent=7, lanes={0: Lane(permit)})
        state.addresses[address] = member
    parts: list[Any] = [SimpleNamespace(state=state, watch=lambda _: None), FakeCustody()]
    parts += [None, None, SimpleNamespace(kept=list)]
    made = Vouchers(*parts)
    made.begin()
    return made


def seen(now_s: int) -> Any:
    return SimpleNamespace(block=1, now_s=now_s)


def test_they_are_looked_for_once_a_minute_and_what_was_found_stands_meanwhile() -> None:
    async def work() -> None:
        old = vouchers()
        found = [
            len(await old.show_ageing(seen(LATE_S), seen(LATE_S + seconds)))
            for seconds in (0, 1, AGE_S - 1, AGE_S)
        ]
        assert found == [MANY, 0, 0, MANY]
        assert len(old.unprovable) == MANY

    asyncio.run(work())


def test_others_have_their_turns_meanwhile() -> None:
    async def work() -> None:
        turns = 0

        async def others() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        beside = asyncio.create_task(others())
        await vouchers().show_ageing(seen(LATE_S), seen(LATE_S))
        beside.cancel()
        assert turns >= MANY // TOGETHER

    asyncio.run(work())
