"""Vocabulary: how many tokens a text or a whole request is, by our own count.

Rule: use the vocabulary and the chat template that the served model itself uses: from its
GGUF file, or OpenAI's published ones. What is not known is refused by name.
Invariant: the same text always has the same count; text of a prompt may hold control
tokens (as llama.cpp reads them), text of an answer never does.
Worked number: "hello world" is 2 tokens in o200k_base; as the one user message of a chat
it is 3 + 1 (role) + 2 + 3 (answer's start) = 9.

The tokenizers are imported where they are built, not with this module: 150 MB that only
the recount worker needs.
"""

from __future__ import annotations

import warnings
from typing import Any, Protocol

from allmende.wire import chat
from allmende.wire.answer import read_json
from allmende.wire.ask import Endpoint
from allmende.wire.gguf import Metadata

_WORDS = (  # as in llama.cpp's llama-vocab.cpp; %s is how many digits stay together
    r"(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\r\n\p{L}\p{N}]?\p{L}+"
    r"|\p{N}%s| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_DIGITS = {"qwen2": "", "llama-bpe": "{1,3}"}
_KNOWN = ("gpt-2", "smollm", *_DIGITS)
"""Pre-tokenizers by the name in `tokenizer.ggml.pre`."""
_WHOLE_WORDS = frozenset(("llama-bpe",))
"""Those that take a word that is a token as it is, whatever the merges say."""
_OPENAI = ("o200k_base", "cl100k_base")
_CONTROL, _USER_DEFINED = 3, 4


class Vocabulary(Protocol):
    end_tokens: int
    """Tokens that a provider counts for an answer's end mark, which no text shows."""

    def tokens(self, text: str) -> int:
        """Tokens of a text that a model wrote."""

    def prompt(self, endpoint: Endpoint, request: bytes) -> int | None:
        """Input tokens of a whole request; None where they cannot be known here."""


def from_gguf(metadata: Metadata) -> GgufVocabulary:
    """The vocabulary inside a GGUF file. ValueError for a kind that is not known here."""
    model, pre = metadata.text("tokenizer.ggml.model"), metadata.text("tokenizer.ggml.pre")
    if model != "gpt2" or pre not in _KNOWN:
        raise ValueError(
            f"tokenizer {model!r} with pre-tokenizer {pre!r} is not known here;"
            f" known: gpt2 with {', '.join(_KNOWN)}"
        )
    return GgufVocabulary(metadata)


def openai_vocabulary(name: str) -> OpenAIVocabulary:
    """One of OpenAI's published vocabularies. ValueError for any other name."""
    if name not in _OPENAI:
        raise ValueError(f"vocabulary {name!r} is not known here; known: {', '.join(_OPENAI)}")
    return OpenAIVocabulary(name)


class GgufVocabulary:
    """A model's own vocabulary and template; counts as llama.cpp's server does."""

    end_tokens = 1

    def __init__(self, metadata: Metadata) -> None:
        names = metadata.texts("tokenizer.ggml.tokens")
        self._tokenizer = _build(metadata, names)
        self._begin = self._mark(metadata, names, "bos")
        self._end = self._mark(metadata, names, "eos")
        self._adds_begin = bool(metadata.flag("tokenizer.ggml.add_bos_token"))
        self._adds_end = bool(metadata.flag("tokenizer.ggml.add_eos_token"))
        source = metadata.chat_template
        self._template = chat.template(source) if source else None
        self._knows_tools = "tools" in source

    @staticmethod
    def _mark(metadata: Metadata, names: list[str], which: str) -> str:
        number = metadata.number(f"tokenizer.ggml.{which}_token_id")
        return names[number] if number is not None and 0 <= number < len(names) else ""

    def tokens(self, text: str) -> int:
        return self._encode(text, marks_are_text=True)

    def prompt(self, endpoint: Endpoint, request: bytes) -> int | None:
        body = read_json(request)
        if not isinstance(body, dict):
            return None
        if endpoint in (Endpoint.CHAT, Endpoint.RESPONSES):
            return self._chat(endpoint, body)
        return _plain_prompts(endpoint, body, self._input)

    def _chat(self, endpoint: Endpoint, body: dict[str, Any]) -> int | None:
        talk = chat.messages(endpoint, body)
        if self._template is None or talk is None or (body.get("tools") and not self._knows_tools):
            return None
        marks = {"bos_token": self._begin, "eos_token": self._end}
        text = chat.render(self._template, body, talk, **marks)
        if text is None:
            return None
        if self._adds_begin:  # added again by the tokenizer
            text = text.removeprefix(self._begin)
        return self._input(text.removesuffix(self._end) if self._adds_end else text)

    def _input(self, text: str) -> int:
        """Tokens of a text that goes into the model, with the marks that are put around it."""
        return self._encode(text, marks_are_text=False) + self._adds_begin + self._adds_end

    def _encode(self, text: str, *, marks_are_text: bool) -> int:
        self._tokenizer.encode_special_tokens = marks_are_text
        (encoding,) = self._tokenizer.encode_batch_fast([text], add_special_tokens=False)
        return len(encoding)


def _build(metadata: Metadata, names: list[str]) -> Any:
    from tokenizers import AddedToken, Tokenizer, models

    pre = metadata.text("tokenizer.ggml.pre")
    pairs = [merge.partition(" ") for merge in metadata.texts("tokenizer.ggml.merges")]
    if not names or not all(first and second for first, _, second in pairs):
        raise ValueError("the file's tokenizer has no tokens, or merges that are not pairs")
    bpe = models.BPE(
        vocab={name: number for number, name in enumerate(names)},
        merges=[(first, second) for first, _, second in pairs],
        ignore_merges=pre in _WHOLE_WORDS,
    )
    tokenizer = Tokenizer(bpe)
    tokenizer.pre_tokenizer = _pre_tokenizer(pre)
    kinds = zip(names, metadata.numbers("tokenizer.ggml.token_type"), strict=False)
    for name, kind in kinds:
        if kind in (_CONTROL, _USER_DEFINED):
            mark = AddedToken(name, special=kind == _CONTROL, normalized=False)
            tokenizer.add_special_tokens([mark])
    return tokenizer


def _pre_tokenizer(pre: str) -> Any:
    """How a text falls into words; the byte level's own pattern is GPT-2's."""
    from tokenizers import Regex, pre_tokenizers

    if pre in _DIGITS:
        words = pre_tokenizers.Split(Regex(_WORDS % _DIGITS[pre]), "isolated")
        level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
        return pre_tokenizers.Sequence([words, level])
    level = pre_tokenizers.ByteLevel(add_prefix_space=False)
    if pre == "gpt-2":
        return level
    return pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), level])


