"""A market with a chain, its contracts and the wallet door, its doors called in this process.

    with WalletDoors(tmp_path) as doors:
        purse = Purse("anna")
        cookie = doors.enter(purse)
        doors.got("/api/wallet", cookie)["address"] == purse.address

A `Purse` is a wallet as its owner has it: eth_account, and nothing of ours.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Self, TypeVar

from chains import ACCOUNT, CHAIN_ID, ETHER, OTHER, Rig
from deployed import contracts, plan
from doors import HOST, Answer, Doors
from eth_account import Account as Wallet
from eth_account.messages import encode_defunct, encode_typed_data
from eth_utils import keccak
from market import HandClock, Signer

from allmende.adapters.chain.account import Account
from allmende.adapters.chain.custody import ChainCustody
from allmende.adapters.chain.deploy import deploy
from allmende.adapters.chain.evm import Genesis
from allmende.adapters.chain.node import EmbeddedNode
from allmende.adapters.chain.outbox import Outbox
from allmende.adapters.chain.profiles import EMBEDDED
from allmende.adapters.chain.reader import Reader
from allmende.adapters.chain.sign_ins import open_sign_ins
from allmende.adapters.chain.signing import Keys
from allmende.adapters.chain.submitter import Submitter
from allmende.adapters.chain.turns import Turns
from allmende.adapters.energy import energy_rate
from allmende.adapters.guard import Guard
from allmende.adapters.secrets import new_key, open_vault
from allmende.adapters.sqlite_journal import SqliteJournal
from allmende.adapters.upstream import HttpUpstream
from allmende.adapters.views import Follower, SqliteViews
from allmende.core.units import CREDIT, SECOND
from allmende.custody import ContractCall, Deployment
from allmende.desk import Desk
from allmende.doors import app, founding
from allmende.doors.browser import Doorman
from allmende.doors.chain_rpc import ChainRpc
from allmende.doors.counter import Counter, Tools
from allmende.doors.gateway import Gateway, Limits
from allmende.doors.hall import Hall
from allmende.doors.settler_says import Asked, Status
from allmende.doors.wallet import Contracts, WalletDoor
from allmende.ports import ChainFailed, Mined, Wanted
from allmende.ticket import Ticket
from allmende.wire.merkle_sum import Leaf, Proof

ORIGIN = f"http://{HOST}"
BORN_S = 1_790_000_000
T = TypeVar("T")


class Purse:
    """A wallet with one key, the same for the same name."""

    def __init__(self, name: str) -> None:
        self.key = Account(keccak(text=name))
        self._wallet = Wallet.from_key(keccak(text=name))
        self.address = self._wallet.address.lower()
        self.checksummed = self._wallet.address

    def says(self, text: str) -> str:
        """personal_sign."""
        return "0x" + bytes(self._wallet.sign_message(encode_defunct(text=text)).signature).hex()

    def signs(self, typed: Mapping[str, Any]) -> str:
        """eth_signTypedData_v4."""
        said = encode_typed_data(full_message=dict(typed))
        return "0x" + bytes(self._wallet.sign_message(said).signature).hex()


@cache
def template() -> tuple[Path, Deployment]:
    """A folder with the chain of a finished deployment; the operator has a million to give."""
    folder = Path(tempfile.mkdtemp())
    with ThreadPoolExecutor(1) as thread:
        return folder, thread.submit(asyncio.run, _deploy(folder)).result()


async def _deploy(folder: Path) -> Deployment:
    clock = HandClock(BORN_S * SECOND)
    node, outbox = open_node(folder, clock), Outbox(folder / "outbox.sqlite")
    chain = Reader(node.ask, node.close)
    sender = Submitter(chain, outbox, ACCOUNT, EMBEDDED, clock)
    rig = Rig("embedded", chain, EMBEDDED)
    made = await deploy(chain, sender, contracts(), plan(rig))
    custody = ChainCustody(chain, made, contracts(), EMBEDDED, clock)
    sender.put(Wanted("mint", *custody.mint_credit(ACCOUNT.address, 10**6 * CREDIT)))
    await sender.step()
    await sender.step()
    await chain.close()
    outbox.close()
    return made


def open_node(folder: Path, clock: HandClock) -> EmbeddedNode:
    genesis = Genesis(CHAIN_ID, {ACCOUNT.address: 100 * ETHER}, BORN_S)
    return EmbeddedNode(folder / "chain.sqlite", genesis, lambda: clock.at // SECOND)


class Street:
    """The chain side: one node, the operator's sender, the contracts. Time is moved by hand."""

    def __init__(self, folder: Path) -> None:
        made, self.deployment = template()
        for file in ("chain.sqlite", "outbox.sqlite"):
            shutil.copy(made / file, folder / file)
        self.clock = HandClock((BORN_S + 1_000) * SECOND)
        self.node = open_node(folder, self.clock)
        self.away = False
        self.chain = Reader(self._ask, self.node.close)
        self._outbox = Outbox(folder / "outbox.sqlite")
        submitter = Submitter(self.chain, self._outbox, ACCOUNT, EMBEDDED, self.clock)
        self.sender = Turns(submitter)
        args = self.chain, self.deployment, contracts(), EMBEDDED, self.clock
        self.custody = ChainCustody(*args)
        self._count = 0

    async def _ask(self, method: str, params: Sequence[Any] = ()) -> Any:
        if self.away:
            raise ChainFailed("unreachable", "gone for a moment")
        return await self.node.ask(method, params)

    def call(self, to: str, data: str) -> ContractCall:
        return ContractCall(to, bytes.fromhex(data[2:]))

    async def do(self, call: ContractCall, value: int = 0) -> None:
        """By the operator."""
        self._count += 1
        self.sender.put(Wanted(f"test {self._count}", call.to, call.data, value))
        await self.sender.step()

    async def by(self, purse: Purse, call: ContractCall) -> Mined:
        """By a wallet, which has gas from the operator."""
        if not await self.chain.balance(purse.address):
            await self.do(ContractCall(purse.address, b""), 10**18)
        rig = Rig("embedded", self.chain, EMBEDDED, purse.key)
        return await rig.send(call.to, call.data, gas=2_000_000)

    async def close(self) -> None:
        await self.chain.close()
        self._outbox.close()


