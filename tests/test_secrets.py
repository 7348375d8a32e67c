"""Secrets at rest: sealed, private, and clear about what is wrong with them."""

from __future__ import annotations

import multiprocessing
import stat
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from allmende.adapters.secrets import (
    Ed25519Signer,
    SecretBroken,
    Vault,
    key_hash,
    new_key,
    open_signer,
    open_vault,
)
from allmende.ports import Signer

VAULT = Vault(bytes(32))


@given(st.text(max_size=200), st.text(max_size=40))
def test_what_is_sealed_opens_and_shows_nothing(text: str, context: str) -> None:
    sealed = VAULT.seal(text, context)
    assert sealed.isascii()
    assert len(text) < 4 or text not in sealed
    assert VAULT.open(sealed, context) == text
    assert VAULT.seal(text, context) != sealed


def test_a_sealed_key_opens_in_no_other_place() -> None:
    sealed = VAULT.seal("sk-provider", "offer 1")
    others = [
        (VAULT, sealed, "offer 2"),
        (Vault(b"1" * 32), sealed, "offer 1"),
        (VAULT, sealed[:-4] + "AAAA", "offer 1"),
        (VAULT, sealed.removeprefix("s1."), "offer 1"),
        (VAULT, "s1.", "offer 1"),
        (VAULT, "s1.ä", "offer 1"),
        (VAULT, "", "offer 1"),
    ]
    for vault, text, context in others:
        with pytest.raises(SecretBroken, match="does not open") as broken:
            vault.open(text, context)
        assert "sk-provider" not in str(broken.value)


def test_a_data_directory_keeps_its_keys(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    vault = open_vault(folder)
    sealed = vault.seal("sk-1", "offer")
    public = open_signer(folder, vault).public
    again = open_vault(folder)
    assert again.open(sealed, "offer") == "sk-1"
    assert open_signer(folder, again).public == public
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    made = sorted(file.name for file in folder.iterdir())
    assert made == ["master.key", "signer.key"], "no draft is left"
    for file in folder.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_another_market_has_other_keys(tmp_path: Path) -> None:
    one, two = open_vault(tmp_path / "1"), open_vault(tmp_path / "2")
    assert open_signer(tmp_path / "1", one).public != open_signer(tmp_path / "2", two).public
    with pytest.raises(SecretBroken):
        open_signer(tmp_path / "1", two)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o666])
def test_a_key_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    open_vault(tmp_path)
    (tmp_path / "master.key").chmod(mode)
    with pytest.raises(SecretBroken, match="chmod 600"):
        open_vault(tmp_path)


def test_a_garbled_key_is_refused_not_used(tmp_path: Path) -> None:
    vault = open_vault(tmp_path)
    open_signer(tmp_path, vault)
    file = tmp_path / "master.key"
    text = file.read_text()
    for wrong in ("", text[1:], text[:-3], "0" + text[1:], text.upper(), "ä" * 64, "\0" * 73):
        if wrong.strip() == text.strip():
            continue
        file.write_text(wrong, "utf-8")
        with pytest.raises(SecretBroken, match="garbled"):
            open_vault(tmp_path)
    (tmp_path / "signer.key").write_text("s1.AAAA\n")
    with pytest.raises(SecretBroken, match="ed25519 signer"):
        open_signer(tmp_path, vault)


def _seal_in(folder: Path) -> str:
    return open_vault(folder).seal("x", "y")


def test_processes_that_begin_at_once_share_one_key(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        sealed = pool.map(_seal_in, [tmp_path] * 8)
    assert [open_vault(tmp_path).open(each, "y") for each in sealed] == ["x"] * 8


def signers(folder: Path) -> list[Signer]:
    return [open_signer(folder, open_vault(folder)), Ed25519Signer(b"lab market seed".ljust(32))]


def test_every_signer_keeps_the_contract(tmp_path: Path) -> None:
    for signer in signers(tmp_path):
        signature = signer.sign(b"head")
        assert (len(signer.public), len(signature)) == (32, 64)
        assert signer.sign(b"head") == signature
        public = Ed25519PublicKey.from_public_bytes(signer.public)
        public.verify(signature, b"head")
        with pytest.raises(InvalidSignature):
            public.verify(signature, b"heaD")


def test_new_keys_differ_and_are_known_by_their_hash() -> None:
    keys = [new_key() for _ in range(100)]
    assert len({secret for secret, _ in keys}) == 100
    for secret, digest in keys:
        assert secret.startswith("alm_")
        assert len(secret) == 47
        assert digest == key_hash(secret)
        assert len(digest) == 64
        assert secret not in digest
    assert key_hash("alm_ä") != key_hash("alm_a")
