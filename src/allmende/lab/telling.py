"""Telling: how the demo speaks to a person at a terminal.

Rule: plain words, exact amounts, nothing that is not on the receipt itself.
Invariant: colour only on a terminal that wants it; the text alone says everything.
Worked number: 185_100_000 pico-credits read "0.0001851 credits".
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from decimal import Decimal

from allmende.core.contracts import LOT
from allmende.core.nouns import Receipt
from allmende.core.units import PPM, Units, credits

WIDTH = 88


class Teller:
    """Numbered steps and indented lines through `echo`."""

    def __init__(self, echo: Callable[[str], None], *, colour: bool) -> None:
        self._echo = echo
        self._colour = colour
        self._step = 0

    def step(self, title: str) -> None:
        self._step += 1
        line = f" {self._step:>2}  {title} "
        self._echo("\n" + self._style("1;36", line.ljust(WIDTH, "─")))

    def say(self, text: str) -> None:
        for line in textwrap.wrap(text, WIDTH - 6):
            self._echo(f"     {line}")

    def line(self, text: str) -> None:
        """As a command printed it."""
        self._echo(self._style("2", f"       {text}"))

    def quote(self, text: str) -> None:
        """What a model or a market answered."""
        flat = " ".join(text.split()) or "(nothing)"
        for line in textwrap.wrap(textwrap.shorten(flat, 300, placeholder=" …"), WIDTH - 10):
            self._echo(self._style("3", f"       ❝ {line}"))

    def good(self, text: str) -> None:
        self._mark("32", "✓", text)

    def bad(self, text: str) -> None:
        self._mark("31", "✗", text)

    def _mark(self, code: str, mark: str, text: str) -> None:
        first, *more = textwrap.wrap(text, WIDTH - 8) or [""]
        self._echo(f"     {self._style(code, mark)} {first}")
        for line in more:
            self._echo(f"       {line}")

    def receipt(self, receipt: Receipt) -> None:
        """A receipt as its owner reads it."""
        rows = (
            ("receipt", f"{receipt.id}  ({receipt.outcome.replace('_', ' ')})"),
            ("served", f"{receipt.model} by {receipt.provider} in {receipt.zone.country}"),
            ("units", f"{units(receipt.units)}   [{counts(receipt)}]"),
            ("price", f"{credits(receipt.price)} {receipt.asset}"),
            *([("paid by", f"{lots(receipt)} lots of {receipt.right}")] if receipt.right else []),
            ("earned", earned(receipt)),
            ("energy", energy(receipt)),
        )
        for name, value in rows:
            first, *more = textwrap.wrap(value, WIDTH - 17) or [""]
            self._echo(f"       {self._style('2', name.rjust(8))}  {first}")
            for line in more:
                self._echo(" " * 17 + line)

    def _style(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._colour else text


def lots(receipt: Receipt) -> str:
    """What left the holder's rights, in standard lots."""
    return f"{Decimal(receipt.grains) / LOT:f}"


def units(found: Units) -> str:
    parts = (
        (found.input, "input"),
        (found.cached, "cached"),
        (found.output, "output"),
        (found.embedding, "embedding"),
    )
    return " + ".join(f"{count} {name}" for count, name in parts if count) or "nothing"


def counts(receipt: Receipt) -> str:
    """Both counts, and what comes of them."""
    ours = "not counted by us" if receipt.counted is None else f"we count {_sum(receipt.counted)}"
    theirs = "none reported" if receipt.reported is None else f"reported {_sum(receipt.reported)}"
    return f"{ours}, {theirs}: {receipt.verdict}"


def _sum(found: Units) -> str:
    return f"{found.input + found.cached + found.embedding}+{found.output}"


def earned(receipt: Receipt) -> str:
    whole = receipt.price or 1
    return " · ".join(
        f"{p.role} {p.account} {credits(p.amount)} ({p.amount * PPM // whole / 10_000:.0f} %)"
        for p in receipt.waterfall
    )


def energy(receipt: Receipt) -> str:
    found = receipt.energy
    if found.method == "none":
        return "not stated by this offer"
    low, high = (joule / 1e6 for joule in found.uj)
    light, heavy = (gram / 1e3 for gram in found.ug)
    return (
        f"{low:.3g} to {high:.3g} J, {light:.3g} to {heavy:.3g} mg CO2e "
        f"(an estimate: {found.method})"
    )