@dataclass
class StillSettler:
    """Before the first batch: everybody's leaf is empty, nothing is covered."""

    desk: Desk
    street: Street
    asked: list[Asked] = field(default_factory=list)

    async def ticket(self, member: str, *, pending: bool = False) -> Ticket:
        made, address = self.street.deployment, self.desk.state.wallets[member].address
        return Ticket(
            chain_id=made.chain_id,
            genesis=made.genesis,
            vault=made.vault,
            token=made.credit,
            batch=int(pending),
            root="0x" + "00" * 32,
            total=0,
            size=0,
            leaf=Leaf(bytes.fromhex(address[2:]), 0, 0),
            proof=Proof(0, ()),
            at=1,
        )

    def status(self) -> Status:
        return Status(vault=self.street.deployment.vault, withdrawals=tuple(self.asked))


class WalletMarket:
    """As main puts it together, but for what needs no wallet."""

    def __init__(self, folder: Path, street: Street, mode: str, public: str) -> None:
        self.street, self.mode, self.clock = street, mode, street.clock
        self.greeted: list[str] = []
        folder.mkdir()
        vault, signer = open_vault(folder), Signer()
        self.public_key = signer.public.hex()
        self.journal = SqliteJournal(folder / "journal.sqlite")
        self.archive = SqliteJournal(folder / "journal.sqlite", readonly=True)
        self.desk = Desk(self.journal, signer, self.clock)
        self.signing = Keys(vault, ACCOUNT, OTHER)
        self.follower = Follower(folder / "journal.sqlite", folder / "views.sqlite")
        self.views = SqliteViews(folder / "views.sqlite", self.follower.nudge)
        tools = Tools(new_key, lambda secret: secret, Guard().admit, energy_rate)
        self.counter = Counter(self.desk, self.clock, tools)
        doorman = Doorman(self.counter, b"login" * 8, secure=False)
        self.wallet = WalletDoor(
            *(self.desk, self.clock, self.signing, open_sign_ins(), doorman, new_key),
            public=public,
            embedded=True,
            welcome=self.greeted.append,
        )
        self.settler = StillSettler(self.desk, street)
        self.upstream = HttpUpstream(Guard())
        self.gateway = Gateway(self.desk, self.upstream, None, self.clock, str, Limits())
        self.gateway.vouching = self.wallet.vouching()
        routes = [*self.wallet.routes(), *ChainRpc(street.node.ask).routes()]
        self.hall = Hall(
            *(self.desk, self.clock, self.counter, self.views, self.archive, doorman),
            routes,
            more_pages=self.wallet.pages(),
        )
        self.app = app.front(self.gateway, self.hall.app)

    def stand(self) -> None:
        """The contracts are there."""
        street = self.street
        self.wallet.stand(Contracts(street.custody, self.settler, street.chain.balance))

    async def open(self) -> tuple[str, str]:
        await self.desk.start()
        await self.hall.open()
        charter = founding.Charter("m", "Test market", self.mode, self.public_key)
        await founding.found(self.desk, self.clock, charter)
        admin = await founding.administrator(self.desk, self.clock, new_key)
        await self.follower.start()
        return admin, ""

    async def close(self) -> None:
        await self.hall.close()
        await self.gateway.close(1)
        await self.upstream.close()
        await self.follower.stop()
        await self.views.close()
        await self.desk.close()
        self.archive.close()
        self.journal.close()
        await self.street.close()


