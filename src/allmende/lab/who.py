"""Who: the legal entities behind the demo's hosts, and whose law reaches them.

Rule: the registry is imported by command, as an operator would; what is said of reach is what
the market's door answers.
Invariant: the hosts' places say nothing of it: the scene raises if reach followed place.
Worked number: Bargain's own GmbH is German, and 30 % and 21 % of its votes are held from the
USA through a Dutch company: E3. The campus is held by its Land: at most E1, by its chips.
"""

from __future__ import annotations

from importlib.resources import files

import msgspec

from allmende.lab.scenes import promise
from allmende.lab.stage import Stage
from allmende.wire import actors

FILE = "actors.csv"
CLAIMS = {"smol-bargain": (3, "Bargain Europe BV"), "smol-campus": (1, "Chips Inc.")}

IN_FULL = "smol-bargain"
"""Whose reasoning is shown step by step; the page shows everybody's."""


def play(stage: Stage) -> None:
    """After the providers, since the registry names their accounts."""
    stage.tell.step("Who is behind the hosts, and whose law reaches them")
    data = files("allmende.lab").joinpath(FILE).read_bytes()
    registry = actors.read([(FILE, data)]).registry
    stage.ask("import_actors", registry=msgspec.to_builtins(registry), source=FILE)
    stage.tell.say(f"allmende observatory actors import {FILE}")
    told = {row["offer"]: row for row in stage.market.get("exposure?law=USA")}
    for offer, (level, because) in CLAIMS.items():
        found = told[offer]
        reasons = " ".join(found["reasoning"])
        promise(found["exposure"]["high"] == level, f"{offer} should be E{level}: {found}")
        promise(because in reasons, f"{because} should be named: {reasons}")
        for sentence in found["reasoning"][:-1] if offer == IN_FULL else ():
            stage.tell.say(sentence)
        kill = found["kill_switch"]["high"]
        stage.tell.good(f"{offer}: E{level}, kill switch {kill} by the law of the USA, as proposed")
