"""A sale of shares inside the test, the desk's rule beside it, and people who buy.

The same call goes to the contract and to `core.offering.Book`; `both` holds their answers
against each other, word by word.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import boa
from eth_hash.auto import keccak
from vault_rig import Person, deploy

from allmende.core import offering
from allmende.core.identity import FEATURES
from allmende.core.offering import Book, Declined, Terms, Voucher
from allmende.wire import purchase

ADMIN, MARKET, COMMONS = Person("admin"), Person("market"), Person("commons")
DAY = 86_400
REFUND = 14 * DAY
PRICE = 5
SHARE = 10**18
OURS = 10**9
"""What everybody has of the pay unit."""


def terms(**changed: Any) -> Terms:
    now = boa.env.evm.patch.timestamp
    made: dict[str, Any] = {
        "price": PRICE,
        "soft_cap": 20,
        "hard_cap": 100,
        "person_cap": 40,
        "start": now,
        "end": now + 30 * DAY,
        "refund": REFUND,
        "persons_below": 4,
        "count_qualified": True,
        "proceeds_max": 100 * PRICE,
        "euro_rate": 1_000_000,
        "period": 365 * DAY,
    }
    return Terms(**{**made, **changed})


def as_words(made: Terms) -> tuple[Any, ...]:
    """In the contract's order, which is the Struct's."""
    return tuple(getattr(made, name) for name in made.__struct_fields__)


class Sale:
    """A sale with its share and pay unit, open from now on."""

    def __init__(
        self,
        made: Terms | None = None,
        *,
        mode: str = "open",
        credit: Any = None,
        cap: int = 10**6,
    ) -> None:
        self.terms = made or terms()
        self.mode = list(FEATURES).index(mode)
        self.share = deploy("Share", self.mode, cap * SHARE, by=ADMIN.address)
        self.credit = credit or deploy("Credit", "Credit", "CRED", by=ADMIN.address)
        addresses = (self.share.address, self.credit.address, COMMONS.address)
        self.sale = deploy("Sale", self.mode, *addresses, as_words(self.terms), by=ADMIN.address)
        self.share.grantRole(keccak(b"MINTER"), self.sale.address, sender=ADMIN.address)
        self.sale.grantRole(keccak(b"ISSUER"), MARKET.address, sender=ADMIN.address)
        self.domain = purchase.domain(
            boa.env.evm.chain.chain_id, bytes.fromhex(self.sale.address[2:])
        )
        self.book = Book(mode=mode, terms=self.terms)

    def fund(self, *people: Person, amount: int = OURS) -> None:
        for who in people:
            self.credit.mint(who.address, amount, sender=ADMIN.address)
            self.credit.approve(self.sale.address, amount, sender=who.address)

    def voucher(
        self,
        wallet: Person,
        person: str | None = None,
        state: str = "DEU",
        *,
        qualified: bool = False,
        life: int = 100 * DAY,
    ) -> Voucher:
        name = keccak((person or wallet.name).encode()).hex()
        until = boa.env.evm.patch.timestamp + life
        return Voucher(wallet.address, "0x" + name, state, qualified, until)

    def signed(
        self, voucher: Voucher, by: Person = MARKET, domain: Any = None
    ) -> tuple[Any, bytes]:
        digest = purchase.voucher_digest(domain or self.domain, voucher, keccak)
        return purchase.words(voucher), by.sign(digest)

    def buy(self, who: Person, shares: int, **how: Any) -> int:
        """By the market's voucher; the purchase's number."""
        return int(
            self.sale.buy(*self.signed(self.voucher(who, **how)), shares, sender=who.address)
        )

    def decided(self) -> None:
        boa.env.evm.patch.timestamp = self.terms.decided_at

    def whole(self, who: Person) -> int:
        """Shares in a wallet."""
        return int(self.share.balanceOf(who.address)) // SHARE

    def sound(self) -> None:
        """Every unit has an owner, and the contract is where the rule is."""
        sale, book = self.sale, self.book
        open_ = [p for p in book.purchases if p.ended == offering.OPEN]
        assert sale.held() == book.held == sum(p.paid for p in open_)
        assert self.credit.balanceOf(sale.address) == sale.held()
        assert self.share.balanceOf(sale.address) == SHARE * sum(p.shares for p in open_)
        assert (sale.sold(), sale.raised()) == (book.sold, book.raised)
        assert sale.count() == len(book.purchases)
        assert self.share.totalSupply() == SHARE * book.sold <= self.share.cap()
        assert self.credit.balanceOf(COMMONS.address) == book.proceeds
        assert sale.sold() <= self.terms.hard_cap
        assert sale.raised() <= self.terms.proceeds_max
        for state, known in book.counted.items():
            assert sale.persons(purchase.state_word(state)) == len(known)
            assert len(known) < self.terms.persons_below


def says(call: Callable[[], Any]) -> str:
    """Why the rule declines; "" if it accepts."""
    try:
        call()
    except Declined as no:
        return str(no)
    return ""
