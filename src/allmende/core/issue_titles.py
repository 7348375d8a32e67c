"""Issue titles: a title becomes a token in its owner's wallet, and follows it from then on.

Rule: before it is minted a title's owner is who registered it, afterwards whoever has the token at
the final block.
Invariant: receipts are never judged again; a move says who is paid by the next one.
Worked number: a title is minted once, however often it is asked for: the second is EXISTS.
"""

from __future__ import annotations

from msgspec import structs

from allmende.core import events as e
from allmende.core import title_commands as c
from allmende.core import title_events as f
from allmende.core.identity import allow, feature, find_member
from allmende.core.nouns import SYSTEM, Title
from allmende.core.refusals import Refused, Why
from allmende.core.state import State
from allmende.core.titles import ROYALTY_PPM_MAX, Token

WHY_MAX = 300
"""Characters of a chain's own words that are kept."""


def find_title(state: State, id_: str) -> Title:
    found = state.titles.get(id_)
    if found is None:
        raise Refused(Why.NOT_FOUND, f"No title {id_!r}.")
    return found


def mint_title(state: State, command: c.MintTitle) -> list[e.Event]:
    title = find_title(state, command.id)
    allow(state, command.by, title.owner, command.at)
    feature(state, "withdraw")
    if command.id in state.tokens:
        raise Refused(Why.EXISTS, f"Title {command.id!r} has a token, or one is on its way.")
    _require_tier(state, title.owner)
    if not 0 <= command.royalty_ppm <= ROYALTY_PPM_MAX:
        raise Refused(
            Why.BAD_VALUE,
            f"A royalty is 0 to {ROYALTY_PPM_MAX} millionths of a price, not "
            f"{command.royalty_ppm}.",
        )
    token = Token(
        asked=command.at,
        holder=_address(state, title.owner),
        author=_address(state, command.author or title.owner),
        royalty_ppm=command.royalty_ppm,
    )
    return [f.TitleMintAsked(at=command.at, id=command.id, token=token)]


def _require_tier(state: State, owner: str) -> None:
    """Each mint is a transaction of the operator's, and strangers are as many as they like."""
    least, tier = state.parameters.get("wrap_tier", 0), state.members[owner].tier
    if tier < least:
        raise Refused(
            Why.NOT_ALLOWED,
            f"Titles go into wallets from tier {least} on, and {owner!r} is of tier {tier}: ask "
            "whoever runs this market.",
        )


def _address(state: State, member: str) -> str:
    find_member(state, member)
    wallet = state.wallets.get(member)
    if wallet is None:
        raise Refused(
            Why.NOT_FOUND,
            f"No wallet is linked to {member!r}. Whoever manages it links one at /wallet.",
        )
    return wallet.address


def end_mint(state: State, command: c.EndTitleMint) -> list[e.Event]:
    token = _of_house(state, command)
    if token.minted:
        raise Refused(Why.EXISTS, f"Title {command.id!r} is minted.")
    why = "" if command.minted else command.why[:WHY_MAX]
    return [f.TitleMintEnded(at=command.at, id=command.id, minted=command.minted, why=why)]


def follow(state: State, command: c.FollowTitle) -> list[e.Event]:
    token = _of_house(state, command)
    if not token.minted:
        raise Refused(Why.NOT_FOUND, f"The token of {command.id!r} is not minted yet.")
    find_member(state, command.owner)
    linked = state.addresses.get(command.holder, command.owner)
    if linked != command.owner:
        raise Refused(Why.BAD_VALUE, f"{command.holder} is {linked!r}'s, not {command.owner!r}'s.")
    title = state.titles[command.id]
    if (title.owner, token.holder) == (command.owner, command.holder):
        return []
    moved = f.TitleMoved(at=command.at, id=title.id, owner=command.owner, holder=command.holder)
    return [moved]


def _of_house(state: State, command: c.EndTitleMint | c.FollowTitle) -> Token:
    if command.by != SYSTEM:
        raise Refused(Why.NOT_ALLOWED, "That comes from the chain, not from a key.")
    found = state.tokens.get(command.id)
    if found is None:
        raise Refused(Why.NOT_FOUND, f"Nobody asked for a token of {command.id!r}.")
    return found


# Application --------------------------------------------------------------------------


def asked(state: State, event: f.TitleMintAsked) -> None:
    state.tokens[event.id] = event.token


def mint_ended(state: State, event: f.TitleMintEnded) -> None:
    if event.minted:
        state.tokens[event.id] = structs.replace(state.tokens[event.id], minted=True)
    else:
        del state.tokens[event.id]


def moved(state: State, event: f.TitleMoved) -> None:
    state.titles[event.id] = structs.replace(state.titles[event.id], owner=event.owner)
    state.tokens[event.id] = structs.replace(state.tokens[event.id], holder=event.holder)


def check(state: State) -> None:
    for id_, token in state.tokens.items():
        assert state.titles[id_].owner in state.members, f"owner of {id_}"
        assert 0 <= token.royalty_ppm <= ROYALTY_PPM_MAX, f"royalty of {id_}"


DECIDE = {c.MintTitle: mint_title, c.EndTitleMint: end_mint, c.FollowTitle: follow}
APPLY = {f.TitleMintAsked: asked, f.TitleMintEnded: mint_ended, f.TitleMoved: moved}
