"""The life of wallets: Hypothesis gives any custody command at any time, mixed with requests,
rights that pay, orders, transfers and recounts up and down.

Rule: any command at any time; what is refused must change nothing.
Invariant: check() holds, a naive sum of all history agrees about every wallet, lane and cut,
what a cut noted never falls, and replay gives the digest.
"""

from __future__ import annotations

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from allmende.core import commands as c
from allmende.core import custody_commands as w
from allmende.core import custody_events as f
from allmende.core import events as e
from allmende.core import exchange_commands as x
from allmende.core import machine, wallets
from allmende.core.contracts import LOT
from allmende.core.custody import GENERAL
from allmende.core.nouns import Key, Policy
from allmende.core.refusals import Refused, Why
from allmende.core.state import State
from allmende.core.units import CREDIT, SECOND, Units
from allmende.lab import model
from allmende.lab.floor import Floor, changed
from allmende.lab.world import ADDRESSES, START, ask, permit, secret

ENCODE = msgspec.json.Encoder().encode
DECODE = msgspec.json.Decoder(e.Any).decode
ASK = 202_400_000

members = st.sampled_from(["coop", "coop", "uni", "rhine"])
payees = st.sampled_from(["coop", "uni", "rhine", "author", "nordic"])
keys = st.sampled_from(["coop", "coop", "lab", "self", "s1", "s1", "s2", "s2", "part"])
tokens = st.sampled_from([0, 1, 100, 900, 1_000, 1_000, 10**9, -3])
usage = st.builds(Units, tokens, st.just(0), st.sampled_from([0, 10, 256, 256, 300]))
pays = st.sampled_from([("credit",), ("credit",), (), ("december",)])
lanes = st.sampled_from([0, 0, 1, 1, 2, 16])
amounts = st.sampled_from([-1, 0, 1, ASK, 3 * ASK, CREDIT, CREDIT, 40 * CREDIT])
waits = st.sampled_from([0, 1, 20, 61, 901, 3_601])
picks = st.integers(0, 10**6)


