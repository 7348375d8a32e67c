"""Chain commons: the scenes in which a market gets owners, one after the other.

Rule: each scene is a promise of its own, and needs nothing but the market and the provider that
the scenes before have left; a promise that is not kept raises.
Invariant: what the contracts hold and what the desk says agree at the end of each.
Worked number: with terms of a few seconds all of them take less than a minute.
"""

from __future__ import annotations

from pathlib import Path

from allmende.lab import (
    commons_assembly,
    commons_bridge,
    commons_rewards,
    commons_shares,
    commons_titles,
)
from allmende.lab.chain_stage import ChainStage

SCENES = (commons_shares, commons_rewards, commons_titles, commons_bridge, commons_assembly)


def prepare(data: Path) -> None:
    """What is written down before the contracts are put up."""
    commons_shares.prepare(data)


def play(stage: ChainStage) -> None:
    for scene in SCENES:
        scene.play(stage)
