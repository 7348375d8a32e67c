"""The chain's part of RESULTS.md: what calls cost, and what a settled request costs.

Rule: gas of the first time and the median of the others, from receipts; beside it what other
designs took for a like thing, named and not adjusted.
Invariant: nothing is printed that is not in the results.
Worked number: a batch of 112_766 to submit and 83_309 to end is 19.61 a request at 10,000.
"""

from __future__ import annotations

from statistics import median

from bench.gas import SIZES, GasResults

_LIKE = {
    "Vault.deposit": "channel open 152,582; bridge lock 102,906",
    "Vault.acknowledge": "channel redeem 60,513; 32 at once 28,600 each",
    "Vault.acknowledge, by a session key": "channel redeem 60,513",
    "Vault.submit": "batch root 174,051",
    "Vault.challenge": "challenge 67,736",
    "Vault.answer": "leaf 79,980",
    "Vault.pay": "bridge unlock 79,134",
    "Vault.exit": "airdrop claim 73,891 (1,024 leaves)",
    "Bond.bond": "stake 126,778",
    "Rights.mint": "bridge mint 120,137",
    "Rights.redeem": "bridge unlock 79,134",
}
_GOAL = {10_000: "20"}
_NOTES = (
    "First is the first time anybody did it there, when words of storage are written that were "
    "empty; then is the median of the other times. Leaves stand in a tree of 10,000, so a proof "
    "has 14 siblings and is part of challenge, answer, ask and exit.",
    "To compare: receipts on anvil of the prototypes in the notes that this project began with; a "
    "like thing is not the same thing. A channel is for one pair, a deposit for all providers, and "
    "a voucher is only shown when a leaf is challenged. There is no multisig of ours beside 3-of-5 "
    "(72,107) and Safe (89,047).",
)


def section(found: GasResults) -> list[str]:
    dated = f"{found.date}, commit {found.commit}, `{found.command}`: {_agreement(found)}"
    notes = "\n".join(f"- {note}" for note in (*_NOTES, *found.notes))
    return ["## Chain", dated, requests(found), calls(found), notes]


def _agreement(found: GasResults) -> str:
    names = " and ".join(found.nodes)
    first, *others = found.nodes.values()
    if not others:
        return f"receipts of {names} under the rules of Prague."
    same = all(other == first for other in others)
    said = "every call costs the same on both" if same else "**the nodes differ**"
    return f"receipts of {names} under the rules of Prague; {said}."


def requests(found: GasResults) -> str:
    """Gas of a settled request: its share of one submission and one end."""
    rows = [["requests in a batch", "gas each", "goal"], ["---"] * 3]
    for size in SIZES:
        each = {f"{batch(gas, size) / size:,.2f}" for gas in found.nodes.values()}
        rows.append([f"{size:,}", " / ".join(sorted(each)), _GOAL.get(size, "-")])
    return _lines(rows)


def batch(gas: dict[str, list[int]], size: int) -> int:
    """What a batch of so many requests costs, from its submission to its end."""
    note = f", {size:,} requests"
    return gas[f"Vault.submit{note}"][0] + gas[f"Vault.finalise{note}"][0]


def calls(found: GasResults) -> str:
    rows = [["call", *(f"{name}: first, then" for name in found.nodes), "to compare"]]
    rows.append(["---"] * len(rows[0]))
    names = [name for name in next(iter(found.nodes.values())) if "requests" not in name]
    for name in names:
        told = [_told(_all(gas, name)) for gas in found.nodes.values()]
        rows.append([name, *told, _LIKE.get(name, "")])
    return _lines(rows)


def _all(gas: dict[str, list[int]], name: str) -> list[int]:
    """Every time of a call; submissions and ends of all sizes are one call."""
    sized = [f"{name}, {size:,} requests" for size in SIZES]
    return [used for one in (name, *sized) for used in gas.get(one, [])]


def _told(found: list[int]) -> str:
    then = f", {round(median(found[1:])):,}" if len(found) > 1 else ""
    return f"{found[0]:,}{then}"


def _lines(rows: list[list[str]]) -> str:
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)
