"""A market that settles on real contracts, for tests: one desk, one chain, time moved by hand.

    async with town(tmp_path) as t:
        await t.deposit(ANNA, 5 * CREDIT)
        await t.run(3)
        assert t.balance("anna") == 5 * CREDIT

The deployment is made once per run of the tests and copied. Anna is a buyer, Paul a provider, both
with wallets; uni is a member without one, that the house stands for.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
from chains import ACCOUNT, ETHER, NODE, OTHER, Rig, anvil
from deployed import contracts, plan
from eth_utils import keccak
from killing import Killed
from market import HandClock, Signer
from settling_nodes import BORN_S, AnvilByHand, OurNode

from allmende.adapters.chain.account import Account
from allmende.adapters.chain.custody import ChainCustody
from allmende.adapters.chain.deploy import deploy
from allmende.adapters.chain.outbox import Outbox
from allmende.adapters.chain.profiles import EMBEDDED, Profile
from allmende.adapters.chain.reader import Reader
from allmende.adapters.chain.signing import Keys
from allmende.adapters.chain.submitter import Submitter
from allmende.adapters.chain.terms import LOCAL, Norm
from allmende.adapters.secrets import Vault
from allmende.adapters.sqlite_journal import SqliteJournal
from allmende.adapters.trees import SqliteTrees, _tree
from allmende.adapters.views import SqliteViews
from allmende.adapters.views_worker import follow
from allmende.core import commands as c
from allmende.core import events as e
from allmende.core.custody import Permit
from allmende.core.custody_commands import GrantPermit, LinkWallet, Vouch
from allmende.core.nouns import Key, Member, Offer, Title
from allmende.core.units import CREDIT, SECOND, Instant, Tariff, Units, Zone
from allmende.custody import ContractCall, Deployment, VaultSeen
from allmende.desk import Desk
from allmende.doors.settler import Settler
from allmende.ports import ChainFailed, Mined, Wanted
from allmende.trees import Tree
from allmende.wire import merkle_sum as ms
from allmende.wire import voucher as v
from allmende.wire.journal import GENESIS, events
from allmende.wire.journal import follow as follow_frames
from allmende.wire.merkle_sum import Leaf, Proof

ANNA = Account(keccak(text="anna"))
PAUL = Account(keccak(text="paul"))
CARL = Account(keccak(text="carl"))
BORE = Account(keccak(text="who fills blocks"))
KEYS = {"anna": "a" * 64, "uni": "b" * 64}
FOREVER: Instant = (BORN_S + 10**9) * SECOND
TOKEN = CREDIT // 1_000
"""Pico-credits that one token costs; 94 % of it are the provider's."""
NORM: Norm = msgspec.structs.replace(
    LOCAL, window=100, response=50, silence=20_000, delay=60, pause_max=100, pause_gap=100,
    grace=1_000,
)  # fmt: skip
TIGHT: Norm = msgspec.structs.replace(NORM, rate_ppm=0, floor_units=2)
"""Two credits leave per day."""
MARKET = OTHER
RICH = [one.address for one in (ACCOUNT, ANNA, PAUL, CARL, BORE)]


def play(folder: Path, scenario: Callable[[Town], Any], **options: Any) -> None:
    """Run a scenario in a town of its own."""

    async def run() -> None:
        async with town(folder, **options) as t:
            await scenario(t)

    if NODE.get() == "embedded":
        template(options.get("norm", NORM))
    asyncio.run(run())


@contextlib.asynccontextmanager
async def town(folder: Path, **options: Any) -> AsyncIterator[Town]:
    norm, clock = options.pop("norm", NORM), HandClock((BORN_S + 1_000) * SECOND)
    async with standing(folder, norm, clock) as (node, made):
        t = Town(folder, made, node, clock, **options)
        await t.open()
        try:
            yield t
        finally:
            await t.close()


@contextlib.asynccontextmanager
async def standing(
    folder: Path, norm: Norm, clock: HandClock
) -> AsyncIterator[tuple[OurNode | AnvilByHand, Deployment]]:
    """A node with a finished deployment: ours from a copy, anvil's anew."""
    if NODE.get() == "embedded":
        made = template(norm)
        for file in ("chain.sqlite", "outbox.sqlite"):
            shutil.copy(made[0] / file, folder / file)
        yield OurNode(folder, clock, RICH), made[1]
        return
    async with anvil("--no-mining", "--timestamp", str(BORN_S)) as theirs:
        for address in RICH:
            await theirs.ask("anvil_setBalance", (address, hex(100 * ETHER)))
        early = HandClock(BORN_S * SECOND)
        made_there = await _deploy(AnvilByHand(theirs, early), folder, norm, early)
        yield AnvilByHand(theirs, clock), made_there


