"""Founding: what a new market begins with, and the model that runs beside it.

Rule: everything here is done by commands, as anybody could; the house only acts first.
Invariant: a key's secret is returned once and kept nowhere; doing it again changes nothing
that exists.
Worked number: the starter organisation has 100 credits of play money: at 0.10 and 0.40
credits per million tokens that is two hundred million tokens and more.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import Struct

from allmende.core import commands as c
from allmende.core.nouns import Key, Member, Offer, Title
from allmende.core.units import CREDIT, EnergyRate, Tariff, Zone
from allmende.desk import Desk
from allmende.ports import Clock

OPERATOR = "operator"
ORGANISATION = "my-organisation"
LOCAL = "local"
CHAT_MODEL, EMBED_MODEL = "smollm2-135m-instruct", "smollm2-135m-embed"
CHAT = ("chat/completions", "completions", "responses")
CHAT_TARIFF, EMBED_TARIFF = Tariff(100_000, None, 400_000), Tariff(embedding=20_000)
"""0.10 and 0.40 credits per million tokens in and out; 0.02 for embeddings."""
GIFT = 100 * CREDIT

NewKey = Callable[[], tuple[str, str]]


class Charter(Struct, frozen=True):
    """What a new market is called and allowed. `public_key` is hex."""

    market: str
    name: str
    mode: str
    public_key: str


class LocalOffer(Struct, frozen=True):
    """One model process beside us: where it is and what it does."""

    model: str
    url: str
    sealed_secret: str
    vocabulary: str
    context: int
    embedding: bool


async def found(desk: Desk, clock: Clock, charter: Charter) -> None:
    """Open the market. Refused if it stands."""
    await desk.submit(
        c.Found(
            at=clock.now(),
            market=charter.market,
            name=charter.name,
            mode=charter.mode,
            operator=OPERATOR,
            public_key=charter.public_key,
        )
    )


async def administrator(desk: Desk, clock: Clock, new_key: NewKey) -> str:
    """The secret of a new operator's key if there is none (any more), else nothing.

    A market that died between its founding and its first key would be locked for ever.
    """
    if any(key.role == "operate" for key in desk.state.keys.values()):
        return ""
    secret, hash_ = new_key()
    key = Key("administrator", hash_, OPERATOR, "operate", name="printed at a start")
    await desk.submit(c.IssueKey(at=clock.now(), key=key))
    return secret


async def starter(desk: Desk, clock: Clock, new_key: NewKey) -> str:
    """An organisation with a budget and play money, and its first spending key: the secret."""
    secret, hash_ = new_key()
    at = clock.now()
    key = Key("first-key", hash_, ORGANISATION, "spend", budget=ORGANISATION)
    member = Member(ORGANISATION, "My organisation", "organisation")
    todo: Sequence[c.Command] = (
        c.AddMember(at=at, member=member),
        c.AddBudget(at=at, id=ORGANISATION, name="Everything", owner=ORGANISATION),
        c.Deposit(at=at, member=ORGANISATION, amount=GIFT, reference="starter"),
        c.IssueKey(at=at, key=key),
    )
    for command in todo:
        await desk.submit(command)
    return secret


# The model beside us ------------------------------------------------------------------


async def register_local(desk: Desk, clock: Clock, sha256: str) -> None:
    """The local provider and its title, if they are not there yet."""
    at = clock.now()
    if LOCAL not in desk.state.members:
        member = Member(LOCAL, "This machine", "provider")
        await desk.submit(c.AddMember(at=at, member=member))
    if CHAT_MODEL not in desk.state.titles:
        title = Title(
            CHAT_MODEL,
            owner=LOCAL,
            kind="model",
            name="SmolLM2 135M Instruct (Q4_1)",
            evidence=f"sha256:{sha256}",
            licence="Apache-2.0",
        )
        await desk.submit(c.RegisterTitle(at=at, title=title))


async def post_local(
    desk: Desk, clock: Clock, local: LocalOffer, zone: Zone, energy: EnergyRate
) -> None:
    """Offer a model that answers now."""
    offer = Offer(
        local.model,
        provider=LOCAL,
        title=CHAT_MODEL,
        model=local.model,
        asset=next(iter(desk.state.assets)),
        tariff=EMBED_TARIFF if local.embedding else CHAT_TARIFF,
        zone=zone,
        url=local.url,
        endpoints=("embeddings",) if local.embedding else CHAT,
        upstream_model=local.model,
        sealed_secret=local.sealed_secret,
        allow_private=True,
        capacity=16,
        context=local.context,
        max_output=1_024,
        energy=energy,
        vocabulary=local.vocabulary,
    )
    await desk.submit(c.PostOffer(at=clock.now(), offer=offer))


async def withdraw_local(desk: Desk, clock: Clock) -> None:
    """Take our own models off the book: their processes are not there (any more).

    Their port may be anybody's by now, so no prompt may go there.
    """
    for id_, offer in tuple(desk.state.offers.items()):
        if offer.provider == LOCAL and id_ in (CHAT_MODEL, EMBED_MODEL):
            await desk.submit(c.WithdrawOffer(at=clock.now(), id=id_))