class OpenAIVocabulary:
    """OpenAI's count of text chats: 3 a message, 1 a name, 3 for the answer's start.

    https://developers.openai.com/cookbook/examples/how_to_count_tokens_with_tiktoken;
    tools and images have no published rule, so they are not counted.
    """

    end_tokens = 0

    def __init__(self, name: str) -> None:
        with warnings.catch_warnings():  # it opens its data in a way that Python deprecates
            warnings.simplefilter("ignore", DeprecationWarning)
            from bpe_openai import get_encoding

            self._encode = get_encoding(name).encode_ordinary

    def tokens(self, text: str) -> int:
        return len(self._encode(text))

    def prompt(self, endpoint: Endpoint, request: bytes) -> int | None:
        body = read_json(request)
        if not isinstance(body, dict) or body.get("tools") or body.get("functions"):
            return None
        if endpoint not in (Endpoint.CHAT, Endpoint.RESPONSES):
            return _plain_prompts(endpoint, body, self.tokens)
        talk = chat.messages(endpoint, body)
        if talk is None or any(message.get("tool_calls") for message in talk):
            return None
        return 3 + sum(map(self._message, talk))

    def _message(self, message: chat.Message) -> int:
        name = message.get("name")
        named = 1 + self.tokens(str(name)) if name else 0
        return 3 + self.tokens(str(message.get("role"))) + self.tokens(message["content"]) + named


def _plain_prompts(endpoint: Endpoint, body: dict[str, Any], tokens: Any) -> int | None:
    """Tokens of `prompt` or `input`: a text, token ids, or a list of either."""
    given = body.get("input" if endpoint is Endpoint.EMBEDDINGS else "prompt")
    if body.get("suffix") or given is None:
        return None
    if isinstance(given, list) and all(isinstance(each, int) for each in given):
        given = [given]
    total = 0
    for each in given if isinstance(given, list) else [given]:
        if isinstance(each, str):
            total += tokens(each)
        elif isinstance(each, list):
            total += len(each)
        else:
            return None
    return total
