"""Exit drill: leave a running market, and be served elsewhere; each step is timed.

A second market is started on a free port and ended again; the first one is not changed.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple
from urllib.error import URLError

from allmende.adapters import bundle, exits
from allmende.adapters.market_export import write_market
from allmende.adapters.market_import import read_market
from allmende.adapters.member_file import Member, read_member
from allmende.adapters.secrets import SecretBroken, open_vault
from allmende.adapters.sqlite_journal import SqliteJournal
from allmende.cli.client import Client, Failed
from allmende.cli.market_move import asked, told
from allmende.core import machine
from allmende.core.events import Founded
from allmende.core.state import State
from allmende.doors.founding import LOCAL
from allmende.lab.served import Refusal, Served
from allmende.main import JOURNAL, PROVIDER
from allmende.measure.leaving import Exit, Step
from allmende.wire import journal
from allmende.wire.portable import Bad
from allmende.wire.receipt import verify

CHAT = "chat/completions"
HELLO = [{"role": "user", "content": "Say hello."}]
TOKENS, RECEIPTS = 16, 50
"""Of the request that is served there; receipts of before that a whole market's drill looks at."""
QUIET = (
    *("--no-starter", "--allow-private", "--no-pay-per-call", "--chain=", "--federate-every=0"),
)
"""The second market of a drill may sign with the first one's key: nobody but us must hear of it."""
_FAILS = (Failed, Bad, Refusal, URLError, RuntimeError, OSError, SecretBroken, journal.Broken)


class Ground(NamedTuple):
    """The market that is left: where it runs, its directory if that is known, and the keys."""

    client: Client
    folder: Path | None
    spending: str
    model: str
    scratch: Path


class Ended(Exception):
    """A step failed; it is written down."""


class Diary:
    """Steps as they are taken, and what was left behind."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.left: list[str] = []
        self.receipts = 0

    @contextmanager
    def step(self, name: str) -> Iterator[list[str]]:
        """Times the block, which says what came of it. Raises Ended where it fails."""
        says: list[str] = []
        began = time.perf_counter()
        try:
            yield says
        except _FAILS as error:
            took = time.perf_counter() - began
            self.steps.append(Step(name, took, f"{error!s:.300}", ok=False))
            raise Ended from None
        self.steps.append(Step(name, time.perf_counter() - began, " ".join(says)))

    def exit(self, of: str) -> Exit:
        at = datetime.now(UTC).isoformat(timespec="seconds")
        return Exit(at, of, tuple(self.steps), self.receipts, len(self.left))


def play(ground: Ground, member: str) -> tuple[Exit, list[str]]:
    """One drill, written down beside the market if its directory is known."""
    diary = Diary()
    with suppress(Ended):
        if member:
            _member(ground, member, diary)
        else:
            _market(ground, diary)
    done = diary.exit("member" if member else "market")
    if ground.folder is not None:
        exits.add(ground.folder, done)
    return done, diary.left


# A whole market ---------------------------------------------------------------------------


def _market(ground: Ground, diary: Diary) -> None:
    file, data = ground.scratch / "market.zip", ground.scratch / "market"
    before = _proofs(ground)
    model, local = _model(ground)
    with diary.step("export") as says:
        assert ground.folder is not None
        made = write_market(ground.folder, JOURNAL, file, with_keys=True)
        says.append(f"{made.events} events, {file.stat().st_size} bytes, with the keys.")
    diary.left += [f"In the old directory: {name}." for name in made.left]
    with diary.step("import") as says:
        done = read_market(file, data, JOURNAL)
        same = "the same state" if done.compared else "replayed; its digest is of another version"
        says.append(f"{done.signatures} signatures and {done.batches} batches hold; {same}.")
    options = [*QUIET, "--local-model" if local else "--no-local-model"]
    with diary.step("start") as says:
        other = Served(data, *options, key=ground.spending).start()
        says.append(f"A second market answers at {other.url}.")
    try:
        _served(other, ground, model, diary)
    finally:
        other.stop()
    with diary.step("verify") as says:
        _verified(before, made.market.public_key, diary, says)


def _proofs(ground: Ground) -> list[bytes]:
    """The newest receipts of the spending key, as the market that is left gave them."""
    client = Client(ground.client.url, ground.spending)
    rows = client.get("receipts", limit=RECEIPTS)["receipts"]
    return [client.fetch(f"receipts/{row['id']}") for row in rows]


def _verified(proofs: list[bytes], public_key: str, diary: Diary, says: list[str]) -> None:
    for proof in proofs:
        wrong = [check.name for check in verify(proof, public_key) if not check.ok]
        if wrong:
            raise Failed(f"A receipt of before does not prove its {wrong[0]}.")
    diary.receipts = len(proofs)
    says.append(f"{len(proofs)} receipts of before prove themselves, offline.")


# A member ---------------------------------------------------------------------------------


def _member(ground: Ground, top: str, diary: Diary) -> None:
    file = ground.scratch / "member.zip"
    model, _ = _model(ground)
    if top not in {row["id"] for row in ground.client.get("members")}:
        raise Failed(f"No member {top!r} that this key may see.")
    tops = [top, *(one for one in _sellers(ground.client, model) if one != top)]
    market = ground.client.get("me")["market"]
    with diary.step("export") as says:
        file.write_bytes(ground.client.download("export_member", member=tops))
        with bundle.opened(file) as found:
            member = read_member(found, market["public_key"])
        says.append(f"{', '.join(tops)}: {len(member.tree.members)} members, "
                    f"{member.receipts} receipts.")  # fmt: skip
    diary.left += member.open.left
    options = [*QUIET, "--no-local-model", "--mode", market["mode"]]
    with diary.step("start") as says:
        other = Served(ground.scratch / "other", *options).start()
        says.append(f"A second market answers at {other.url}.")
    try:
        with diary.step("import") as says:
            body = asked(member, "", _again(ground.folder, member))
            answer = Client(other.url, other.key).send("import_member", body)
            says.append(next(told(answer)))
        _brought(other, answer, diary)
        _served(other, ground, model, diary)
    finally:
        other.stop()
    with diary.step("verify") as says:
        with bundle.opened(file) as found:
            diary.receipts = read_member(found, market["public_key"]).receipts
        says.append(f"{diary.receipts} receipts of before prove themselves, offline.")


def _brought(other: Served, answer: Mapping[str, Any], diary: Diary) -> None:
    """Money does not move: here an operator's entry stands in for what is paid or transferred."""
    diary.left += [line for line in told(answer) if line.startswith(("To bring", "Not here"))]
    with diary.step("money") as says:
        for row in answer["bring"]:
            fields = {"member": row["account"], "amount": row["amount"]}
            if row["kind"] == "credit" and row["amount"] != "0":
                other.ask("deposit", {**fields, "reference": f"exit drill {row['account']}"})
            elif row["kind"] == "own" and row["amount"] != "0":
                other.ask("mint", {**fields, "asset": row["asset"]})
        says.append("Entered by hand: it stands in for a payment or a transfer between markets.")


