"""Member file: a member's export read, and all that it claims looked at.

Rule: the tree is what its digest says, and every receipt proves itself under the key of the
market in the manifest; of the rest only the hashes can be checked, and that is said.
Invariant: reading changes nothing, and what is damaged is named by its entry.
Worked number: a file of 24 receipts is 24 times the eight checks of `allmende receipt verify`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import msgspec
from msgspec import Struct

from allmende.adapters.bundle import Bundle
from allmende.wire import portable
from allmende.wire.portable import Bad, Manifest
from allmende.wire.receipt import verify
from allmende.wire.tree import Open, Tree, digest

T = TypeVar("T")
Step = Callable[[int], None]


class Member(Struct, frozen=True):
    """An export that is in order: its tree, what is open and to be brought, and receipts."""

    manifest: Manifest
    tree: Tree
    open: Open
    receipts: int


def read_member(
    bundle: Bundle, public_key: str | None = None, step: Step = lambda count: None
) -> Member:
    """Everything in it, checked. `public_key` is the market's as it is known from elsewhere.

    Raises Bad.
    """
    manifest = bundle.manifest
    if manifest.format != portable.MEMBER:
        raise Bad(f"{portable.MANIFEST}: a whole market's export is for `allmende market import`")
    told = manifest.market.public_key
    if public_key is not None and public_key != told:
        raise Bad(f"{portable.MANIFEST}: it is of a market with the key {told}")
    tree = _decoded(bundle, portable.TREE, Tree)
    if digest(tree) != manifest.digest:
        raise Bad(f"{portable.TREE}: it is another tree than the manifest says")
    opened = _decoded(bundle, portable.OPEN, Open)
    receipts = _receipts(bundle, told, step)
    for name in manifest.entries:
        if name not in (portable.TREE, portable.OPEN, portable.RECEIPTS):
            for _ in bundle.chunks(name):
                continue
    return Member(manifest, tree, opened, receipts)


def _receipts(bundle: Bundle, public_key: str, step: Step) -> int:
    count = 0
    for line in bundle.lines(portable.RECEIPTS):
        count += 1
        try:
            checks = verify(line, public_key)
        except ValueError as error:
            raise Bad(f"{portable.RECEIPTS}, line {count}: {error!s:.200}") from None
        wrong = [check.name for check in checks if not check.ok]
        if wrong:
            raise Bad(f"{portable.RECEIPTS}, line {count}: it does not prove its {wrong[0]}")
        step(count)
    return count


def _decoded(bundle: Bundle, name: str, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(bundle.whole(name), type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Bad(f"{name}: {error!s:.200}") from None
