"""`allmende federation demo`: served markets, one of them killed, one of them lied about."""

from __future__ import annotations

from allmende.lab.commons_federation import main


def test_the_demo_keeps_its_promises() -> None:
    said: list[str] = []
    assert main(said.append) == 0
    text = " ".join(" ".join(said).split())
    assert "took 12 credit@a, once" in text
    assert "has her 100 credits again" in text
    assert "signed two histories" in text
