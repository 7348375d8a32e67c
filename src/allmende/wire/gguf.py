"""GGUF: the metadata at the head of a model file, read from bytes.

Rule: every length is checked against the bytes that are there before it is used, so a
garbage file is a ValueError that says where, never a huge allocation or an IndexError.
Invariant: nothing is read beyond the tensor table; weights are never touched.
Worked number: SmolLM2-135M's file has 33 keys, 272 tensors of 134_515_008 weights, a
vocabulary of 49_152 tokens and 48_900 merges.

Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, versions 2 and 3.
"""

from __future__ import annotations

import struct
from math import prod
from typing import Any, Protocol

from msgspec import Struct

MAX_KEYS = 1 << 16
MAX_TENSORS = 1 << 20
_SCALARS = dict(
    zip(
        (*range(8), 10, 11, 12),
        ("<B", "<b", "<H", "<h", "<I", "<i", "<f", "<?", "<Q", "<q", "<d"),
        strict=True,
    )
)
_STRING, _ARRAY = 8, 9


class Pages(Protocol):
    """Bytes, or a mapped file; slices are copies, so that nothing holds on to a mapping."""

    def __len__(self) -> int: ...
    def __getitem__(self, part: slice, /) -> bytes: ...


class Metadata(Struct, frozen=True):
    """What a GGUF file says of itself. `values` has every key as the file spells it."""

    values: dict[str, Any]
    parameters: int
    """Weights, counted over the tensor table."""

    def text(self, key: str) -> str:
        value = self.values.get(key, "")
        return value if isinstance(value, str) else ""

    def number(self, key: str) -> int | None:
        value = self.values.get(key)
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    def flag(self, key: str) -> bool | None:
        value = self.values.get(key)
        return value if isinstance(value, bool) else None

    def texts(self, key: str) -> list[str]:
        value = self.values.get(key)
        return value if isinstance(value, list) and all(isinstance(v, str) for v in value) else []

    def numbers(self, key: str) -> list[int]:
        value = self.values.get(key)
        return value if isinstance(value, list) and all(isinstance(v, int) for v in value) else []

    @property
    def name(self) -> str:
        return self.text("general.name")

    @property
    def architecture(self) -> str:
        return self.text("general.architecture")

    @property
    def chat_template(self) -> str:
        return self.text("tokenizer.chat_template")

    @property
    def context_length(self) -> int | None:
        return self.number(f"{self.architecture}.context_length")


def read(data: Pages) -> Metadata:
    """The metadata of a GGUF file (or its beginning). Raises ValueError if it is none."""
    return _Reader(data).metadata()


class _Reader:
    def __init__(self, data: Pages) -> None:
        self.data = data
        self.size = len(data)
        self.at = 0

    def metadata(self) -> Metadata:
        if self.data[:4] != b"GGUF":
            raise ValueError("not a GGUF file: it does not begin with GGUF")
        self.at = 4
        version = self.scalar("<I")
        if version not in (2, 3):
            raise ValueError(f"GGUF version {version} is not read here; 2 and 3 are")
        tensors = self.bounded(self.scalar("<Q"), MAX_TENSORS, "tensors")
        keys = self.bounded(self.scalar("<Q"), MAX_KEYS, "keys")
        values = {}
        for _ in range(keys):
            key = self.string()
            values[key] = self.value(self.scalar("<I"))
        return Metadata(values, sum(self.tensor() for _ in range(tensors)))

    def bounded(self, count: int, most: int, what: str) -> int:
        if count > most:
            raise ValueError(f"GGUF names {count} {what} at byte {self.at}; {most} are believed")
        return count

    def take(self, size: int) -> bytes:
        if size > self.size - self.at:
            raise ValueError(f"GGUF ends at byte {self.size}, inside what begins at {self.at}")
        self.at += size
        return self.data[self.at - size : self.at]

    def scalar(self, form: str) -> Any:
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def string(self) -> str:
        return str(self.take(self.scalar("<Q")), "utf-8")

    def value(self, kind: int) -> Any:
        if kind == _STRING:
            return self.string()
        if kind == _ARRAY:
            return self.array()
        if kind not in _SCALARS:
            raise ValueError(f"GGUF has a value of unknown type {kind} at byte {self.at}")
        return self.scalar(_SCALARS[kind])

    def array(self) -> list[Any]:
        kind, count = self.scalar("<I"), self.scalar("<Q")
        if kind in _SCALARS:
            form = _SCALARS[kind]
            raw = self.take(count * struct.calcsize(form))
            return [value for (value,) in struct.iter_unpack(form, raw)]
        if kind != _STRING:  # the format allows arrays of arrays; no tokenizer has any
            raise ValueError(f"GGUF has an array of type {kind} at byte {self.at}")
        self.bounded(count, (self.size - self.at) // 8, "strings")
        return [self.string() for _ in range(count)]

    def tensor(self) -> int:
        self.string()
        dimensions = self.bounded(self.scalar("<I"), 8, "dimensions")
        weights: int = prod(self.scalar("<Q") for _ in range(dimensions))
        self.take(4 + 8)
        return weights
