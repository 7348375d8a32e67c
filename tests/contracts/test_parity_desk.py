"""The desk's machine and the vault side by side: what one calls right, the other takes.

The desk is the real core, with its wallets, lanes, recounts and cuts; the tree is the settler's.
Nothing of the vault's rule is known here but its answers.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import boa
from hypothesis import given, settings
from hypothesis import strategies as st
from vault_rig import Batch, Market, Person, refused

from allmende.core import commands as c
from allmende.core import custody_commands as w
from allmende.core import events as e
from allmende.core.nouns import Key, Policy
from allmende.core.refusals import Refused
from allmende.core.settle import receipt_leaf
from allmende.core.units import CREDIT, Units
from allmende.doors.settler_lanes import standing
from allmende.doors.settler_tree import House, Scale, build
from allmende.lab import model
from allmende.lab.world import START, World, ask, permit, secret
from allmende.wire import merkle
from allmende.wire import merkle_sum as ms

MEMBERS = ("coop", "uni", "rhine", "author")
"""A buyer with a session, a university, a provider, and who is only ever paid."""
KEYS = ("coop", "lab", "s1", "s1", "self")
PICO = Scale(CREDIT)
CHANGES = (
    (1, 0, "not backed"),
    (-1, 0, "something is missing"),
    (-1, 1, "not signed"),
    (0, -1, "something is missing"),
)
"""Of a leaf's balance and spent, and what the vault says of it."""
FAR = START + 10**15

part = st.integers(0, 1_000)
steps = st.lists(
    st.tuples(
        st.sampled_from(
            ["pay", "pay", "pay", "wait", "recount", "give", "deposit", "ask", "overdraw", "settle"]
        ),
        st.integers(0, 3),
        part,
        st.booleans(),
    ),
    min_size=8,
    max_size=30,
)


@cache
def market() -> Market:
    """With a house that is rich enough for all credit that is not in the vault."""
    return Market(rate_floor=10**6 * CREDIT).open()


