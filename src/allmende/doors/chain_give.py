"""Chain give: play credit and gas for a wallet, where both are the operator's own.

Rule: only on a chain whose pay unit we made ourselves, only by an operator's key; what is given
is minted on the chain and is in no book of the desk until its owner deposits it.
Invariant: one `reference` gives once, however often it is asked.
Worked number: {"address": "0x…", "amount": "50", "reference": "workshop 1"} mints 50 * 10**12
base units, and sends the address its first gas.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from allmende.core.refusals import Refused, Why
from allmende.core.units import credits
from allmende.custody import Custody
from allmende.doors.account import fields_of, reply, viewer_of
from allmende.doors.counter import Counter
from allmende.doors.plain import to_amount
from allmende.doors.settler_tree import Scale
from allmende.doors.sight import require_operator
from allmende.doors.wallet_kit import address_of, read
from allmende.ports import Send, Sender, Wanted

PATH = "/api/chain/give"


class Gift(Struct, frozen=True, forbid_unknown_fields=True):
    """`amount` is credits as text; `reference` names the occasion."""

    address: str
    amount: str
    reference: str


class ChainGive:
    """One per market with a chain. `stand` when its contracts do."""

    def __init__(self, counter: Counter, sender: Sender, gas: Callable[[str], Send]) -> None:
        """`gas` sends an address its first gas, once."""
        self._counter = counter
        self._sender = sender
        self._gas = gas
        self._custody: Custody | None = None

    def stand(self, custody: Custody) -> None:
        self._custody = custody

    def routes(self) -> list[Route]:
        return [Route(PATH, self.give, methods=["POST"])]

    async def give(self, request: Request) -> Response:
        require_operator(viewer_of(self._counter, request))
        gift, custody = read(Gift, await fields_of(request)), self._play()
        address, pico = address_of(gift.address), to_amount(gift.amount)
        if pico <= 0 or not 0 < len(gift.reference) <= 100:
            raise Refused(Why.BAD_VALUE, "Give more than nothing, and say for which occasion.")
        units = Scale(10**custody.deployment.decimals).units(pico)
        self._gas(address)
        call = custody.mint_credit(address, units)
        send = self._sender.put(Wanted(f"give {gift.reference}", call.to, call.data))
        return reply({"address": address, "amount": credits(pico), "stage": send.stage.value})

    def _play(self) -> Custody:
        if self._custody is None or not self._custody.deployment.own_credit:
            raise Refused(
                Why.NOT_FOUND, "There is no play credit here: bring the token that the vault takes."
            )
        return self._custody
