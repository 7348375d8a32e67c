"""Sessions: what was sealed opens, until its end, for that key; everything else does not."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from allmende.core.units import SECOND
from allmende.wire.login import seal, unseal

SECRET = b"s" * 32
HASHES = {"anna": "a" * 64, "bert": "b" * 64}
NOON = 1_000 * SECOND
END = NOON + 43_200 * SECOND


def test_a_session_opens_until_its_end_and_not_at_it() -> None:
    text = seal(SECRET, "anna", HASHES["anna"], END)
    assert unseal(SECRET, text, HASHES, NOON) == HASHES["anna"]
    assert unseal(SECRET, text, HASHES, END - 1) == HASHES["anna"]
    assert unseal(SECRET, text, HASHES, END) == ""


def test_a_revoked_key_and_a_key_issued_anew_under_the_same_id_end_the_session() -> None:
    text = seal(SECRET, "anna", HASHES["anna"], END)
    assert unseal(SECRET, text, {"bert": HASHES["bert"]}, NOON) == ""
    assert unseal(SECRET, text, {"anna": "c" * 64}, NOON) == ""


def test_another_market_or_another_name_in_the_text_is_no_session() -> None:
    text = seal(SECRET, "anna", HASHES["anna"], END)
    assert unseal(b"t" * 32, text, HASHES, NOON) == ""
    assert unseal(SECRET, text.replace("anna", "bert"), HASHES, NOON) == ""
    assert unseal(SECRET, text.replace(str(END), str(END + 1)), HASHES, NOON) == ""


@given(st.text(max_size=400))
def test_no_text_that_we_did_not_seal_opens(text: str) -> None:
    assert unseal(SECRET, text, HASHES, NOON) == ""


@given(st.integers(0, 200), st.characters())
def test_a_text_changed_in_one_place_does_not_open(place: int, letter: str) -> None:
    text = seal(SECRET, "anna", HASHES["anna"], END)
    changed = text[:place] + letter + text[place + 1 :]
    assert unseal(SECRET, changed, HASHES, NOON) == ("" if changed != text else HASHES["anna"])