class Pair:
    """One market twice. Wallets are linked from the beginning, but for a stranger's."""

    def __init__(self) -> None:
        self.chain, self.desk = market().again(), World("lab")
        self.vault = self.chain.vault
        self.house, self.stranger = Person("house"), Person("stranger")
        self.session = Person("session's key")
        self.people = {member: Person(f"{member}'s") for member in MEMBERS}
        self.made = 0
        self.desk.do(c.AddBudget(id="rhine", name="Rhine", owner="rhine"))
        self.desk.do(c.IssueKey(key=Key("self", secret("self"), "rhine", "spend", "rhine")))
        for member, person in self.people.items():
            self.desk.do(w.LinkWallet(member=member, address=person.address.lower()))
            given = permit(10**6 * CREDIT, expires=FAR)
            self.desk.do(w.GrantPermit(member=member, permit=given))
        given = permit(10**3 * CREDIT, 1, expires=FAR)
        self.desk.do(w.GrantPermit(member="coop", permit=given, budget="s1", parent="coop"))
        self.desk.do(c.IssueKey(key=Key("s1", secret("s1"), "coop", "spend", "s1")))
        for person in (self.house, self.stranger, *self.people.values()):
            self.chain.deposit(person, (10**4 if person is self.house else 2) * CREDIT)
        self.settle()

    # What happens -------------------------------------------------------------------------

    def pay(self, who: int, share: int, pending: bool) -> None:
        """A request; its receipt may wait for its recount, a provider may buy from itself."""
        self.made += 1
        id_ = f"r{self.made}"
        wanted = ask(id_, KEYS[(who + share) % len(KEYS)], policy=Policy(pay=("credit",)))
        if not isinstance(self.desk.attempt(wanted), Refused):
            units = Units(input=share, output=share // 4)
            self.desk.capture(id_, units, pending=pending)

    def wait(self, who: int, share: int, other: bool) -> None:
        """A request that is still open."""
        self.made += 1
        self.desk.attempt(ask(f"r{self.made}", KEYS[who], policy=Policy(pay=("credit",))))

    def recount(self, who: int, share: int, up: bool) -> None:
        counted = Units(input=1_000, output=256) if up else Units(input=share)
        waiting = sorted(self.desk.state.provisional)[: who + 1]
        self.desk.do(c.Recount(counts=tuple((id_, counted) for id_ in waiting)))

    def give(self, who: int, share: int, all_: bool) -> None:
        source, target = MEMBERS[who], MEMBERS[(who + 1) % 4]
        has = self.desk.balance(source)
        amount = has if all_ else has * share // 2_000
        self.desk.attempt(c.Transfer(source=source, target=target, asset="credit", amount=amount))

    def deposit(self, who: int, share: int, strange: bool) -> None:
        person = self.stranger if strange and not who else self.people[MEMBERS[who]]
        self.chain.deposit(person, 1 + share * CREDIT // 100)

    def ask(self, who: int, share: int, all_: bool) -> None:
        """As much as the chain lets him, even if the desk knows that it is spent."""
        person = self.people[MEMBERS[who]]
        leaf, proof = self.chain.final.show(person)
        cut, epoch = self.vault.final()[4], self.vault.epoch()
        epochs = range(cut + 1, epoch + 1)
        into = sum(self.vault.deposits(person.address, at) for at in epochs)
        out = sum(self.vault.requests(person.address, at) for at in epochs)
        room = leaf[1] + into - out
        amount = room if all_ else room * share // 1_000
        if amount:
            self.vault.ask(leaf, proof, amount, sender=person.address)

    def overdraw(self, who: int, share: int, wait: bool) -> None:
        """All is asked for at the vault, when most of it is spent at the desk already."""
        if wait:
            self.wait(who, share, wait)
        self.give(who, 1_000, share > 500)
        self.ask(who, 1_000, True)

    # What the settler does ----------------------------------------------------------------

    def settle(self, who: int = 0, share: int = 0, other: bool = False) -> None:
        """Follow, cut, and bring the tree through the challenges of all; first a false one."""
        self.vault.cut(sender=self.chain.operator.address)
        for member in MEMBERS:
            self.follow(member)
        closed = [v for v in self.desk.do(c.CloseBatch()) if isinstance(v, e.BatchClosed)]
        self.desk.do(w.CutWallets())
        self.chain.receipts = self.receipts(closed)
        leaves = self.leaves()
        place = share % len(leaves)
        for balance, spent, why in CHANGES:
            self.refuse_altered(leaves, place, balance, spent, why)
        self.accept(leaves, closed)

    def follow(self, member: str) -> None:
        """The desk takes what it has; what was spent is shown, and the request contested."""
        wallet, address = self.desk.state.wallets[member], self.people[member].address
        for act in (lambda: None, self.end_requests, lambda: self.contest(member)):
            act()
            came = self.vault.deposited(address) - self.vault.deposits(address, self.vault.epoch())
            asked = w.FollowVault(
                member=member, deposited=came, requested=self.vault.requested(address)
            )
            self.desk.attempt(asked)
            if wallet.requested == asked.requested:
                return
        raise AssertionError(f"{member} asked for what is neither there nor spent")

    def end_requests(self) -> None:
        self.desk.do(c.Restart())

    def contest(self, member: str) -> None:
        self.show(member)
        address = self.people[member].address
        for id_ in range(1, self.vault.withdrawal_count() + 1):
            found = self.vault.withdrawals(id_)
            if found[0] == address and found[2] > self.vault.final()[4]:
                signed = self.vault.signed(address)
                if signed > found[5] and found[4] - min(found[4], signed - found[5]) < found[1]:
                    self.vault.contest(id_, sender=self.chain.operator.address)

    def show(self, member: str) -> None:
        """Vouchers of every lane, for just what is final on it: they prove what was cut."""
        person, wallet = self.people[member], self.desk.state.wallets[member]
        for lane, amount in standing(self.desk.state, member).items():
            if amount > self.vault.lanes(person.address, lane):
                limit = wallet.lanes[lane].permit.limit
                how = {"lane": lane, "key": self.session, "limit": limit}
                self.chain.acknowledge(person, amount, **how)

    def leaves(self) -> list[ms.Leaf]:
        epoch, final = self.vault.epoch(), self.vault.final()[4]
        flows = {}
        for person in (*self.people.values(), self.stranger):
            late = self.vault.deposits(person.address, epoch)
            assert not self.vault.requests(person.address, epoch)
            into, out = self.vault.deposited(person.address), self.vault.requested(person.address)
            flows[person.address.lower()] = into - late - out
        wallets = self.desk.state.wallets.values()
        closed = {wallet.address: wallet.closed for wallet in wallets}
        for member, wallet in self.desk.state.wallets.items():
            assert sum(standing(self.desk.state, member).values()) == wallet.closed.spent
            assert wallet.requested == self.vault.requested(wallet.address)
        leaf, _ = self.chain.final.show(self.house)
        moved = range(final + 1, epoch)
        flow = sum(self.vault.deposits(self.house.address, at) for at in moved)
        house = House(self.house.bytes, ms.Leaf(self.house.bytes, *leaf[1:]), flow)
        cover = self.vault.cover()
        made = build(flows, closed, cover, house, PICO)
        assert (made.short, made.total) == (0, cover)
        desk = {leaf.account: leaf for leaf in made.leaves}
        for member, wallet in self.desk.state.wallets.items():
            found = desk.get(self.people[member].bytes, ms.Leaf(b"", 0, 0))
            assert (found.balance, found.spent) == (wallet.closed.balance, wallet.closed.spent)
        return made.leaves

    def receipts(self, closed: list[e.BatchClosed]) -> list[bytes]:
        """Leaf hashes of the batch just closed, one after the other as they became final."""
        found: list[bytes] = []
        before: list[bytes] = []
        for event in self.desk.events:
            receipt = model.final(event)
            if receipt is not None:
                found.append(receipt_leaf(receipt))
            elif isinstance(event, e.BatchClosed):
                found, before = [], found
        return before if closed else []

    # What the vault says ------------------------------------------------------------------

    def everybody(self) -> dict[str, Person]:
        return {**self.people, "stranger": self.stranger, "house": self.house}

    def accept(self, leaves: list[ms.Leaf], closed: list[e.BatchClosed]) -> None:
        batch = self.chain.submit(leaves)
        for who, person in self.everybody().items():
            if self.at_stake(person):
                self.answer(self.chain.challenge(person), who, batch)
        self.chain.finalise()
        if closed:
            top, receipts = closed[0].receipts_root, batch.receipts
            assert merkle.root(receipts) == top
            number = self.vault.final()[0]
            for index, receipt in enumerate(receipts):
                path = merkle.path(receipts, index)
                said = (number, top, len(receipts), receipt, index, path)
                assert self.vault.has_receipt(*said)

    def at_stake(self, person: Person) -> bool:
        """Whether the vault takes a challenge: a leaf of nothing has nothing to lose."""
        leaf, _ = self.chain.final.show(person)
        epochs = range(self.vault.final()[4] + 1, self.vault.epoch())
        into = sum(self.vault.deposits(person.address, at) for at in epochs)
        out = sum(self.vault.requests(person.address, at) for at in epochs)
        return bool(leaf[1] + leaf[2] + into > out)

    def answer(self, id_: int, who: str, batch: Batch) -> None:
        person = self.everybody()[who]
        if who in self.people:
            self.show(who)
        leaf, proof = batch.show(person)
        if who == "house" and leaf[2] > self.vault.signed(person.address):
            self.chain.acknowledge(person, leaf[2])
        self.vault.answer(id_, leaf, proof, sender=self.chain.operator.address)

    def refuse_altered(
        self, leaves: list[ms.Leaf], place: int, balance: int, spent: int, why: str
    ) -> None:
        """One leaf is one unit off: the vault does not take the tree, or not the answer."""
        leaf = leaves[place]
        person = next(p for p in self.everybody().values() if p.bytes == leaf.account)
        new = leaf._replace(balance=leaf.balance + balance, spent=leaf.spent + spent)
        low = min(new.balance, new.spent) < 0 or person is self.house
        if low or not self.exact(leaf, person):
            return
        false = [*leaves[:place], new, *leaves[place + 1 :]]
        with boa.env.anchor():
            if balance > 0:
                with refused(why):
                    self.chain.submit(false)
                return
            receipts = self.chain.receipts
            batch = self.chain.submit(false)
            name = next(name for name, one in self.everybody().items() if one is person)
            id_ = self.chain.challenge(person)
            with refused(why):
                self.answer(id_, name, batch)
        self.chain.receipts, self.chain.sent = receipts, self.chain.final

    def exact(self, leaf: ms.Leaf, person: Person) -> bool:
        """Whether the account earned nothing since: only then is one unit less a theft that the
        vault can see by itself; else it needs the market's promise."""
        before, _ = self.chain.final.show(person)
        epochs = range(self.vault.final()[4] + 1, self.vault.epoch())
        into = sum(self.vault.deposits(person.address, at) for at in epochs)
        out = sum(self.vault.requests(person.address, at) for at in epochs)
        least = before[1] + before[2] + into - out
        return bool(leaf.balance + leaf.spent == least > 0)

    # The end ------------------------------------------------------------------------------

    def leave(self) -> None:
        """The operator is away: everyone gets his leaf and what he put in after its cut."""
        self.chain.close()
        for id_ in range(1, self.vault.withdrawal_count() + 1):
            found = self.vault.withdrawals(id_)
            if found[1] and found[2] <= self.vault.final()[4]:
                self.vault.pay(id_)
        for person in self.everybody().values():
            leaf, proof = self.chain.final.show(person)
            epochs = range(self.vault.final()[4] + 1, self.vault.epoch() + 1)
            due = leaf[1] + sum(self.vault.deposits(person.address, at) for at in epochs)
            before = self.chain.token.balanceOf(person.address)
            if due:
                self.vault.exit(leaf, proof, sender=person.address)
            assert self.chain.token.balanceOf(person.address) - before == due
        assert self.vault.backed() == 0


@settings(max_examples=settings.default.max_examples // 4)
@given(steps=steps)
def test_what_the_desk_calls_right_the_vault_takes_and_nothing_else(
    steps: list[tuple[str, int, int, bool]],
) -> None:
    market()  # before the anchor, so that it stays
    with boa.env.anchor():
        pair = Pair()
        for what, who, share, other in [*steps, ("settle", 1, 3, True)]:
            act: Callable[[int, int, bool], None] = getattr(pair, what)
            act(who, share, other)
        model.agree(pair.desk.state, pair.desk.events)
        pair.leave()
