"""Paid in: the token that a deployment's calls are paid in, and what takes those payments.

Rule: the market's own Credit is known without a question; any other token is asked for the
words of its signing domain, which every signature over it depends on.
Invariant: payments go to the operator of the record, whose key this process has.
Worked number: a token of 6 decimals counts in millions of pico-credits; one of 18 is refused,
because the desk could not credit what is finer than its own unit.
"""

from __future__ import annotations

from pathlib import Path

from eth_abi.abi import decode
from eth_abi.exceptions import DecodingError
from eth_utils.crypto import keccak

from allmende.adapters.chain.deploy import NAME
from allmende.adapters.chain.opened import OpenedChain
from allmende.adapters.chain.payments import ChainPayments
from allmende.adapters.chain.record import recall
from allmende.adapters.chain.x402 import DECIMALS, Token
from allmende.core.refusals import Refused, Why
from allmende.core.units import SECOND
from allmende.custody import Deployment
from allmende.ports import Chain, ChainFailed, Clock

FIELD = "pay_per_call"
"""The setting that this stands behind."""


async def open_payments(opened: OpenedChain, folder: Path, clock: Clock) -> ChainPayments:
    """Refused(BAD_VALUE) without contracts, or with a token that will not do. ChainFailed."""
    found = recall(folder)
    if found is None:
        raise Refused(
            Why.BAD_VALUE,
            "The setting pay_per_call needs contracts: run `allmende chain deploy` first.",
            field=FIELD,
        )
    if found.decimals > DECIMALS:
        text = f"Calls cannot be paid in {found.credit}: it has more than {DECIMALS} decimals."
        raise Refused(Why.BAD_VALUE, text, field=FIELD)
    if found.operator != opened.account.address:
        text = (
            f"The operator on the chain is {found.operator}, and we are {opened.account.address}."
        )
        raise Refused(Why.BAD_VALUE, text, field=FIELD)
    token = await token_of(opened.chain, found)
    chain, sender, profile = opened.chain, opened.sender, opened.profile

    def now_s() -> int:
        return clock.now() // SECOND

    return ChainPayments(chain, sender, opened.named, profile, token, now_s)


async def token_of(chain: Chain, found: Deployment) -> Token:
    name, version = NAME, "1"
    if not found.own_credit:
        name = await _text(chain, found.credit, "name")
        version = await _text(chain, found.credit, "version")
    return Token(found.chain_id, found.credit, found.operator, name, version, found.decimals)


async def _text(chain: Chain, token: str, function: str) -> str:
    """Refused(BAD_VALUE) for a token that does not say it: then it has no EIP-3009 either."""
    try:
        told = await chain.call(token, keccak(text=f"{function}()")[:4])
        return str(decode(["string"], told)[0])
    except ChainFailed as failed:
        if failed.cause != "reverted":
            raise
    except (DecodingError, UnicodeDecodeError, OverflowError):
        pass  # it answered with something else, or is no contract
    text = f"Calls cannot be paid in {token}: it does not say its {function}, as EIP-3009 needs."
    raise Refused(Why.BAD_VALUE, text, field=FIELD)
