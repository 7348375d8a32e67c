"""Settlement of rights: claims on the way, and the end of a delivery window.

Rule: the market's own meter is the witness: a claim is put to the test of the requests that
follow it, its stake is lost where service was attested, and no penalty is due then. Damages are
for what was held when the issuer failed, out of the bond that secures just that.
Invariant: at the end every grain goes back to where it came from, and the bond is paid out
to the last pico-credit: holders first, the rest to the issuer.
Worked number: of 4 lots 1 was used and 3 are left in the hands of a holder whom the issuer
failed: the bond of 15.5 credits paid 3.1 for use, pays 10.665 to him, and 1.735 goes back.
"""

from __future__ import annotations

from msgspec import structs

from allmende.core import commands as c
from allmende.core import damages, ledger, rights, wallets
from allmende.core import events as e
from allmende.core import exchange_commands as x
from allmende.core import exchange_events as f
from allmende.core.contracts import Claim, Plea
from allmende.core.custody import CHAIN
from allmende.core.facts import move
from allmende.core.identity import allow, allow_operator, find_member, new_id, root
from allmende.core.nouns import Posting, Receipt
from allmende.core.orders import find_listing
from allmende.core.refusals import Refused, Why
from allmende.core.state import Listing, Service, State
from allmende.core.units import PPM, SECOND, Amount, Instant, Unpriced, price

TEXT_MAX = 500


def tick(state: State, command: c.Tick) -> list[e.Event]:
    return [*test(state, command), *due(state, command)]


# Claims -------------------------------------------------------------------------------


def claim(state: State, command: x.ClaimDefault) -> list[e.Event]:
    listing = find_listing(state, command.instrument)
    instrument = listing.instrument
    new_id(command.id, command.id in state.claims)
    find_member(state, command.account)
    allow(state, command.by, command.account, command.at)
    if not instrument.start <= command.at < instrument.end or instrument.settlement != "physical":
        raise Refused(Why.HALTED, "A default is claimed while the instrument delivers.")
    if root(state, command.account) == root(state, instrument.issuer):
        raise Refused(Why.NOT_ALLOWED, "Nobody claims from his own bond.")
    for other in state.claims.values():
        if (other.instrument, other.account) == (instrument.id, command.account):
            raise Refused(Why.EXISTS, f"Claim {other.id!r} is being tested.")
    if command.grains <= 0:
        raise Refused(Why.BAD_VALUE, "A claim is for 1 or more grains.")
    ledger.require(state, command.account, instrument.id, command.grains)
    stake = command.grains * instrument.price * state.parameters["claim_stake_ppm"] // PPM
    ledger.require(state, command.account, instrument.asset, stake)
    heard = listing.service.get(command.account, Service())
    due = min(command.at + state.parameters["dispute_seconds"] * SECOND, instrument.end)
    if stake and wallets.until(state, command.account, instrument.asset, due, command.at) < due:
        raise Refused(Why.NOT_SIGNED, "Its permit ends before the claim is decided; sign anew.")
    said = (command.id, instrument.id, command.account, command.grains, stake, due)
    return [f.Claimed(at=command.at, claim=Claim(*said, heard.served, heard.faulted))]


def test(state: State, command: c.Tick) -> list[e.Event]:
    """Decide the claims whose time is over. Each takes its own share of a bond, so their
    number and order change nothing."""
    return [
        _settled(state, id_, said, command.at)
        for id_, said in sorted(state.claims.items())
        if command.at >= said.due
    ]


def _settled(state: State, id_: str, said: Claim, at: Instant) -> f.ClaimSettled:
    """Upheld if since then the issuer failed him more often than it may."""
    listing = state.listings[said.instrument]
    instrument = listing.instrument
    now = listing.service.get(said.account, Service())
    since = Service(now.served - said.served, now.faulted - said.faulted)
    grains = min(said.grains, now.owed, ledger.available(state, said.account, instrument.id))
    if not damages.failed(instrument, since) or not grains:
        lines = move(said.account, instrument.issuer, instrument.asset, said.stake)
        return f.ClaimSettled(at=at, claim=id_, upheld=False, lines=lines if said.stake else ())
    bond = ledger.bond_account(instrument.id)
    owed = rights.outstanding(state, instrument.id) - listing.redeeming
    share = ledger.available(state, bond, instrument.asset) * grains // owed
    amount = min(damages.due(listing, grains, damages.replacement(state, instrument)), share)
    back = move(said.account, ledger.issuer_account(instrument.id), instrument.id, grains)
    lines = back + move(bond, said.account, instrument.asset, amount)
    return f.ClaimSettled(at=at, claim=id_, upheld=True, lines=lines)


