"""The command line: everything that the pages and the API do, and what runs offline.

A command's module is imported when it is called, so `allmende --help` starts at once.
"""

from __future__ import annotations

import click

from allmende.cli.lazy import Lazy

COMMANDS = {
    "serve": ("running", "Run a market and say how to connect."),
    "demo": ("running", "Walk one market through a token's life, with a real model."),
    "quickstart": ("running", "An organisation, a budget and a key in a running market."),
    "member": ("people", "Members: add, list."),
    "key": ("people", "Keys: issue, revoke, list."),
    "budget": ("people", "Budgets: add, set, list."),
    "deposit": ("money", "Credit a member against a payment made outside."),
    "mint": ("money", "Make an organisation's own credit."),
    "transfer": ("money", "Move credit from one member to another."),
    "asset": ("money", "An organisation's own credit: register."),
    "balance": ("money", "What accounts have, hold and can use."),
    "title": ("titles", "Titles: register, list, show; on the chain: mint, ask, buy, owner."),
    "offer": ("trade", "Offers: post, withdraw, list."),
    "instrument": ("instruments", "Contracts on future use: issue, mint, retire, list, show."),
    "order": ("exchange", "Orders: buy, sell, amend, cancel, list."),
    "book": ("exchange", "Bids and asks of an instrument."),
    "quote": ("exchange", "Prices on many lots: ask, give, take, list."),
    "rights": ("exchange", "What you hold, what it is worth, until when."),
    "receipt": ("records", "Receipts: list, show, verify (offline)."),
    "batch": ("records", "Batches: list, close."),
    "parameter": ("records", "Rules of the market: list, set."),
    "observe": ("records", "Totals by member, provider, country, title or model."),
    "audit": ("offline", "Check the whole journal of a data directory."),
    "replay": ("offline", "Fold the journal from its first event: the digest."),
    "export": ("offline", "The journal as JSON lines."),
    "views": ("offline", "Read models: rebuild."),
    "market": ("market_move", "A whole market, or a member's tree: export, import, verify."),
    "federation": ("federation", "Other markets: peers, transfers, heads, split views."),
    "chain": ("chain", "Chains: profiles, status, deploy and verify the contracts."),
    "bridge": ("bridge", "A federated bridge of two chains: deploy, lock, sign, redeem."),
    "treasury": ("treasury", "A Safe: deploy, propose, sign, execute."),
    "watch": ("watch", "Market quality, alerts, cases; the labelled-manipulator report."),
    "index": ("index", "Price indices: import, fall, matched model, quality, gold."),
    "drill": ("drill", "Cut a country, a provider or a cable: what is still served."),
    "allocate": ("allocate", "Who would have got a scarce day's tokens under which rule."),
    "rewards": ("rewards", "Shares for measured useful work: facts, compute, check, claim."),
    "check": ("checks", "Sealed verdicts of many: open, commit, reveal, list."),
    "share": ("share", "Shares: what one has, the sale, airdrops."),
    "govern": ("govern", "Who decides on the rules, and what a decision would change."),
    "observatory": ("observatory", "Who gains, who depends on whom, what it costs the climate."),
    "lab": ("lab", "Experiments: gode-sunder, cap-cost, capture."),
    "sim": ("running", "Whole markets under a virtual clock, with faults."),
    "crash": ("running", "kill -9 a market under load, and audit each restart."),
    "overshoot": ("running", "1,000 requests at once against a budget that affords 137."),
}
"""Name -> (module here, what it does), in the order in which help lists them."""


@click.group(cls=Lazy, listed=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="allmende")
def main() -> None:
    """Allmende: an open market for AI tokens.

    Exit codes: 0 done, 1 refused or found wrong, 2 asked wrongly, 3 no market answered.
    """
