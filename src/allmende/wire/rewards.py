"""Rewards: the rule's file, the public facts of an epoch and the list that a chain pays, as bytes.

Rule: a file of facts carries its rule word by word, so that it alone gives the list; the hash that
goes with a root is SHA-256 of the rule's file as it is.
Invariant: `decode(encode(facts, rule))` is the same; what does not fit (a leaf that is missing from
its batch's root, units for nothing, a payee without an owner) is told and never reckoned with.
Worked number: an epoch of 10_000 receipts is a file of about 1.2 MB, 120 bytes a receipt.

Keccak comes in with the call, as in wire.claims.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct, structs

from allmende.core.rewards import (
    COUNTS,
    METERS,
    NO_WALLET,
    NOTHING,
    OWN,
    UNVERIFIED,
    Facts,
    Hours,
    Line,
    Rule,
    Verdict,
    pool_of,
    rewards,
)
from allmende.core.units import PPM
from allmende.wire import claims, merkle
from allmende.wire.merkle_sum import Keccak

KIND, VERSION = "allmende rewards facts", 1
SHARE = 10**18
"""Base units in one share."""
WHYS = (COUNTS, OWN, UNVERIFIED, NO_WALLET, NOTHING)
MOST = 2**62
POINTS = (*METERS, "check", "training_hour")
PLAIN = ("epoch_seconds", "first_epoch", "halving_epochs", "full_points", "owner_cap_ppm")
ADDRESS = re.compile("0x[0-9a-f]{40}")
HASH = re.compile("[0-9a-f]{64}")


class BadFacts(ValueError):
    """A file that is not what it says; the sentence names what does not fit."""


class Document(Struct, frozen=True, kw_only=True):
    """The file. `says` is for people; `rule` is the text of the rule's file."""

    kind: str
    version: int
    says: str
    rule: str
    rule_sha256: str
    facts: Facts


class Reckoned(NamedTuple):
    """What an epoch gives: lines of a claims list, their sum, and the root; b"" of nobody."""

    epoch: int
    pool: int
    lines: list[claims.Line]
    total: int
    root: bytes


SAYS = (
    "Each line is a receipt of a closed batch: batch, leaf (SHA-256 of 0x00 and the receipt's "
    "canonical JSON), why it counts nothing ('' where it counts), payee, units "
    f"({', '.join(METERS)}). A batch's leaves have its receipts_root, by RFC 6962. owners groups "
    "payees by ultimate owner."
)


# The rule -------------------------------------------------------------------------------


def rule_hash(text: bytes) -> str:
    """SHA-256 of the file, in hex: what `sha256sum` says."""
    return hashlib.sha256(text).hexdigest()


def rule_of(text: bytes) -> Rule:
    """Out of the rule's file. ValueError names the field."""
    try:
        values = tomllib.loads(text.decode())["values"]
        points = values["points"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"the rule's file: {error}") from None
    found = {name: _whole(values, name, 1) for name in PLAIN}
    found |= {name: _whole(points, name, 0) for name in POINTS}
    if found["owner_cap_ppm"] > PPM:
        raise ValueError(f"the rule's file: owner_cap_ppm is 1 to {PPM}")
    return Rule(pool=_whole(values, "pool_shares", 1) * SHARE, **found)


def _whole(table: Any, name: str, least: int) -> int:
    value = table.get(name) if isinstance(table, dict) else None
    if type(value) is not int or not least <= value < MOST:
        raise ValueError(f"the rule's file: {name} is {value!r}, and not a whole number")
    return value


# The facts ------------------------------------------------------------------------------


def encode(facts: Facts, rule: bytes) -> bytes:
    """The public file, one line of text a receipt."""
    whole = Document(
        kind=KIND,
        version=VERSION,
        says=SAYS,
        rule=rule.decode(),
        rule_sha256=rule_hash(rule),
        facts=facts,
    )
    text = msgspec.json.encode(structs.replace(whole, facts=structs.replace(facts, lines=())))
    lines = b",\n".join(msgspec.json.encode(line) for line in facts.lines)
    return text.replace(b'"lines":[]', b'"lines":[\n' + lines + b"\n]", 1) + b"\n"