# Force majeure ------------------------------------------------------------------------


def plead(state: State, command: x.PleadForceMajeure) -> list[e.Event]:
    listing = find_listing(state, command.instrument)
    allow(state, command.by, listing.instrument.issuer, command.at)
    if listing.plea is not None:
        raise Refused(Why.EXISTS, "Force majeure was pleaded before.")
    if not 0 < len(command.cause) <= TEXT_MAX or not 0 < len(command.evidence) <= TEXT_MAX:
        raise Refused(Why.BAD_VALUE, f"A plea has a cause and evidence, to {TEXT_MAX} characters.")
    notice = state.parameters["notice_seconds"] * SECOND
    notified = not listing.first_fault or command.at <= listing.first_fault + notice
    plea = Plea(command.at, command.cause, command.evidence, notified=notified)
    return [f.Pleaded(at=command.at, instrument=command.instrument, plea=plea)]


def judge(state: State, command: x.JudgeForceMajeure) -> list[e.Event]:
    allow_operator(state, command.by, command.at)
    plea = find_listing(state, command.instrument).plea
    if plea is None or plea.judged:
        raise Refused(Why.NOT_FOUND, "No plea waits to be judged.")
    judged = structs.replace(
        plea, external=command.external, unavoidable=command.unavoidable, judged=True
    )
    return [f.Pleaded(at=command.at, instrument=command.instrument, plea=judged)]


# The end of a window ------------------------------------------------------------------


def due(state: State, command: c.Tick) -> list[e.Event]:
    return [
        _end(state, listing, command.at)
        for _, listing in sorted(state.listings.items())
        if _over(state, listing, command.at)
    ]


def _over(state: State, listing: Listing, at: Instant) -> bool:
    """Whether nothing of an ended instrument is open any more."""
    instrument = listing.instrument
    if at < instrument.end + state.parameters["settle_seconds"] * SECOND:
        return False
    if listing.call_until or listing.redeeming:
        return False
    judgement = instrument.end + state.parameters["dispute_seconds"] * SECOND
    pleaded = listing.plea is not None and not listing.plea.judged
    # what never came to be minted goes back first; but no chain keeps a bond for good
    wrapped = any(wrap.instrument == instrument.id for wrap in state.wraps.values())
    if at < judgement and (pleaded or wrapped):
        return False
    busy = (
        *(w.order.instrument for w in state.orders.values()),
        *(asked.instrument for asked in state.requests.values()),
        *(said.instrument for said in state.claims.values()),
        *(rest.receipt.right for rest in state.provisional.values()),
    )
    return instrument.id not in busy


def _end(state: State, listing: Listing, at: Instant) -> f.InstrumentSettled:
    instrument = listing.instrument
    holders = {
        account: grains
        for account, grains in sorted(state.balances.get(instrument.id, {}).items())
        if grains > 0
    }
    cash = instrument.settlement == "cash"
    figure = damages.figure(listing) if cash else damages.replacement(state, instrument)
    defaulted = tuple(
        account
        for account in holders
        if account != instrument.issuer and damages.failed(instrument, listing.service.get(account))
    )
    back = damages.resale(instrument)
    failed = {
        account: min(holders[account], listing.service[account].owed) for account in defaulted
    }
    dues = {
        account: _due(listing, grains, figure, back, failed.get(account, 0))
        for account, grains in holders.items()
        if account != instrument.issuer
    }
    return f.InstrumentSettled(
        at=at,
        instrument=instrument.id,
        figure=figure,
        resale=back,
        defaulted=defaulted,
        lines=_lines(state, listing, holders, dues),
    )


