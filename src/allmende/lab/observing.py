"""Observing: the demo's last look at its market: who earned what, where, and who owns them.

Rule: the market is told who its members are, by a registry of invented legal entities; the
table then comes from the installed command, which folds the journal by itself.
Invariant: the sums equal the ledger to the pico-credit, or the demo ends.
Worked number: data contributors in Kenya that a firm in the USA owns: made in KEN, owned in USA.
"""

from __future__ import annotations

from pathlib import Path

from allmende.lab import commands
from allmende.lab.scenes import promise
from allmende.lab.stage import Stage

SAYS = {"source": "invented for the demo", "date": "2026-11-20", "grade": "declared"}
ACTORS = (
    ("campus-gmbh", "Campus computing centre", "DEU", "campus"),
    ("nordlys-ek", "Nordlys co-operative", "SWE", "nordlys"),
    ("bargain-llc", "Bargain Cloud", "IRL", "bargain"),
    ("bargain-inc", "Bargain Holdings", "USA", ""),
    ("authors-asbl", "Model authors", "FRA", "authors"),
    ("writers-ltd", "Data contributors", "KEN", "writers"),
    ("labels-inc", "Label Works", "USA", ""),
    ("demo-eg", "Demo commons", "DEU", "operator"),
    ("university", "University", "DEU", "university"),
)
"""Id, name, where it is registered, and the member that it stands behind."""
OWNED = (("bargain-inc", "bargain-llc"), ("labels-inc", "writers-ltd"))
"""Who holds all of whom."""


def play(stage: Stage, data: Path) -> None:
    tell = stage.tell
    tell.step("The observatory: who earned what, where")
    known = {row["id"] for row in stage.market.get("members")}
    actors = [
        {"id": id_, "name": name, "jurisdiction": country, **SAYS, "accounts": [account] * told}
        for id_, name, country, account in ACTORS
        for told in [int(account in known)]
    ]
    stakes = [
        {"holder": holder, "entity": entity, "votes_ppm": 1_000_000, **SAYS}
        for holder, entity in OWNED
    ]
    registry = {"actors": actors, "stakes": stakes}
    stage.ask("import_actors", registry=registry, source="the demo")
    said = commands.run(tell, "observatory", "value", "--data", str(data))
    promise("sums equal the ledger" in said, f"the sums should equal the ledger: {said}")
    tell.good("from the receipts alone; the same stands on /observe/value, with its data as files")
