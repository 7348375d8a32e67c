"""Papers: evidence that somebody confirmed, a name under an assessment, and a floor that routing
obeys.

Rule: filed, confirmed and signed by command, as an operator would; what is signed is what the
market proposed. Papers are made up for the demo.
Invariant: the cheapest offer has shown nothing, so it never answers under a floor.
Worked number: campus shows all eight objectives, the lowest at 2, so it is SEAL 2; nordlys shows
three, so its overall level is 0, and SOV-3 still counts.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from pathlib import Path

import openai

from allmende.lab import commands
from allmende.lab.scenes import POLICY, QUESTION, Broken, message, promise
from allmende.lab.stage import HEADER, Stage

ISSUER = "Auditors of the demo"
LEVELS = {
    "campus": {f"SOV-{n}": level for n, level in enumerate((3, 3, 3, 2, 2, 2, 3, 2), 1)},
    "nordlys": {"SOV-2": 3, "SOV-3": 4, "SOV-8": 4},
}
SIGNER = "Ada Lovelace"
FLOOR = "min-seal=SOV-3:2; max-exposure=USA:1"
TOO_HIGH = "min-seal=SOV-1:4; max-exposure=USA:1"


def play(stage: Stage, data: Path) -> None:
    """After `who`, whose proposals are signed here."""
    stage.tell.step("Evidence, a name under it, and a floor that routing obeys")
    year = datetime.now(UTC).year
    pieces = [file(stage, host, year) for host in LEVELS]
    stage.tell.say(f"{sum(pieces)} papers filed by their SHA-256 and confirmed by the operator")
    signed = [sign(stage, f"smol-{host}", f"{year + 2}-01-01") for host in LEVELS]
    stage.tell.good(f"{SIGNER} signs what is proposed: {', '.join(signed)}; else E3 would count")
    floor(stage)
    commands.run(
        *(stage.tell, "drill", "cut", "country=USA", "--data", str(data)),
        fails=True,
        lines=3,
        shown=lambda line: line.partition(" (")[0],
    )


def file(stage: Stage, host: str, year: int) -> int:
    """A host's papers, each confirmed; how many they are."""
    for objective, level in LEVELS[host].items():
        id_ = f"{host}-{objective.lower()}"
        stage.ask(
            "file_evidence",
            id=id_,
            provider=host,
            offer="",
            objective=objective,
            level=level,
            claim=f"{objective} at level {level}, as audited for the demo.",
            issuer=ISSUER,
            issued=f"{year - 1}-01-01",
            expires=f"{year + 2}-01-01",
            document=hashlib.sha256(id_.encode()).hexdigest(),
            rests_on=[],
        )
        stage.ask("confirm_evidence", id=id_)
    return len(LEVELS[host])


def sign(stage: Stage, offer: str, expires: str) -> str:
    """What the registry proposes, by a named person, with its reasoning; in a few words."""
    (proposed,) = stage.market.get(f"exposure?law=USA&offer={offer}")
    exposure, kill = (proposed[name]["high"] for name in ("exposure", "kill_switch"))
    stage.ask(
        "assess",
        regime="US",
        offer=offer,
        provider="",
        exposure=exposure,
        kill_switch=kill,
        reasoning=" ".join(proposed["reasoning"][:-1]),
        signer=SIGNER,
        expires=expires,
    )
    return f"{offer} E{exposure}/{kill}"


def floor(stage: Stage) -> None:
    """A request that bargain would answer for less, and one that nobody may answer."""
    chat = stage.client("student").chat.completions.with_raw_response
    raw = chat.create(model="smol", messages=QUESTION, max_tokens=4, extra_headers={POLICY: FLOOR})
    served = stage.receipt(raw.headers[HEADER])
    promise(served.provider == "campus", f"{FLOOR} should lead to campus: {served}")
    stage.tell.good(f"{FLOOR}  →  {served.provider}, though bargain is cheaper")
    try:
        chat.create(model="smol", messages=QUESTION, extra_headers={POLICY: TOO_HIGH})
    except openai.APIStatusError as no:
        promise(no.status_code == 503, f"should be 503: {no}")
        first, cut, _ = message(no).partition(" Of 'smol-nordlys'")
        promise(bool(cut), f"each offer should say what it lacks: {no}")
        stage.tell.bad(f"{TOO_HIGH}  →  {no.status_code}  {first} …")
    else:
        raise Broken(f"nobody can show {TOO_HIGH}")
