"""A random market's history as a journal file, for the tests of the read models.

Now and then it trades: rights to the model small, issued by its host, and to hours of a
machine, in windows of six days that follow each other. Two members have wallets, and follow a
vault; rights go to wallets and come back.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from pathlib import Path

from allmende.adapters.sqlite_journal import SqliteJournal
from allmende.core import charter_commands as h
from allmende.core import commands as c
from allmende.core import custody_commands as w
from allmende.core import drill_commands as d
from allmende.core import events as e
from allmende.core import evidence_commands as v
from allmende.core import exchange_commands as x
from allmende.core import jury_commands as j
from allmende.core import machine
from allmende.core.actors import Actor, Registry, Stake, Supply
from allmende.core.charter import GRANT, PARAMETER, Decision
from allmende.core.contracts import LOT, Instrument
from allmende.core.custody import CHAIN, Permit
from allmende.core.evidence import Assessment, Evidence
from allmende.core.nouns import Key, Member, Offer, Share, Title
from allmende.core.refusals import Refused
from allmende.core.state import State
from allmende.core.units import CREDIT, DAY, SECOND, EnergyRate, Instant, Tariff, Units, Zone
from allmende.wire.journal import GENESIS, Frame, frame

START: Instant = 1_790_000_000 * SECOND
MODELS = ("small", "large")
RICH = 10**30
WALLETS = {"a": "0x" + "a1" * 20, "host": "0x" + "b2" * 20}
OPERATOR = "9" * 64
FOREVER = START + 10**5 * DAY
TOLD = {"source": "the register", "date": "2026-01-01"}
REGISTRY = Registry(
    actors=(
        Actor("hosting", "Hosting", "FRA", roles=("host",), accounts=("host",), **TOLD),
        Actor("holding", "Holding", "USA", **TOLD),
    ),
    stakes=(Stake("holding", "hosting", votes_ppm=600_000, economic_ppm=500_000, **TOLD),),
    supplies=(Supply("offer", "o0", "chip", "holding", **TOLD),),
)


def founding() -> list[c.Command]:
    """Two organisations, three keys on a tree of budgets, two hosts; prices up to 10**15."""
    people = (("a", "organisation", ""), ("b", "organisation", ""), ("a1", "person", "a"))
    hosts = (("host", "provider", ""), ("other", "provider", ""), ("author", "person", ""))
    return [
        c.Found(at=START, market="m", name="M", mode="lab", operator="op", public_key="00" * 32),
        *(c.AddMember(at=START, member=Member(i, f"={i}", k, h)) for i, k, h in people + hosts),
        c.RegisterAsset(at=START, id="gold", issuer="b", name="Gold"),
        c.Deposit(at=START, member="a", amount=RICH, reference="1"),
        c.Mint(at=START, member="b", asset="gold", amount=RICH),
        c.AddBudget(at=START, id="top", name="Top", owner="a", period="month"),
        c.AddBudget(at=START, id="low", name="=Low", parent="top", limit=RICH // 2),
        c.AddBudget(at=START, id="gold", name="Gold", owner="b", asset="gold"),
        c.IssueKey(at=START, key=Key("k1", "1" * 64, "a", "spend", "top")),
        c.IssueKey(at=START, key=Key("k2", "2" * 64, "a1", "spend", "low", max_rate=10**15)),
        c.IssueKey(at=START, key=Key("k3", "3" * 64, "b", "spend", "gold", models=MODELS)),
        c.IssueKey(at=START, key=Key("k9", OPERATOR, "op", "operate")),
        c.RegisterTitle(
            at=START,
            title=Title("t", "author", "model", "T", (Share("author", "author", 123_457),)),
        ),
        *(offer(random.Random(7), i) for i in range(4)),
        c.RegisterTitle(at=START, title=Title("box", "host", "machine", "Box")),
        c.Deposit(at=START, member="host", amount=RICH, reference="2"),
        c.ImportActors(at=START, registry=REGISTRY, source="by hand"),
        c.SetParameter(at=START, name="call_seconds", value=0),
        c.SetParameter(at=START, name="drills_allowed", value=1),
        c.SetParameter(at=START, name="drill_seconds", value=3_600),
        c.SetParameter(at=START, name="breaker_ppm", value=10_000_000),
        j.CallJury(at=START, size=2, source="block 7"),
        j.DrawJury(at=START, id="1", seed="ab" * 32),
        h.GiveCharter(at=START, assembly="0x" + "c3" * 20, chain_id=1),
        h.Enact(at=START, decision=Decision(1, PARAMETER, "notice_seconds", 3_600, START)),
        h.Enact(at=START, decision=Decision(2, GRANT, "a", RICH, START)),
    ]


def instrument(kind: str, at: Instant) -> Instrument:
    """A window of six days from now: of a model, or of a machine's seconds."""
    model = kind == "model"
    return Instrument(
        id=f"{kind}-{at}",
        issuer="host",
        title="t" if model else "box",
        model="small",
        offer="o0",
        start=at,
        end=at + 6 * DAY,
        capacity=50 * LOT,
        price=10_000,
        zone=Zone("DEU", "Op"),
        kind=kind,
        weights=Tariff(100, 20, 400) if model else Tariff(second=10**6),
    )


