"""Cast: who is in the demo: a university with its budgets, and three hosts with their offers.

Rule: everything is asked of the market by command, as an operator would.
Invariant: the three hosts run the same model, so price, place and carbon alone decide.
Worked number: 10 % to the authors, 5 % to the data contributors, 5 % to the operator, 1 % to
the commons leave a host 79 %.
"""

from __future__ import annotations

from allmende.lab.stage import CHAT, Stage

HOSTS = (
    ("campus", "Campus computing centre", "DEU", "DEU", "0.10", "0.40"),
    ("nordlys", "Nordlys co-operative", "SWE", "SWE", "0.12", "0.48"),
    ("bargain", "Bargain Cloud", "USA", "USA", "0.05", "0.20"),
)
GRID = {"DEU": 330, "SWE": 35, "USA": 384}
"""g/kWh; EcoLogits 0.11.3 electricity mixes, rounded."""


def organisation(stage: Stage) -> None:
    tell = stage.tell
    tell.step("An organisation, its credit and its tree of budgets")
    stage.ask("add_member", id="university", name="University", kind="organisation")
    stage.ask("deposit", member="university", amount="5", reference="purchase order 4711")
    stage.ask("add_budget", id="uni", name="University", owner="university", limit="5")
    stage.ask("add_budget", id="physics", name="Physics", parent="uni", period="term", limit="2")
    stage.ask(
        "add_budget", id="seminar", name="Seminar", parent="physics", period="month", limit="0.5"
    )
    stage.ask("add_budget", id="tiny", name="A very small one", parent="physics", limit="0.00001")
    stage.key("student", "seminar", models=[])
    stage.key("poor", "tiny")
    tell.say(
        "University 5 credits  ›  Physics 2 a term  ›  Seminar 0.5 a month  ›  a student's key"
    )
    tell.good("keys are shown once and kept as hashes; a child never spends past any ancestor")


def providers(stage: Stage) -> None:
    tell = stage.tell
    tell.step("Providers, titles and offers")
    stage.ask("add_member", id="authors", name="Model authors", kind="person")
    stage.ask("add_member", id="writers", name="Data contributors", kind="person")
    for id_, name, country, parent, price_in, price_out in HOSTS:
        stage.ask("add_member", id=id_, name=name, kind="provider")
        shares = [
            {"role": "author", "account": "authors", "ppm": 100_000},
            {"role": "data", "account": "writers", "ppm": 50_000},
        ]
        title = f"smol-at-{id_}"
        stage.ask("register_title", id=title, owner=id_, kind="model", name=CHAT, waterfall=shares)
        offer(stage, id_, "smol", country, parent, price_in, price_out)
        tell.say(f"{name:<26} {country}   {price_in} in / {price_out} out, credits per million")
    tell.good(
        "each title names who is paid: 10 % authors, 5 % data contributors; the host the rest"
    )


def offer(
    stage: Stage,
    host: str,
    model: str,
    country: str,
    parent: str,
    price_in: str,
    price_out: str,
    url: str = "",
) -> None:
    """A host's offer of the local model: its own price, place and energy."""
    local = stage.local_offer(CHAT)
    grid = [GRID[country], GRID[country]]
    stage.ask(
        "post_offer",
        id=f"{model}-{host}",
        provider=host,
        title=f"smol-at-{host}",
        model=model,
        asset="credit",
        tariff={"input": price_in, "output": price_out},
        zone={"country": country, "operator": host, "parent": host, "parent_country": parent},
        url=url or stage.model.url,
        upstream_model=CHAT,
        endpoints=["chat/completions", "completions"],
        allow_private=True,
        max_output=64,
        context=2_048,
        energy={**local["energy"], "grid_g_per_kwh": grid},
        vocabulary=local["vocabulary"],
    )
