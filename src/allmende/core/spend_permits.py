"""Spend by permit: what a wallet's owner allows, and what its sessions vouch for.

Rule: a permit is granted by whoever manages the member, and signed by its wallet; a session
spends from a budget of its own that allows what its permit adds to the lane.
Invariant: a lane's limit never falls below where the lane stands with all that is open on it,
and a lane that is taken over has nothing open.
Worked number: a lane at 3 and a permit of 8 on it give a session with a budget of 5.
"""

from __future__ import annotations

from allmende.core import commands as c
from allmende.core import custody_commands as w
from allmende.core import custody_events as f
from allmende.core import events as e
from allmende.core import wallets
from allmende.core.budgets import DEPTH_MAX, find_budget, path
from allmende.core.custody import AMOUNT_MAX, GENERAL, LANES, Permit
from allmende.core.identity import allow, new_id
from allmende.core.refusals import Refused, Why
from allmende.core.state import Budget, Lane, State, Wallet


def grant(state: State, command: w.GrantPermit) -> list[e.Event]:
    permit = command.permit
    wallet = wallets.find(state, command.member)
    allow(state, command.by, command.member, command.at)
    if not (0 <= permit.lane < LANES and 0 < permit.limit <= AMOUNT_MAX):
        raise Refused(Why.BAD_VALUE, f"A permit has a lane of 0 to {LANES - 1} and a limit.")
    if permit.expires <= command.at:
        raise Refused(Why.ENDED, "This permit has expired; sign a new one.")
    base = wallets.reached(wallet, permit.lane)
    least = base
    if permit.lane == GENERAL:
        least = wallets.general(wallet, wallets.opened(state, command.member))
    if permit.limit < least:
        raise Refused(
            Why.BAD_VALUE,
            f"Lane {permit.lane} stands at {least} with what is open on it; sign at least that.",
            missing=least - permit.limit,
        )
    if permit.lane == GENERAL:
        _require_general(permit)
        return [f.PermitGranted(at=command.at, member=command.member, permit=permit, base=0)]
    _require_idle(state, wallet, permit.lane)
    _require_place(state, command)
    return [
        f.PermitGranted(
            at=command.at,
            member=command.member,
            permit=permit,
            base=base,
            budget=command.budget,
            parent=command.parent,
            asset=wallet.asset,
        )
    ]


def _require_general(permit: Permit) -> None:
    if not permit.sealed or permit.models:
        raise Refused(
            Why.BAD_VALUE,
            "Lane 0 is for all that has no session: the market signs there, for any model.",
        )


def _require_idle(state: State, wallet: Wallet, number: int) -> None:
    """A lane can be taken over when nothing of its last session is open."""
    lane = wallet.lanes.get(number)
    if lane is None:
        return
    waits = any(
        wallets.session(state, rest.hold.budget) is lane for rest in state.provisional.values()
    )
    if lane.held or waits:
        raise Refused(Why.CAPACITY, f"Lane {number} has open requests; try again or take another.")


def _require_place(state: State, command: w.GrantPermit) -> None:
    """A new budget below one that the member's own account pays for."""
    new_id(command.budget, command.budget in state.budgets)
    parent = find_budget(state, command.parent)
    if parent.owner != command.member or parent.asset != state.wallets[command.member].asset:
        raise Refused(Why.NOT_ALLOWED, f"Budget {parent.id!r} is not paid by {command.member!r}.")
    nodes = list(path(state, parent.id))
    if len(nodes) >= DEPTH_MAX or any(node.id in state.sessions for node in nodes):
        raise Refused(Why.BAD_VALUE, "A session's budget stands below an ordinary one.")


def vouch(state: State, command: w.Vouch) -> list[e.Event]:
    wallet = wallets.find(state, command.member)
    allow(state, command.by, command.member, command.at)
    lane = wallet.lanes.get(command.lane)
    if lane is None or lane.ended or lane.permit.sealed:
        raise Refused(Why.NOT_FOUND, f"No session that vouches for itself on lane {command.lane}.")
    if not lane.vouched < command.amount <= lane.permit.limit:
        raise Refused(
            Why.BAD_VALUE,
            f"A voucher names more than {lane.vouched} and at most {lane.permit.limit}, in all.",
        )
    return [
        f.Vouched(
            at=command.at,
            member=command.member,
            lane=command.lane,
            amount=command.amount,
            signature=command.signature,
        )
    ]


def expire(state: State, command: c.Tick) -> list[e.Event]:
    over = sorted(
        (member, number)
        for member, wallet in state.wallets.items()
        for number, lane in wallet.lanes.items()
        if not lane.ended and command.at >= lane.permit.expires
    )
    return [f.PermitEnded(at=command.at, member=member, lane=number) for member, number in over]


# Application --------------------------------------------------------------------------


def granted(state: State, event: f.PermitGranted) -> None:
    permit = event.permit
    wallet = state.wallets[event.member]
    before = wallet.lanes.get(permit.lane)
    if before is not None and before.budget:
        state.sessions.pop(before.budget)
        state.budgets[before.budget].limit = 0
    vouched = event.base if permit.lane and not permit.sealed else permit.limit
    wallet.lanes[permit.lane] = Lane(permit, event.base, event.budget, vouched=vouched)
    if not event.budget:
        return
    state.sessions[event.budget] = (event.member, permit.lane)
    state.budgets[event.budget] = Budget(
        id=event.budget,
        name=f"Session {permit.lane}",
        owner=event.member,
        parent=event.parent,
        asset=event.asset,
        period="total",
        limit=vouched - event.base,
    )


def vouched(state: State, event: f.Vouched) -> None:
    lane = state.wallets[event.member].lanes[event.lane]
    lane.vouched, lane.voucher = event.amount, event.signature
    state.budgets[lane.budget].limit = event.amount - lane.base


def ended(state: State, event: f.PermitEnded) -> None:
    lane = state.wallets[event.member].lanes[event.lane]
    lane.ended = True
    if lane.budget:
        state.budgets[lane.budget].limit = 0


DECIDE = {w.GrantPermit: grant, w.Vouch: vouch, c.Tick: expire}
APPLY = {f.PermitGranted: granted, f.Vouched: vouched, f.PermitEnded: ended}
