"""Issue: how credit, assets, titles and budgets come into being.

Rule: credit exists only against an outside payment with a reference used once, or as an
organisation's own asset minted by itself; an issuer's account shows what is outstanding.
Invariant: supply of an asset = minus the balance of `issuer/<asset>`.
Worked number: two deposits of 5 credits under one reference make 5 credits, not 10: the
second is refused with EXISTS.
"""

from __future__ import annotations

from allmende.core import commands as c
from allmende.core import events as e
from allmende.core import ledger
from allmende.core.budgets import DEPTH_MAX, find_budget, path
from allmende.core.identity import (
    allow,
    allow_operator,
    feature,
    find_member,
    new_id,
    own_id,
    root,
)
from allmende.core.nouns import PERIODS, TITLE_KINDS, Asset
from allmende.core.refusals import Refused, Why
from allmende.core.state import Budget, State
from allmende.core.titles import OWNER
from allmende.core.units import PPM, Amount

AMOUNT_MAX: Amount = 10**30
CAP_MAX_UG = 10**18
"""A million tonnes: below what stands for an offer that states no energy."""
TITLE_PPM_MAX = 700_000
"""What a title may give away, so that the host keeps some after fee and levy at their most."""


def positive(amount: Amount) -> None:
    if not 0 < amount <= AMOUNT_MAX:
        raise Refused(Why.BAD_VALUE, "An amount is 1 to 10^30 pico-credits.")


def find_asset(state: State, id_: str) -> Asset:
    found = state.assets.get(id_)
    if found is None:
        raise Refused(Why.NOT_FOUND, f"No asset {id_!r}; there are {', '.join(state.assets)}.")
    return found


def deposit(state: State, command: c.Deposit) -> list[e.Event]:
    allow_operator(state, command.by, command.at)
    find_member(state, command.member)
    asset = find_asset(state, command.asset)
    assert state.market is not None
    if asset.issuer != state.market.operator:
        raise Refused(Why.NOT_ALLOWED, f"{asset.id} is minted by {asset.issuer}, not deposited.")
    positive(command.amount)
    if not 0 < len(command.reference) <= 200:
        raise Refused(Why.BAD_VALUE, "A deposit names the outside payment it stands for.")
    if command.reference in state.references:
        raise Refused(Why.EXISTS, f"Payment {command.reference!r} was credited before.")
    return [
        e.Deposited(
            at=command.at,
            member=command.member,
            issuer=ledger.issuer_account(asset.id),
            asset=asset.id,
            amount=command.amount,
            reference=command.reference,
        )
    ]


def register_asset(state: State, command: c.RegisterAsset) -> list[e.Event]:
    new_id(command.id, command.id in state.assets or command.id in state.listings)
    find_member(state, command.issuer)
    allow(state, command.by, command.issuer, command.at)
    asset = Asset(command.id, command.issuer, command.name)
    return [e.AssetRegistered(at=command.at, asset=asset)]


def mint(state: State, command: c.Mint) -> list[e.Event]:
    asset = find_asset(state, command.asset)
    find_member(state, command.member)
    allow(state, command.by, asset.issuer, command.at)
    assert state.market is not None
    if asset.issuer == state.market.operator:
        raise Refused(Why.NOT_ALLOWED, f"{asset.id} comes by deposit, not by minting.")
    if asset.issuer not in state.members:
        raise Refused(Why.NOT_ALLOWED, f"{asset.id} is another market's, and comes from there.")
    if root(state, command.member) != root(state, asset.issuer):
        feature(state, "transfer")
    positive(command.amount)
    return [
        e.Minted(
            at=command.at,
            member=command.member,
            issuer=ledger.issuer_account(asset.id),
            asset=asset.id,
            amount=command.amount,
        )
    ]


def transfer(state: State, command: c.Transfer) -> list[e.Event]:
    find_member(state, command.source)
    find_member(state, command.target)
    if command.asset not in state.listings and command.asset not in state.foreign:
        find_asset(state, command.asset)
    allow(state, command.by, command.source, command.at)
    inside = root(state, command.source) == root(state, command.target)
    feature(state, "transfer_within" if inside else "transfer")
    positive(command.amount)
    ledger.require(state, command.source, command.asset, command.amount)
    return [
        e.Transferred(
            at=command.at,
            source=command.source,
            target=command.target,
            asset=command.asset,
            amount=command.amount,
        )
    ]


