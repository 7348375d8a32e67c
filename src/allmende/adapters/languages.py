"""Languages: the same sentences in ten languages, and how many tokens each vocabulary makes.

Rule: the sentences are package data under CC0-1.0, written for this house; vocabularies are
those of installed packages and of a GGUF file that is named. One that cannot be read is left out
and told of.
Invariant: every sentence stands in every language, none is empty.
Worked number: 20 sentences in 10 languages and 2 vocabularies are 400 counts.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path

from msgspec import Struct

from allmende.adapters.local_model import LocalModelFailed, packaged_gguf
from allmende.adapters.recount_worker import vocabulary_of
from allmende.measure.access import Premium, premiums

OPENAI = ("o200k_base", "cl100k_base")


class Sentences(Struct, frozen=True):
    """`texts` is language -> the sentences, in one order."""

    title: str
    licence: str
    note: str
    languages: Mapping[str, str]
    texts: Mapping[str, Sequence[str]]


@cache
def sentences() -> Sentences:
    """Raises ValueError if a sentence is missing in a language."""
    file = files("allmende.adapters").joinpath("data", "languages.toml")
    found = tomllib.loads(file.read_text(encoding="utf-8"))
    languages = found["languages"]
    for number, one in enumerate(found["sentence"], 1):
        if set(one) != set(languages) or not all(one.values()):
            raise ValueError(f"sentence {number} is not in every language")
    texts = {code: [one[code] for one in found["sentence"]] for code in languages}
    return Sentences(found["title"], found["licence"], found["note"], languages, texts)


def measured(gguf: Sequence[Path] = ()) -> tuple[list[Premium], list[str]]:
    """Premiums of every vocabulary at hand, and which could not be read."""
    found: list[Premium] = []
    missing: list[str] = []
    for name in (*OPENAI, *(f"gguf:{path}" for path in (*_local(), *gguf))):
        vocabulary = vocabulary_of(name)
        if vocabulary is None:
            missing.append(name)
            continue
        counts = {
            code: [vocabulary.tokens(text) for text in texts]
            for code, texts in sentences().texts.items()
        }
        found += premiums(counts, name.removeprefix("gguf:").rpartition("/")[2])
    return found, missing


def _local() -> list[Path]:
    """The packaged local model's file, if it is installed."""
    try:
        return [packaged_gguf()]
    except LocalModelFailed:
        return []  # an extra that is not there is no mistake; other vocabularies are
