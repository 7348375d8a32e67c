"""Settle with the chain: what a wallet put in and took out, what it stands at, and its rights.

Rule: the desk follows the vault and never runs ahead of it: credit comes when the chain says
that it is there, and goes when its owner asked for it there, before any new debit.
Invariant: deposited + earned - requested - spent is the account's balance; rights in wallets
are what the account "chain" holds.
Worked number: 5 in, 2 asked back, 1 spent, 0.5 earned: a balance of 2.5 and a leaf of (2.5, 1).
"""

from __future__ import annotations

from allmende.core import custody_commands as w
from allmende.core import custody_events as f
from allmende.core import events as e
from allmende.core import ledger, wallets
from allmende.core.custody import BRIDGED, CHAIN, Wrap
from allmende.core.facts import move
from allmende.core.identity import allow, feature, find_member, new_id
from allmende.core.matching import ended
from allmende.core.nouns import SYSTEM
from allmende.core.orders import find_listing
from allmende.core.refusals import Refused, Why
from allmende.core.rights import require_live
from allmende.core.state import State, Wallet
from allmende.core.trade_terms import frozen
from allmende.core.units import Amount, credits

WRAP = "wrap:"
"""Before the id of each wrap there ever was: it is minted under that id, once."""


def house(by: str) -> None:
    """Refuse all but the market's own house: it alone reads the chain."""
    if by != SYSTEM:
        raise Refused(Why.NOT_ALLOWED, "That comes from the chain, not from a key.")


def link(state: State, command: w.LinkWallet) -> list[e.Event]:
    member = find_member(state, command.member)
    allow(state, command.by, member.id, command.at)
    wallets.require_address(command.address)
    feature(state, "withdraw")
    if member.id in state.wallets or command.address in state.addresses:
        raise Refused(Why.EXISTS, "A member has one wallet, and a wallet one member.")
    assert state.market is not None
    asset = next(a.id for a in state.assets.values() if a.issuer == state.market.operator)
    waits = any(rest.hold.account == member.id for rest in state.provisional.values())
    if waits or state.held.get(asset, {}).get(member.id, 0):
        raise Refused(
            Why.CAPACITY, f"{member.id!r} has open requests or orders; link it when they are done."
        )
    return [f.WalletLinked(at=command.at, member=member.id, address=command.address, asset=asset)]


def follow(state: State, command: w.FollowVault) -> list[e.Event]:
    """Credit what came, give up orders that hold what was asked for, and take what is there.

    `requested` of the wallet says how far it came; what is in requests comes free when they end,
    and nothing new is held of it until then.
    """
    house(command.by)
    wallet = wallets.find(state, command.member)
    came, went = command.deposited - wallet.deposited, command.requested - wallet.requested
    if command.requested < 0:
        raise Refused(Why.BAD_VALUE, "Nobody asked for less than nothing.")
    if came < 0:
        raise Refused(
            Why.BAD_VALUE,
            f"The vault has {credits(-came)} less of {wallet.address} than it had: the chain took "
            "back what was final. Nothing is credited until a person has looked.",
            missing=-came,
        )
    there = came + ledger.available(state, command.member, wallet.asset)
    given = _given_up(state, command, wallet, went - there)
    taken = min(went, there + sum(amount for _, amount in given))
    owing = max(0, went - taken)
    if went > taken and owing == wallet.owing and not (came or taken or given):
        raise Refused(
            Why.NO_CREDIT,
            f"{wallet.address} asked for {credits(went)} {wallet.asset} that it has spent.",
            missing=went,
        )
    flows = [(came, 0)] * (came > 0) + [(0, taken)] * (taken != 0)
    events = [event for event, _ in given]
    events += [_followed(command, wallet, *flow) for flow in flows]
    if owing != wallet.owing:
        events.append(f.RequestWaits(at=command.at, member=command.member, owing=owing))
    return events


def _given_up(
    state: State, command: w.FollowVault, wallet: Wallet, missing: Amount
) -> list[tuple[e.Event, Amount]]:
    """Orders that end, newest first, until so much is free; those in a frozen call stay."""
    found: list[tuple[e.Event, Amount]] = []
    for working in reversed(state.orders.values()):
        order, listing = working.order, state.listings[working.order.instrument]
        if missing <= 0:
            break
        if (order.account, order.side) != (command.member, "buy"):
            continue
        bound = not order.request and frozen(state, listing, command.at)
        if listing.instrument.asset == wallet.asset and not bound:
            freed = ledger.order_aside(state, order, working.left).amount
            found.append((ended(order, "withdrawn", command.at), freed))
            missing -= freed
    return found


