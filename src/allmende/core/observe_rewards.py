"""Observe, useful work: the journal's events of one epoch as the facts that rewards rest on.

Rule: work counts in the epoch in which its batch is closed, its check ends, it is attested. A
model's host has its tokens where our recount agrees, a dataset's owner what was used of it. Payees
and ownership are as they are when the epoch ends; demand of one's own owner counts nothing.
Invariant: every receipt of every batch of the epoch has one line, whether it counts or not, so
that the lines' leaves have the batches' roots; events after the epoch change nothing.
Worked number: of three receipts, one recounted, one not and one bought by the host's own parent,
there are three lines: one with units, "unverified" and "own".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple, TypeAlias

from allmende.core import check_events as k
from allmende.core import custody_events as w
from allmende.core import events as e
from allmende.core import exchange_events as x
from allmende.core import reward_events as r
from allmende.core import title_events as t
from allmende.core.actors import Registry
from allmende.core.nouns import Receipt
from allmende.core.ownership import owners
from allmende.core.rewards import (
    COUNTS,
    NO_WALLET,
    NOTHING,
    OWN,
    UNVERIFIED,
    Closed,
    Facts,
    Hours,
    Line,
    Rule,
    Verdict,
    measured,
    span,
)

DATASET = "dataset"
BATCHED = (e.Captured, e.Finalised, x.Redeemed, e.BatchClosed)
AGREES, PENDING = "agrees", "pending"
Owner: TypeAlias = Callable[[str], str]
"""account -> its ultimate owner's first account"""


class _Seen(NamedTuple):
    """A final receipt before anybody asks who owns whom. `data`: of a dataset."""

    batch: int
    receipt: Receipt
    worker: str
    data: bool


