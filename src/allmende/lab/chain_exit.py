"""Chain exit: the operator is gone, and a member takes out what is hers.

Rule: there is no market here: a ticket, a wallet's key, and a node that has the chain.
Invariant: what comes out is what the last final batch proves, to the unit, once.
Worked number: 20 deposited and 0.16 spent are a leaf of 19.84, and 49.84 in the wallet.
"""

from __future__ import annotations

import json

from allmende.core.units import credits
from allmende.lab.chain_stage import ChainStage
from allmende.lab.scenes import promise
from allmende.lab.wallet import Wallet


def play(stage: ChainStage, node: str) -> None:
    tell = stage.tell
    tell.step("The operator is switched off, and Ada leaves")
    ticket = json.loads(stage.ticket.read_bytes())
    wallet, token = Wallet(node, stage.key_file.read_text()), ticket["token"]
    before = wallet.balance(token)
    tell.say("nobody at the market answers any more; the chain does, from whoever keeps a copy")
    words = (str(stage.ticket), *stage.ground.read(node), *stage.cache())
    stage.run("chain", "check", *words)
    stage.run("chain", "exit", *words, "--wallet-key-file", str(stage.key_file), "--watch")
    after = wallet.balance(token)
    stage.showed("ada's wallet", before, after)
    promise(after - before == int(ticket["balance"]), f"the ticket says {ticket['balance']}")
    tell.good(f"{credits(after - before)} credits, by a proof and without anybody's consent")
