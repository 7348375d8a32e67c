"""Identity: members, keys, and who may do what in which mode.

Rule: a key acts for its member, within the tree of organisations below it; an operator's
key acts for all. A mode's features are data, and a refusal names the modes that have it.
Invariant: a secret is never here, only its SHA-256; a revoked key is gone at once.
Worked number: at 60 requests a minute the 61st within one second is refused with
retry_after_us of about one second.
"""

from __future__ import annotations

from allmende.core import commands as c
from allmende.core import events as e
from allmende.core.budgets import find_budget
from allmende.core.nouns import MEMBER_KINDS, ROLES, SYSTEM, Key, Member
from allmende.core.refusals import Refused, Why
from allmende.core.state import State
from allmende.core.titles import OWNER
from allmende.core.units import MINUTE, Instant

FEATURES = {
    "closed_loop": frozenset({"transfer_within"}),
    "limited_network": frozenset({"transfer_within", "transfer", "trade_rights"}),
    "open": frozenset(
        {"transfer_within", "transfer", "trade_rights", "exchange", "withdraw", "sale"}
    ),
    "lab": frozenset(
        {"transfer_within", "transfer", "trade_rights", "exchange", "withdraw", "sale"}
        | {"play_money"}
    ),
}
"""Mode -> what it has. DESIGN section 7; economics.md section 3.3."""

DEPTH_MAX = 32
RESERVED = frozenset({"chain", "commons", "issuer", OWNER, "system"})
"""Ids of accounts that are not members'."""
WALLETS = WALLET_MEMBER, WALLET_KEY = "w-", "wallet-"
"""Before an address in the ids of a wallet's member, budget and key: the market's own doors make
those, and to nobody else may they belong. Or whoever comes first owns what is sent to another."""
ADDRESS_DIGITS = 40
GUESTS = "pay-per-call"
"""The member for whom prices are asked where one pays per call."""


def feature(state: State, name: str) -> None:
    """Refuse where the market's mode lacks a feature, and say which mode has it."""
    assert state.market is not None
    says = lacks(state.market.mode, name)
    if says:
        raise Refused(Why.MODE_FORBIDS, says)


def lacks(mode: str, name: str) -> str:
    """What a mode without a feature says of it, as contracts/modes.vy; "" of one that has it."""
    if name in FEATURES[mode]:
        return ""
    having = ", ".join(mode for mode, has in FEATURES.items() if name in has)
    return f"Mode {mode} lacks {name!r}; these have it: {having}."


def key(state: State, hash_: str, at: Instant) -> Key:
    """The key with this hash, if it is still good."""
    found = state.keys.get(hash_)
    if found is None or (found.expires is not None and at >= found.expires):
        raise Refused(Why.UNKNOWN_KEY, "Ask whoever runs this market for a new one.")
    return found


def allow(state: State, by: str, member: str, at: Instant) -> None:
    """Refuse unless actor `by` may act for `member`: its own tree, or all for operators."""
    if by == SYSTEM:
        return
    actor = key(state, by, at)
    if actor.role == "operate":
        return
    if actor.role != "manage" or not within(state, member, actor.member):
        raise Refused(
            Why.NOT_ALLOWED,
            f"Acting for {member!r} needs a manager's key of its organisation or an operator's.",
        )


def allow_operator(state: State, by: str, at: Instant) -> None:
    if by != SYSTEM and key(state, by, at).role != "operate":
        raise Refused(Why.NOT_ALLOWED, "That needs an operator's key.")


def within(state: State, member: str, top: str) -> bool:
    """Whether `member` is `top` or belongs to it through any number of homes."""
    for _ in range(DEPTH_MAX):
        if member == top:
            return True
        found = state.members.get(member)
        if found is None or not found.home:
            return False
        member = found.home
    return False


def depth(state: State, member: Member) -> int:
    """Members from this one up to the top of its tree, both included."""
    levels = 1
    while member.home:
        member, levels = state.members[member.home], levels + 1
    return levels


def root(state: State, member: str) -> str:
    """The organisation at the top of a member's tree."""
    while state.members[member].home:
        member = state.members[member].home
    return member


def find_member(state: State, id_: str) -> Member:
    found = state.members.get(id_)
    if found is None:
        raise Refused(Why.NOT_FOUND, f"No member {id_!r}.")
    return found


def new_id(id_: str, taken: object) -> None:
    """Refuse ids that are empty, long, not plain, or taken."""
    plain = id_.isascii() and all(ch.isalnum() or ch in "-_." for ch in id_)
    if not 1 <= len(id_) <= 64 or not plain:
        raise Refused(Why.BAD_VALUE, f"An id is 1 to 64 of a-z A-Z 0-9 - _ . and not {id_[:70]!r}.")
    if taken:
        raise Refused(Why.EXISTS, f"{id_!r} exists.")