@cache
def template(norm: Norm) -> tuple[Path, Deployment]:
    """A folder with the chain of a finished deployment, where everybody has money."""
    folder, clock = Path(tempfile.mkdtemp()), HandClock(BORN_S * SECOND)

    async def work() -> Deployment:
        return await _deploy(OurNode(folder, clock, RICH), folder, norm, clock)

    with ThreadPoolExecutor(1) as thread:
        return folder, thread.submit(asyncio.run, work()).result()


async def _deploy(
    node: OurNode | AnvilByHand, folder: Path, norm: Norm, clock: HandClock
) -> Deployment:
    outbox, chain = Outbox(folder / "outbox.sqlite"), Reader(node.ask, node.close)
    sender = Submitter(chain, outbox, ACCOUNT, EMBEDDED, clock)
    rig = Rig("embedded", chain, EMBEDDED)
    made = await deploy(chain, sender, contracts(), plan(rig, norm=norm))
    custody = ChainCustody(chain, made, contracts(), EMBEDDED, clock)
    for one in (ACCOUNT, ANNA, PAUL, CARL):
        key = f"mint {one.address}"
        sender.put(Wanted(key, *custody.mint_credit(one.address, 1_000 * CREDIT)))
    await sender.step()
    await sender.step()
    for one in (ANNA, PAUL, CARL):
        other = Rig("embedded", chain, EMBEDDED, one)
        call = custody.approve(made.vault, 2**255)
        assert (await other.send(*call)).ok
    await chain.close()
    outbox.close()
    return made


