"""Issue trees: a member's tree that comes from another market, and what its budgets had spent.

Rule: an operator takes a tree in, once; with it comes what was spent of each budget's period, so
that nobody escapes a limit by moving. No money comes: that is a deposit, as ever.
Invariant: a tree is taken in once, and nothing is carried into a budget that was spent from here.
Worked number: of 100 credits a term 60 were spent there: here 40 are left until the term ends.
"""

from __future__ import annotations

from allmende.core import events as e
from allmende.core import tree_commands as c
from allmende.core import tree_events as m
from allmende.core.budgets import FOREVER, find_budget, period_end
from allmende.core.identity import allow_operator
from allmende.core.refusals import Refused, Why
from allmende.core.state import State
from allmende.core.units import Instant

SPENT_MAX = 10**30
CAUSED_MAX_UG = 10**18
TEXT_MAX = 200


def receive_tree(state: State, command: c.ReceiveTree) -> list[e.Event]:
    allow_operator(state, command.by, command.at)
    if len(command.sha256) != 64 or not command.members:
        raise Refused(Why.BAD_VALUE, "A tree has the SHA-256 of its file, and a member.")
    if command.sha256 in state.trees:
        raise Refused(Why.EXISTS, f"It came before, as {', '.join(state.trees[command.sha256])}.")
    if not 0 < len(command.market) <= TEXT_MAX or len(command.public_key) > TEXT_MAX:
        raise Refused(Why.BAD_VALUE, "A tree names the market that it comes from.")
    return [
        m.TreeReceived(
            at=command.at,
            sha256=command.sha256,
            market=command.market,
            public_key=command.public_key,
            events=command.events,
            members=command.members,
        )
    ]


def carry_spent(state: State, command: c.CarrySpent) -> list[e.Event]:
    """What was spent elsewhere in the running period, of a budget that is new here."""
    allow_operator(state, command.by, command.at)
    node = find_budget(state, command.id)
    if command.id in state.sessions:
        raise Refused(Why.NOT_ALLOWED, "A session's limit is what its wallet signed.")
    if node.until or node.held or node.ug_held:
        raise Refused(Why.HALTED, f"Something was spent from {command.id!r} here already.")
    if not (0 <= command.spent <= SPENT_MAX and 0 <= command.ug_spent <= CAUSED_MAX_UG):
        raise Refused(Why.BAD_VALUE, "What was spent is 0 to 10^30 pico-credits.")
    if not _ends(node.period, command.until, command.at):
        raise Refused(Why.BAD_VALUE, f"{command.until} is the end of no {node.period} until now.")
    return [
        m.SpentCarried(
            at=command.at,
            id=command.id,
            spent=command.spent,
            until=command.until,
            ug_spent=command.ug_spent,
        )
    ]


def _ends(period: str, until: Instant, at: Instant) -> bool:
    """Whether a period ends then: the one that runs, or one that is over."""
    if not 0 < until <= FOREVER:
        return False
    return period_end(period, until - 1) == until <= period_end(period, at)


def tree_received(state: State, event: m.TreeReceived) -> None:
    state.trees[event.sha256] = event.members


def spent_carried(state: State, event: m.SpentCarried) -> None:
    node = state.budgets[event.id]
    node.spent, node.until = event.spent, event.until
    node.ug_spent = node.ug_base = event.ug_spent


DECIDE = {c.ReceiveTree: receive_tree, c.CarrySpent: carry_spent}
APPLY = {m.TreeReceived: tree_received, m.SpentCarried: spent_carried}
