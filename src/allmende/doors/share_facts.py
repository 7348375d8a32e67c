"""Share facts: what the contracts of share, sale and airdrops say, as a row for anybody.

Rule: numbers are read from the contracts at one block; which purchases and states there are is
found in logs, and each of them is then asked for by state.
Invariant: nothing here asks for a key, and a person is a pseudonym that only the market can make.
Worked number: with 3 of 149 persons of DEU counted, 146 more of them may buy.

Logs up to the final block are kept, later ones are read anew every time: they may go away.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from allmende.core import offering
from allmende.core.offering import Counters, Terms
from allmende.core.units import CREDIT, SECOND, credits
from allmende.doors.plain import iso
from allmende.institutions import Commons
from allmende.wire.purchase import state_code, state_word

SHARE = 10**18
"""Base units of a whole share."""
FRESH_S = 10
"""Seconds for which visitors see the same of one block, so that many of them cost a node little."""
ENDED = {offering.OPEN: "open", offering.REFUNDED: "refunded", offering.COMPLETED: "completed"}

Row = dict[str, Any]


class Bought(NamedTuple):
    """A purchase, as the log of it says."""

    number: int
    buyer: str
    state: str


def shares(amount: int) -> str:
    """Base units as decimal text of shares."""
    whole, part = divmod(amount, SHARE)
    return f"{whole}.{part:018d}".rstrip("0").rstrip(".")


class ShareFacts:
    """One per market whose members' contracts stand. Every method may raise ChainFailed."""

    def __init__(self, commons: Commons, decimals: int) -> None:
        """`decimals` are the pay unit's."""
        self._commons = commons
        self._unit = 10**decimals
        self._terms: Terms | None = None
        self._fresh: tuple[int, int, Row] | None = None
        self._kept: list[Bought] = []
        self._looked = commons.record.block - 1

    def money(self, units: int) -> str:
        """Base units of the pay unit as decimal text, rounded down to pico-credits."""
        return credits(units * CREDIT // self._unit)

    async def terms(self) -> Terms:
        """The sale's; they never change. KeyError if there is no sale."""
        if self._terms is None:
            told = await self._commons["Sale"].get("terms", None)
            self._terms = Terms(**dict(zip(Terms.__struct_fields__, told, strict=True)))
        return self._terms

    async def counters(self, person: str, state: str) -> Counters:
        """What a purchase of this person would be held against now."""
        sale, at = self._commons["Sale"], await self._commons.newest_block()
        word = "0x" + state_word(state).hex()
        return Counters(
            sold=await sale.get("sold", at),
            raised=await sale.get("raised", at),
            bought=await sale.get("bought", at, person),
            persons=await sale.get("persons", at, word),
            counted=await sale.get("counted", at, word, person),
        )

    async def all(self, now_s: int) -> Row:
        """Everything that is public, FRESH_S old at most. `sale` is None where there is none."""
        at, seen = await self._commons.newest_block(), self._fresh
        if seen is None or seen[0] != at or not 0 <= now_s - seen[1] < FRESH_S:
            self._fresh = seen = at, now_s, await self._all(at, now_s)
        return seen[2]

    async def _all(self, at: int, now_s: int) -> Row:
        record, share = self._commons.record, self._commons["Share"]
        return {
            "chain_id": record.chain_id,
            "mode": record.mode,
            "contracts": {name: record.contracts[name] for name in _OURS if name in self._commons},
            "credit": record.credit,
            "supply": shares(await share.get("totalSupply", at)),
            "cap": shares(await share.get("cap", at)),
            "sale": await self._sale(at, now_s) if "Sale" in self._commons else None,
            "airdrop": await self._airdrop(at, now_s) if "Airdrop" in self._commons else None,
        }

    async def wallet(self, address: str, now_s: int) -> Row:
        """What an address holds and bought."""
        at = await self._commons.newest_block()
        bought = [
            await self._purchase(one.number, at, now_s)
            for one in await self._purchases(at)
            if one.buyer == address
        ]
        held = await self._commons["Share"].get("balanceOf", at, address)
        return {"address": address, "shares": shares(held), "purchases": bought}

    # --- parts ---------------------------------------------------------------------------

    async def _sale(self, at: int, now_s: int) -> Row:
        sale, terms = self._commons["Sale"], await self.terms()
        sold, raised = await sale.get("sold", at), await sale.get("raised", at)
        return {
            "price": self.money(terms.price),
            "soft_cap": terms.soft_cap,
            "hard_cap": terms.hard_cap,
            "person_cap": terms.person_cap,
            "start": iso(terms.start * SECOND),
            "end": iso(terms.end * SECOND),
            "decided": iso(terms.decided_at * SECOND),
            "refund_s": terms.refund,
            "persons_most": terms.persons_below - 1,
            "count_qualified": terms.count_qualified,
            "proceeds_max": self.money(terms.proceeds_max),
            "euro_rate": credits(terms.euro_rate * offering.MICRO),
            "sold": sold,
            "left": min(terms.hard_cap - sold, (terms.proceeds_max - raised) // terms.price),
            "raised": self.money(raised),
            "held": self.money(await sale.get("held", at)),
            "purchases": await sale.get("count", at),
            "word": _word(terms, sold, now_s),
            "states": await self._states(at, terms),
        }

    async def _states(self, at: int, terms: Terms) -> list[Row]:
        """Persons counted in each state where somebody bought, and how many more may."""
        found = []
        for state in sorted({one.state for one in await self._purchases(at)}):
            word = "0x" + state_word(state).hex()
            persons = await self._commons["Sale"].get("persons", at, word)
            left = terms.persons_below - 1 - persons
            found.append({"state": state, "persons": persons, "left": left})
        return found

    async def _airdrop(self, at: int, now_s: int) -> Row:
        drop = self._commons["Airdrop"]
        rounds = []
        for number in range(1, await drop.get("count", at) + 1):
            root, total, given, deadline = await drop.get("rounds", at, number)
            rounds.append(
                {
                    "round": number,
                    "root": root,
                    "total": shares(total),
                    "given": shares(given),
                    "deadline": iso(deadline * SECOND),
                    "open": now_s <= deadline,
                }
            )
        most, promised = await drop.get("most", at), await drop.get("promised", at)
        return {"most": shares(most), "promised": shares(promised), "rounds": rounds}

    async def _purchase(self, number: int, at: int, now_s: int) -> Row:
        found = await self._commons["Sale"].get("purchases", at, number)
        _, _, count, paid, until, ended = found
        return {
            "number": number,
            "shares": count,
            "paid": self.money(paid),
            "until": iso(until * SECOND),
            "refundable": ended == offering.OPEN and now_s <= until,
            "ended": ENDED[ended],
        }

    async def _purchases(self, at: int) -> list[Bought]:
        """In their order."""
        final = min(at, await self._commons.final_block())
        if final > self._looked:
            self._kept += await self._logged(self._looked + 1, final)
            self._looked = final
        return [*self._kept, *await self._logged(self._looked + 1, at)]

    async def _logged(self, first: int, last: int) -> list[Bought]:
        if first > last:
            return []
        seen = [one.fields for one in await self._commons["Sale"].logs("Bought", first, last)]
        return [Bought(f["number"], f["buyer"], state_code(f["state"])) for f in seen]


_OURS = ("Share", "Sale", "Airdrop", "Stake")


def _word(terms: Terms, sold: int, now_s: int) -> str:
    """How far the sale is: pages have a sentence for each."""
    if now_s < terms.start:
        return "soon"
    if now_s < terms.end:
        return "open"
    if now_s < terms.decided_at:
        return "undecided"
    return "failed" if sold < terms.soft_cap else "done"
