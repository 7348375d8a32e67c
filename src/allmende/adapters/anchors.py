"""Anchors: published values, and what this product's own figures make of the same inputs.

Rule: the values are data in the package (anchors/metrics.toml) and no figure reads them; each
is computed by the function that pages and reports use, and held against it within a tolerance
that the source's digits justify.
Invariant: an anchor that nothing computes, or a computation without an anchor, is refused; so
none can be left out quietly.
Worked number: `hhi` is 2,600, and 30, 30, 20, 20 % give 2,600: difference 0 of 1e-9.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import msgspec
from msgspec import Struct, structs

from allmende.adapters.energy import metered_rate
from allmende.adapters.rules import rules
from allmende.core.units import Units, energy
from allmende.measure.chips import eligible, tpp
from allmende.measure.concentration import Rest, hhi
from allmende.measure.distribution import Theil, gini, jain, theil
from allmende.measure.prices import HEADLINE, Price, yearly
from allmende.measure.rents import cournot, weighted_lerner
from allmende.measure.sovereignty import Seals, seals
from allmende.measure.value import gross_profit_shares

Input = Mapping[str, Any]


class Anchor(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One published value, with the inputs it is of."""

    id: str
    says: str
    published: float
    tolerance: float
    unit: str
    kind: Literal["published", "closed-form", "recomputed"]
    source: str
    input: dict[str, Any]
    json: str = ""
    input_json: dict[str, str] = {}


class Published(Struct, frozen=True, forbid_unknown_fields=True):
    """`elsewhere`: what the reference file has that no figure is, and whose it is."""

    anchor: tuple[Anchor, ...]
    elsewhere: dict[str, str] = {}


class Held(Struct, frozen=True, kw_only=True):
    """An anchor held against what we compute."""

    anchor: Anchor
    own: float

    @property
    def fits(self) -> bool:
        return abs(self.own - self.anchor.published) <= self.anchor.tolerance


class BadAnchors(ValueError):
    """A file of published values that is not in order; the sentence says where."""


def published(path: Path | None = None) -> Published:
    """The package's values, or those of another file of the same form. Raises BadAnchors."""
    source = path or files("allmende").joinpath("anchors/metrics.toml")
    try:
        found = msgspec.convert(tomllib.loads(source.read_text(encoding="utf-8")), Published)
    except (
        OSError,
        ValueError,
        RecursionError,
    ) as error:  # tomllib's, msgspec's and Unicode's are ValueErrors
        raise BadAnchors(f"{source.name}: {error}") from None
    ids = [anchor.id for anchor in found.anchor]
    for name in ids:
        if name not in OWN:
            raise BadAnchors(f"{source.name}: {name}: nothing here computes it.")
        if ids.count(name) > 1:
            raise BadAnchors(f"{source.name}: {name}: twice.")
    for name in OWN.keys() - set(ids):
        raise BadAnchors(f"{source.name}: {name}: its published value is missing.")
    return found


def held(found: Published) -> list[Held]:
    """Every anchor with our own value. Raises BadAnchors naming one whose inputs are wrong."""
    return [Held(anchor=anchor, own=_own(anchor)) for anchor in found.anchor]


def _own(anchor: Anchor) -> float:
    try:
        return float(OWN[anchor.id](anchor.input))
    except (KeyError, TypeError, ValueError) as error:
        raise BadAnchors(f"{anchor.id}: its inputs do not do: {error}") from None


def _named(values: Sequence[float]) -> dict[str, float]:
    return {str(number): value for number, value in enumerate(values)}


def _shares(given: Input) -> dict[str, float]:
    return {name: percent / 100 for name, percent in _named(given["percent"]).items()}


def _least(given: Input) -> float:
    known = _shares(given)
    return hhi(known, Rest(1 - sum(known.values()), given["most"] / 100))[0]


def _theil(given: Input) -> Theil:
    return theil({str(number): group for number, group in enumerate(given["groups"])})


def _gap(given: Input) -> float:
    found = _theil(given)
    return found.within + found.between - found.total


def _seals(given: Input) -> Seals:
    """By the weights of the dated rule, which `csf_weights` holds against the published ones."""
    shown = {f"SOV-{number}": level for number, level in enumerate(given["levels"], 1)}
    return seals(rules("eu/csf", given["at"]), shown)


