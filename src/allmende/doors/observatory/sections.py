"""Sections: which pages the observatory has, in the order of their tabs.

Rule: one line a page; the first is /observe itself.
Invariant: a page's name is its path, its template and the first part of its files' names.
Worked number: `value` is /observe/value, observe/value.html and value.actors.csv.
"""

from __future__ import annotations

from allmende.doors.observatory.access import AccessPage
from allmende.doors.observatory.climate import ClimatePage
from allmende.doors.observatory.concentration import Concentrated
from allmende.doors.observatory.control import ControlPage
from allmende.doors.observatory.dependence import Dependence
from allmende.doors.observatory.distribution import Distributed
from allmende.doors.observatory.drills import Drills
from allmende.doors.observatory.frame import Section, Sources
from allmende.doors.observatory.overview import Overview
from allmende.doors.observatory.race import Race
from allmende.doors.observatory.rents import Rents
from allmende.doors.observatory.sovereignty import SovereigntyPage
from allmende.doors.observatory.value import ValueCaptured


def sections(sources: Sources) -> tuple[Section, ...]:
    return (
        Section("overview", Overview(sources).gather),
        Section("value", ValueCaptured(sources).gather),
        Section("rents", Rents(sources).gather),
        Section("concentration", Concentrated(sources).gather),
        Section("distribution", Distributed(sources).gather),
        Section("dependence", Dependence(sources).gather),
        Section("sovereignty", SovereigntyPage(sources).gather, windowed=False),
        Section("climate", ClimatePage(sources).gather),
        Section("control", ControlPage(sources).gather, windowed=False),
        Section("drills", Drills(sources).gather, windowed=False),
        Section("access", AccessPage(sources).gather, windowed=False),
        Section("race", Race(sources).gather, windowed=False),
    )
