"""Observatory: who gains, who depends on whom, what it costs the climate. docs/observatory.md.

Rule: each command is a module of its own, cli/observatory_<what>.py, with one line in COMMANDS.
"""

from __future__ import annotations

import click

from allmende.cli.lazy import Lazy

COMMANDS = {
    "anchors": ("observatory_anchors", "Published values beside our own; fails if one differs."),
    "sovereignty": (
        "observatory_sovereignty",
        "Whose law reaches an offer and why; levels and score; what stands behind.",
    ),
    "actors": ("observatory_actors", "Legal entities: import, export, who controls whom."),
    "import": ("observatory_import", "Take public data: clusters, models, chips, prices, gold."),
    "value": ("observatory_value", "Who earned what, where; the sums against the ledger."),
    "merger": ("observatory_merger", "HHI of shares you enter; what a merger adds, by regime."),
    "rents": ("observatory_rents", "Margin, open floor and rent of a price that you enter."),
    "gatekeeper": ("observatory_gatekeeper", "Is a platform presumed a gatekeeper by numbers?"),
    "dependency": ("observatory_dependency", "The EU's screen of strategic dependencies."),
    "substitution": (
        "observatory_substitution",
        "How readily buyers of a model change providers.",
    ),
    "race": ("observatory_race", "The race on public data: charts, tables and a page."),
    "rules": ("observatory_rules", "The dated laws, weights and thresholds, with their sources."),
    "export": ("observatory_export", "The read models as Parquet, CSV or SQLite, of one moment."),
    "focus": ("observatory_focus", "A month's bill as FOCUS 1.2, for any FinOps tool."),
    "access": ("observatory_access", "Who gets in, what is free, what a language costs."),
    "claims": ("observatory_claims", "What the two documents say, checked."),
    "saving": ("observatory_saving", "Total cost: no saving is stated while a cost is blank."),
    "training": ("observatory_training", "Energy and cost of a training run, ranges only."),
    "evidence": ("observatory_evidence", "Sovereignty: evidence, and what each offer shows."),
    "assess": ("observatory_assess", "Sign how far a country's law reaches an offer."),
    "floor": ("observatory_floor", "What every request below a budget demands of its offer."),
    "energy": ("observatory_energy", "Energy measured here, and how it depends on the batch."),
    "report": ("observatory_report", "A year as HTML and PDF, with the annex for tenders."),
}
"""Name -> (module here, what it does), in the order in which help lists them. A module's command
is always called `command`."""


@click.group(cls=Lazy, listed=COMMANDS, function="command")
def observatory() -> None:
    """Who gains, who depends on whom, and what it costs the climate."""
