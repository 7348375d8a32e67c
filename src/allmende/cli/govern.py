"""Govern: who decides, and what a decision would change. docs/govern.md.

Rule: each command is a module of its own, cli/govern_<what>.py, with one line in COMMANDS.
"""

from __future__ import annotations

import click

from allmende.cli.lazy import Lazy

COMMANDS = {
    "list": ("govern_show:list_", "Proposals, the newest first."),
    "show": ("govern_show:show_", "One proposal, its counts and its votes."),
    "rules": ("govern_show:rules_", "Parameters, who decides on them, their bounds."),
    "propose": ("govern_acts:propose_", "Propose a parameter, a grant, calls or a text."),
    "vote": ("govern_acts:vote_", "Vote yes, no or abstain."),
    "cancel": ("govern_acts:cancel_", "Take back what you proposed."),
    "queue": ("govern_acts:queue_", "Say that a proposal passed."),
    "execute": ("govern_acts:execute_", "Do what was decided."),
    "stake": ("govern_stake:stake_", "Stake shares: they vote and earn."),
    "unstake": ("govern_stake:unstake_", "Take shares out of the stake."),
    "withdraw": ("govern_stake:withdraw_", "Take back what has left the stake."),
    "delegate": ("govern_stake:delegate_", "Let another vote with your stake."),
    "recall": ("govern_stake:recall_", "Take your stake from a locked voter."),
    "claim": ("govern_stake:claim_", "Take what your stake has earned."),
    "credential": ("govern_roll:credential_", "A credential for a member's wallet."),
    "enrol": ("govern_roll:enrol_", "Vote as a member, by a credential."),
    "charter": ("govern_roll:charter_", "Hand the market's rules to its Assembly."),
    "simulate": ("govern_simulate", "What a rule would have changed, on real requests."),
    "power": ("govern_power", "Who could decide alone, and who takes part."),
    "levy": ("govern_levy", "What the commons took of every price, and what it paid out."),
    "jury": ("govern_jury", "Juries by lot: call, draw, check, list."),
}
"""Name -> (module here, what it does), in the order in which help lists them. A module's command
is called `command` unless it is named behind a colon."""


@click.group(cls=Lazy, listed=COMMANDS, function="command")
def govern() -> None:
    """Who decides on the rules of a market, and what a decision would change."""
