"""The demo keeps its promises: each scene raises where the market does not do as it says."""

from __future__ import annotations

from allmende.lab import demo


def test_the_demo_runs_to_its_end() -> None:
    said: list[str] = []
    assert demo.main(said.append) == 0
    text = "\n".join(said)
    for promised in (
        "agrees",
        "refused 3 by zone",
        "smol-bargain: E3, kill switch 2",
        "campus, though bargain is cheaper",
        "SOV-1 is 3, not 4",
        "R = ",
        "402",
        "provider cut",
        "client left",
        "0.0001046 lots of december",
        "bond paid the university 0.00775",
        "NOT  price",
        "every hash, signature, batch and invariant holds",
        "sums equal the ledger",
        "replayed to the digest that the market had",
    ):
        assert promised in text, promised