class Custody(RuleBasedStateMachine):
    """A floor where the co-operative, a provider that buys from itself, and others link."""

    @initialize(
        linked=st.sampled_from([True, True, True, False]),
        mode=st.sampled_from(["lab", "lab", "open"]),
    )
    def found(self, linked: bool, mode: str) -> None:
        self.floor = Floor(changed(end=START + 14_400 * SECOND), mode=mode)
        self.made = self.read = 0
        self.cuts: dict[str, tuple[int, int]] = {}
        self.do(c.AddBudget(id="rhine", name="Rhine", owner="rhine"))
        self.do(c.IssueKey(key=Key("self", secret("self"), "rhine", "spend", "rhine")))
        self.do(x.MintLots(instrument="december", grains=6 * LOT))
        for member in ("coop", "uni"):
            self.give("rhine", member, "december", 2 * LOT)
        if linked:
            for member in ("coop", "rhine"):
                self.link(member)
                self.permit(member, GENERAL, 20 * CREDIT, 3_600, True)
                self.permit(member, 1, 10 * CREDIT, 3_600, member == "coop")
            self.permit("coop", 2, 10 * CREDIT, 3_600, False)
            self.vouch("coop", 2, 9 * ASK)

    def do(self, command: c.Command) -> list[e.Event]:
        return list(self.floor.do(command))

    def try_(self, command: c.Command) -> list[e.Event]:
        """Do it, or be refused and see that nothing changed. [] if refused."""
        done = self.floor.attempt(command)
        if isinstance(done, Refused):
            assert done.facts.get("missing", 1) > 0
            return []
        return list(done)

    def name(self, kind: str) -> str:
        self.made += 1
        return f"{kind}-{self.made}"

    def pick(self, of: dict[str, object], number: int) -> str:
        known = [*sorted(of), "nothing"]
        return known[number % len(known)]

    def give(self, source: str, target: str, asset: str, amount: int) -> list[e.Event]:
        return self.try_(c.Transfer(source=source, target=target, asset=asset, amount=amount))

    # Wallets --------------------------------------------------------------------------

    @rule(member=members)
    def link(self, member) -> None:
        self.try_(w.LinkWallet(member=member, address=ADDRESSES[member]))

    @rule(member=members, lane=lanes, more=amounts, seconds=st.sampled_from([0, 30, 3_600]),
          sealed=st.booleans())  # fmt: skip
    def permit(self, member, lane, more, seconds, sealed) -> None:
        """Of a session: its budget and key are s1 or s2, whoever had them before."""
        wallet = self.floor.state.wallets.get(member)
        limit = (wallets.reached(wallet, lane) if wallet else 0) + more
        until = self.floor.now + seconds * SECOND
        given = permit(limit, lane, expires=until, sealed="s" if sealed or not lane else "")
        if not lane:
            self.try_(w.GrantPermit(member=member, permit=given))
            return
        budget = self.name("s")
        granted = w.GrantPermit(member=member, permit=given, budget=budget, parent=member)
        if self.try_(granted):
            self._key("s1" if lane == 1 else "s2", member, budget)

    def _key(self, name: str, member: str, budget: str) -> None:
        self.try_(c.RevokeKey(id=name))
        self.do(c.IssueKey(key=Key(name, secret(name), member, "spend", budget)))

    @rule(number=picks)
    def budget_below_a_session(self, number) -> None:
        parent = self.pick(self.floor.state.sessions, number)
        budget = self.name("part")
        if self.try_(c.AddBudget(id=budget, name="Part", parent=parent)):
            self._key("part", self.floor.state.budgets[budget].owner, budget)

    @rule(number=picks, limit=st.none() | amounts)
    def set_budget(self, number, limit) -> None:
        budget = self.pick(self.floor.state.budgets, number)
        done = self.try_(c.SetBudget(id=budget, limit=limit))
        assert not (done and budget in self.floor.state.sessions)

    @rule(member=members, lane=st.sampled_from([0, 1, 2, 2]), more=amounts)
    def vouch(self, member, lane, more) -> None:
        wallet = self.floor.state.wallets.get(member)
        at = wallet.lanes[lane].vouched if wallet and lane in wallet.lanes else 0
        self.try_(w.Vouch(member=member, lane=lane, amount=at + more, signature="0x"))

    @rule(member=members, came=amounts, went=amounts)
    def follow(self, member, came, went) -> None:
        wallet = self.floor.state.wallets.get(member)
        before = (wallet.deposited, wallet.requested) if wallet else (0, 0)
        asked = w.FollowVault(member=member, deposited=before[0] + came, requested=before[1] + went)
        if not self.try_(asked):
            return
        assert wallet is not None
        assert wallet.deposited == asked.deposited
        if wallet.requested != asked.requested:  # the rest is in business, or was spent
            free = self.floor.balance(member) - wallet.coming
            free -= wallets.opened(self.floor.state, member)
            assert (before[1] < wallet.requested < asked.requested) or not free
            assert self.floor.refuse(asked).why is Why.NO_CREDIT

    @rule(member=members, less=amounts)
    def contest(self, member, less) -> None:
        wallet = self.floor.state.wallets.get(member)
        if wallet is not None:
            requested = max(0, wallet.requested - abs(less))
            self.do(w.FollowVault(member=member, deposited=wallet.deposited, requested=requested))
            assert wallet.requested == requested

    @rule(close=st.booleans())
    def cut(self, close) -> None:
        if close:
            self.do(c.CloseBatch())
        self.do(w.CutWallets())

    # Requests -------------------------------------------------------------------------

    @rule(key=keys, pay=pays, into=st.sampled_from([0, 1_000, 9_000]))
    def reserve(self, key, pay, into) -> None:
        self.try_(ask(self.name("r"), key, policy=Policy(pay=pay), input_bound=into))

    @rule(key=keys, pay=pays, units=usage, pending=st.booleans(), counted=st.none() | usage,
          late=st.booleans())  # fmt: skip
    def serve(self, key, pay, units, pending, counted, late) -> None:
        """A request from beginning to end, or to its recount."""
        id_ = self.name("r")
        if self.try_(ask(id_, key, policy=Policy(pay=pay))):
            self.do(c.Capture(hold=id_, estimate=units, reported=units, pending=pending))
            if late:
                self.do(w.CutWallets())
            elif pending:
                self.do(c.Recount(counts=((id_, counted),)))

    @rule(key=keys, member=members, lane=lanes)
    def use_all_and_go_on(self, key, member, lane) -> None:
        """A receipt holds nothing more and is not final, while wallets and lanes change."""
        id_ = self.name("r")
        if self.try_(ask(id_, key, policy=Policy(pay=("credit",)))):
            bound = self.floor.state.holds[id_].bound
            self.do(c.Capture(hold=id_, estimate=bound, reported=bound, pending=True))
            self.link(member)
            self.permit(member, lane, CREDIT, 3_600, True)
            self.do(c.Recount(counts=((id_, Units(input=1)),)))

    @rule(number=picks, units=usage, pending=st.booleans())
    def capture(self, number, units, pending) -> None:
        hold = self.pick(self.floor.state.holds, number)
        self.try_(c.Capture(hold=hold, estimate=units, reported=units, pending=pending))

    @rule(number=picks, units=usage)
    def checkpoint(self, number, units) -> None:
        self.try_(c.Checkpoint(hold=self.pick(self.floor.state.holds, number), units=units))

    @rule(number=picks, fault=st.booleans())
    def void(self, number, fault) -> None:
        hold = self.pick(self.floor.state.holds, number)
        self.try_(c.Void(hold=hold, cause="x", fault=fault))

    @rule(number=picks, counted=st.none() | usage)
    def recount(self, number, counted) -> None:
        id_ = self.pick(self.floor.state.provisional, number)
        self.try_(c.Recount(counts=((id_, counted),)))

    # Money and rights -----------------------------------------------------------------

    @rule(source=payees, receiver=payees, amount=amounts | st.none())
    def transfer(self, source, receiver, amount) -> None:
        """None: all there is. Nobody with a wallet pays more than lane 0 allows."""
        wallet = self.floor.state.wallets.get(source)
        amount = self.floor.balance(source) if amount is None else amount
        before = wallets.general(wallet, wallets.opened(self.floor.state, source)) if wallet else 0
        if self.give(source, receiver, "credit", amount) and wallet and source != receiver:
            lane = wallet.lanes[GENERAL]
            assert not lane.ended
            assert before + amount <= lane.permit.limit

    @rule(member=payees, amount=amounts)
    def deposit(self, member, amount) -> None:
        self.try_(c.Deposit(member=member, amount=amount, reference=self.name("wire")))

    @rule(account=members, side=st.sampled_from(["buy", "buy", "sell"]), lots=st.integers(1, 9),
          price=st.sampled_from([9_900, 10_000, 10_000, 10_100]),
          term=st.sampled_from(["good", "good", "ioc"]))  # fmt: skip
    def order(self, account, side, lots, price, term) -> None:
        self.try_(
            x.PlaceOrder(
                id=self.name("o"),
                instrument="december",
                account=account,
                side=side,
                price=price,
                grains=lots * LOT // 5,
                term=term,
            )
        )

    @rule(number=picks, lots=st.integers(1, 9), price=st.sampled_from([9_900, 10_000, 10_100]))
    def amend(self, number, lots, price) -> None:
        order = self.pick(self.floor.state.orders, number)
        self.try_(x.AmendOrder(id=order, price=price, grains=lots * LOT // 5))

    @rule(lots=st.integers(-2, 2))
    def mint(self, lots) -> None:
        kind = x.MintLots if lots > 0 else x.RetireLots
        self.try_(kind(instrument="december", grains=abs(lots) * LOT))

    @rule(account=members, buyer=payees, side=st.sampled_from(["buy", "sell"]))
    def trade_by_quote(self, account, buyer, side) -> None:
        request, until = self.name("q"), self.floor.now + 60 * SECOND
        asked = {"instrument": "december", "account": account, "grains": LOT // 5}
        self.try_(x.RequestQuotes(id=request, until=until, **asked))
        given = x.Quote(id=self.name("o"), request=request, account=buyer, side=side, price=10_000)
        if self.try_(given):
            self.try_(x.AcceptQuote(id=given.id))

    @rule(account=members)
    def claim(self, account) -> None:
        said = {"instrument": "december", "account": account, "grains": LOT // 5}
        self.try_(x.ClaimDefault(id=self.name("c"), **said))

    @rule(account=members, grains=st.sampled_from([-LOT, 0, LOT // 5, LOT, 9 * LOT]))
    def wrap(self, account, grains) -> None:
        self.try_(
            w.WrapRights(
                id=self.name("w"),
                account=account,
                instrument="december",
                grains=grains,
                to=ADDRESSES["author"],
            )
        )

    @rule(number=picks, minted=st.booleans())
    def end_wrap(self, number, minted) -> None:
        self.try_(w.EndWrap(id=self.pick(self.floor.state.wraps, number), minted=minted))

    @rule(account=members, other=members, back=st.integers(0, 3))
    def wrap_and_back(self, account, other, back) -> None:
        """A lot goes to a wallet, and parts of it come back."""
        self.wrap(account, LOT)
        self.try_(w.EndWrap(id=f"w-{self.made}", minted=True))
        for _ in range(back):
            self.unwrap(other, LOT // 5, False)

    @rule(account=members, grains=st.sampled_from([-LOT, 0, LOT // 5, LOT]), known=st.booleans())
    def unwrap(self, account, grains, known) -> None:
        reference = "burn-1" if known else self.name("burn")
        self.try_(
            w.UnwrapRights(
                account=account, instrument="december", grains=grains, reference=reference
            )
        )

    # Time -----------------------------------------------------------------------------

    @rule(seconds=waits)
    def wait(self, seconds) -> None:
        self.floor.wait(seconds)
        for wallet in self.floor.state.wallets.values():
            live = [lane for lane in wallet.lanes.values() if not lane.ended]
            assert all(lane.permit.expires > self.floor.now for lane in live)

    @rule()
    def restart(self) -> None:
        self.try_(c.Restart())

    # What must be true after every step -----------------------------------------------

    @invariant()
    def agrees(self) -> None:
        """`Floor.do` has checked the machine's own invariants and the sum of the postings."""
        model.agree(self.floor.state, self.floor.events)

    @invariant()
    def what_was_cut_never_falls(self) -> None:
        for member, wallet in self.floor.state.wallets.items():
            closed = wallet.closed
            earned, spent = self.cuts.get(member, (0, 0))
            assert closed.earned >= earned
            assert closed.spent >= spent
            self.cuts[member] = closed.earned, closed.spent

    @invariant()
    def bids_of_wallets_end_with_their_permits(self) -> None:
        """Of the permit under which they came: it is the longest that the lane has had."""
        granted = [v for v in self.floor.events if isinstance(v, f.PermitGranted)]
        for working in self.floor.state.orders.values():
            order = working.order
            ends = [
                v.permit.expires for v in granted if v.member == order.account and not v.permit.lane
            ]
            if order.side == "buy" and order.account in self.floor.state.wallets:
                assert order.until <= max(ends)

    @invariant()
    def nothing_is_lost_in_json(self) -> None:
        for event in self.floor.events[self.read :]:
            assert DECODE(ENCODE(event)) == event
        self.read = len(self.floor.events)
        assert msgspec.json.decode(ENCODE(self.floor.state), type=State) == self.floor.state

    def teardown(self) -> None:
        if hasattr(self, "floor"):
            replayed = machine.replay(self.floor.events)
            assert machine.digest(replayed) == machine.digest(self.floor.state)


TestCustody = Custody.TestCase
TestCustody.settings = settings(
    max_examples=2 * settings.default.max_examples, stateful_step_count=40
)