def _sellers(client: Client, model: str) -> list[str]:
    """The tops of the trees without which the model's offers would stand on nothing."""
    homes = {row["id"]: row["home"] for row in client.get("members")}
    titles = {row["id"]: row for row in client.get("titles")}
    found: list[str] = []
    for offer in client.get("offers"):
        if offer["model"] == model:
            title = titles[offer["title"]]
            shares = [share["account"] for share in title["waterfall"]]
            found += [offer["provider"], title["owner"], *shares]
    return list(dict.fromkeys(_top(homes, id_) for id_ in found if id_ in homes))


def _top(homes: Mapping[str, str], id_: str) -> str:
    while homes.get(id_):
        id_ = homes[id_]
    return id_


def _again(folder: Path | None, member: Member) -> dict[str, str]:
    """Providers' keys given anew, by whoever has the old market's directory with its seal."""
    if folder is None or not member.tree.sealed:
        return {}
    state, archive = State(), SqliteJournal(folder / JOURNAL, readonly=True)
    try:
        for frame in archive.frames():
            machine.replay(journal.events(frame.body), state)
    finally:
        archive.close()
    vault = open_vault(folder)
    offers = {id_: state.offers[id_] for id_ in member.tree.sealed if id_ in state.offers}
    return {id_: vault.open(one.sealed_secret, PROVIDER) for id_, one in offers.items()}


# A request --------------------------------------------------------------------------------


def _model(ground: Ground) -> tuple[str, bool]:
    """A model that the spending key may chat with; and whether this very machine serves it."""
    client = Client(ground.client.url, ground.spending)
    models = client.get("me")["key"]["models"]
    rows = [row for row in client.get("offers") if CHAT in row["endpoints"]]
    rows = [row for row in rows if not models or row["model"] in models]
    rows = [row for row in rows if ground.model in ("", row["model"])]
    if not rows:
        raise Failed("No offer chats with this key; name another with --model or --spending-key.")
    return rows[0]["model"], rows[0]["provider"] == LOCAL


def _served(other: Served, ground: Ground, model: str, diary: Diary) -> None:
    with diary.step("request") as says:
        fields = {"model": model, "messages": HELLO, "max_tokens": TOKENS}
        answer = other.post("v1/chat/completions", fields, ground.spending)
        receipt = answer["allmende"]["receipt"]
        checks = verify(other.fetch(f"receipts/{receipt}", ground.spending))
        if not all(check.ok for check in checks):
            raise Failed(f"Receipt {receipt} of the new market does not prove itself.")
        says.append(f"{model} answered the same key; receipt {receipt}.")


def known(folder: Path, public_key: str) -> bool:
    """Whether a data directory is the one of the market with this key."""
    if not (folder / JOURNAL).is_file():
        return False
    archive = SqliteJournal(folder / JOURNAL, readonly=True)
    try:
        first = journal.events(next(iter(archive.frames())).body)[0]
    finally:
        archive.close()
    return isinstance(first, Founded) and first.market.public_key == public_key


def as_json(done: Exit, left: list[str]) -> str:
    steps = [{n: getattr(step, n) for n in Step.__struct_fields__} for step in done.steps]
    told_ = {"at": done.at, "of": done.of, "ok": done.ok, "seconds": done.seconds}
    return json.dumps({**told_, "receipts": done.receipts, "steps": steps, "left": left}, indent=2)
