"""Commons, the bridge: credit crosses to a second chain and back, and a treasury pays out.

Rule: validators run by themselves and look through nodes of their own; what they sign lies in
files that anybody may carry.
Invariant: one signature too few pays nothing, a second time pays nothing, and in the end as much
is locked as is minted.
Worked number: 20 credits go there and 5 come back: 15 are locked and 15 are minted.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from msgspec import Struct

from allmende.lab.chain_ground import LINE
from allmende.lab.chain_stage import ChainStage
from allmende.lab.scenes import promise, wait_for
from allmende.lab.wallet import Wallet

VALIDATORS, OWNERS = ("vera", "vito", "viktor"), ("olga", "otto", "omar")
THERE, BACK, LEFT = "20", "5", "15 CRED"
PRIZE = "2.5"
LOOK_S = "0.3"


class Purse(Struct, frozen=True):
    """A wallet, and the file with its key."""

    address: str
    file: Path


def play(stage: ChainStage) -> None:
    with _second_chain(stage) as (node, carla):
        _bridge(stage, node, carla)
    _treasury(stage, _rich(stage, "dora"))


# The bridge -----------------------------------------------------------------------------------


def _bridge(stage: ChainStage, node: str, carla: Purse) -> None:
    tell, folder = stage.tell, stage.data.parent
    tell.step("A bridge to a second chain: federated, and nothing better")
    nodes = ("--home-node", stage.node, "--away-node", node, *stage.cache())
    people = [purse(stage, name) for name in VALIDATORS]
    chosen = [word for one in people for word in ("--validator", one.address)]
    limits = ("--threshold", "2", "--per-transfer", "50", "--per-day", "200", "--terms", "demo")
    who = ("--guardian", people[0].address, "--token", str(stage.chain()["token"]))
    stage.run("bridge", "deploy", *nodes, *_by(carla), *chosen, *limits, *who,
              *("--data", str(stage.data)))  # fmt: skip
    both = ("--record", str(stage.data / "bridge.json"), *nodes)
    with _validators(people[:2], folder, both):
        tell.say("three validators, of whom two must sign; each looks through nodes of its own")
        stage.run("bridge", "lock", THERE, *both, *_by(carla))
        files = _signed(folder, "arrival-home-1")
        tell.say("with one signature:")
        _refused(stage, "1 of 2 signatures", "bridge", "redeem", files[0], *both, *_by(carla))
        stage.run("bridge", "redeem", *files, *both, *_by(carla))
        tell.say("the same once more:")
        _refused(stage, "paid already", "bridge", "redeem", *files, *both, *_by(carla))
        stage.run("bridge", "lock", BACK, "--from", "away", *both, *_by(carla))
        back = _signed(folder, "arrival-away-1")
        stage.run("bridge", "redeem", *back, *both, *_by(carla))
    said = stage.run("bridge", "status", *both)
    promise(said.count(LEFT) == 2, "as much should be locked as is minted")
    wait_for(lambda: (stage.facts()["bridge"] or {}).get("locked") == "15", "the market's page")
    tell.good(f"{THERE} went there and {BACK} came back: {LEFT} locked, {LEFT} minted")


def _signed(folder: Path, name: str) -> list[str]:
    """The files of two validators, once they are there."""
    wait_for(lambda: len(list(folder.glob(f"{name}-*.json"))) == 2, f"two signatures of {name}")
    return sorted(map(str, folder.glob(f"{name}-*.json")))


@contextmanager
def _validators(people: list[Purse], folder: Path, both: tuple[str, ...]) -> Iterator[None]:
    """Processes that sign what they have seen in final blocks, until the block ends."""
    watching = []
    for one in people:
        words = ("bridge", "sign", *both, *_by(one), "--out", str(folder), "--watch", LOOK_S)
        watching.append(
            subprocess.Popen(
                [sys.executable, "-m", "allmende.cli", *words], stdout=subprocess.DEVNULL
            )
        )
    try:
        yield
    finally:
        for process in watching:
            process.terminate()
        for process in watching:
            process.wait(20)


@contextmanager
def _second_chain(stage: ChainStage) -> Iterator[tuple[str, Purse]]:
    """Its address, and somebody with gas on both chains and credit on the first."""
    carla = _rich(stage, "carla")
    data = stage.data.parent / "second"
    words = ("chain", "node", "--data", str(data), "--fund", carla.address)
    command = [sys.executable, "-m", "allmende.cli", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            said = process.stdout.readline().strip()
            if not said.startswith(LINE):
                raise RuntimeError(f"the second chain did not start: {said}")
            yield said.removeprefix(LINE), carla
        finally:
            process.terminate()


def _rich(stage: ChainStage, name: str) -> Purse:
    """Somebody with gas and credit on the market's chain."""
    found = purse(stage, name)
    stage.ask("chain/give", address=found.address, amount="50", reference=f"for {name}")
    wallet = Wallet(stage.node, found.file.read_text())
    wait_for(lambda: wallet.ether() > 0, f"{name}'s gas")
    wait_for(lambda: wallet.balance(stage.chain()["token"]) > 0, f"{name}'s credit")
    return found


# The treasury ---------------------------------------------------------------------------------


def _treasury(stage: ChainStage, dora: Purse) -> None:
    tell, folder, token = stage.tell, stage.data.parent, str(stage.chain()["token"])
    tell.step("A treasury: Safe's own contracts, two of three owners sign")
    where = ("--data", str(folder), *stage.ground.read(stage.node), *stage.cache())
    owners = [purse(stage, name) for name in OWNERS]
    chosen = [word for one in owners for word in ("--owner", one.address)]
    stage.run("treasury", "deploy", *chosen, "--threshold", "2", *where, *_by(dora), lines=1)
    safe = _safe(folder)
    wallet = Wallet(stage.node, dora.file.read_text())
    wallet.transfer(token, safe, 10 * 10**12)
    before = Wallet(stage.node, owners[0].file.read_text()).balance(token)
    file = str(folder / "prize.json")
    pay = ("--to", owners[0].address, "--amount", PRIZE, "--token", token, "--says", "a prize")
    stage.run("treasury", "propose", *where, *pay, "--out", file)
    reach = (*stage.ground.read(stage.node), *stage.cache(), *_by(dora))
    stage.run("treasury", "sign", file, *_by(owners[0]))
    tell.say("with one signature:")
    _refused(stage, "1 of 2 signatures", "treasury", "execute", file, *reach)
    stage.run("treasury", "sign", file, *_by(owners[1]))
    stage.run("treasury", "execute", file, *reach)
    after = Wallet(stage.node, owners[0].file.read_text()).balance(token)
    promise(after - before == 25 * 10**11, f"the treasury should have paid {PRIZE}")
    tell.good(f"one signature paid nothing, two paid {PRIZE} credits")


def _safe(folder: Path) -> str:
    told = msgspec.json.decode((folder / "treasury.json").read_bytes(), type=dict[str, object])
    return str(told["safe"])


# Shared ---------------------------------------------------------------------------------------


def purse(stage: ChainStage, name: str) -> Purse:
    """A new wallet, whose key only its file knows."""
    wallet = Wallet(stage.node)
    file = stage.data.parent / f"{name}.key"
    file.touch(mode=0o600)
    file.write_text(wallet.key)
    return Purse(wallet.address, file)


def _by(one: Purse) -> tuple[str, str]:
    return "--wallet-key-file", str(one.file)


def _refused(stage: ChainStage, why: str, *words: str) -> None:
    """A command that must fail, and say why in these words."""
    said = stage.run(*words, fails=True)
    promise(why in said, f"it should have said that it lacks {why}")
