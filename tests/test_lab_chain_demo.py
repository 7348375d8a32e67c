"""The chain's demo where there is no chain to stand on; where there is one: demo_on_anvil.py."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from allmende.cli import main
from allmende.lab.chain_ground import ANVIL, Where, checked


def test_a_node_that_is_not_there_is_said_before_anything_begins() -> None:
    for node, said in (
        ("anvill", "--node is anvil or the http address of a node, not 'anvill'"),
        ("http://127.0.0.1:1", "no node answers at http://127.0.0.1:1"),
    ):
        done = CliRunner().invoke(main, ["chain", "demo", "--node", node])
        assert done.exit_code == 2
        assert said in done.output
    done = CliRunner().invoke(main, ["chain", "demo", "--node", "anvil", "--profile", "tulip"])
    assert done.exit_code == 2
    assert "chain_profile" in done.output


def test_without_anvil_it_says_how_to_get_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ValueError, match="npm install -g @foundry-rs/anvil"):
        checked(Where(ANVIL))
