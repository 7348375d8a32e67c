"""Rights: one contract for each instrument that leaves the desk.

Rule: what the contract says of the instrument is fixed when it is created: a hash of the
instrument as it was then, when it ends, and the most that may be outstanding.
Invariant: an instrument gets one contract, whoever asks for it and how often.
Worked number: "Qwen2.5 Coder tokens, May 2027" shows in a wallet as "Qwen2.5 Coder tokens, May"
(25 bytes), and its symbol is R and the first four digits of the hash, "R3F0A".
"""

from __future__ import annotations

import msgspec
from eth_utils.crypto import keccak

from allmende.adapters.chain.abi import Abi
from allmende.adapters.chain.deploy import Contracts, silent
from allmende.adapters.chain.drive import Driver
from allmende.adapters.chain.profiles import Profile
from allmende.core.contracts import Instrument
from allmende.core.units import SECOND
from allmende.ports import Sender, Wanted

NAME_BYTES = 25


def rights_wanted(contracts: Contracts, instrument: Instrument) -> Wanted:
    """The transaction that creates an instrument's contract; final, its Send says where.

    For whoever steps the sender himself. It is reverted once the instrument has ended.
    """
    data = Abi(contracts["Rights"]).creation(
        _name(instrument),
        "R" + instrument_hash(instrument)[:2].hex().upper(),
        instrument_hash(instrument),
        instrument.end // SECOND,
        instrument.capacity,
    )
    return Wanted(f"deploy rights: {instrument.id}", "", data)


async def deploy_rights(
    sender: Sender, contracts: Contracts, profile: Profile, instrument: Instrument
) -> str:
    """The address, when it is final. Nobody else may step the sender meanwhile. ChainFailed."""
    wanted = rights_wanted(contracts, instrument)
    driver = Driver(sender, profile, silent)
    driver.put(wanted)
    return (await driver.final())[wanted.key].contract


def instrument_hash(instrument: Instrument) -> bytes:
    """Keccak of the instrument as JSON, its fields sorted by name."""
    return bytes(keccak(msgspec.json.encode(instrument, order="sorted")))


def _name(instrument: Instrument) -> str:
    """What a wallet shows: at most 25 bytes, cut between characters."""
    text = instrument.name or instrument.id
    return text.encode()[:NAME_BYTES].decode(errors="ignore")
