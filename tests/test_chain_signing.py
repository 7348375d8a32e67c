"""Keys on secp256k1: what is signed here is what wallets and contracts recover."""

from __future__ import annotations

from pathlib import Path

import pytest
from eth_account import Account as Wallet

from allmende.adapters.chain.account import open_account
from allmende.adapters.chain.signing import SECP256K1_HALF, Keys, open_keys
from allmende.adapters.secrets import SecretBroken, open_vault
from allmende.wire.voucher import Domain, channel, voucher_digest

ORDER = 2 * SECP256K1_HALF + 1


def keys_of(folder: Path) -> Keys:
    vault = open_vault(folder)
    return open_keys(folder, vault, open_account(folder, vault))


def digest_of(keys: Keys, amount: int = 5) -> bytes:
    id_ = channel(bytes.fromhex(keys.house[2:]), 3, keys.keccak)
    return voucher_digest(Domain(7, b"\1" * 20), id_, amount, keys.keccak)


def test_everyone_is_recovered(tmp_path: Path):
    keys = keys_of(tmp_path)
    digest = digest_of(keys)
    address, sealed = keys.fresh()
    assert keys.recover(digest, keys.sign(sealed, digest)) == address
    assert keys.recover(digest, keys.sign_house(digest)) == keys.house
    assert keys.recover(digest, keys.sign_market(digest)) == keys.market
    assert len({address, keys.house, keys.market}) == 3
    assert keys.recover(digest_of(keys, 6), keys.sign_house(digest)) != keys.house


def test_a_wallet_of_others_is_recovered_too(tmp_path: Path):
    keys, wallet = keys_of(tmp_path), Wallet.create()
    digest = digest_of(keys)
    signature = bytes(wallet.unsafe_sign_hash(digest).signature)
    assert keys.recover(digest, signature) == wallet.address.lower()


def test_the_same_folder_has_the_same_keys_and_another_cannot_open_them(tmp_path: Path):
    first, again = keys_of(tmp_path / "a"), keys_of(tmp_path / "a")
    assert (first.house, first.market) == (again.house, again.market)
    address, sealed = first.fresh()
    digest = digest_of(first)
    assert again.recover(digest, again.sign(sealed, digest)) == address
    with pytest.raises(SecretBroken):
        keys_of(tmp_path / "b").sign(sealed, digest)


@pytest.mark.parametrize("spoil", ["short", "long", "v", "zero", "high"])
def test_what_is_no_signature_is_told(tmp_path: Path, spoil: str):
    keys = keys_of(tmp_path)
    digest = digest_of(keys)
    good = keys.sign_house(digest)
    s = int.from_bytes(good[32:64], "big")
    bad = {
        "short": good[:64],
        "long": good + b"\0",
        "v": good[:64] + b"\0",
        "zero": bytes(64) + b"\x1b",
        "high": good[:32] + (ORDER - s).to_bytes(32, "big") + bytes([55 - good[64]]),
    }[spoil]
    with pytest.raises(ValueError, match="signature"):
        keys.recover(digest, bad)