def register_title(state: State, command: c.RegisterTitle) -> list[e.Event]:
    title = command.title
    new_id(title.id, title.id in state.titles)
    find_member(state, title.owner)
    allow(state, command.by, title.owner, command.at)
    if title.kind not in TITLE_KINDS:
        raise Refused(Why.BAD_VALUE, f"A title is one of {', '.join(TITLE_KINDS)}.")
    for share in title.waterfall:
        if share.account != OWNER:
            find_member(state, share.account)
    given = sum(share.ppm for share in title.waterfall)
    if any(share.ppm < 0 for share in title.waterfall) or given > TITLE_PPM_MAX:
        raise Refused(
            Why.BAD_VALUE,
            f"A title gives away 0 to {TITLE_PPM_MAX} of {PPM} parts, not {given}: "
            "the host, the operator and the commons are paid from the rest.",
        )
    return [e.TitleRegistered(at=command.at, title=title)]


def add_budget(state: State, command: c.AddBudget) -> list[e.Event]:
    new_id(command.id, command.id in state.budgets)
    own_id(command.id, command.by)
    owner, asset = command.owner, command.asset
    if command.parent:
        parent = find_budget(state, command.parent)
        owner, asset = parent.owner, parent.asset
        if len(list(path(state, parent.id))) >= DEPTH_MAX:
            raise Refused(Why.BAD_VALUE, f"A budget tree is at most {DEPTH_MAX} deep.")
    find_member(state, owner)
    find_asset(state, asset)
    allow(state, command.by, owner, command.at)
    if command.period not in PERIODS:
        raise Refused(Why.BAD_VALUE, f"A period is one of {', '.join(PERIODS)}.")
    if command.limit is not None and not 0 <= command.limit <= AMOUNT_MAX:
        raise Refused(Why.BAD_VALUE, "A limit is 0 to 10^30 pico-credits, or none.")
    return [
        e.BudgetAdded(
            at=command.at,
            id=command.id,
            name=command.name,
            owner=owner,
            parent=command.parent,
            asset=asset,
            period=command.period,
            limit=command.limit,
        )
    ]


def set_budget(state: State, command: c.SetBudget) -> list[e.Event]:
    node = find_budget(state, command.id)
    allow(state, command.by, node.owner, command.at)
    if command.id in state.sessions:
        raise Refused(Why.NOT_ALLOWED, "A session's limit is what its wallet signed.")
    if command.limit is not None and not 0 <= command.limit <= AMOUNT_MAX:
        raise Refused(Why.BAD_VALUE, "A limit is 0 to 10^30 pico-credits, or none.")
    return [e.BudgetChanged(at=command.at, id=command.id, limit=command.limit)]


def set_carbon_cap(state: State, command: c.SetCarbonCap) -> list[e.Event]:
    """Below what the period has caused already it is allowed: then nothing more fits."""
    allow(state, command.by, find_budget(state, command.id).owner, command.at)
    if command.cap_ug is not None and not 0 <= command.cap_ug <= CAP_MAX_UG:
        raise Refused(Why.BAD_VALUE, f"A cap is 0 to {CAP_MAX_UG} micrograms of CO2e, or none.")
    return [e.CarbonCapSet(at=command.at, id=command.id, cap_ug=command.cap_ug)]


def moved(state: State, event: e.Deposited | e.Minted | e.Transferred) -> None:
    ledger.post(state, event.postings)


def deposited(state: State, event: e.Deposited) -> None:
    state.references.add(event.reference)
    moved(state, event)


def asset_registered(state: State, event: e.AssetRegistered) -> None:
    state.assets[event.asset.id] = event.asset


def title_registered(state: State, event: e.TitleRegistered) -> None:
    state.titles[event.title.id] = event.title


def budget_added(state: State, event: e.BudgetAdded) -> None:
    state.budgets[event.id] = Budget(
        event.id, event.name, event.owner, event.parent, event.asset, event.period, event.limit
    )


def budget_changed(state: State, event: e.BudgetChanged) -> None:
    state.budgets[event.id].limit = event.limit


def carbon_cap_set(state: State, event: e.CarbonCapSet) -> None:
    node = state.budgets[event.id]
    node.cap_ug, node.ug_base = event.cap_ug, node.ug_spent + node.ug_held


DECIDE = {
    c.Deposit: deposit,
    c.RegisterAsset: register_asset,
    c.Mint: mint,
    c.Transfer: transfer,
    c.RegisterTitle: register_title,
    c.AddBudget: add_budget,
    c.SetBudget: set_budget,
    c.SetCarbonCap: set_carbon_cap,
}
APPLY = {
    e.Deposited: deposited,
    e.Minted: moved,
    e.Transferred: moved,
    e.AssetRegistered: asset_registered,
    e.TitleRegistered: title_registered,
    e.BudgetAdded: budget_added,
    e.BudgetChanged: budget_changed,
    e.CarbonCapSet: carbon_cap_set,
}
