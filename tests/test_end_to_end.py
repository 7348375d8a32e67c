"""The real `openai` client, a served market, the real model: what others get wrong, whole."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from allmende.lab.model_server import ModelServer
from allmende.lab.served import Served
from allmende.lab.stage import CHAT, HEADER, Stage
from allmende.lab.telling import Teller


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A market with its local model, and a key with a budget of 1 credit."""
    folder: Path = tmp_path_factory.mktemp("market")
    tell = Teller(lambda _: None, colour=False)
    with (
        ModelServer(CHAT) as model,
        Served(folder / "data", "--no-starter") as market,
        closing(Stage(market, model, tell)) as found,
    ):
        found.local_offer(CHAT)
        found.ask("add_member", id="university", name="University", kind="organisation")
        found.ask("deposit", member="university", amount="1", reference="order 1")
        found.ask("add_budget", id="uni", name="University", owner="university", limit="1")
        found.key("student", "uni")
        yield found


def test_three_choices_are_charged_as_three_though_the_provider_reports_one(stage: Stage) -> None:
    raw = stage.client("student").chat.completions.with_raw_response.create(
        model=CHAT,
        messages=[{"role": "user", "content": "Write a long story about the sea."}],
        n=3,
        max_tokens=6,
    )
    assert len(raw.parse().choices) == 3
    receipt = stage.receipt(raw.headers[HEADER])
    assert receipt.reported is not None
    assert receipt.reported.output == 6, "the defect is gone: change this test, and stack.md"
    assert (receipt.units.output, receipt.verdict, receipt.basis) == (18, "disagrees", "counted")


@pytest.mark.parametrize("text", ["Hello", "Grüße aus Köln", "数学とは何ですか", "🙂" * 20])
def test_prompts_are_counted_exactly_and_the_books_balance(stage: Stage, text: str) -> None:
    raw = stage.client("student").chat.completions.with_raw_response.create(
        model=CHAT, messages=[{"role": "user", "content": text}], max_tokens=12, temperature=0
    )
    receipt = stage.receipt(raw.headers[HEADER])
    assert receipt.reported is not None
    assert receipt.counted is not None
    prompt = receipt.reported.input + receipt.reported.cached
    assert receipt.counted.input + receipt.counted.cached == prompt
    assert receipt.verdict == "agrees"
    assert sum(payment.amount for payment in receipt.waterfall) == receipt.price
    assert stage.market.get("audit")["ok"] is True
