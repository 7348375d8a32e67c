"""Govern: the founding of a market, and its rules as numbers with bounds and dates.

Rule: a parameter changes only by command, within its bounds, from an instant on; history
is never judged again by a later rule.
Invariant: fee, levy and a title's own shares never exceed a price, at any bounds.
Worked number: levy_ppm = 10_000 is 1 %: of a receipt of 66_000_000 pico 660_000 go to
the commons.
"""

from __future__ import annotations

from allmende.core import commands as c
from allmende.core import events as e
from allmende.core.identity import FEATURES, allow_operator, new_id, new_member_id
from allmende.core.ledger import issuer_account
from allmende.core.nouns import Asset, Market, Member
from allmende.core.parameters import PARAMETERS as PARAMETERS
from allmende.core.parameters import Parameter as Parameter
from allmende.core.parameters import outside
from allmende.core.refusals import Refused, Why
from allmende.core.state import Scheduled, State
from allmende.core.units import SECOND

REMEMBERED_S = PARAMETERS["idem_seconds"].least
"""So long an idempotency key is remembered at least, however the rule is changed meanwhile."""


def found(state: State, command: c.Found) -> list[e.Event]:
    if state.market is not None:
        raise Refused(Why.EXISTS, f"This market is {state.market.name!r}.")
    new_id(command.market, False)
    new_id(command.asset, False)
    new_member_id(state, command.operator)
    if command.mode not in FEATURES:
        raise Refused(Why.BAD_VALUE, f"A mode is one of {', '.join(FEATURES)}.")
    market = Market(
        command.market, command.name, command.mode, command.operator, command.public_key
    )
    asset = Asset(command.asset, command.operator, "market credit")
    return [e.Founded(at=command.at, market=market, asset=asset)]


def set_parameter(state: State, command: c.SetParameter) -> list[e.Event]:
    allow_operator(state, command.by, command.at)
    require_unchartered(state, command)
    rule = PARAMETERS.get(command.name)
    if rule is None:
        raise Refused(Why.NOT_FOUND, f"Parameters are {', '.join(PARAMETERS)}.")
    if said := outside(command.name, command.value):
        raise Refused(Why.BAD_VALUE, said)
    if command.effective > command.at:
        return [
            e.ParameterScheduled(
                at=command.at,
                name=command.name,
                value=command.value,
                effective=command.effective,
            )
        ]
    return [e.ParameterChanged(at=command.at, name=command.name, value=command.value)]


def require_unchartered(state: State, command: c.SetParameter) -> None:
    """With a charter the members' votes set the rules, and nobody's key does."""
    if state.charter is not None:
        raise Refused(
            Why.NOT_ALLOWED,
            f"This market's rules change by vote, at {state.charter.assembly} on chain "
            f"{state.charter.chain_id}: `allmende govern propose {command.name} {command.value}`.",
        )


def due(state: State, command: c.Tick) -> list[e.Event]:
    """Scheduled changes whose time has come, and idempotency keys whose window is over."""
    out: list[e.Event] = [
        e.ParameterChanged(at=command.at, name=change.name, value=change.value)
        for change in state.scheduled
        if command.at >= change.effective
    ]
    window = state.parameters.get("idem_seconds", 0) * SECOND
    oldest = next(iter(state.served.values()), None)
    if oldest is not None and oldest.at < command.at - window:
        out.append(e.Ticked(at=command.at, before=command.at - window))
    return out


def founded(state: State, event: e.Founded) -> None:
    market, asset = event.market, event.asset
    state.market = market
    state.assets[asset.id] = asset
    state.balances[asset.id] = {issuer_account(asset.id): 0}
    state.members[market.operator] = Member(market.operator, market.name, "operator")
    state.parameters.update({name: rule.default for name, rule in PARAMETERS.items()})


def parameter_scheduled(state: State, event: e.ParameterScheduled) -> None:
    state.scheduled.append(Scheduled(event.name, event.value, event.effective))
    state.scheduled.sort(key=lambda change: change.effective)


def parameter_changed(state: State, event: e.ParameterChanged) -> None:
    """A change by hand leaves later scheduled ones standing; a scheduled one is done."""
    state.parameters[event.name] = event.value
    state.scheduled = [
        change
        for change in state.scheduled
        if change.name != event.name or change.effective > event.at
    ]


def ticked(state: State, event: e.Ticked) -> None:
    state.served = {key: s for key, s in state.served.items() if s.at >= event.before}


def check(state: State) -> None:
    for name, value in state.parameters.items():
        rule = PARAMETERS[name]
        assert rule.least <= value <= rule.most, f"{name} = {value}"


DECIDE = {c.Found: found, c.SetParameter: set_parameter, c.Tick: due}
APPLY = {
    e.Founded: founded,
    e.ParameterScheduled: parameter_scheduled,
    e.ParameterChanged: parameter_changed,
    e.Ticked: ticked,
}
