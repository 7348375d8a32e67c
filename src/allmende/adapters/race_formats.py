"""Race formats: the public files of the race monitor, and what may stand in them.

Rule: as price_formats; the wide files of Epoch AI may have other columns, which are not kept. A
cluster of the name that Epoch gives to hidden Chinese systems is a row of its own each time.
Invariant: a row that is taken has a known country or none, an amount in the unit of its column
or none, and no date after today but of what is planned.
Worked number: a chip row of 18,735,986 W and 18.74 MW agrees; with 18,735 MW it is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, timedelta

from allmende.adapters.price_formats import FORMATS, Cells, Column, Format
from allmende.measure.race_countries import codes
from allmende.measure.race_data import Cluster, Holding, Model, Region

NUMBER = re.compile(r"\d{1,18}(\.\d{0,18})?([eE][-+]?\d{1,2})?", re.ASCII)
DAY = re.compile(r"\d{4}-\d{2}(-\d{2})?", re.ASCII)
AMERICAN = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})", re.ASCII)
FIRST = date(1940, 1, 1)
"""Before it there was no machine to train a model."""
PLANS = timedelta(days=15 * 365)
LONG = 5_000
STATUSES = ("Existing", "Planned", "Decommissioned")
CERTAINTIES = ("Confirmed", "Likely", "Unlikely")
CONFIDENCES = ("", "Confident", "Likely", "Speculative", "Unknown", "Unverified")
HIDDEN = "Anonymized Chinese System"

Check = Callable[[str, date], str]


def _amount(most: float, unit: str, needed: bool = False, above: float = 0.0) -> Check:
    def check(cell: str, today: date) -> str:
        if not cell and not needed:
            return ""
        if NUMBER.fullmatch(cell) and above <= float(cell) <= most:
            return ""
        return f"{cell!r:.60} is no number of {unit} from {above:g} to {most:g}"

    return check


def _one_of(*words: str) -> Check:
    def check(cell: str, today: date) -> str:
        known = ", ".join(word or "nothing" for word in words)
        return "" if cell in words else f"{cell!r:.60} is none of {known}"

    return check


def _name(cell: str, today: date) -> str:
    return _words(cell, today) if cell else "nothing is said"


def _words(cell: str, today: date) -> str:
    return f"{len(cell)} characters, and {LONG} are allowed" if len(cell) > LONG else ""


def _countries(cell: str, today: date) -> str:
    try:
        codes(cell)
    except KeyError as error:
        return f"{error.args[0]!r:.60} is no country that is known here"
    return ""


def _day(cell: str, today: date) -> str:
    return _planned(cell, today) or (
        f"{cell} is after today, {today}" if cell and _date(cell) > today else ""
    )


def _planned(cell: str, today: date) -> str:
    if not cell:
        return ""
    try:
        day = _date(cell)
    except ValueError:
        return f"{cell!r:.60} is no date such as 2026-11-20"
    if day < FIRST:
        return f"{cell} is before {FIRST}"
    return f"{cell} is more than 15 years from now" if day > today + PLANS else ""


def _needed_day(cell: str, today: date) -> str:
    return _day(cell, today) if cell else "nothing is said"


def _quarter_end(cell: str, today: date) -> str:
    try:
        day = _american(cell)
    except ValueError:
        return f"{cell!r:.60} is no date such as 3/31/2026"
    if (day + timedelta(days=1)).day != 1 or day.month % 3:
        return f"{cell} is not the last day of a quarter"
    return f"{cell} is after today, {today}" if day > today else ""


def _date(cell: str) -> date:
    if not DAY.fullmatch(cell):
        raise ValueError(cell)
    return date.fromisoformat(cell if len(cell) > 7 else f"{cell}-01")


def _american(cell: str) -> date:
    found = AMERICAN.fullmatch(cell)
    if found is None:
        raise ValueError(cell)
    month, day, year = map(int, found.groups())
    return date(year, month, day)


def _sound_cluster(cells: Cells) -> str:
    began, ended = cells["First Operational Date"], cells[ENDED]
    if began and ended and _date(ended) < _date(began):
        return f"{ENDED}: {ended} is before {began}, when it began"
    return ""


def _sound_holding(cells: Cells) -> str:
    for names in (H100, MW):
        median, low, high = (float(cells[name]) for name in names)
        if not low <= median <= high:
            return f"{names[0]}: {median:g} is not between {low:g} (5 %) and {high:g} (95 %)"
    watts, mw = float(cells[WATTS]), float(cells[MW[0]])
    if watts and not 0.9 <= mw * 1e6 / watts <= 1.1:
        return f"{MW[0]}: {mw:g} MW, and {WATTS} says {watts:g} W"
    return ""


def _sound(cells: Cells) -> str:
    return ""


def _cluster(cells: Cells) -> Cluster:
    began, ended = cells["First Operational Date"], cells[ENDED]
    return Cluster(
        name=cells["Name"],
        status=cells["Status"],
        certainty=cells["Certainty"],
        owners=_list(cells["Owner"]),
        countries=tuple(code for code in codes(cells["Country"]) if code),
        since=_date(began) if began else None,
        until=_date(ended) if ended else None,
        h100=_number(cells["H100 equivalents"]),
        mw=_number(cells["Power Capacity (MW)"]),
        usd=_number(cells["Hardware Cost"]),
        repeats=cells["Possible Duplicate"] == "True",
        after=cells["Superseded by"],
    )


def _model(cells: Cells) -> Model:
    return Model(
        name=cells["Model"],
        day=_date(cells["Publication date"]),
        makers=_list(cells["Organization"]),
        countries=codes(cells["Country (from Organization)"]),
        flop=_number(cells["Training compute (FLOP)"]) or None,
        usd=_number(cells["Training compute cost (2023 USD)"]) or None,
        watts=_number(cells["Training power draw (W)"]) or None,
        confidence=cells["Confidence"],
        frontier=cells["Frontier model"] == "True",
    )


def _holding(cells: Cells) -> Holding:
    h100, mw = ([float(cells[name]) for name in names] for names in (H100, MW))
    return Holding(
        maker=cells["Chip manufacturer"],
        owner=cells["Owner"],
        day=_american(cells["End date"]),
        h100=(h100[0], h100[1], h100[2]),
        mw=(mw[0], mw[1], mw[2]),
        incomplete=bool(cells.get("Incomplete")),
    )


def _region(cells: Cells) -> Region:
    names = [column.name for column in CARBON.columns]
    region, location, free, grams = (cells[name] for name in names)
    return Region(region, location, float(free), float(grams))


def _list(cell: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name.strip() for name in cell.split(",") if name.strip()))


def _number(cell: str) -> float | None:
    return float(cell) if cell else None


ENDED = "Decommissioned Date (if applicable)"
H100 = ("Compute estimate in H100e (median)", "H100e (5th percentile)", "H100e (95th percentile)")
MW = tuple(f"Power in MW ({part})" for part in ("median", "5th percentile", "95th percentile"))
WATTS = "Total TDP (W)"
TRUTH = _one_of("", "True")
CLUSTERS = Format(
    "clusters",
    "clusters.csv",
    "AI clusters (Epoch AI)",
    (
        Column("Name", _name),
        Column("Status", _one_of(*STATUSES)),
        Column("Certainty", _one_of(*CERTAINTIES)),
        Column("H100 equivalents", _amount(1e9, "H100 equivalents")),
        Column("Country", _countries),
        Column("Owner", _words),
        Column("First Operational Date", _planned),
        Column(ENDED, _planned),
        Column("Power Capacity (MW)", _amount(1e5, "megawatts")),
        Column("Hardware Cost", _amount(1e14, "US dollars")),
        Column("Possible Duplicate", TRUTH),
        Column("Superseded by", _words),
    ),
    ("Name",),
    _sound_cluster,
    _cluster,
    spare=True,
    snapshot=True,
    many=HIDDEN,
)
MODELS = Format(
    "models",
    "models.csv",
    "notable AI models (Epoch AI)",
    (
        Column("Model", _name),
        Column("Organization", _words),
        Column("Country (from Organization)", _countries),
        Column("Publication date", _needed_day),
        Column("Training compute (FLOP)", _amount(1e32, "FLOP")),
        Column("Training compute cost (2023 USD)", _amount(1e12, "US dollars")),
        Column("Training power draw (W)", _amount(1e12, "watts")),
        Column("Confidence", _one_of(*CONFIDENCES)),
        Column("Frontier model", TRUTH),
    ),
    ("Model",),
    _sound,
    _model,
    spare=True,
    snapshot=True,
)
CHIPS = Format(
    "chips",
    "chips.csv",
    "chip owners by quarter (Epoch AI)",
    (
        Column("Chip manufacturer", _name),
        Column("Owner", _name),
        Column("End date", _quarter_end),
        *(Column(name, _amount(1e10, "H100 equivalents", needed=True)) for name in H100),
        *(Column(name, _amount(1e6, "megawatts", needed=True)) for name in MW),
        Column(WATTS, _amount(1e12, "watts", needed=True)),
        Column("Incomplete", _words),
    ),
    ("Chip manufacturer", "Owner", "End date"),
    _sound_holding,
    _holding,
    spare=True,
    optional=("Incomplete",),
)
CARBON = Format(
    "carbon",
    "carbon.csv",
    "carbon of cloud regions (Google)",
    (
        Column("Google Cloud Region", _name),
        Column("Location", _name),
        Column("Google CFE", _amount(1, "the share of carbon-free energy", needed=True)),
        Column("Grid carbon intensity (gCO2eq / kWh)", _amount(3000, "grams a kWh", needed=True)),
    ),
    ("Google Cloud Region",),
    _sound,
    _region,
)
RACE = (CLUSTERS, MODELS, CHIPS, CARBON)
ALL = (*FORMATS, *RACE)
"""What `allmende observatory import` takes."""