def _weights_off(given: Input) -> float:
    ours = [row["weight"] for row in rules("eu/csf", given["at"]).values["objectives"]]
    return float(sum(abs(a - b) for a, b in zip(ours, given["weights"], strict=True)))


def _price(given: Input, levy: float = 0.0) -> float:
    return cournot(given["a"], given["b"], [given["c"] + levy] * given["n"]).price


def _lerner(given: Input) -> float:
    return cournot(given["a"], given["b"], [given["c"]] * given["n"]).lerners[0]


def _identity(given: Input) -> float:
    found = cournot(given["a"], given["b"], given["costs"])
    total = sum(found.quantities)
    shares = _named([quantity / total for quantity in found.quantities])
    margins = weighted_lerner(shares, _named(found.lerners))
    return margins - hhi(shares)[0] / 10_000 / found.elasticity


def _passed_on(given: Input) -> float:
    return (_price(given, given["levy"]) - _price(given)) / float(given["levy"])


def _semis_margin(given: Input) -> float:
    """What makes chips' share what it is, given the revenues and the others' margins."""
    revenue, share = given["revenue"], given["semis_share"]
    others = sum(revenue[layer] * margin for layer, margin in given["margin"].items())
    return float(share / (1 - share) * others / revenue["semis"])


def _profits(given: Input) -> dict[str, float]:
    margins = {**given["margin"], "semis": _semis_margin(given)}
    return gross_profit_shares(given["revenue"], margins)


def _blend(given: Input) -> float:
    return HEADLINE.of(Price(given["input"], given["output"])) or 0.0


def _year(given: Input) -> float:
    """The yearly factor of a price."""
    return 1 + yearly(given["after"] / given["before"], given["months"])


def _served(given: Input, tokens: int) -> tuple[float, float]:
    """Joules and grams of so many output tokens: by what a receipt goes by."""
    watts, overhead = given["watts"], given["pue"]
    rate = metered_rate((watts, watts), given["per_s"], given["per_s"], "WOR", (overhead, overhead))
    rate = structs.replace(rate, grid_g_per_kwh=(given["grid"], given["grid"]))
    found = energy(rate, Units(output=tokens))
    return found.uj[1] / 1e6, found.ug[1] / 1e6


def _export(given: Input) -> float:
    rule = rules("us/chip-exports", given["at"])
    return float(eligible(rule, _tpp(given), given["bandwidth"]))


def _tpp(given: Input) -> float:
    return tpp(given["tflops"], given["bits"])


OWN: Mapping[str, Callable[[Input], float]] = {
    "hhi": lambda given: hhi(_shares(given))[0],
    "hhi_least": _least,
    "gini": lambda given: gini(given["values"]),
    "theil_within": lambda given: _theil(given).within,
    "theil_between": lambda given: _theil(given).between,
    "theil_total": lambda given: _theil(given).total,
    "theil_gap": _gap,
    "jain": lambda given: jain(given["values"]),
    "csf_score": lambda given: _seals(given).low,
    "csf_level": lambda given: _seals(given).level,
    "csf_weights": _weights_off,
    "cournot_price": _price,
    "cournot_lerner": _lerner,
    "cournot_identity": _identity,
    "cournot_pass_through": _passed_on,
    "value_infra": lambda given: _profits(given)["infra"],
    "value_apps": lambda given: _profits(given)["apps"],
    "value_semis_margin": _semis_margin,
    "value_hhi": lambda given: hhi(given["shares"])[0],
    "blend_old": _blend,
    "blend_new": _blend,
    "fall_a_year": lambda given: 1 - _year(given),
    "llmflation": lambda given: 1 / _year(given),
    "token_joules": lambda given: _served(given, 1)[0],
    "thousand_wh": lambda given: _served(given, 1000)[0] / 3600,
    "million_grams": lambda given: _served(given, 1_000_000)[1],
    "tpp_h20": _tpp,
    "tpp_h200": _tpp,
    "tpp_mi325x": _tpp,
    "tpp_b200": _tpp,
    "export_h200": _export,
    "export_b200": _export,
}
"""Anchor -> how this product computes it, by the functions that its figures use."""
