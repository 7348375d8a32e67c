"""Charter: a market hands its rules to its members, and takes from then on what they decided.

Rule: decisions come in order, each once; one that cannot be carried out is noted with why, so
that the next one is not kept waiting by it.
Invariant: nothing is enacted that a command could not have done: bounds hold, and the commons
are never below zero.
Worked number: with 3 credits in the commons a grant of 5 is noted as not carried out, and the
grant of 2 that was decided after it is paid.
"""

from __future__ import annotations

from allmende.core import charter_commands as h
from allmende.core import charter_events as f
from allmende.core import events as e
from allmende.core import ledger
from allmende.core.charter import GRANT, PARAMETER, Charter, Decision
from allmende.core.identity import allow_operator
from allmende.core.nouns import SYSTEM
from allmende.core.parameters import PARAMETERS, outside
from allmende.core.refusals import Refused, Why
from allmende.core.state import State
from allmende.core.units import DAY, credits
from allmende.core.wallets import require_address

AHEAD_MAX = 3_660 * DAY
"""As the Assembly has it, and a little more for what is executed late."""


def give(state: State, command: h.GiveCharter) -> list[e.Event]:
    allow_operator(state, command.by, command.at)
    if state.charter is not None:
        raise Refused(
            Why.EXISTS,
            f"This market is governed by {state.charter.assembly} on chain "
            f"{state.charter.chain_id}, for good.",
        )
    require_address(command.assembly)
    if command.chain_id <= 0:
        raise Refused(Why.BAD_VALUE, "A chain's id is 1 or more.")
    charter = Charter(command.assembly, command.chain_id)
    return [f.Chartered(at=command.at, charter=charter)]


def enact(state: State, command: h.Enact) -> list[e.Event]:
    if command.by != SYSTEM:
        raise Refused(Why.NOT_ALLOWED, "That comes from the chain, not from a key.")
    if state.charter is None:
        raise Refused(Why.NOT_FOUND, "This market has no charter, so nobody decides for it.")
    decision = command.decision
    if decision.number <= state.enacted:
        raise Refused(Why.EXISTS, f"Decision {decision.number} was taken before.")
    if decision.number > state.enacted + 1:
        raise Refused(Why.BAD_VALUE, f"Decision {state.enacted + 1} comes first.")
    if decision.kind == PARAMETER:
        return _parameter(command, decision)
    if decision.kind == GRANT:
        return [_grant(state, command, decision)]
    raise Refused(Why.BAD_VALUE, f"{decision.kind!r} is no decision for a market.")


def _parameter(command: h.Enact, decision: Decision) -> list[e.Event]:
    name, value, effective = decision.name, decision.value, decision.effective
    known = name in PARAMETERS
    undone = outside(name, value) if known else f"Parameters are {', '.join(PARAMETERS)}."
    if effective > command.at + AHEAD_MAX:
        undone = "A rule is decided for ten years ahead at most."
    noted = f.Enacted(at=command.at, decision=decision, undone=undone)
    if undone:
        return [noted]
    if effective > command.at:
        later = e.ParameterScheduled(at=command.at, name=name, value=value, effective=effective)
        return [noted, later]
    return [noted, e.ParameterChanged(at=command.at, name=name, value=value)]


def _grant(state: State, command: h.Enact, decision: Decision) -> e.Event:
    assert state.market is not None
    asset = next(a.id for a in state.assets.values() if a.issuer == state.market.operator)
    there = ledger.available(state, ledger.COMMONS, asset)
    undone = ""
    if decision.name not in state.members:
        undone = f"No member {decision.name!r}."
    elif decision.value <= 0:
        undone = "A grant is more than nothing."
    elif decision.value > there:
        undone = f"The commons have {credits(there)} {asset}, not {credits(decision.value)}."
    source, asset = ("", "") if undone else (ledger.COMMONS, asset)
    return f.Enacted(at=command.at, decision=decision, undone=undone, source=source, asset=asset)


def chartered(state: State, event: f.Chartered) -> None:
    state.charter = event.charter


def enacted(state: State, event: f.Enacted) -> None:
    state.enacted = event.decision.number
    ledger.post(state, event.postings)


DECIDE = {h.GiveCharter: give, h.Enact: enact}
APPLY = {f.Chartered: chartered, f.Enacted: enacted}
