"""The desk's pure code and the contracts agree, byte for byte, on the same input."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boa
import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_hash.auto import keccak
from hypothesis import given
from hypothesis import strategies as st
from vault_rig import Batch, Market, Person, contract

from allmende.adapters import chain_contracts
from allmende.core.settle import leaf_hash
from allmende.wire import merkle
from allmende.wire import merkle_sum as ms
from allmende.wire import voucher as v

AMOUNTS = st.integers(0, 2**64)
LEAVES = st.lists(
    st.builds(ms.Leaf, st.binary(min_size=20, max_size=20), AMOUNTS, AMOUNTS), max_size=40
)


@pytest.fixture(scope="module")
def market() -> Iterator[Market]:
    """A vault that is always ready to make a tree final."""
    with boa.env.anchor():
        market = Market(rate_ppm=0).open()
        market.deposit(Person("whale"), 2**100)
        market.vault.cut(sender=market.operator.address)
        yield market


def finalised(market: Market, leaves: list[ms.Leaf], receipts: list[bytes]) -> Batch:
    market.receipts = receipts
    batch = market.submit(leaves)
    market.finalise()
    return batch


@given(leaves=LEAVES, data=st.data())
def test_the_vault_accepts_exactly_the_leaves_that_python_proves(
    market: Market, leaves: list[ms.Leaf], data: st.DataObject
) -> None:
    batch = finalised(market, leaves, [])
    assert batch.top.sum == sum(leaf.balance for leaf in leaves)
    places = (
        range(len(leaves))
        if len(leaves) < 5
        else data.draw(st.sets(st.sampled_from(range(len(leaves))), max_size=4))
    )
    for place in places:
        shown = ms.proof(batch.tree, place)
        assert ms.fits(batch.top, len(leaves), leaves[place], shown, keccak)
        assert market.vault.has_leaf(*batch.at(place))
    if leaves:
        leaf, shown = changed(data, leaves, batch)
        said = ("0x" + leaf.account.hex(), leaf.balance, leaf.spent)
        expected = ms.fits(batch.top, len(leaves), leaf, shown, keccak)
        assert market.vault.has_leaf(said, shown) == expected


def changed(data: st.DataObject, leaves: list[ms.Leaf], batch: Batch) -> tuple[ms.Leaf, ms.Proof]:
    """A leaf and a proof that are wrong in some place, or by chance are right."""
    place = data.draw(st.integers(0, len(leaves) - 1))
    leaf, shown = leaves[place], ms.proof(batch.tree, place)
    what = data.draw(
        st.sampled_from(["balance", "spent", "account", "place", "sum", "less", "more"])
    )
    if what in ("balance", "spent"):
        return leaf._replace(**{what: data.draw(AMOUNTS)}), shown
    if what == "account":
        return leaf._replace(account=data.draw(st.sampled_from(leaves)).account), shown
    if what == "place":
        return leaf, shown._replace(place=data.draw(st.integers(0, len(leaves) + 2)))
    if what == "more":
        return leaf, shown._replace(siblings=(*shown.siblings, ms.EMPTY))
    if not shown.siblings or what == "less":
        return leaf, shown._replace(siblings=shown.siblings[:-1])
    first, *rest = shown.siblings
    return leaf, shown._replace(siblings=(first._replace(sum=data.draw(AMOUNTS)), *rest))


@given(count=st.integers(1, 40), data=st.data())
def test_the_vault_accepts_exactly_the_receipts_of_the_desks_batch(
    market: Market, count: int, data: st.DataObject
) -> None:
    receipts = [leaf_hash(str(i).encode()) for i in range(count)]
    top, number = merkle.root(receipts), market.vault.batch_count() + 1
    finalised(market, [], receipts)
    index = data.draw(st.integers(0, count - 1))
    path = merkle.path(receipts, index)
    assert market.vault.has_receipt(number, top, count, receipts[index], index, path)
    other = data.draw(st.integers(0, count + 1))
    said = market.vault.has_receipt(number, top, count, receipts[index], other, path)
    assert said == (merkle.folds_to(receipts[index], other, count, path) == top)


def test_nothing_is_proved_under_the_root_of_no_accounts(market: Market) -> None:
    finalised(market, [], [])
    assert ms.root([], keccak) == ms.EMPTY
    assert not market.vault.has_leaf((Person("anna").address, 0, 0), (0, []))


def test_a_proof_in_a_tree_of_ten_thousand_has_fourteen_siblings() -> None:
    tree = ms.levels([ms.Leaf(bytes(20), i, 0) for i in range(10_000)], keccak)
    assert len(ms.proof(tree, 0).siblings) == 14
    assert tree[-1][0].sum == sum(range(10_000))
    with pytest.raises(IndexError):
        ms.proof(tree, 10_000)


def test_a_leaf_is_an_account_and_two_numbers_that_fit() -> None:
    with pytest.raises(OverflowError):
        ms.leaf_node(ms.Leaf(bytes(20), -1, 0), keccak)
    with pytest.raises(ValueError, match="20 bytes"):
        ms.leaf_node(ms.Leaf(bytes(19), 0, 0), keccak)


# Typed data -------------------------------------------------------------------------------

WORDS = st.binary(min_size=32, max_size=32)
ADDRESSES = st.binary(min_size=20, max_size=20)
NUMBERS = st.integers(0, 2**256 - 1)


def as_a_wallet_signs(data: dict[str, Any]) -> bytes:
    """The digest of another library, from what a wallet would be asked to sign."""
    message = encode_typed_data(full_message=data)
    return keccak(b"\x19" + message.version + message.header + message.body)


@given(
    st.builds(v.Permit, ADDRESSES, ADDRESSES, NUMBERS, NUMBERS, WORDS, NUMBERS), NUMBERS, ADDRESSES
)
def test_a_permit_is_what_any_wallet_signs(permit: v.Permit, chain: int, vault: bytes) -> None:
    domain = v.Domain(chain, vault)
    data = v.typed_data(domain, "Permit", v.PERMIT_TYPE, permit._asdict())
    assert v.permit_digest(domain, permit, keccak) == as_a_wallet_signs(data)


@given(WORDS, st.integers(0, v.AMOUNT_MAX), ADDRESSES)
def test_a_voucher_is_what_any_wallet_signs(channel: bytes, amount: int, vault: bytes) -> None:
    domain = v.Domain(31_337, vault)
    said = {"channelId": channel, "maxClaimableAmount": amount}
    data = v.typed_data(domain, "Voucher", v.VOUCHER_TYPE, said)
    assert v.voucher_digest(domain, channel, amount, keccak) == as_a_wallet_signs(data)


@given(st.builds(v.Promise, ADDRESSES, WORDS, NUMBERS, NUMBERS), ADDRESSES)
def test_a_promise_is_what_any_wallet_signs(promise: v.Promise, vault: bytes) -> None:
    domain = v.Domain(56, vault)
    data = v.typed_data(domain, "Promise", v.PROMISE_TYPE, promise._asdict())
    assert v.promise_digest(domain, promise, keccak) == as_a_wallet_signs(data)


def test_a_vouchers_type_is_that_of_x402s_batch_settlement() -> None:
    said = ",".join(f"{kind} {name}" for name, kind in v.VOUCHER_TYPE)
    assert f"Voucher({said})" == "Voucher(bytes32 channelId,uint128 maxClaimableAmount)"


def test_channels_are_the_vaults(market: Market) -> None:
    anna = Person("anna")
    for lane in range(v.LANES):
        assert market.vault.channel(anna.address, lane) == v.channel(anna.bytes, lane, keccak)
    with pytest.raises(ValueError, match="lanes 0 to 15"):
        v.channel(anna.bytes, 16, keccak)


def test_a_wallets_signature_of_a_voucher_is_accepted(market: Market) -> None:
    """Signed by eth_account from the typed data alone, as MetaMask would."""
    anna = Person("anna")
    said = {"channelId": v.channel(anna.bytes, 2, keccak), "maxClaimableAmount": 77}
    data = v.typed_data(market.domain, "Voucher", v.VOUCHER_TYPE, said)
    signed = Account.sign_typed_data(keccak(b"anna"), full_message=data).signature
    permit = (anna.address, anna.address, 2, 0, bytes(32), 0)
    market.vault.acknowledge(permit, b"", 77, bytes(signed))
    assert market.vault.lanes(anna.address, 2) == 77


def test_models_are_a_set_and_none_means_all() -> None:
    one, other = v.models_hash(["b", "a", "a"], keccak), v.models_hash(["a", "b"], keccak)
    assert one == other != v.models_hash(["a"], keccak)
    assert v.models_hash([], keccak) == bytes(32)


def test_a_vouchers_amount_has_128_bits() -> None:
    with pytest.raises(OverflowError):
        v.voucher_digest(v.Domain(1, bytes(20)), bytes(32), 2**128, keccak)
    with pytest.raises(ValueError, match="address"):
        v.voucher_digest(v.Domain(1, bytes(19)), bytes(32), 1, keccak)


# What is deployed -------------------------------------------------------------------------

IMMUTABLES = {"Bond": 96, "Credit": 480, "Rights": 576, "Vault": 768}
"""Bytes that the constructors add to the code; a chain counts them too."""


@pytest.mark.parametrize("name", chain_contracts.NAMES)
def test_a_contract_fits_a_chain_and_comes_from_the_cache(name: str, tmp_path: Path) -> None:
    made = contract(name)
    assert len(made.runtime) + IMMUTABLES[name] <= chain_contracts.CODE_LIMIT
    chain_contracts.load(name, tmp_path)
    (kept,) = tmp_path.glob(f"{name}-{made.source_hash[:24]}*.json")
    before = kept.read_bytes()
    assert chain_contracts.load(name, tmp_path) == made
    assert kept.read_bytes() == before


def test_deployed_code_is_recognised_and_other_code_is_not(market: Market) -> None:
    code = boa.env.get_code(market.vault.address)
    assert contract("Vault").made(code)
    assert not contract("Vault").made(boa.env.get_code(market.bond.address))
    flipped = bytes([code[100] ^ 1])
    assert not contract("Vault").made(code[:100] + flipped + code[101:])


def test_a_changed_source_has_another_hash_and_none_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.vy").write_text("x: uint256")
    one = chain_contracts.source_hash(tmp_path)
    (tmp_path / "a.vy").write_text("y: uint256")
    assert chain_contracts.source_hash(tmp_path) != one
    (tmp_path / "a.vy").write_text("nonsense nonsense")
    with pytest.raises(ValueError, match="does not compile"):
        chain_contracts.load("a", tmp_path / "cache", tmp_path)
    with pytest.raises(FileNotFoundError):
        chain_contracts.source_hash(tmp_path / "nowhere")
