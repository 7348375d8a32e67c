"""Reward commands: where a member's rewards go, and work that no receipt tells of.

Rule: a member names its own address; a person attests training.
Invariant: none of them moves money or shares: they are told to whoever reckons an epoch.
Worked number: AttestTraining(hours=24) is one machine for a day, or 24 for an hour.
"""

from __future__ import annotations

from allmende.core.commands import Command


class NamePayee(Command, frozen=True):
    """The address on the chain that a member's rewards are for; "" for none any more.

    It need not be a wallet that is linked here, and permits nothing. Who names none is paid at
    the linked one.
    """

    member: str
    address: str


class AttestTraining(Command, frozen=True):
    """A person with an operator's key saw that `member` gave `hours` of a machine to a training
    run of `client`; `document` is the SHA-256 of what was seen."""

    id: str
    member: str
    client: str
    hours: int
    document: str
