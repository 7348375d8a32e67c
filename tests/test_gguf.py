"""GGUF metadata: read where it is sound, refused in words where it is not."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allmende.adapters.local_model import packaged_gguf
from allmende.wire.gguf import Metadata, read

UINT32, FLOAT, BOOL, STRING, ARRAY = 4, 6, 7, 8, 9


def text(value: str) -> bytes:
    raw = value.encode()
    return struct.pack("<Q", len(raw)) + raw


def value(kind: int, holds: Any) -> bytes:
    if kind == STRING:
        return text(holds)
    if kind == ARRAY:
        inner, items = holds
        head = struct.pack("<IQ", inner, len(items))
        return head + b"".join(value(inner, item) for item in items)
    return struct.pack({UINT32: "<I", FLOAT: "<f", BOOL: "<?"}[kind], holds)


def gguf(
    pairs: dict[str, tuple[int, Any]], tensors: tuple[tuple[int, ...], ...] = (), version: int = 3
) -> bytes:
    """A small GGUF file."""
    out = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(pairs))
    for key, (kind, holds) in pairs.items():
        out += text(key) + struct.pack("<I", kind) + value(kind, holds)
    for shape in tensors:
        out += text("t") + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, 0, 0)
    return out


SMALL = gguf(
    {
        "general.architecture": (STRING, "tiny"),
        "general.name": (STRING, "Größe"),
        "tiny.context_length": (UINT32, 64),
        "tiny.scale": (FLOAT, 0.5),
        "tokenizer.ggml.add_bos_token": (BOOL, True),
        "tokenizer.ggml.tokens": (ARRAY, (STRING, ["a", "b", "ab"])),
        "tokenizer.ggml.token_type": (ARRAY, (UINT32, [1, 1, 3])),
    },
    tensors=((3, 5), (7,)),
)


def test_a_small_file() -> None:
    seen = read(SMALL)
    assert (seen.name, seen.architecture, seen.context_length) == ("Größe", "tiny", 64)
    assert seen.parameters == 3 * 5 + 7
    assert seen.flag("tokenizer.ggml.add_bos_token") is True
    assert seen.texts("tokenizer.ggml.tokens") == ["a", "b", "ab"]
    assert seen.numbers("tokenizer.ggml.token_type") == [1, 1, 3]
    assert seen.values["tiny.scale"] == 0.5


def test_a_value_of_another_type_is_as_good_as_none() -> None:
    seen = read(SMALL)
    assert (seen.text("tiny.context_length"), seen.number("general.name")) == ("", None)
    assert (seen.number("tokenizer.ggml.add_bos_token"), seen.flag("general.name")) == (None, None)
    assert (seen.texts("tokenizer.ggml.token_type"), seen.numbers("missing")) == ([], [])
    assert seen.chat_template == ""


def test_the_real_model() -> None:
    with packaged_gguf().open("rb") as file:
        seen = read(file.read(8_000_000))
    assert seen.architecture == "llama"
    assert seen.name.startswith("Smollm2 135M")
    assert (seen.parameters, seen.context_length) == (134_515_008, 8_192)
    assert len(seen.texts("tokenizer.ggml.tokens")) == 49_152
    assert len(seen.texts("tokenizer.ggml.merges")) == 48_900
    assert seen.text("tokenizer.ggml.pre") == "smollm"
    assert "<|im_start|>" in seen.chat_template


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "does not begin with GGUF"),
        (b"FUGG" + SMALL[4:], "does not begin with GGUF"),
        (b"GGUF", "ends at byte 4"),
        (gguf({}, version=1), "version 1"),
        (gguf({})[::-1], "does not begin"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 2**63), "keys"),
        (b"GGUF" + struct.pack("<IQQ", 3, 2**40, 0), "tensors"),
        (SMALL[:-1], "ends at byte"),
        (gguf({"k": (STRING, "v")})[:-9] + struct.pack("<Q", 2**63) + b"v", "ends at byte"),
        (gguf({"k": (BOOL, True)}).replace(b"k\x07", b"k\x63"), "unknown type 99"),
        (gguf({"k": (ARRAY, (STRING, []))})[:-8] + struct.pack("<Q", 2**61), "strings"),
        (gguf({"k": (ARRAY, (UINT32, []))})[:-8] + struct.pack("<Q", 2**61), "ends at byte"),
        (gguf({"k": (ARRAY, (ARRAY, []))}), "array of type 9"),
        (gguf({"k": (STRING, "v")})[:-1] + b"\xff", "utf-8"),
    ],
)
def test_garbage_is_refused_in_words(data: bytes, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        read(data)


@given(st.data())
def test_a_damaged_file_is_read_or_refused(data: st.DataObject) -> None:
    damaged = bytearray(SMALL[: data.draw(st.integers(0, len(SMALL)))])
    for at in data.draw(st.lists(st.integers(4, len(SMALL)), max_size=3)):
        if at < len(damaged):
            damaged[at] = data.draw(st.integers(0, 255))
    try:
        seen: Metadata | ValueError = read(bytes(damaged))
    except ValueError as error:
        seen = error
    assert str(seen)
