"""Forms: what people type into a page, as the fields of the same commands that programs send.

Rule: a form's field is named as the command's, a dot reaching into what it holds; an empty
one is left out, so that the command's own default stands.
Invariant: nothing is decided here; a text that is no number stays a text, and the counter
refuses it with the field's name.
Worked number: `tariff.input=0.15&models=a, b` is {"tariff": {"input": "0.15"}, "models":
["a", "b"]}.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import quote

PAGES = {
    "add_member": "members",
    "deposit": "members",
    "transfer": "members",
    "register_asset": "members",
    "mint": "members",
    "add_budget": "budgets",
    "set_budget": "budgets",
    "set_carbon_cap": "budgets",
    "issue_key": "keys",
    "revoke_key": "keys",
    "register_title": "offers",
    "mint_title": "titles",
    "name_payee": "rewards",
    "post_offer": "offers",
    "withdraw_offer": "offers",
    "close_batch": "settle",
    "set_parameter": "govern",
    **dict.fromkeys(("add_peer", "suspend_peer", "resume_peer", "send_abroad"), "federation"),
    "call_jury": "govern/juries",
    "draw_jury": "govern/juries",
    "list_instrument": "market",
}
"""The page that each command's form stands on, and that answers it."""
EXCHANGE = {
    "place_order": "trade",
    "cancel_order": "instrument",
    "mint_lots": "issue",
    "retire_lots": "issue",
    "claim_default": "instrument",
}
"""Commands whose forms stand on a page of the instrument that they name in `_at`."""
OWN = "_"
"""Fields that begin so are the page's own: `_at` an instrument, `_idem` what stands for one
sending of the form."""

NUMBERS = frozenset({"context", "max_output", "per_minute", "value", "idle_s", "size"})
PERCENTS = frozenset({"royalty_ppm"})
"""Typed in percent."""
LISTS = frozenset({"models", "endpoints"})
FLAGS = frozenset({"allow_private", "by_kind"})
COUNTS = frozenset({("post_offer", "capacity")})
"""As NUMBERS, where other commands mean lots."""
DECIMALS = frozenset({"lots", "cap_ug"})
"""Where a comma is as good as a point."""
KEPT_EMPTY = {"set_budget": ("limit",), "set_carbon_cap": ("cap_ug",)}
"""Fields whose emptiness says something: no limit, no cap."""


class Place(NamedTuple):
    """Where a form stands: the page, what its path and its query say, and its address."""

    page: str
    path: dict[str, str]
    query: dict[str, str]
    address: str

    def done(self, command: str, answer: Mapping[str, Any]) -> str:
        """The address that tells what came of the command."""
        if command == "place_order":
            return f"{self.address}/orders/{answer['id']}"
        return f"{self.address}?done={command}"


def place(command: str, sent: Mapping[str, str]) -> Place:
    """The page that the form of a command stands on, one of PAGES or EXCHANGE."""
    if command in PAGES:
        return Place(PAGES[command], {}, {}, f"/{PAGES[command]}")
    at = sent.get("_at", "")
    return Place(EXCHANGE[command], {"id": at}, dict(sent), f"/market/{quote(at, safe='')}")


def fields(command: str, sent: Mapping[str, str]) -> dict[str, Any]:
    """The command's fields from a form's."""
    found: dict[str, Any] = {}
    for name, text in sent.items():
        if name.startswith(OWN):
            continue
        if text or name in KEPT_EMPTY.get(command, ()):
            outer, _, inner = name.partition(".")
            value = _value(command, name, text)
            if inner:
                found.setdefault(outer, {})[inner] = value
            else:
                found[outer] = value
    if command == "post_offer":
        found.setdefault("tariff", {})
    return found


def _value(command: str, name: str, text: str) -> Any:
    if not text:
        return None
    if name in DECIMALS:
        return text.replace(",", ".")
    if name in PERCENTS:
        return _ppm(text, text)
    if name in LISTS:
        return [part.strip() for part in text.split(",") if part.strip()]
    if name in FLAGS:
        return text == "on"
    if (
        (name in NUMBERS or (command, name) in COUNTS)
        and text.lstrip("-").isdecimal()
        and len(text) < 20
    ):
        return int(text)
    return _shares(text) if name == "waterfall" else text


def _shares(text: str) -> list[Any]:
    """Lines of `role member percent` as shares: "author anna 10" is 100_000 ppm."""
    shares: list[Any] = []
    for line in text.splitlines():
        words = line.split()
        ppm = _ppm(words[2], None) if len(words) == 3 else None
        if ppm is not None:
            shares.append({"role": words[0], "account": words[1], "ppm": ppm})
        elif words:
            shares.append(line)
    return shares


def _ppm(text: str, otherwise: Any) -> Any:
    """Percent with up to four decimals, as millionths: "2.5" is 25_000."""
    whole, _, part = text.strip().rstrip("%").strip().replace(",", ".").partition(".")
    if not (whole + part).isdecimal() or len(part) > 4 or len(whole) > 9:
        return otherwise
    return int(whole or "0") * 10_000 + int(part.ljust(4, "0") or "0")
