"""On which EVM the contracts' tests run, and after them how much was fuzzed.

pytest tests/contracts                  on py-evm, in this process
pytest tests/contracts --node anvil     on Foundry's node, by JSON-RPC
"""

from __future__ import annotations

from collections.abc import Iterator

import boa
import pytest
from anvil_env import MISSING, AnvilEnv, Node, on_the_path
from fuzzed import CALLS


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--node", default="py-evm", choices=("py-evm", "anvil"))


@pytest.fixture(scope="session", autouse=True)
def evm(request: pytest.FixtureRequest) -> Iterator[str]:
    """Its name. Contracts that are kept between tests are kept on this one."""
    name = request.config.getoption("--node", default="py-evm")
    if name == "py-evm":
        yield name
        return
    if not on_the_path():
        pytest.skip(MISSING)
    node = Node()
    try:
        with boa.set_env(AnvilEnv(node)):
            yield name
    finally:
        node.close()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Of one of several processes: hand over what it counted."""
    told = getattr(session.config, "workeroutput", None)
    if told is not None:
        told["fuzzed"] = dict(CALLS)
