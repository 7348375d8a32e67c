"""Packaged prices: what the installed `genai-prices` says a model cost on a day.

Rule: asked for a model and a day, it answers with the price of that day; it knows few days on
which prices changed, and a price without one is said to hold on every day, so that it serves to
look one up and not as a history.
Invariant: nothing is fetched: the package's own update over the net is never started.
Worked number: gpt-4 on 2023-03-14 is 30 and 60 USD per million tokens.
"""

from __future__ import annotations

from datetime import UTC, datetime, time
from importlib.metadata import version
from typing import Any

from allmende.measure.prices import Launch, Price, Seen

PACKAGE = "genai-prices"


def packaged(launch: Launch) -> Seen | None:
    """The price on the day of the launch; None of a model that the package does not know."""
    from genai_prices import Usage, calc_price  # 0.4 s, and few commands ask

    noon = datetime.combine(launch.day, time(12), UTC)
    try:
        found = calc_price(Usage(input_tokens=1), launch.model, genai_request_timestamp=noon)
    except LookupError:
        return None
    rates = found.model_price
    price = Price(_base(rates.input_mtok), _base(rates.output_mtok), _base(rates.cache_read_mtok))
    return Seen(launch, price, None, f"{PACKAGE} {version(PACKAGE)}")


def _base(rate: Any) -> float | None:
    """The first tier's, where a price grows with the prompt."""
    return None if rate is None else float(getattr(rate, "base", rate))