def _due(listing: Listing, grains: int, figure: Amount, back: Amount, failed: int) -> Amount:
    """What so many grains bring at the end; on `failed` of them the issuer failed their holder:
    he held them when it happened."""
    if listing.instrument.settlement == "cash":
        return grains * figure
    return damages.due(listing, failed, figure) + (grains - failed) * back


def _lines(
    state: State, listing: Listing, holders: dict[str, int], dues: dict[str, Amount]
) -> tuple[Posting, ...]:
    """Grains back to the issuer's account of the instrument; the bond to whom it is due."""
    instrument = listing.instrument
    account = ledger.bond_account(instrument.id)
    bond = ledger.balance(state, account, instrument.asset)
    paid = damages.shared(dues, bond)
    source = ledger.issuer_account(instrument.id)
    lines: list[Posting] = []
    for holder, grains in holders.items():
        lines += move(holder, source, instrument.id, grains)
    for holder, amount in paid.items():
        if amount:
            payee = ledger.COMMONS if holder == CHAIN else holder
            lines += move(account, payee, instrument.asset, amount)
    rest = bond - sum(paid.values())
    if rest:
        lines += move(account, instrument.issuer, instrument.asset, rest)
    return tuple(lines)


# Application --------------------------------------------------------------------------


def claimed(state: State, event: f.Claimed) -> None:
    said = event.claim
    state.claims[said.id] = said
    asset = state.listings[said.instrument].instrument.asset
    ledger.set_aside(state, said.account, asset, said.stake)


def claim_settled(state: State, event: f.ClaimSettled) -> None:
    said = state.claims.pop(event.claim)
    listing = state.listings[said.instrument]
    ledger.set_aside(state, said.account, listing.instrument.asset, -said.stake)
    ledger.post(state, event.postings)
    if event.upheld:
        listing.issued += sum(
            p.amount for p in event.lines if (p.account, p.asset) == (said.account, said.instrument)
        )


def pleaded(state: State, event: f.Pleaded) -> None:
    state.listings[event.instrument].plea = event.plea


def marked(state: State, event: e.Captured | e.Finalised) -> None:
    """What a model was paid for, at arm's length and verified, into its cash contracts."""
    if state.indexing and event.receipt.verdict == "agrees":
        receipt = event.receipt
        for id_ in state.indexing.get(receipt.model, ()):
            _mark(state, state.listings[id_], receipt)


def _mark(state: State, listing: Listing, receipt: Receipt) -> None:
    instrument = listing.instrument
    inside = instrument.start <= receipt.at < instrument.end
    if not inside or receipt.asset != instrument.asset or receipt.right:
        return
    if root(state, receipt.account) == root(state, receipt.provider):
        return
    try:
        listing.volume += price(instrument.weights, receipt.units)
    except Unpriced:
        return  # another kind of use: this contract has no weight for it
    listing.turnover += receipt.price


def settled(state: State, event: f.InstrumentSettled) -> None:
    ledger.post(state, event.postings)
    listing = state.listings.pop(event.instrument)
    instrument = listing.instrument
    for index in (state.delivering, state.indexing):
        ids = tuple(id_ for id_ in index.get(instrument.model, ()) if id_ != instrument.id)
        if ids:
            index[instrument.model] = ids
        else:
            index.pop(instrument.model, None)
    if not event.defaulted:
        proved = state.proved.get(instrument.issuer, 0)
        state.proved[instrument.issuer] = proved + listing.delivered - listing.own
    left = state.balances.pop(instrument.id, {})
    assert not any(left.values()), f"{instrument.id} is settled and not empty"
    aside = state.held.pop(instrument.id, {})
    assert not aside, f"{instrument.id} is settled and set aside"
    bond = state.balances[instrument.asset].pop(ledger.bond_account(instrument.id), 0)
    assert bond == 0, f"the bond of {instrument.id} still has {bond}"


DECIDE = {
    x.ClaimDefault: claim,
    x.PleadForceMajeure: plead,
    x.JudgeForceMajeure: judge,
    c.Tick: tick,
}
APPLY = {
    e.Captured: marked,
    e.Finalised: marked,
    f.Claimed: claimed,
    f.ClaimSettled: claim_settled,
    f.Pleaded: pleaded,
    f.InstrumentSettled: settled,
}