def decode(data: bytes) -> tuple[Facts, bytes]:
    """The facts and the rule's file. BadFacts if it is not one, or something in it does not fit."""
    try:
        found = msgspec.json.decode(data, type=Document)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise BadFacts(f"not a file of facts: {error}") from None
    if (found.kind, found.version) != (KIND, VERSION):
        raise BadFacts(f"not a file of facts of version {VERSION}: {found.kind!r:.60}")
    rule = found.rule.encode()
    if rule_hash(rule) != found.rule_sha256:
        raise BadFacts("its rule is not the one of its hash")
    for fault in _faults(found.facts):
        raise BadFacts(fault)
    return found.facts, rule


def _faults(facts: Facts) -> Iterator[str]:
    yield from _batches(facts)
    yield from _numbers(facts)
    told: tuple[Line | Verdict | Hours, ...] = (*facts.lines, *facts.verdicts, *facts.training)
    for one in told:
        if one.why not in WHYS:
            yield f"{one.why!r:.60} is no reason"
        if (one.why == COUNTS) != (one.payee in facts.owners):
            yield f"{one.payee!r:.60} is no payee of a line that says {one.why!r}"
    for payee, owner in facts.owners.items():
        if not ADDRESS.fullmatch(payee) or facts.owners.get(owner) != owner:
            yield f"owners: {payee!r:.60} of {owner!r:.60}"


def _numbers(facts: Facts) -> Iterator[str]:
    for line in facts.lines:
        fits = len(line.units) == (len(METERS) if line.why == COUNTS else 0)
        if not fits or any(not 0 <= units < MOST for units in line.units):
            yield f"batch {line.batch}: units {line.units!r:.60} of a line that says {line.why!r}"
    for verdict in facts.verdicts:
        if not 0 < verdict.right < MOST:
            yield f"check {verdict.check!r:.60}: {verdict.right} were right"
    for given in facts.training:
        if not 0 <= given.hours < MOST:
            yield f"training {given.id!r:.60}: {given.hours} hours"


def _batches(facts: Facts) -> Iterator[str]:
    """Every batch has its receipts, whose leaves have its root, and no other line is there."""
    numbers = [batch.number for batch in facts.batches]
    if sorted(set(numbers)) != numbers:
        yield "batches are not in order, each once"
    leaves: dict[int, list[bytes]] = {number: [] for number in numbers}
    for line in facts.lines:
        if line.batch not in leaves or not HASH.fullmatch(line.leaf):
            yield f"a line of batch {line.batch}, leaf {line.leaf!r:.70}, has no place"
            return
        leaves[line.batch].append(bytes.fromhex(line.leaf))
    for batch in facts.batches:
        there = leaves[batch.number]
        if len(there) != batch.receipts or merkle.root(there).hex() != batch.receipts_root:
            yield f"batch {batch.number}: its lines have not its receipts' root"


# The list -------------------------------------------------------------------------------


def reckon(facts: Facts, rule: Rule, keccak: Keccak) -> Reckoned:
    """The list of an epoch, its total and its root."""
    given = rewards(rule, facts)
    pool = pool_of(rule, facts.epoch)
    if not given:
        return Reckoned(facts.epoch, pool, [], 0, b"")
    lines = claims.lines({bytes.fromhex(payee[2:]): amount for payee, amount in given.items()})
    return Reckoned(facts.epoch, pool, lines, claims.total(lines), claims.root(lines, keccak))


def proofs(found: Reckoned, keccak: Keccak, place: int) -> tuple[bytes, ...]:
    """Of the line at `place`, as the contract takes it."""
    return claims.proof(claims.levels(found.lines, keccak), place)


def shares(amount: int) -> str:
    """Base units as exact decimal text of shares."""
    whole, part = divmod(amount, SHARE)
    return f"{whole}.{part:018d}".rstrip("0").rstrip(".")