def _followed(
    command: w.FollowVault, wallet: Wallet, deposited: Amount, requested: Amount
) -> f.VaultFollowed:
    return f.VaultFollowed(
        at=command.at,
        member=command.member,
        issuer=ledger.issuer_account(wallet.asset),
        asset=wallet.asset,
        deposited=deposited,
        requested=requested,
    )


def cut(state: State, command: w.CutWallets) -> list[e.Event]:
    house(command.by)
    return [f.WalletsCut(at=command.at, batch=state.batch.number - 1)]


def wrap(state: State, command: w.WrapRights) -> list[e.Event]:
    new_id(command.id, WRAP + command.id in state.references)
    member = find_member(state, command.account)
    allow(state, command.by, command.account, command.at)
    feature(state, "withdraw")
    least = state.parameters.get("wrap_tier", 0)
    if member.tier < least:
        # each is a transaction of the operator's, and strangers are as many as they like
        raise Refused(
            Why.NOT_ALLOWED,
            f"Rights go into wallets from tier {least} on, and {member.id!r} is of tier "
            f"{member.tier}: ask whoever runs this market.",
        )
    wallets.require_address(command.to)
    require_live(find_listing(state, command.instrument), command.at)
    if command.grains <= 0:
        raise Refused(Why.BAD_VALUE, "What is wrapped is 1 or more grains.")
    ledger.require(state, command.account, command.instrument, command.grains)
    said = Wrap(command.id, command.account, command.instrument, command.grains, command.to)
    return [f.RightsWrapped(at=command.at, wrap=said)]


def end_wrap(state: State, command: w.EndWrap) -> list[e.Event]:
    house(command.by)
    said = state.wraps.get(command.id)
    if said is None:
        raise Refused(Why.NOT_FOUND, f"No rights are on their way under {command.id!r}.")
    gone = command.minted or said.instrument not in state.listings
    back = () if gone else move(CHAIN, said.account, said.instrument, said.grains)
    return [f.WrapEnded(at=command.at, id=command.id, back=back)]


def unwrap(state: State, command: w.UnwrapRights) -> list[e.Event]:
    house(command.by)
    find_member(state, command.account)
    find_listing(state, command.instrument)
    if command.reference in state.references:
        raise Refused(Why.EXISTS, f"Burning {command.reference!r} was credited before.")
    if command.grains <= 0:
        raise Refused(Why.BAD_VALUE, "What is unwrapped is 1 or more grains.")
    going = sum(s.grains for s in state.wraps.values() if s.instrument == command.instrument)
    ledger.require(state, CHAIN, command.instrument, command.grains + going)
    return [
        f.RightsUnwrapped(
            at=command.at,
            account=command.account,
            instrument=command.instrument,
            grains=command.grains,
            reference=command.reference,
        )
    ]


# Application --------------------------------------------------------------------------


def linked(state: State, event: f.WalletLinked) -> None:
    state.wallets[event.member] = Wallet(event.address, event.asset)
    state.addresses[event.address] = event.member


def followed(state: State, event: f.VaultFollowed) -> None:
    """Not a debit that anyone signs for: its owner asked the vault himself."""
    wallet = state.wallets[event.member]
    ledger.post(state, event.postings, spent=False)
    wallet.deposited += event.deposited
    wallet.requested += event.requested


def waits(state: State, event: f.RequestWaits) -> None:
    state.wallets[event.member].owing = event.owing


def was_cut(state: State, event: f.WalletsCut) -> None:
    waiting = [rest.receipt for rest in state.provisional.values()]
    for member, account in wallets.closed(state, waiting).items():
        state.wallets[member].closed = account
    state.cut_batch = event.batch


def wrapped(state: State, event: f.RightsWrapped) -> None:
    state.wraps[event.wrap.id] = event.wrap
    state.references |= {WRAP + event.wrap.id, BRIDGED + event.wrap.instrument}
    ledger.post(state, event.postings)


def wrap_ended(state: State, event: f.WrapEnded) -> None:
    del state.wraps[event.id]
    ledger.post(state, event.postings)


def unwrapped(state: State, event: f.RightsUnwrapped) -> None:
    state.references.add(event.reference)
    ledger.post(state, event.postings)


DECIDE = {
    w.LinkWallet: link,
    w.FollowVault: follow,
    w.CutWallets: cut,
    w.WrapRights: wrap,
    w.EndWrap: end_wrap,
    w.UnwrapRights: unwrap,
}
APPLY = {
    f.WalletLinked: linked,
    f.VaultFollowed: followed,
    f.RequestWaits: waits,
    f.WalletsCut: was_cut,
    f.RightsWrapped: wrapped,
    f.WrapEnded: wrap_ended,
    f.RightsUnwrapped: unwrapped,
}
