"""Every refusal in OpenAI's form, bounded, with its facts."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allmende.core.refusals import Refused, Why
from allmende.doors import errors


def error(reply: errors.Reply) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(reply.body)["error"]
    return found


@pytest.mark.parametrize("why", list(Why))
def test_every_refusal_has_the_form_and_its_status(why: Why) -> None:
    reply = errors.refusal(Refused(why, "So it is."))
    said = error(reply)
    assert reply.status == why.status
    assert said["message"] == f"{why.sentence} So it is."
    assert said["code"] == why.code
    assert isinstance(said["type"], str)
    assert said.keys() == {"message", "type", "param", "code"}
    assert dict(reply.headers)[b"content-length"] == str(len(reply.body)).encode()


def test_missing_credit_is_402_with_the_amount_as_text() -> None:
    reply = errors.refusal(Refused(Why.NO_CREDIT, missing=5_000_000_000, asset="credit"))
    said = error(reply)
    assert (reply.status, said["type"]) == (402, "insufficient_quota")
    assert (said["missing"], said["asset"]) == ("0.005", "credit")


def test_rate_says_when_to_come_back_rounded_up() -> None:
    reply = errors.refusal(Refused(Why.RATE, retry_after_us=1_000_001))
    headers = dict(reply.headers)
    assert (headers[b"retry-after"], headers[b"retry-after-ms"]) == (b"2", b"1001")
    assert "retry_after_us" not in error(reply)


def test_429_without_a_time_says_one_second() -> None:
    assert dict(errors.refusal(Refused(Why.CAPACITY)).headers)[b"retry-after"] == b"1"


def test_conditions_stay_numbers_by_name() -> None:
    refused = Refused(Why.NO_OFFER, conditions={"zone": 2, "max_rate": 1})
    assert error(errors.refusal(refused))["conditions"]["zone"] == 2


def test_replays_are_not_to_be_retried() -> None:
    headers = dict(errors.refusal(Refused(Why.REPLAYED)).headers)
    assert headers[b"x-should-retry"] == b"false"


def test_an_unknown_model_names_its_field() -> None:
    said = error(errors.refusal(Refused(Why.UNKNOWN_MODEL, model="m" * 9_000)))
    assert said["param"] == "model"
    assert len(said["model"]) == errors.FACT_MAX


@given(st.text(), st.text(), st.integers())
def test_no_detail_breaks_the_form(detail: str, fact: str, amount: int) -> None:
    reply = errors.refusal(Refused(Why.BAD_VALUE, detail * 50, model=fact * 50, missing=amount))
    said = error(reply)
    assert len(said["message"]) <= errors.MESSAGE_MAX
    assert len(reply.body) < 20_000


@given(st.binary())
def test_any_complaint_of_a_provider_is_passed_on_in_form(body: bytes) -> None:
    reply = errors.passed_on(400, body)
    assert error(reply).keys() == {"message", "type", "param", "code"}


def test_a_providers_complaint_keeps_its_words() -> None:
    body = b'{"error":{"message":"bad schema","type":"x","param":"response_format","code":7}}'
    said = error(errors.passed_on(422, body))
    assert said["message"].endswith("bad schema")
    assert (said["type"], said["param"], said["code"]) == ("x", "response_format", "7")


def test_an_error_event_is_one_data_line_that_clients_read() -> None:
    event = errors.event("broke\noff", "provider_cut", receipt="r_1")
    assert event.endswith(b"\n\n")
    assert event.count(b"\n") == 2
    assert json.loads(event[6:])["error"]["receipt"] == "r_1"


def test_in_responses_the_event_has_a_name_and_a_flat_form() -> None:
    name, data = errors.event("broke off", "provider_cut", named=True).strip().split(b"\n")
    said = json.loads(data[6:])
    assert name == b"event: error"
    assert (said["type"], said["code"]) == ("error", "provider_cut")
