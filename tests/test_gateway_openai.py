"""The real `openai` client against the gateway: nothing it reads is in its way."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import openai
import pytest
from fake_answers import Act
from openai import AsyncOpenAI, OpenAI
from served import HELLO, SECRET, Market, run, serve

MESSAGES: Any = HELLO


def client(market: Market, **more: Any) -> AsyncOpenAI:
    return AsyncOpenAI(base_url=market.url, api_key=SECRET, max_retries=0, **more)


def test_chat_streams_embeddings_responses_and_models(tmp_path: Path) -> None:
    async def work() -> None:
        async with serve(tmp_path) as market, client(market) as ai:
            chat = await ai.chat.completions.create(model="fake", messages=MESSAGES)
            assert chat.choices[0].message.content == " word" * 4
            assert chat.model_extra is not None
            assert chat.model_extra["allmende"]["price"] == "0.0000033"

            stream = await ai.chat.completions.create(model="fake", messages=MESSAGES, stream=True)
            texts = [chunk.choices[0].delta.content or "" async for chunk in stream]
            assert "".join(texts) == " word" * 4

            vectors = await ai.embeddings.create(
                model="fake", input=["a", "b"], encoding_format="float"
            )
            assert vectors.data[1].embedding == [0.25, -0.5, 1.0]

            response = await ai.responses.create(model="fake", input="Say some words.")
            assert response.output_text == " word" * 4

            events = await ai.responses.create(model="fake", input="Say words.", stream=True)
            kinds = [event.type async for event in events]
            assert kinds[-1] == "response.completed"
            assert kinds.count("response.output_text.delta") == 4

            models = [model.id async for model in ai.models.list()]
            assert "fake" in models
            assert (await ai.models.retrieve("fake")).owned_by == "author"
            assert len(market.receipts) == 5

    run(work())


def test_the_client_that_waits(tmp_path: Path) -> None:
    def work_in_thread(url: str) -> tuple[str | None, str, str]:
        with OpenAI(base_url=url, api_key=SECRET, max_retries=0) as ai:
            raw = ai.chat.completions.with_raw_response.create(model="fake", messages=MESSAGES)
            stream = ai.chat.completions.create(model="fake", messages=MESSAGES, stream=True)
            texts = [chunk.choices[0].delta.content or "" for chunk in stream]
            text = raw.parse().choices[0].message.content
            return text, "".join(texts), raw.headers["x-allmende-receipt"]

    async def work() -> None:
        async with serve(tmp_path) as market:
            whole, streamed, receipt = await asyncio.to_thread(work_in_thread, market.url)
            assert whole == streamed == " word" * 4
            assert receipt == market.receipts[0].id

    run(work())


def test_the_clients_own_stream_helper(tmp_path: Path) -> None:
    async def work() -> None:
        async with serve(tmp_path) as market, client(market) as ai:
            async with ai.chat.completions.stream(
                model="fake", messages=MESSAGES, stream_options={"include_usage": True}
            ) as stream:
                final = await stream.get_final_completion()
            assert final.choices[0].message.content == " word" * 4
            assert final.usage is not None
            assert final.usage.completion_tokens == 4

    run(work())


@pytest.mark.parametrize(
    ("model", "raised"),
    [
        ("nothing", openai.NotFoundError),
        ("fake-400", openai.BadRequestError),
        ("fake-500", openai.InternalServerError),
    ],
)
def test_refusals_raise_what_users_catch(
    tmp_path: Path, model: str, raised: type[openai.APIStatusError]
) -> None:
    async def work() -> None:
        async with serve(tmp_path) as market, client(market) as ai:
            with pytest.raises(raised) as caught:
                await ai.chat.completions.create(model=model, messages=MESSAGES)
            assert caught.value.code
            assert caught.value.type
            with pytest.raises(openai.AuthenticationError):
                await ai.with_options(api_key="sk-nobody").models.list()

    run(work())


@pytest.mark.parametrize("endpoint", ["chat", "responses"])
def test_a_provider_that_dies_raises_in_the_middle_of_the_stream(
    tmp_path: Path, endpoint: str
) -> None:
    async def work() -> None:
        async with serve(tmp_path, Act(events=10, fault="mid")) as market, client(market) as ai:
            got: list[Any] = []
            stream: Any
            if endpoint == "chat":
                create: Any = ai.chat.completions.create
                stream = await create(model="fake", messages=MESSAGES, stream=True)
            else:
                stream = await ai.responses.create(model="fake", input="x", stream=True)
            with pytest.raises(openai.APIError, match="broke off"):
                await _collect(stream, got)
            assert len(got) == 5
            assert market.receipts[0].outcome == "provider_cut"

    run(work())


async def _collect(stream: Any, into: list[Any]) -> None:
    async for event in stream:
        into += [event]


def test_a_policy_in_extra_body_and_default_headers(tmp_path: Path) -> None:
    async def work() -> None:
        async with serve(tmp_path) as market:
            await market.offer("a", "m")
            await market.offer("b", "m", provider="author")
            demands = {"X-Allmende-Policy": "providers=author"}
            async with client(market, default_headers=demands) as ai:
                answer = await ai.chat.completions.create(model="m", messages=MESSAGES)
                assert answer.model_extra is not None
                assert answer.model_extra["allmende"]["offer"] == "b"
                answer = await ai.chat.completions.create(
                    model="m", messages=MESSAGES, extra_body={"allmende": {"providers": ["host"]}}
                )
                assert answer.model_extra is not None
                assert answer.model_extra["allmende"]["offer"] == "a"

    run(work())


def test_closing_a_stream_early_is_a_hang_up(tmp_path: Path) -> None:
    async def work() -> None:
        act = Act(events=400, delay_s=0.01)
        async with serve(tmp_path, act) as market, client(market) as ai:
            stream = await ai.chat.completions.create(model="fake", messages=MESSAGES, stream=True)
            async for _ in stream:
                break
            await stream.close()
            await market.provider.settled()
            await market.settled()
            assert market.provider.seen[0].aborted
            assert [receipt.outcome for receipt in market.receipts] == ["client_left"]

    run(work())
