"""Trees: the seam to the settler's own memory: what was submitted, and what proves it.

Rule: a tree is durable before its submission is wanted, and is kept as long as anything may
have to be proved by it; what has become of it is the chain's to say.
Invariant: serials count up and name one tree each for good; its leaves and receipts never change.
Worked number: a tree of 10_000 accounts and 10_000 receipts is 1.2 MB.

Amounts are base units of the pay unit, addresses and hashes lower-case 0x text, as in `custody`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from msgspec import Struct

from allmende.core.custody import Permit
from allmende.wire.merkle_sum import Leaf

BUILT, FINAL, VOID = "built", "final", "void"
"""What has become of a tree; whether a built one is pending now, the chain alone knows."""


class Tree(Struct, frozen=True, kw_only=True):
    """One tree without its leaves. `number` is the batch that it was built to be."""

    serial: int
    number: int
    root: str
    total: int
    size: int
    cut: int
    """The last epoch whose deposits and requests are in it."""
    base: int
    """Number of the final batch that it follows; 0 before the first."""
    after: int
    upto: int
    """It has the receipts of the desk's batches above `after`, up to `upto`."""
    receipts_root: str
    receipts: int
    block: int
    """The final block at which the chain was read for it."""
    at: int
    """Unix second in which it was built."""
    state: str = BUILT


class Voucher(Struct, frozen=True):
    """What a session signed, with the permit that lets it. `amount` is its lane's, cumulative."""

    account: str
    permit: Permit
    amount: int
    signature: str

    @property
    def lane(self) -> int:
        return self.permit.lane


class Trees(Protocol):
    """Durable when a method returns. One process writes, others may read."""

    def add(self, tree: Tree, leaves: Sequence[Leaf], receipts: Sequence[bytes]) -> None:
        """Write it down, receipts by their leaf hashes."""

    def mark(self, serial: int, state: str) -> None: ...
    def newest(self) -> Tree | None:
        """The one that was added last."""

    def submitted(self, number: int, root: str, receipts_root: str) -> Tree | None:
        """The one that a batch with these was made from."""

    def final(self) -> Tree | None:
        """What the chain had as its final one when last looked at."""

    def leaves(self, serial: int) -> list[Leaf]:
        """Empty where they were pruned."""

    def receipts(self, serial: int) -> list[bytes]: ...
    def find(self, receipt: bytes) -> list[tuple[Tree, int]]:
        """Trees that have a receipt with this leaf hash, newest first, and its index there."""

    def prune(self, keep: int) -> None:
        """Of all but the newest `keep` trees, keep only the receipts, and only of final ones."""

    def know(self, accounts: Iterable[str], block: int) -> None:
        """These had deposits or requests in blocks up to this one."""

    def known(self) -> tuple[set[str], int]:
        """All that were told, and the block up to which was searched; 0 at first."""

    def keep(self, voucher: Voucher) -> None:
        """Instead of an earlier one of the same session, unless that names more."""

    def kept(self) -> list[Voucher]: ...
    def forget(self, voucher: Voucher) -> None: ...