def new_member_id(state: State, id_: str) -> None:
    """As new_id, and not the name of an account that is nobody's."""
    new_id(id_, id_ in state.members or id_ in RESERVED)


def wallet_member(address: str) -> str:
    """The id of the member that came with this wallet."""
    return WALLET_MEMBER + address[2:].lower()


def own_id(id_: str, by: str) -> None:
    """Refuse, to all but the market itself, ids that stand for a wallet."""
    told = id_.lower()
    digits = next(
        (told.removeprefix(w) for w in (WALLET_MEMBER, WALLET_KEY) if told.startswith(w)), ""
    )
    address = len(digits) == ADDRESS_DIGITS and not set(digits) - set("0123456789abcdef")
    if by != SYSTEM and (address or id_ == GUESTS):
        raise Refused(Why.NOT_ALLOWED, f"{id_!r} is for the wallet of that address; take another.")


# Rate limits --------------------------------------------------------------------------


def require_rate(state: State, key: Key, at: Instant) -> None:
    """Refuse what comes faster than the key's requests per minute (GCRA, one integer)."""
    if key.per_minute is None:
        return
    burst = _interval(key.per_minute) * (key.per_minute - 1)
    early = state.arrivals.get(key.id, 0) - at - burst
    if early > 0:
        raise Refused(
            Why.RATE, f"It may ask {key.per_minute} times a minute.", retry_after_us=early
        )


def arrive(state: State, key: Key, at: Instant) -> None:
    if key.per_minute is not None:
        due = max(state.arrivals.get(key.id, 0), at)
        state.arrivals[key.id] = due + _interval(key.per_minute)


def _interval(per_minute: int) -> Instant:
    return -(-MINUTE // per_minute)


# Decisions ----------------------------------------------------------------------------


def add_member(state: State, command: c.AddMember) -> list[e.Event]:
    member = command.member
    new_member_id(state, member.id)
    own_id(member.id, command.by)
    if member.kind not in MEMBER_KINDS:
        raise Refused(Why.BAD_VALUE, f"A member is one of {', '.join(MEMBER_KINDS)}.")
    if member.home:
        if depth(state, find_member(state, member.home)) >= DEPTH_MAX:
            raise Refused(Why.BAD_VALUE, f"Organisations nest at most {DEPTH_MAX} deep.")
        allow(state, command.by, member.home, command.at)
    else:
        allow_operator(state, command.by, command.at)
    return [e.MemberAdded(at=command.at, member=member)]


def issue_key(state: State, command: c.IssueKey) -> list[e.Event]:
    new = command.key
    new_id(new.id, new.id in state.key_hashes or new.hash in state.keys)
    own_id(new.id, command.by)
    find_member(state, new.member)
    allow(state, command.by, new.member, command.at)
    if new.role not in ROLES:
        raise Refused(Why.BAD_VALUE, f"A key's role is one of {', '.join(ROLES)}.")
    if new.role == "operate":
        allow_operator(state, command.by, command.at)
    if len(new.hash) != 64 or (new.per_minute is not None and not 0 < new.per_minute <= 6_000_000):
        raise Refused(Why.BAD_VALUE, "A key has a SHA-256 and a rate of 1 to 6,000,000 a minute.")
    if new.budget:
        allow(state, command.by, find_budget(state, new.budget).owner, command.at)
    elif new.role == "spend":
        raise Refused(Why.BAD_VALUE, "A key that spends names the budget it spends from.")
    return [e.KeyIssued(at=command.at, key=new)]


def revoke_key(state: State, command: c.RevokeKey) -> list[e.Event]:
    found = state.keys.get(state.key_hashes.get(command.id, ""))
    if found is None:
        raise Refused(Why.NOT_FOUND, f"No key {command.id!r}.")
    allow(state, command.by, found.member, command.at)
    return [e.KeyRevoked(at=command.at, id=command.id)]


def member_added(state: State, event: e.MemberAdded) -> None:
    state.members[event.member.id] = event.member


def key_issued(state: State, event: e.KeyIssued) -> None:
    state.keys[event.key.hash] = event.key
    state.key_hashes[event.key.id] = event.key.hash


def key_revoked(state: State, event: e.KeyRevoked) -> None:
    del state.keys[state.key_hashes.pop(event.id)]
    state.arrivals.pop(event.id, None)


DECIDE = {c.AddMember: add_member, c.IssueKey: issue_key, c.RevokeKey: revoke_key}
APPLY = {e.MemberAdded: member_added, e.KeyIssued: key_issued, e.KeyRevoked: key_revoked}
