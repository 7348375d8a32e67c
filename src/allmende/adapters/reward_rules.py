"""Reward rules: the files in the package by which useful work is rewarded, as bytes.

Rule: a file's bytes are what is published and hashed; a chain says which rule its epochs are of by
their length, first epoch, pool and halving, and by that the file is found.
Invariant: what is handed out has been read as a rule and is in order.
Worked number: an emission whose epochs are 3 seconds from epoch 1 on is that of lab/rewards.
"""

from __future__ import annotations

from datetime import date
from importlib.resources import files
from pathlib import Path

from allmende.adapters.rules import NoRules, all_rules, rules
from allmende.core.rewards import Rule
from allmende.wire.rewards import rule_of

ACT, LAB = "allmende/rewards", "lab/rewards"
ACTS = (ACT, LAB)


def packaged(act: str, on: date) -> bytes:
    """The file of an act that is in force on that day. NoRules."""
    found = rules(act, on)
    folder, _, name = act.partition("/")
    return files("allmende").joinpath("rules", folder, f"{name}@{found.date}.toml").read_bytes()


def named(text: str, on: date) -> bytes:
    """By an act in the package (allmende/rewards, lab/rewards), or a path. ValueError, OSError."""
    if text not in ACTS:
        data = Path(text).read_bytes()
        rule_of(data)
        return data
    try:
        return packaged(text, on)
    except NoRules as none:
        raise ValueError(str(none)) from None


def of_terms(length: int, first: int, pool: int, halving: int) -> bytes | None:
    """The newest file whose epochs are those of an emission; None if it has none of ours."""
    for found in reversed(all_rules()):
        if found.act in ACTS:
            text = packaged(found.act, found.date)
            if terms(rule_of(text)) == (length, first, pool, halving):
                return text
    return None


def terms(rule: Rule) -> tuple[int, int, int, int]:
    """What an emission's constructor fixes: length, first epoch, pool, halving."""
    return rule.epoch_seconds, rule.first_epoch, rule.pool, rule.halving_epochs
