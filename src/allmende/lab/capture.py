"""Capture: what it takes to win a vote that the others would lose, on the real tally.

Rule: whoever captures has a part of all stake and some members' voices (bought, or invented), and
votes yes with all of it; of the others some come, drawn from a seed, and vote no. What decides is
core.tally, as the contract and the desk count; nothing is decided here.
Invariant: more stake or more voices never make a capture fail that went well with less.
Worked number: of 100 staked, 10 his and 30 of the others' come: he has 10 of 40 and loses; with
24 of 100, and 30 % of the other 76, he has 24 of 46.8 and wins. So one chamber costs a minority.

Stakes of the others are Pareto-distributed (shape 1.16, four fifths with one fifth). Who comes is
each for himself. Prices are assumed, and only put costs side by side.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from statistics import median

from msgspec import Struct, structs

from allmende.core.tally import MEMBERS, NO, STAKE, YES, Ballot, Electorate, Terms, outcome

DAY = 86_400
SHARE = 10**18
ORDINARY = Terms(STAKE, False, 100_000, SHARE, 100_000, 1, 500_000, 5 * DAY, 2 * DAY, 14 * DAY)
MONEY = Terms(
    STAKE | MEMBERS, False, 100_000, SHARE, 100_000, 5, 500_000, 7 * DAY, 3 * DAY, 14 * DAY
)
MISSION = Terms(
    STAKE | MEMBERS, False, 200_000, SHARE, 200_000, 10, 666_666, 14 * DAY, 30 * DAY, 14 * DAY
)
"""The terms of a public chain, as adapters/chain/voting has them."""
DESIGNS = {
    "one chamber, by stake": ORDINARY,
    "one chamber, quadratic": structs.replace(ORDINARY, quadratic=True),
    "two chambers": MONEY,
    "mission clause": MISSION,
}
PARETO = 1.16
STAKED = 10**6 * SHARE
PPM = 1_000_000
STEP = 10_000
"""Parts per million of all stake: the grid on which the least stake is sought."""
VOICES = (0, 50_000, 100_000, 200_000, 300_000, 400_000, 500_000, 750_000)
"""Parts per million of the members that he has; the first is none but his own."""
NINETY = 900_000
FEW = 100_000
"""Of the members: with no more voices than these, 90 % of stake must not reach the mission."""


class Town(Struct, frozen=True):
    """The others, and what a capture costs. `stake_worth` credits for all stake, `voice` for one
    member: assumed."""

    members: int = 200
    stake_comes: float = 0.35
    members_come: float = 0.35
    stake_worth: float = 1_000_000.0
    voice: float = 500.0


class Crowd(Struct, frozen=True):
    """The others of one seed: each one's part of the stake that is not his, and who comes."""

    parts: tuple[float, ...]
    by_stake: tuple[bool, ...]
    by_member: tuple[bool, ...]


class Cost(Struct, frozen=True):
    """The cheapest way in one seed: parts per million of stake and of the members; None: none."""

    stake: int | None
    voices: int
    credits: float


def crowd(town: Town, seed: int) -> Crowd:
    chance = Random(f"capture {seed}")
    sizes = [chance.paretovariate(PARETO) for _ in range(town.members)]
    whole = sum(sizes)
    return Crowd(
        tuple(size / whole for size in sizes),
        tuple(chance.random() < town.stake_comes for _ in sizes),
        tuple(chance.random() < town.members_come for _ in sizes),
    )


def captured(terms: Terms, others: Crowd, stake: int, voices: int) -> bool:
    """Whether a yes with `stake` and `voices` (parts per million) passes against the others."""
    town = len(others.parts)
    own = max(1, town * voices // (PPM - voices))
    rest = STAKED * (PPM - stake) // PPM
    ballots = [
        Ballot(f"wallet {n}", f"member {n}" if heads else "", NO, int(rest * part) if comes else 0)
        for n, (part, comes, heads) in enumerate(
            zip(others.parts, others.by_stake, others.by_member, strict=True)
        )
        if comes or heads
    ]
    each = STAKED * stake // PPM // own
    ballots += [Ballot(f"his wallet {n}", f"his member {n}", YES, each) for n in range(own)]
    if terms.quadratic:  # who votes by square roots needs a voice; the others have theirs
        ballots = [structs.replace(one, member=f"of {one.wallet}") for one in ballots]
    return outcome(terms, Electorate(STAKED, town + own), ballots).passed


def least_stake(terms: Terms, others: Crowd, voices: int) -> int | None:
    """Parts per million of all stake that are enough, on the grid; None if all of it is not."""
    low, high = 0, PPM // STEP
    if not captured(terms, others, PPM - 1, voices):
        return None
    while low < high:
        middle = (low + high) // 2
        if captured(terms, others, middle * STEP, voices):
            high = middle
        else:
            low = middle + 1
    return low * STEP


def cheapest(terms: Terms, others: Crowd, town: Town) -> Cost:
    """Over all numbers of voices. His own voice is free."""
    found = [Cost(None, 0, float("inf"))]
    for voices in VOICES:
        stake = least_stake(terms, others, voices)
        if stake is not None:
            heads = max(0, town.members * voices // (PPM - voices) - 1)
            price = stake / PPM * town.stake_worth + heads * town.voice
            found.append(Cost(stake, voices, price))
    return min(found, key=lambda cost: cost.credits)


def held(others: Sequence[Crowd]) -> bool:
    """Whether 90 % of stake with a tenth of the members fails at the mission, in every seed."""
    return not any(captured(MISSION, one, NINETY, v) for one in others for v in VOICES if v <= FEW)


def main(seeds: int, town: Town, echo: Callable[[str], None] = print) -> int:
    """Say what each design costs: 0 if the mission holds against 90 % of stake, else 1."""
    others = [crowd(town, seed) for seed in range(seeds)]
    echo(f"{seeds} seeds, {town.members} members, of whom {town.members_come:.0%} come; assumed: "
         f"all stake {town.stake_worth:,.0f} credits, a voice {town.voice:,.0f}.")  # fmt: skip
    echo("\nLeast part of all stake that wins, by his part of the members (median of seeds):")
    echo(f"{'':24}" + "".join(f"{voices / PPM:>8.0%}" for voices in VOICES))
    for name, terms in DESIGNS.items():
        cells = [_middle([least_stake(terms, one, v) for one in others]) for v in VOICES]
        echo(f"{name:24}" + "".join(f"{cell:>8}" for cell in cells))
    echo("\nCheapest capture (median of seeds):")
    for name, terms in DESIGNS.items():
        costs = sorted((cheapest(terms, one, town) for one in others), key=lambda c: c.credits)
        echo(f"{name:24}{_said(costs[len(costs) // 2])}")
    safe = held(others)
    echo(f"\nThe mission against 90 % of stake and up to {FEW / PPM:.0%} of the members: "
         f"{'fails in every seed' if safe else 'CAPTURED'}.")  # fmt: skip
    return 0 if safe else 1


def _middle(found: Sequence[int | None]) -> str:
    """The median; "never" where in half of the seeds or more no stake is enough."""
    enough = [one for one in found if one is not None]
    return f"{median(enough) / PPM:.0%}" if 2 * len(enough) > len(found) else "never"


def _said(cost: Cost) -> str:
    if cost.stake is None:
        return "none found"
    parts = f"{cost.stake / PPM:.0%} of stake and {cost.voices / PPM:.0%} of the members"
    return f"{cost.credits:>12,.0f} credits: {parts}"