class Town:
    """Everything of one market. `open` and `crash` make all but the chain anew from the disk."""

    def __init__(
        self,
        folder: Path,
        deployment: Deployment,
        node: OurNode | AnvilByHand,
        clock: HandClock,
        *,
        profile: Profile = EMBEDDED,
        every_s: int = 0,
        watch: Callable[[Any], Any] = lambda thing: thing,
    ) -> None:
        self.folder = folder
        self.deployment = deployment
        self.profile = profile
        self.every_s = every_s
        self.watch = watch
        self.clock = clock
        self.node = node
        self.chain = Reader(self._ask, self._end)
        self.trouble = ""
        """While this is set the node answers nothing else."""
        self.lie: Callable[[str, Any], Any] = lambda method, told: told
        self._sent: list[bytes] = []
        self.after_step: Callable[[], Awaitable[None]] = nothing
        self.shaken = 0
        self.keys = Keys(Vault(bytes(32)), ACCOUNT, MARKET)
        self._count = 0
        self.deaths = 0

    # --- coming and going ----------------------------------------------------------------

    async def open(self) -> None:
        files = self.folder
        self.outbox = Outbox(files / "outbox.sqlite")
        self.sender = Submitter(self.chain, self.outbox, ACCOUNT, self.profile, self.clock)
        self.custody = ChainCustody(
            self.chain, self.deployment, contracts(), self.profile, self.clock
        )
        self.journal = SqliteJournal(files / "journal.sqlite")
        self.desk = Desk(self.journal, Signer(), self.clock)
        await self.desk.start()
        if self.desk.state.market is None:
            await self.found()
        self.trees = SqliteTrees(files / "trees.sqlite")
        self.views = SqliteViews(files / "views.sqlite", self.fold)
        self.settler = Settler(
            *(self.watch(self.desk), self.clock, self.watch(self.custody), self.keys),
            *(self.watch(self.sender), self.watch(self.trees), self.watch(self.views)),
            every_s=self.every_s,
        )

    def fold(self) -> None:
        follow(self.folder / "journal.sqlite", self.folder / "views.sqlite", lambda: False)

    async def leave(self) -> None:
        """Let go of the files, as a process that ends."""
        await self.views.close()
        self.trees.close()
        self.outbox.close()
        self.journal.close()

    async def close(self) -> None:
        await self.desk.close()
        await self.leave()
        await self.chain.close()

    async def crash(self) -> None:
        """What was not durable is gone; come back from what was."""
        desk = self.desk
        desk._group.clear()
        if desk._committing is not None:
            await asyncio.wait([desk._committing])
        desk._writer.end()
        await self.leave()
        await self.open()

    # --- the node ------------------------------------------------------------------------

    async def _ask(self, method: str, params: Sequence[Any] = ()) -> Any:
        if self.trouble:
            raise ChainFailed(self.trouble, "as the test wants it")
        return self.lie(method, await self.node.ask(method, params))

    async def _end(self) -> None:
        await self.node.close()

    async def remember(self) -> int:
        """Keep the chain as it is: the number of its newest block."""
        return await self.node.remember()

    async def reorganise(self, number: int, *, keep: bool) -> None:
        """Another history from block `number` on; what others sent is sent again if `keep`."""
        await self.node.go_back(number)
        await self.mine()
        for raw_ in self._sent if keep else []:
            with contextlib.suppress(ChainFailed):  # it is there, or does not fit any more
                await self.chain.send(raw_)

    async def mine(self, blocks: int = 1) -> None:
        """Blocks that hold nothing of interest."""
        for _ in range(blocks):
            rig = Rig("embedded", self.chain, EMBEDDED, BORE)
            assert (await rig.send(BORE.address, gas=21_000)).ok

    async def found(self) -> None:
        at = self.clock.now()
        offer = Offer(
            "o", "paul", "t", "smol", "credit", Tariff(0, None, TOKEN), Zone("DEU"), "http://h/v1",
            max_output=10**6,
        )  # fmt: skip
        commands: list[c.Command] = [
            c.Found(at=at, market="m", name="M", mode="open", operator="op", public_key="0" * 64),
            *(c.AddMember(at=at, member=Member(i, i, "person")) for i in ("anna", "uni")),
            c.AddMember(at=at, member=Member("paul", "Paul", "provider")),
            c.Deposit(at=at, member="uni", amount=10 * CREDIT, reference="wire 1"),
            *(LinkWallet(at=at, member=m, address=a.address) for m, a in WALLETS.items()),
            *(c.AddBudget(at=at, id=m, name=m, owner=m) for m in KEYS),
            *(c.IssueKey(at=at, key=Key(m, KEYS[m], m, "spend", m)) for m in KEYS),
            c.RegisterTitle(at=at, title=Title("t", "paul", "model", "T")),
            c.PostOffer(at=at, offer=offer),
        ]
        for command in commands:
            await self.desk.submit(command)
        await self.permit("anna", 100 * CREDIT)

    # --- the desk ------------------------------------------------------------------------

    async def permit(self, member: str, limit: int, **more: Any) -> Account | None:
        """Its wallet's permit; `own` has the session's key with the member. That key, if so."""
        own, lane = more.get("own"), more.get("lane", 0)
        key, sealed = (own.address, "") if own else self.keys.fresh()
        expires = more.get("expires", FOREVER)
        said = v.Permit(
            *(raw(WALLETS[member].address), raw(key), lane, limit, bytes(32)),
            expires // SECOND,
        )
        signed = WALLETS[member].sign_digest(v.permit_digest(self.custody.domain, said, keccak))
        permit = Permit(lane, key, limit, (), expires, signed.hex(), sealed)
        self._count += 1
        budget, parent = (f"s{self._count}", member) if lane else ("", "")
        at = self.clock.now()
        await self.desk.submit(
            GrantPermit(at=at, member=member, permit=permit, budget=budget, parent=parent)
        )
        if lane:
            secret = f"{self._count:064d}"
            await self.desk.submit(
                c.IssueKey(at=at, key=Key(budget, secret, member, "spend", budget))
            )
            self.session = secret
        return own

    async def vouch(self, member: str, lane: int, amount: int, key: Account) -> None:
        channel = v.channel(raw(WALLETS[member].address), lane, keccak)
        digest = v.voucher_digest(self.custody.domain, channel, amount, keccak)
        signed = key.sign_digest(digest).hex()
        await self.desk.submit(
            Vouch(at=self.clock.now(), member=member, lane=lane, amount=amount, signature=signed)
        )

    async def hold(self, member: str, tokens: int, *, key: str = "") -> str:
        self._count += 1
        id_ = f"r{self._count}"
        await self.desk.submit(
            c.Reserve(
                at=self.clock.now(), id=id_, key=key or KEYS[member], endpoint="chat/completions",
                model="smol", input_bound=1, output_bound=tokens,
            )
        )  # fmt: skip
        return id_

    async def spend(self, member: str, tokens: int, *, key: str = "") -> str:
        """One request, final at once: the receipt's id."""
        id_ = await self.hold(member, tokens, key=key)
        return await self.capture(id_, tokens)

    async def capture(self, id_: str, tokens: int, *, pending: bool = False) -> str:
        units = Units(1, 0, tokens)
        await self.desk.submit(
            c.Capture(
                at=self.clock.now(), hold=id_, estimate=units, reported=units, pending=pending
            )
        )
        return id_

    def balance(self, member: str) -> int:
        return self.desk.state.balances["credit"].get(member, 0)

    # --- the chain -----------------------------------------------------------------------

    async def by(self, account: Account, call: ContractCall) -> Mined:
        other = Rig("embedded", self.chain, EMBEDDED, account)
        signed = await other.sign(call.to, call.data, gas=3_000_000)
        self._sent.append(signed.raw)
        return await other.wait(await self.chain.send(signed.raw))

    async def deposit(self, account: Account, amount: int) -> None:
        assert (await self.by(account, self.custody.deposit(account.address, amount))).ok

    async def house_deposit(self, amount: int) -> None:
        """Somebody deposits for the house."""
        assert (await self.by(CARL, self.custody.deposit(ACCOUNT.address, amount))).ok

    async def ask(self, member: str, amount: int) -> bool:
        call = self.custody.ask(*await self.leaf_of(WALLETS[member]), amount)
        return (await self.by(WALLETS[member], call)).ok

    async def leaf_of(self, account: Account, *, pending: bool = False) -> tuple[Leaf, Proof]:
        """In the final tree, or in the pending one."""
        tree = self.trees.newest() if pending else self.trees.final()
        leaves = self.trees.leaves(tree.serial) if tree is not None else []
        for place, leaf in enumerate(leaves):
            if leaf.account == raw(account.address):
                return leaf, ms.proof(ms.levels(leaves, keccak), place)
        return Leaf(raw(account.address), 0, 0), Proof(0, ())

    async def challenge(self, member: str) -> int:
        """Carl has the member's leaf of the pending batch shown: the challenge's number."""
        call = self.custody.challenge_leaf(*await self.leaf_of(WALLETS[member]))
        assert (await self.by(CARL, call)).ok
        return (await self.look()).challenge_count

    def all_trees(self) -> list[Tree]:
        rows = self.trees._db.execute("SELECT facts, state FROM trees ORDER BY serial")
        return [_tree(*row) for row in rows]

    def events(self) -> list[e.Any]:
        frames = follow_frames(self.journal.frames(), 1, GENESIS)
        return [event for frame in frames for event in events(frame.body)]

    async def look(self) -> VaultSeen:
        return await self.custody.look(await self.custody.newest_block())

    # --- going on ------------------------------------------------------------------------

    async def step(self) -> None:
        """Until nobody dies on the way."""
        while await self.dies(self.settler.step()):
            await self.crash()
        await self.sender.step()
        await self.after_step()

    async def dies(self, duty: Awaitable[None]) -> bool:
        before = self.deaths
        try:
            await duty
        except Killed:
            self.deaths += 1
        return self.deaths > before

    async def run(self, steps: int = 4, seconds: int = 1) -> None:
        for _ in range(steps):
            await self.step()
            self.clock.at += seconds * SECOND

    async def until(self, done: Callable[[], Any], steps: int = 40, seconds: int = 5) -> None:
        for _ in range(steps):
            if done():
                return
            await self.run(1, seconds)
        raise AssertionError(f"not within {steps} steps: {self.settler.status()}")

    async def pending(self, receipts: int = 0) -> VaultSeen:
        """The chain when a batch is pending that was not submitted yet, with so many receipts."""
        number = (await self.look()).batch_count
        for _ in range(30):
            await self.run(1)
            there, tree = self.settler.status().pending, self.trees.newest()
            if there and tree and there.number > number and tree.receipts >= receipts:
                return await self.look()
            self._pass()
        raise AssertionError(f"no batch: {self.settler.status()}")

    async def settled(self) -> VaultSeen:
        """The chain when a batch is final that was not submitted yet."""
        number = (await self.look()).batch_count
        for _ in range(30):
            await self.run(1)
            tree = self.trees.final()
            if tree is not None and tree.number > number:
                return await self.look()
            self._pass()
        raise AssertionError(f"no batch: {self.settler.status()}")

    async def at_rest(self) -> VaultSeen:
        """The chain when nothing is left to do, twice in a row."""
        quiet = 0
        for _ in range(60):
            await self.run(1, 20)
            told = self.settler.status()
            idle = told.word == "idle" and not told.withdrawals and not told.late_deposits
            quiet = quiet + 1 if idle and not self.desk.state.batch.receipts else 0
            if quiet == 2:
                return await self.look()
            self._pass()
        raise AssertionError(f"never at rest: {self.settler.status()}")

    def _pass(self) -> None:
        """Time, as far as something happens by itself."""
        told = self.settler.status()
        if told.pending and not told.challenges:
            self.clock.at = max(self.clock.at, told.pending.until * SECOND)


async def nothing() -> None:
    """What happens after a step, unless a test has other ideas."""


WALLETS = {"anna": ANNA, "paul": PAUL}


def raw(address: str) -> bytes:
    return bytes.fromhex(address[2:])