def offer(luck: random.Random, index: int, at: Instant = START) -> c.PostOffer:
    rate = luck.choice((0, 150_000, 10**15))
    return c.PostOffer(
        at=at,
        offer=Offer(
            f"o{index}",
            ("host", "other")[index % 2],
            "t",
            MODELS[index % 2],
            ("credit", "gold")[index // 2],
            Tariff(rate, None, rate * 4 if rate < 10**15 else rate),
            Zone(luck.choice(("DEU", "FRA")), "Op"),
            "http://10.0.0.7:1/v1",
            sealed_secret="sealed",
            energy=EnergyRate((10, 20), (100, 300), (300, 400), "guess"),
        ),
    )


class Market:
    """Takes random steps; every fact is in `events`."""

    def __init__(self, seed: int) -> None:
        self.luck = random.Random(seed)
        self._other = random.Random(seed + 1)
        self._drills = random.Random(seed + 2)
        self._papers = random.Random(seed + 3)
        self.state = State()
        self.events: list[e.Event] = []
        self.at = START
        self._ids = 0
        for command in founding():
            self.submit(command)
        for member, address in WALLETS.items():
            self.submit(w.LinkWallet(at=START, member=member, address=address))
            self.submit(w.GrantPermit(at=START, member=member, permit=self._permit(0, 10**38)))

    def submit(self, command: c.Command) -> None:
        try:
            found = machine.decide(self.state, command)
        except Refused:
            return
        for event in found:
            machine.apply(self.state, event)
        self.events += found

    def run(self, steps: int) -> Market:
        for _ in range(steps):
            self.at += self.luck.choice((0, 1, SECOND, 700 * SECOND, 9_000 * SECOND))
            self.submit(self._step())
            if self._other.random() < 0.1:
                self.submit(self._custody())
            if self._papers.random() < 0.03:
                self.submit(self._paper())
            if self._drills.random() < 0.05:
                self.submit(self._drill())
        return self

    def _permit(self, lane: int, limit: int) -> Permit:
        luck = self._other
        ends = self.at + luck.choice((DAY, 40 * DAY)) if lane else FOREVER
        sealed = "sealed" if not lane or luck.random() < 0.5 else ""
        models = MODELS[:1] * (lane == 2)
        return Permit(lane, "0x" + "5e" * 20, limit, models, ends, "a signature", sealed)

    def _drill(self) -> c.Command:
        luck, at = self._drills, self.at
        one = luck.choice([*self.state.drills, "none"])
        offers = tuple(luck.sample([f"o{i}" for i in range(4)], luck.randint(1, 2)))
        started = d.StartDrill(
            at=at, id=f"drill{at}", offers=offers, seconds=3_600, label="country=DEU"
        )
        ended, noted = d.EndDrill(at=at, id=one), d.NoteDrill(at=at, id=one, refused=3)
        return luck.choice((started, started, ended, noted, c.Tick(at=at)))

    def _paper(self) -> c.Command:
        """Of sovereignty; the floors demand nothing, so that nobody is refused for them."""
        luck, at, by = self._papers, self.at, OPERATOR
        one = luck.choice([*self.state.evidence, "none"])
        until = at + luck.choice((1, 40)) * DAY
        new = Evidence(f"e{at}", "SOV-1", 2, "claim", "auditor", at, until, "0" * 64, "host")
        said = Assessment("US", 1, 1, "because", "Ada", until, "host")
        floor = (("SOV-1", 0),) * luck.randint(0, 1)
        filed = v.FileEvidence(at=at, by=by, evidence=new)
        confirmed = v.ConfirmEvidence(at=at, by=by, id=one)
        ended = v.WithdrawEvidence(at=at, by=by, id=one)
        signed = v.Assess(at=at, by=by, assessment=said)
        lower = v.SetFloor(at=at, budget="top", min_seal=floor)
        return luck.choice((filed, filed, confirmed, ended, signed, lower, c.Tick(at=at)))

    def _custody(self) -> c.Command:
        luck, at, state = self._other, self.at, self.state
        member = luck.choice(sorted(WALLETS))
        wallet, lane = state.wallets[member], luck.choice((1, 2))
        stands = wallet.lanes[lane].vouched if lane in wallet.lanes else 0
        more, id_ = luck.randrange(CREDIT), f"w{at}{len(self.events)}"
        into, out = wallet.deposited + more, wallet.requested + luck.choice((0, more // 2, -more))
        right = luck.choice([*state.listings, "none"])
        permit = self._permit(lane, stands + 2 * more + 1)
        return luck.choice(
            (
                w.GrantPermit(at=at, member="a", permit=permit, budget=id_, parent="top"),
                w.Vouch(at=at, member="a", lane=lane, amount=stands + more, signature="its own"),
                *[w.FollowVault(at=at, member=member, deposited=into, requested=max(0, out))] * 3,
                w.CutWallets(at=at),
                w.WrapRights(
                    at=at, id=id_, account=member, instrument=right, grains=LOT, to=WALLETS["a"]
                ),
                *[w.EndWrap(at=at, id=id_, minted=luck.random() < 0.7) for id_ in state.wraps][:1],
                w.UnwrapRights(
                    at=at,
                    account=member,
                    instrument=right,
                    grains=state.balances.get(right, {}).get(CHAIN, 0) // 2,
                    reference=id_,
                ),
            )
        )

    def _step(self) -> c.Command:
        luck, at, state = self.luck, self.at, self.state
        kind = luck.random()
        if kind < 0.3:
            self._ids += 1
            key = luck.choice("123") * 64
            return c.Reserve(
                at=at,
                id=f"r{self._ids}",
                key=key,
                endpoint="chat/completions",
                model=luck.choice(MODELS),
                input_bound=luck.choice((10, 100_000)),
                output_bound=luck.choice((5, 4_000)),
            )
        if kind < 0.56 and state.holds:
            return self._end(luck.choice(list(state.holds)))
        if kind < 0.84:
            return self._exchange()
        if kind < 0.93 and state.provisional:
            chosen = luck.sample(list(state.provisional), min(3, len(state.provisional)))
            return c.Recount(at=at, counts=tuple((id_, self._counted()) for id_ in chosen))
        return self._rare()

    def _exchange(self) -> c.Command:
        luck, at, state = self.luck, self.at, self.state
        kind = luck.choice(("model", "machine"))
        live = [i for i in state.listings if i.startswith(kind)]
        if not live:
            return x.ListInstrument(at=at, instrument=instrument(kind, at))
        self._ids += 1
        id_, right = f"x{self._ids}", luck.choice(live)
        account, lots = luck.choice(("a", "b", "host")), luck.randrange(1, 9)
        grains = lots * LOT
        used = luck.choice((Units(second=lots), Units(input=lots)))
        return luck.choice(
            (
                *[x.MintLots(at=at, instrument=right, grains=grains)] * 2,
                x.RetireLots(at=at, instrument=right, grains=LOT),
                *(self._order(id_, right, account, grains) for _ in range(6)),
                x.AmendOrder(at=at, id=self._open(), price=10_000, grains=LOT),
                x.CancelOrder(at=at, id=self._open()),
                x.RequestQuotes(
                    at=at, id=id_, instrument=right, account="a", grains=grains, until=at + DAY
                ),
                self._quote(id_),
                x.AcceptQuote(at=at, id=self._open()),
                x.Redeem(at=at, id=id_, instrument=right, account=account, units=used),
                x.ClaimDefault(at=at, id=id_, instrument=right, account=account, grains=LOT),
                x.OpenCall(at=at, instrument=right, until=at + 60 * SECOND),
                x.SetTier(at=at, member=account, tier=2),
            )
        )

    def _order(self, id_: str, right: str, account: str, grains: int) -> x.PlaceOrder:
        return x.PlaceOrder(
            at=self.at,
            id=id_,
            instrument=right,
            account=account,
            side="sell" if account == "host" or self.luck.random() < 0.3 else "buy",
            price=self.luck.choice((9_800, 10_000, 10_200)),
            grains=grains,
            term=self.luck.choice(("good", "good", "good", "ioc", "post")),
            guard=self.luck.choice(("newest", "oldest")),
        )

    def _quote(self, id_: str) -> x.Quote:
        asked = self.luck.choice([*self.state.requests, "none"])
        return x.Quote(at=self.at, id=id_, request=asked, account="host", side="sell", price=10_100)

    def _open(self) -> str:
        return self.luck.choice([*self.state.orders, "none"])

    def _end(self, hold: str) -> c.Command:
        luck, at = self.luck, self.at
        if luck.random() < 0.1:
            return c.Void(at=at, hold=hold, cause="died", fault=True)
        units = Units(input=luck.randrange(100_000), output=luck.randrange(4_000), cached=7)
        return c.Capture(
            at=at,
            hold=hold,
            estimate=units,
            reported=units if luck.random() < 0.8 else None,
            outcome=luck.choice(("complete", "complete", "client_left")),
            pending=luck.random() < 0.6,
        )

    def _counted(self) -> Units | None:
        if self.luck.random() < 0.3:
            return None
        return Units(input=self.luck.randrange(100_000), output=self.luck.randrange(4_000))

    def _rare(self) -> c.Command:
        luck, at = self.luck, self.at
        index = luck.randrange(4)
        return luck.choice(
            (
                c.Tick(at=at),
                c.Tick(at=at),
                c.CloseBatch(at=at),
                c.Transfer(at=at, source="a", target="b", asset="credit", amount=CREDIT),
                c.Deposit(at=at, member="b", amount=at, reference=str(at)),
                offer(luck, index, at),
                c.WithdrawOffer(at=at, id=f"o{index}"),
                c.SetBudget(at=at, id="low", limit=luck.randrange(RICH)),
                c.SetParameter(at=at, name="levy_ppm", value=luck.randrange(100_000)),
                c.SetParameter(
                    at=at, name="operator_fee_ppm", value=index, effective=at + 60 * SECOND
                ),
            )
        )


def frames(events: Sequence[e.Event], seed: int = 0) -> Iterator[Frame]:
    """The same events in groups of 1 to 20."""
    luck, done, prev = random.Random(seed), 0, GENESIS
    while done < len(events):
        group = events[done : done + luck.randrange(1, 21)]
        found = frame(done + 1, group, prev)
        done, prev = done + len(group), found.head
        yield found


def write(path: Path, found: Iterator[Frame]) -> SqliteJournal:
    """A journal file of these frames."""
    journal = SqliteJournal(path)
    for each in found:
        journal.append(each)
    return journal
