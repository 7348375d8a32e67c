"""Issue, rewards: what a reckoning of useful work needs to be told, beside receipts.

Rule: a member names the address that its rewards are for, one that no other has; a person with an
operator's key attests training, once under an id.
Invariant: shares are never issued here: a published root on the chain does that.
Worked number: of two attestations "run-7" the second is refused with EXISTS.
"""

from __future__ import annotations

from allmende.core import events as e
from allmende.core import reward_commands as rc
from allmende.core import reward_events as re
from allmende.core.identity import allow, allow_operator, find_member, key, new_id
from allmende.core.nouns import SYSTEM
from allmende.core.refusals import Refused, Why
from allmende.core.state import State

HOURS_MAX = 1_000_000
"""Of one attestation: a year of 114 machines."""
TRAINING = "training/"
"""Before an attestation's id among the references that are used once."""
_HEX = frozenset("0123456789abcdef")


def name_payee(state: State, command: rc.NamePayee) -> list[e.Event]:
    find_member(state, command.member)
    allow(state, command.by, command.member, command.at)
    address = command.address.lower()
    if address:
        _require_address(address)
        has = {state.payees.get(address), state.addresses.get(address)} - {None, command.member}
        if has:
            raise Refused(Why.EXISTS, f"{address} is another member's; each is paid at its own.")
    return [re.PayeeNamed(at=command.at, member=command.member, address=address)]


def attest(state: State, command: rc.AttestTraining) -> list[e.Event]:
    if command.by == SYSTEM:
        raise Refused(Why.NOT_ALLOWED, "Training is attested by a person, with an operator's key.")
    allow_operator(state, command.by, command.at)
    new_id(command.id, TRAINING + command.id in state.references)
    find_member(state, command.member)
    find_member(state, command.client)
    if not 0 < command.hours <= HOURS_MAX:
        raise Refused(Why.BAD_VALUE, f"Hours are 1 to {HOURS_MAX}.")
    if len(command.document) != 64 or not set(command.document) <= _HEX:
        raise Refused(Why.BAD_VALUE, "A document is named by its SHA-256, in lower-case hex.")
    return [
        re.TrainingAttested(
            at=command.at,
            id=command.id,
            member=command.member,
            client=command.client,
            hours=command.hours,
            document=command.document,
            attester=key(state, command.by, command.at).id,
        )
    ]


def _require_address(address: str) -> None:
    digits = address.removeprefix("0x")
    if len(address) != 42 or len(digits) != 40 or not set(digits) <= _HEX or digits == "0" * 40:
        raise Refused(Why.BAD_VALUE, f"{address[:60]!r} is no address: 0x and 40 hex digits.")


def payee_named(state: State, event: re.PayeeNamed) -> None:
    state.payees = {of: who for of, who in state.payees.items() if who != event.member}
    if event.address:
        state.payees[event.address] = event.member


def attested(state: State, event: re.TrainingAttested) -> None:
    state.references.add(TRAINING + event.id)


DECIDE = {rc.NamePayee: name_payee, rc.AttestTraining: attest}
APPLY = {re.PayeeNamed: payee_named, re.TrainingAttested: attested}
