"""Terms: windows and amounts that a deployment begins with, as dated data with reasons.

Rule: the Vault's terms never change, so a row is chosen once, by whoever deploys; amounts stand
in whole pay units and become base units when the token's decimals are known.
Invariant: every row passes the constructors of Vault and Bond: windows that end, a silence of
more than three rounds and a pause, a grace of at least a round, an unbonding longer than all
else together.
Worked number: on Ethereum a round is 24 + 12 hours, three and a pause of 24 are 132 hours, and
silence is seven days.

A stake must cover what an answer costs the operator: 16 vouchers of 42_000 gas and a leaf of
82_000 are 754_000. At 30 gwei and 3_000 a coin that is 68 on Ethereum, at 0.05 gwei and 600
0.02 on BNB, at 0.01 gwei 0.02 on Base; one unit is taken for one euro or dollar.
"""

from __future__ import annotations

from msgspec import Struct, structs

from allmende.custody import BondTerms, Terms

MINUTE, HOUR, DAY = 60, 3_600, 86_400
BOND_PENALTIES = 4
"""Penalties that the operator bonds: three voids close the market, and one must still be free
to submit after the third."""


class Norm(Struct, frozen=True, kw_only=True):
    """One row. Seconds, and whole pay units where the name says `units`."""

    name: str
    window: int
    response: int
    silence: int
    delay: int
    rate_ppm: int
    floor_units: int
    stake_units: int
    penalty_units: int
    pause_max: int
    pause_gap: int
    grace: int
    bond: BondTerms
    why: str
    read: str
    """When it was decided, as year-month."""

    def terms(self, unit: int) -> Terms:
        """With `unit` base units in a whole one."""
        return Terms(
            window=self.window,
            response=self.response,
            silence=self.silence,
            delay=self.delay,
            rate_ppm=self.rate_ppm,
            rate_floor=self.floor_units * unit,
            stake=self.stake_units * unit,
            penalty=self.penalty_units * unit,
            pause_max=self.pause_max,
            pause_gap=self.pause_gap,
        )


FAST = Norm(
    name="fast",
    window=4,
    response=3,
    silence=60,
    delay=2,
    rate_ppm=1_000_000,
    floor_units=1_000_000,
    stake_units=1,
    penalty_units=10,
    pause_max=10,
    pause_gap=20,
    grace=3_600,
    bond=BondTerms(audit=5, dispute=10, judging=10, unbonding=30),
    why="For demonstrations and tests, where everybody looks all the time and nobody waits. Not "
    "for a market that is ever switched off for a minute: anyone may close it then.",
    read="2026-11",
)
DEMO = structs.replace(
    FAST,
    name="demo",
    window=1,
    response=1,
    silence=14,
    delay=1,
    pause_max=2,
    pause_gap=2,
    why="For `allmende chain demo`, which switches the operator off and does not want to wait. "
    "Half of the silence is more than its ten thousand requests take: the batch that must come by "
    "then would split them.",
)
LOCAL = Norm(
    name="local",
    window=20,
    response=10,
    silence=30 * DAY,
    delay=10,
    rate_ppm=1_000_000,
    floor_units=1_000,
    stake_units=1,
    penalty_units=100,
    pause_max=HOUR,
    pause_gap=DAY,
    grace=7 * DAY,
    bond=BondTerms(audit=HOUR, dispute=HOUR, judging=DAY, unbonding=2 * DAY),
    why="A chain in the market's own process: batches may be quick, since who watches it is here; "
    "silence outlasts a machine that is switched off over the holidays.",
    read="2026-11",
)
ETHEREUM = Norm(
    name="ethereum",
    window=24 * HOUR,
    response=12 * HOUR,
    silence=7 * DAY,
    delay=24 * HOUR,
    rate_ppm=250_000,
    floor_units=10_000,
    stake_units=100,
    penalty_units=2_000,
    pause_max=24 * HOUR,
    pause_gap=7 * DAY,
    grace=14 * DAY,
    bond=BondTerms(audit=7 * DAY, dispute=3 * DAY, judging=14 * DAY, unbonding=28 * DAY),
    why="A member who looks once a day sees every batch; an operator has half a day, one night, "
    "to answer, and a censor would have to hold on for that long. A quarter of all may leave per "
    "day, so that a bug is seen before it has emptied the vault.",
    read="2026-11",
)
ROLLUP = structs.replace(
    ETHEREUM,
    name="rollup",
    response=24 * HOUR,
    silence=10 * DAY,
    stake_units=5,
    bond=BondTerms(audit=7 * DAY, dispute=4 * DAY, judging=14 * DAY, unbonding=28 * DAY),
    why="As Ethereum, but one sequencer can hold a transaction back for 12 hours until it may be "
    "forced in, so an answer has twice that; gas is cheap, so a challenge is.",
)
BNB = structs.replace(
    ETHEREUM,
    name="bnb",
    stake_units=5,
    why="As Ethereum, with a stake for its cheaper gas.",
)
CONSORTIUM = Norm(
    name="consortium",
    window=4 * HOUR,
    response=4 * HOUR,
    silence=14 * DAY,
    delay=4 * HOUR,
    rate_ppm=500_000,
    floor_units=10_000,
    stake_units=1,
    penalty_units=1_000,
    pause_max=24 * HOUR,
    pause_gap=7 * DAY,
    grace=14 * DAY,
    bond=BondTerms(audit=7 * DAY, dispute=2 * DAY, judging=14 * DAY, unbonding=28 * DAY),
    why="Members run the validators and watch by program: half a working day is enough. They "
    "know the operator, whose machines may stand still over a fortnight of holidays.",
    read="2026-11",
)
NORMS = {n.name: n for n in (FAST, DEMO, LOCAL, ETHEREUM, ROLLUP, BNB, CONSORTIUM)}
OF_PROFILE = {
    "embedded": LOCAL,
    "anvil": FAST,
    "ethereum": ETHEREUM,
    "bnb": BNB,
    "base": ROLLUP,
    "consortium": CONSORTIUM,
}
"""Profile -> the row that it begins with."""
