"""Vocabularies: known ones count as their providers do, others are refused by name."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allmende.adapters.local_model import packaged_gguf
from allmende.wire import chat, gguf
from allmende.wire.ask import Endpoint
from allmende.wire.gguf import Metadata
from allmende.wire.vocabulary import GgufVocabulary, from_gguf, openai_vocabulary

CHAT, PLAIN = Endpoint.CHAT, Endpoint.COMPLETIONS
VECTORS, TURNS = Endpoint.EMBEDDINGS, Endpoint.RESPONSES


@pytest.fixture(scope="module")
def metadata() -> Metadata:
    with packaged_gguf().open("rb") as file:
        return gguf.read(file.read(8_000_000))


@pytest.fixture(scope="module")
def smollm(metadata: Metadata) -> GgufVocabulary:
    return from_gguf(metadata)


def changed(metadata: Metadata, **values: Any) -> Metadata:
    """The same file with other `tokenizer` values; dots are written as two underscores."""
    named = {f"tokenizer.{key.replace('__', '.')}": value for key, value in values.items()}
    return Metadata(metadata.values | named, metadata.parameters)


def body(**fields: Any) -> bytes:
    return json.dumps(fields).encode()


def user(content: Any) -> list[dict[str, Any]]:
    return [{"role": "user", "content": content}]


@pytest.mark.parametrize(
    ("text", "tokens"),
    [("", 0), ("hello world", 2), ("12345", 5), ("<|im_end|>", 7), ("a  b\n\n\tc", 6), ("🙂", 2)],
)
def test_smollm_counts_text(smollm: GgufVocabulary, text: str, tokens: int) -> None:
    assert smollm.tokens(text) == tokens


def test_a_control_token_is_one_in_a_prompt_and_text_in_an_answer(smollm: GgufVocabulary) -> None:
    assert smollm.prompt(PLAIN, body(prompt="<|im_end|>")) == 1
    assert smollm.tokens("<|im_end|>") == 7


@given(text=st.text(max_size=80))
def test_a_token_is_at_least_a_byte(smollm: GgufVocabulary, text: str) -> None:
    for vocabulary in (smollm, openai_vocabulary("o200k_base")):
        assert vocabulary.tokens(text) <= len(text.encode())


@pytest.mark.parametrize(
    "fields",
    [
        {"messages": user([{"type": "image_url", "image_url": {"url": "x"}}])},
        {"messages": user("hi"), "tools": [{"type": "function"}]},
        {"messages": "hi"},
        {"messages": ["hi"]},
        {},
    ],
)
def test_what_is_not_text_is_not_counted(smollm: GgufVocabulary, fields: dict[str, Any]) -> None:
    assert smollm.prompt(CHAT, body(**fields)) is None
    assert openai_vocabulary("o200k_base").prompt(CHAT, body(**fields)) is None


@pytest.mark.parametrize("request_body", [b"", b"\xff", b"[]", b"{}", b'{"prompt":[{}]}'])
@pytest.mark.parametrize("endpoint", list(Endpoint))
def test_garbage_is_not_counted(
    smollm: GgufVocabulary, endpoint: Endpoint, request_body: bytes
) -> None:
    assert smollm.prompt(endpoint, request_body) is None


@pytest.mark.parametrize("pre", ["gpt-2", "smollm", "qwen2", "llama-bpe"])
def test_every_known_pre_tokenizer_builds(metadata: Metadata, pre: str) -> None:
    words = from_gguf(changed(metadata, ggml__pre=pre))
    assert [words.tokens(text) for text in ("", "hello world", "12345")] == [0, 2, 5]


def test_marks_are_added_where_the_file_says_so(metadata: Metadata) -> None:
    both = from_gguf(changed(metadata, ggml__add_bos_token=True, ggml__add_eos_token=True))
    assert both.prompt(PLAIN, body(prompt="hello world")) == 4
    assert both.prompt(PLAIN, body(prompt=["hello world", "hello"])) == 7
    assert both.prompt(PLAIN, body(prompt=[1, 2])) == 2  # ids are taken as they are
    marked = changed(
        metadata,
        ggml__add_bos_token=True,
        chat_template="{{ bos_token }}{{ messages[0]['content'] }}",
    )
    assert from_gguf(marked).prompt(CHAT, body(messages=user("hello world"))) == 3


def test_tools_are_counted_where_the_template_names_them(metadata: Metadata) -> None:
    template = "{{ tools | tojson }}{% for m in messages %}{{ m.content }}{% endfor %}"
    vocabulary = from_gguf(changed(metadata, chat_template=template))
    tools = [{"type": "function", "function": {"name": "größe"}}]
    plain = vocabulary.tokens(json.dumps(tools, ensure_ascii=False) + "hi")
    assert vocabulary.prompt(CHAT, body(messages=user("hi"), tools=tools)) == plain


def test_a_template_that_refuses_or_breaks_is_not_counted(metadata: Metadata) -> None:
    for source in (
        "{{ raise_exception('no') }}",
        "{{ messages[0].content / 0 }}",
        "{{ missing.x }}",
        "{% for a in range(10**9) %}x{% endfor %}",
        "{{ ''.__class__.__mro__ }}",
        "{{ messages.append(1) }}",
    ):
        vocabulary = from_gguf(changed(metadata, chat_template=source))
        assert vocabulary.prompt(CHAT, body(messages=user("hi"))) is None, source
    assert from_gguf(changed(metadata, chat_template="")).prompt(CHAT, body(messages=[])) is None


@pytest.mark.parametrize(
    "values",
    [
        {"ggml__model": "llama"},
        {"ggml__pre": "deepseek-llm"},
        {"ggml__model": 7},
        {"ggml__tokens": []},
        {"ggml__merges": ["nopair"]},
        {"chat_template": "{% for %}"},
    ],
)
def test_what_is_not_known_is_refused_by_name(metadata: Metadata, values: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"known: gpt2 with|no tokens|does not compile"):
        from_gguf(changed(metadata, **values))


def test_other_names_are_refused() -> None:
    with pytest.raises(ValueError, match=r"known: o200k_base, cl100k_base"):
        openai_vocabulary("p50k_base")


def test_openai_counts_what_its_cookbook_counts() -> None:
    """The example of the cookbook, for which the API itself reported 129 and 124 tokens."""
    named = [
        ("example_user", "New synergies will help drive top-line growth."),
        ("example_assistant", "Things working well together will increase revenue."),
        (
            "example_user",
            "Let's circle back when we have more bandwidth to touch base on opportunities for"
            " increased leverage.",
        ),
        (
            "example_assistant",
            "Let's talk later when we're less busy about how to do better.",
        ),
    ]
    messages = [
        {
            "role": "system",
            "content": "You are a helpful, pattern-following assistant that translates corporate"
            " jargon into plain English.",
        },
        *[{"role": "system", "name": name, "content": text} for name, text in named],
        {
            "role": "user",
            "content": "This late pivot means we don't have time to boil the ocean for the"
            " client deliverable.",
        },
    ]
    request = body(messages=messages)
    assert openai_vocabulary("cl100k_base").prompt(CHAT, request) == 129
    assert openai_vocabulary("o200k_base").prompt(CHAT, request) == 124


def test_openai_counts_the_other_endpoints() -> None:
    words = openai_vocabulary("o200k_base")
    assert words.prompt(CHAT, body(messages=user("hello world"))) == 9
    assert words.prompt(TURNS, body(input="hello world")) == 9
    assert words.prompt(PLAIN, body(prompt=["hello world", "hello"])) == 3
    assert words.prompt(VECTORS, body(input=[[1, 2, 3], [4]])) == 4
    assert words.prompt(PLAIN, body(prompt="a", suffix="b")) is None
    assert words.tokens("<|endoftext|>") > 1


def test_parts_join_and_a_last_answer_is_continued() -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    talk = chat.messages(CHAT, {"messages": [*user(parts), {"role": "assistant", "content": "c"}]})
    assert talk is not None
    assert talk[0]["content"] == "a\nb"
    template = chat.template("{% for m in messages %}[{{ m.content }}]{% endfor %}>")
    assert chat.render(template, {}, talk) == "[a\nb]>c"