class Work:
    """Feed it every event of a journal, then ask for `facts`. `leaf` is settle.receipt_leaf."""

    def __init__(self, rule: Rule, epoch: int, leaf: Callable[[Receipt], bytes]) -> None:
        self._epoch = epoch
        self._since, self._until = span(rule, epoch)
        self._leaf = leaf
        self._market = ""
        self._homes: dict[str, str] = {}
        self._linked: dict[str, str] = {}
        self._named: dict[str, str] = {}
        self._data: dict[str, str] = {}
        self._registry = Registry()
        self._wallets: dict[str, str] = {}
        self._open: list[_Seen] = []
        self._seen: list[_Seen] = []
        self._batches: list[Closed] = []
        self._checks: list[k.CheckClosed] = []
        self._training: list[r.TrainingAttested] = []
        self._hear: dict[type[e.Event], Callable[..., None]] = {
            e.Founded: self._founded,
            e.MemberAdded: self._member,
            e.TitleRegistered: self._title,
            t.TitleMoved: self._moved,
            e.ActorsImported: self._actors,
            w.WalletLinked: self._wallet,
            r.PayeeNamed: self._payee,
            e.Captured: self._receipt,
            e.Finalised: self._receipt,
            x.Redeemed: self._receipt,
            e.BatchClosed: self._batch,
            k.CheckClosed: self._checks_and_training,
            r.TrainingAttested: self._checks_and_training,
        }

    def feed(self, event: e.Event) -> None:
        """Batches and their receipts go by the batch's instant, whatever the receipts' are."""
        hear = self._hear.get(type(event))
        if hear is not None and (event.at < self._until or isinstance(event, BATCHED)):
            hear(event)

    # What is known of members -------------------------------------------------------------

    def _founded(self, event: e.Founded) -> None:
        self._market = event.market.id
        self._homes[event.market.operator] = ""

    def _member(self, event: e.MemberAdded) -> None:
        self._homes[event.member.id] = event.member.home

    def _title(self, event: e.TitleRegistered) -> None:
        if event.title.kind == DATASET:
            self._data[event.title.id] = event.title.owner

    def _moved(self, event: t.TitleMoved) -> None:
        if event.id in self._data:
            self._data[event.id] = event.owner

    def _actors(self, event: e.ActorsImported) -> None:
        self._registry = event.registry

    def _wallet(self, event: w.WalletLinked) -> None:
        self._linked[event.member] = event.address.lower()

    def _payee(self, event: r.PayeeNamed) -> None:
        self._named[event.member] = event.address

    # What was done ------------------------------------------------------------------------

    def _receipt(self, event: e.Captured | e.Finalised | x.Redeemed) -> None:
        receipt = event.receipt
        if receipt.verdict == PENDING:
            return
        data = receipt.title in self._data
        worker = self._data[receipt.title] if data else receipt.provider
        self._open.append(_Seen(0, receipt, worker, data))

    def _batch(self, event: e.BatchClosed) -> None:
        if self._since <= event.at < self._until:
            root = event.receipts_root.hex()
            self._batches.append(Closed(event.number, event.receipts, root))
            self._seen += [seen._replace(batch=event.number) for seen in self._open]
        self._open = []

    def _checks_and_training(self, event: k.CheckClosed | r.TrainingAttested) -> None:
        if event.at < self._since:
            return
        if isinstance(event, k.CheckClosed):
            self._checks.append(event)
        else:
            self._training.append(event)

    # What anybody may see -----------------------------------------------------------------

    def facts(self) -> Facts:
        self._wallets = self._paid_at()
        known = owners(self._homes, self._registry)

        def owner(account: str) -> str:
            return known.get(account, account)

        lines = tuple(self._line(seen, owner) for seen in self._seen)
        verdicts = tuple(told for check in self._checks for told in self._verdicts(check, owner))
        training = tuple(self._hours(given, owner) for given in self._training)
        return Facts(
            market=self._market,
            epoch=self._epoch,
            owners=self._payees(owner, (*lines, *verdicts, *training)),
            batches=tuple(self._batches),
            lines=lines,
            verdicts=verdicts,
            training=training,
        )

    def _paid_at(self) -> dict[str, str]:
        """Member -> its payee: the one that it named, if nobody else linked it, or its wallet."""
        of = {address: member for member, address in self._linked.items()}
        named = {
            member: address
            for member, address in self._named.items()
            if address and of.get(address, member) == member
        }
        return {**self._linked, **named}

    def _line(self, seen: _Seen, owner: Owner) -> Line:
        receipt, leaf = seen.receipt, self._leaf(seen.receipt).hex()
        units = measured(receipt.units)
        units = (0, 0, 0, 0, units[-1]) if seen.data else (*units[:-1], 0)
        if not any(units):
            return Line(seen.batch, leaf, NOTHING)
        if not seen.data and receipt.verdict != AGREES:
            return Line(seen.batch, leaf, UNVERIFIED)
        why = self._why(owner, seen.worker, receipt.account)
        if why != COUNTS:
            return Line(seen.batch, leaf, why)
        return Line(seen.batch, leaf, why, self._wallets[seen.worker], units)

    def _verdicts(self, check: k.CheckClosed, owner: Owner) -> Iterable[Verdict]:
        """Of one owner's verifiers the first, by name, counts."""
        told = {owner(check.about)}
        for who in check.right:
            why = OWN if owner(who) in told else self._why(owner, who)
            told.add(owner(who))
            payee = self._wallets[who] if why == COUNTS else ""
            yield Verdict(check.id, why, payee, len(check.right))

    def _hours(self, given: r.TrainingAttested, owner: Owner) -> Hours:
        why = self._why(owner, given.member, given.client)
        payee = self._wallets[given.member] if why == COUNTS else ""
        return Hours(given.id, why, payee, given.hours if why == COUNTS else 0)

    def _why(self, owner: Owner, worker: str, buyer: str = "") -> str:
        if buyer and owner(worker) == owner(buyer):
            return OWN
        return COUNTS if worker in self._wallets else NO_WALLET

    def _payees(self, owner: Owner, told: Iterable[Line | Verdict | Hours]) -> dict[str, str]:
        """Each payee with the first payee of its owner: who that is stays untold."""
        paid = {one.payee for one in told if one.payee}
        member = {address: who for who, address in sorted(self._wallets.items(), reverse=True)}
        first: dict[str, str] = {}
        for payee in sorted(paid):
            first.setdefault(owner(member[payee]), payee)
        return {payee: first[owner(member[payee])] for payee in sorted(paid)}
