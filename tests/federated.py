"""Real markets that are each other's peers, each served on a free port, in this process.

    with towns(folder, "a", "b") as (a, b):
        befriend(a, b)
        a.send("uni", b, "uni", "5")
        settle(a, b)

They look at each other when they are told to (`look`), and where something was sent.
"""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

from doors import Answer, Doors
from exchange import Exchange

from allmende.core import machine


class Town(Exchange):
    """A market with members uni, other and host, 500 credits each, and a right `december`."""

    def __init__(self, folder: Path, name: str, **settings: Any) -> None:
        fields = {"market": name, "name": name.upper(), "federate_every": 3_600}
        super().__init__(folder / name, **{**fields, "allow_private": True, **settings})
        self.id = name

    @property
    def data(self) -> Path:
        return Path(self.settings.data)

    @property
    def state(self) -> Any:
        return self.market.desk.state

    @property
    def public_key(self) -> str:
        return str(self.state.market.public_key)

    def add_peer(self, other: Town, limit: str = "100", **more: Any) -> Any:
        fields = {
            "id": other.id,
            "name": other.id.upper(),
            "public_key": other.public_key,
            "url": other.url,
            "limit": limit,
            "allow_private": True,
        }
        return self.ask("add_peer", **{**fields, **more})

    def send(self, source: str, to: Town, receiver: str, amount: str, **more: Any) -> Answer:
        """Credit, unless `asset` and `lots` say otherwise."""
        fields = {"source": source, "peer": to.id, "receiver": receiver, "asset": "credit"}
        told = {} if "lots" in more else {"amount": amount}
        return self.post("/api/send_abroad", {**fields, **told, **more}, self.admin)

    def heads(self, *told: Any) -> Any:
        """What it says to whoever asks, and tells it of these heads."""
        answer = self.post("/api/federation/heads", {"heads": told})
        assert answer.status == 200, answer.text
        return answer.json

    def look(self) -> Any:
        """A round with all peers: what the market then says of them."""
        answer = self.post("/api/federation/look", {}, self.admin)
        assert answer.status == 200, answer.text
        return {row["id"]: row for row in answer.json["peers"]}

    def balance(self, account: str, asset: str = "credit") -> int:
        return int(self.state.balances.get(asset, {}).get(account, 0))

    def check(self) -> None:
        machine.check(self.state)


@contextlib.contextmanager
def towns(folder: Path, *names: str, **settings: Any) -> Iterator[list[Town]]:
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(Town(folder, name, **settings)) for name in names]


def befriend(*found: Town, limit: str = "100") -> None:
    """Each takes something from each other, and has heard so."""
    for one in found:
        for other in found:
            if one is not other:
                one.add_peer(other, limit)
    for one in (*found, *found):
        assert all(not row["wrong"] for row in one.look().values()), one.look()


def settle(*found: Town) -> None:
    """Until nothing is on its way; then the invariants."""
    for _ in range(3):
        for one in found:
            one.look()
        if not any(one.state.passages for one in found):
            break
    for one in found:
        assert not one.state.passages, one.look()
        one.check()


class Twin(Town):
    """A market that runs on a copy of another one's journal and keys, as of now."""

    def __init__(self, folder: Path, of: Town) -> None:
        super().__init__(folder, of.id)
        self.admin = of.admin
        copy(of.data, Path(self.settings.data))

    def __enter__(self) -> Self:
        admin = self.admin
        Doors.__enter__(self)
        self.admin = admin
        self._server, self.url = self.run(self._listen())
        return self


def copy(source: Path, target: Path) -> None:
    """The journal as it is, and the keys; not what was seen of other markets."""
    target.mkdir(parents=True)
    with (
        contextlib.closing(sqlite3.connect(source / "journal.sqlite")) as db,
        contextlib.closing(sqlite3.connect(target / "journal.sqlite")) as there,
    ):
        db.backup(there)
    for name in ("master.key", "signer.key"):
        shutil.copy2(source / name, target / name)
