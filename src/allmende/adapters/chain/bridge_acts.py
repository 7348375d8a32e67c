"""Bridge acts: what crosses, what a validator looks at before it signs, and what anybody brings.

Rule: a validator signs an arrival when the transfer stands in a final block of the side that it
left, both sides are this bridge, and the other side can still pay it; it signs a refund when a
final block of the other side is later than the deadline and it was not paid there, because then it
never can be.
Invariant: an honest validator never signs both of what can still be paid and returned.
Worked number: with 2 of 3 validators two files of one signature each are one arrival.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from eth_utils.crypto import keccak
from msgspec import Struct, structs

from allmende.adapters.chain.account import Account
from allmende.adapters.chain.bridge import AWAY, HOME, Both, End, Flying
from allmende.adapters.chain.hand import Hand
from allmende.adapters.chain.signing import recovered
from allmende.adapters.chain.tokens import Erc20
from allmende.adapters.chain.words import hexed
from allmende.custody import ContractCall
from allmende.ports import ChainFailed, Mined
from allmende.wire.bridging import Transfer, arrival_digest, refund_digest

ARRIVAL, REFUND = "arrival", "refund"
_ADDRESS = re.compile("0x[0-9a-f]{40}")


class Attestation(Struct, frozen=True, kw_only=True):
    """What validators sign, as a file: one transfer, and whoever has signed it."""

    kind: str
    source: str
    """The side that it left: home or away."""
    nonce: int
    sender: str
    to: str
    amount: int
    """Base units."""
    deadline: int
    signatures: dict[str, str] = {}
    """Validator -> 65 bytes."""

    @property
    def transfer(self) -> Transfer:
        sender, to = (bytes.fromhex(who[2:]) for who in (self.sender, self.to))
        return Transfer(self.nonce, sender, to, self.amount, self.deadline)

    @property
    def name(self) -> str:
        """For a file."""
        return f"{self.kind}-{self.source}-{self.nonce}"


def checked(said: Attestation) -> Attestation:
    """ValueError for a file that says what no transfer is."""
    numbers = (said.nonce, said.amount, said.deadline)
    fine = said.kind in (ARRIVAL, REFUND) and said.source in (HOME, AWAY)
    fine = fine and all(0 <= number < 2**256 for number in numbers)
    if not fine or not all(_ADDRESS.fullmatch(one) for one in (said.sender, said.to)):
        raise ValueError(f"{said.name} is no transfer of a bridge")
    return said


def attestation(kind: str, source: str, transfer: Transfer) -> Attestation:
    return Attestation(
        kind=kind,
        source=source,
        nonce=transfer.nonce,
        sender=hexed(transfer.sender),
        to=hexed(transfer.to),
        amount=transfer.amount,
        deadline=transfer.deadline,
    )


async def sure(both: Both) -> None:
    """Before anything is locked, signed or brought. ValueError if a side is not what it was."""
    bad = [one.says for one in await both.findings() if not one.ok]
    if bad:
        raise ValueError(" ".join(bad))


# Leaving ------------------------------------------------------------------------------------


async def depart(end: End, hand: Hand, to: str, amount: int) -> Transfer:
    """Lock or burn so much of the wallet's own; allowed before, if it was not. ChainFailed."""
    token, bridge = Erc20(end.chain, end.record.token), end.record.bridge
    if await token.get("allowance", hand.address, bridge) < amount:
        await _sent(hand, "allowance", token.approve(bridge, amount))
    done = await _sent(hand, "departure", end.bridge.call("depart", to, amount))
    logs = await end.bridge.logs("Departed", done.block, done.block)
    nonce = next(seen.fields["nonce"] for seen in logs if seen.log.transaction == done.hash)
    return (await end.transfers(done.block))[nonce]


# Attesting ----------------------------------------------------------------------------------


async def attested(both: Both, flying: Flying, account: Account) -> Attestation:
    """An honest validator's word, of a bridge that is `sure`. ValueError says why it gives none."""
    source = both.end(flying.source)
    target, transfer = both.other(source), flying.transfer
    if not await source.waits(transfer, await source.final()):
        raise ValueError(f"transfer {transfer.nonce} is in no final block of {source.name}")
    kind = await _kind(target, transfer)
    rules = await (target if kind == ARRIVAL else source).rules(None)
    if account.address not in rules.validators:
        raise ValueError(f"{account.address} is not one of the validators")
    said = attestation(kind, flying.source, transfer)
    signature = hexed(account.sign_digest(digest(both, said)))
    return structs.replace(said, signatures={account.address: signature})


async def _kind(target: End, transfer: Transfer) -> str:
    """ARRIVAL while it can be paid, REFUND once it cannot for good."""
    newest, final = await target.newest(), await target.final()
    for at in (newest, final):
        if await target.get("arrived", at, transfer.nonce):
            raise ValueError(f"transfer {transfer.nonce} was paid already")
    if await target.time_s(newest) <= transfer.deadline:
        return ARRIVAL
    if await target.time_s(final) > transfer.deadline:
        return REFUND
    raise ValueError(
        f"transfer {transfer.nonce} has expired, but no final block of {target.name} says so yet"
    )


def digest(both: Both, said: Attestation) -> bytes:
    """What a validator signs."""
    source = both.end(said.source)
    sides = (source.side, both.other(source).side, said.transfer, keccak)
    return bytes(arrival_digest(*sides) if said.kind == ARRIVAL else refund_digest(*sides))


# Bringing -----------------------------------------------------------------------------------


def merged(files: Sequence[Attestation]) -> list[Attestation]:
    """One for each transfer, with everybody's signatures. ValueError if they contradict."""
    found: dict[str, Attestation] = {}
    for one in files:
        first = found.setdefault(one.name, one)
        if structs.replace(one, signatures=first.signatures) != first:
            raise ValueError(f"the files say different things of {one.name}")
        signed = {**first.signatures, **one.signatures}
        found[one.name] = structs.replace(first, signatures=signed)
    return list(found.values())


async def redeem(both: Both, said: Attestation, hand: Hand) -> Mined:
    """Have it paid, or returned; anyone may. ValueError before anything is sent."""
    source = both.end(said.source)
    where = both.other(source) if said.kind == ARRIVAL else source
    rules = await where.rules(None)
    signed = {who: text for who, text in _signers(both, said).items() if who in rules.validators}
    if len(signed) < rules.threshold:
        raise ValueError(
            f"{len(signed)} of {rules.threshold} signatures are there for {said.name}: "
            "ask other validators for theirs"
        )
    ordered = [signed[who] for who in sorted(signed, key=lambda one: int(one, 16))]
    transfer = (said.nonce, said.sender, said.to, said.amount, said.deadline)
    function = "arrive" if said.kind == ARRIVAL else "refund"
    return await _sent(hand, said.name, where.bridge.call(function, transfer, ordered))


def _signers(both: Both, said: Attestation) -> dict[str, bytes]:
    """Whoever has signed it. ValueError names one whose signature is not its own."""
    found = {}
    for who, text in said.signatures.items():
        signature = bytes.fromhex(text.removeprefix("0x"))
        if recovered(digest(both, said), signature) != who:
            raise ValueError(f"what stands there for {who} is not its signature of {said.name}")
        found[who] = signature
    return found


async def _sent(hand: Hand, what: str, call: ContractCall) -> Mined:
    done = await hand.send(what, call)
    if done is None or not done.ok:
        raise ChainFailed("reverted", f"{what}: it is not in the chain; look again before another")
    return done