class WalletDoors(Doors):
    """Deployed on the embedded chain, with short windows."""

    market: WalletMarket  # type: ignore[assignment]

    def __init__(
        self, folder: Path, mode: str = "lab", public: str = ORIGIN, stands: bool = True
    ) -> None:
        super().__init__(folder)
        self._folder, self._mode, self._public, self._stands = folder, mode, public, stands

    def __enter__(self) -> Self:
        super().__enter__()
        if self._stands:
            self.market.stand()
        return self

    async def _build(self) -> WalletMarket:  # type: ignore[override]
        street = Street(self._folder)
        return WalletMarket(self._folder / "data", street, self._mode, self._public)

    @property
    def street(self) -> Street:
        return self.market.street

    # --- as a browser --------------------------------------------------------------------

    def got(self, path: str, cookie: str = "") -> Any:
        answer = self.get(path, headers={"cookie": cookie})
        assert answer.status == 200, answer.text
        return answer.json

    def sent(self, path: str, fields: Any, cookie: str = "") -> Any:
        answer = self.handed(path, fields, cookie)
        assert answer.status == 200, answer.text
        return answer.json

    def handed(self, path: str, fields: Any, cookie: str = "") -> Answer:
        return self.post(path, fields, headers={"cookie": cookie, "origin": ORIGIN})

    def message(self, purse: Purse) -> str:
        return str(self.sent("/api/wallet/nonce", {"address": purse.checksummed})["message"])

    def log_in(self, purse: Purse, message: str = "", signature: str = "") -> Answer:
        message = message or self.message(purse)
        fields = {"message": message, "signature": signature or purse.says(message)}
        return self.handed("/api/wallet/login", fields)

    def enter(self, purse: Purse) -> str:
        """Signed in: its cookie."""
        answer = self.log_in(purse)
        assert answer.status == 200, answer.text
        return answer.headers["set-cookie"].split(";")[0]

    def permit(self, purse: Purse, cookie: str, **asked: str) -> Any:
        """Drafted, signed, granted."""
        query = "&".join(f"{name}={value}" for name, value in asked.items())
        draft = self.got(f"/api/wallet/permit?{query}", cookie)
        fields = {
            name: draft[name] for name in ("lane", "limit", "models", "expires", "key", "keeps")
        }
        signature = purse.signs(draft["typed_data"])
        return self.sent("/api/wallet/permit", {**fields, "signature": signature}, cookie)

    # --- on the chain --------------------------------------------------------------------

    def give(self, purse: Purse, amount: int) -> None:
        """Pay units and gas from the operator."""
        self.run(self.street.do(self.street.custody.transfer(purse.address, amount)))

    def while_away(self, work: Callable[[], T]) -> T:
        """While the node answers nobody."""
        self.street.away = True
        try:
            return work()
        finally:
            self.street.away = False

    def send(self, purse: Purse, calls: list[dict[str, str]]) -> None:
        """What the API gave, sent by the wallet."""
        for one in calls:
            call = self.street.call(one["to"], one["data"])
            mined = self.run(self.street.by(purse, call))
            assert mined.ok
