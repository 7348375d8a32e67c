"""A mode forbids the same at the desk and in a contract, with the same sentence."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from vault_rig import deploy, refused

from allmende.adapters.chain_contracts import SOURCES
from allmende.core.identity import FEATURES, feature
from allmende.core.nouns import Market
from allmende.core.refusals import Refused
from allmende.core.state import State

GUARDED = """\
# pragma version ==0.4.3
import modes
initializes: modes
@deploy
def __init__(mode: uint8):
    modes.__init__(mode)
@external
def transfer():
    modes._require_transfer()
@external
def sale():
    modes._require_sale()
"""


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A contract that does nothing but ask."""
    folder = tmp_path_factory.mktemp("guarded")
    shutil.copy(SOURCES / "modes.vy", folder)
    (folder / "Guarded.vy").write_text(GUARDED)
    return folder


@pytest.mark.parametrize("number", range(len(FEATURES)))
def test_desk_and_contract_refuse_the_same_with_the_same_words(number: int, sources: Path) -> None:
    guarded: Any = deploy("Guarded", number, sources=sources)
    for name in ("transfer", "sale"):
        says = _desk(list(FEATURES)[number], name)
        if says:
            with refused(says):
                getattr(guarded, name)()
        else:
            getattr(guarded, name)()


def test_there_are_no_other_modes(sources: Path) -> None:
    with pytest.raises(AssertionError, match="no such mode"):
        deploy("Guarded", len(FEATURES), sources=sources)


def _desk(mode: str, name: str) -> str:
    state = State(market=Market("m", "M", mode, "m", ""))
    try:
        feature(state, name)
    except Refused as no:
        return str(no.args[1])
    return ""
