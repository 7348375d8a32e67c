"""x402: what a call costs, and whether a payment will do, in the words of the protocol's SDK.

Rule: the SDK writes and reads the headers and judges a payment; here alone it is known. It
sends nothing: its own settlement forgets over a crash what it has sent (see payments).
Invariant: what is judged is made anew from what would be sent, so that no field of a payer's
JSON is believed that the token would not see.
Worked number: of the 620 s that a payment may be valid for we ask for 310, so that a payer's
clock may be five minutes fast.

Only accounts with a key of their own pay: the token's EIP-3009 takes 65 bytes of signature, so
contracts' signatures (EIP-1271) would fail on the chain, and do here. Headers are version 2.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any, TypeVar

import msgspec
from eth_abi.abi import decode
from eth_utils.address import to_checksum_address
from msgspec import Meta, Struct
from x402.http.utils import (
    decode_payment_signature_header,
    encode_payment_required_header,
    encode_payment_response_header,
)
from x402.mechanisms.evm import constants as said
from x402.mechanisms.evm.exact.facilitator import ExactEvmScheme
from x402.mechanisms.evm.multicall import encode_contract_call
from x402.mechanisms.evm.types import ExactEIP3009Authorization, ExactEIP3009Payload
from x402.schemas import (
    PaymentPayload,
    PaymentRequired,
    PaymentRequirements,
    ResourceInfo,
    SettleResponse,
)

from allmende.adapters.chain.eip3009 import Authorization, read_call
from allmende.core.issue import AMOUNT_MAX
from allmende.core.units import Amount
from allmende.pay import Payment, Unpaid
from allmende.ports import Chain, ChainFailed

T = TypeVar("T")
HEADER_MAX = 8_192
MARGIN_S = 6
"""Seconds that must be left of it, besides two blocks; the SDK asks for as many."""
ASK_S = 60.0
"""For one question to the chain while the SDK verifies."""
THREADS = 4
"""Payments that are verified at once."""
DECIMALS = 12
"""Of the desk's own unit, pico-credits."""
PAYLOAD, VERSION = "invalid_payload", "invalid_x402_version"
REVERTS = {
    "nonce is used": said.ERR_NONCE_ALREADY_USED,
    "not valid yet": said.ERR_VALID_AFTER_FUTURE,
    "no longer valid": said.ERR_VALID_BEFORE_EXPIRED,
    "holder's signature": said.ERR_INVALID_SIGNATURE,
    "exceeds balance": said.ERR_INSUFFICIENT_BALANCE,
}
"""What the Credit says when it reverts, in the SDK's words."""


class Token(Struct, frozen=True):
    """What is paid in, where, and to whom. `name` and `version` are of its signing domain."""

    chain_id: int
    address: str
    pay_to: str
    name: str
    version: str = "1"
    decimals: int = DECIMALS

    @property
    def network(self) -> str:
        return f"eip155:{self.chain_id}"


_Address = Annotated[str, Meta(pattern=r"^0x[0-9a-fA-F]{40}\Z")]
_Number = Annotated[str, Meta(pattern=r"^(0|[1-9][0-9]{0,76})\Z")]


class _Signed(Struct, frozen=True):
    """The SDK's inner payload, as it may be."""

    class Fields(Struct, frozen=True, rename="camel"):
        from_: _Address = msgspec.field(name="from")
        to: _Address
        value: _Number
        valid_after: _Number
        valid_before: _Number
        nonce: Annotated[str, Meta(pattern=r"^0x[0-9a-fA-F]{64}\Z")]

    authorization: Fields
    signature: Annotated[str, Meta(pattern=r"^0x[0-9a-fA-F]{130}\Z")]


class Till:
    """What is asked for and shown on one chain, and whether it would go through there.

    `margin_s` is what must be left of a payment's validity when it is sent.
    """

    def __init__(
        self, chain: Chain, token: Token, now_s: Callable[[], int], margin_s: int = MARGIN_S
    ) -> None:
        assert token.decimals <= DECIMALS, "a token cannot be finer than the desk"
        self.unit: Amount = 10 ** (DECIMALS - token.decimals)
        self._chain = chain
        self._token = token
        self._now_s = now_s
        self._margin_s = margin_s
        self._threads = ThreadPoolExecutor(THREADS, "x402")
        """Its own: a thread here waits for the loop, and must not be waited for there."""

    # --- headers -------------------------------------------------------------------------

    def wanted(self, amount: Amount, window_s: int, path: str, says: str) -> bytes:
        required = PaymentRequired(
            error=says,
            resource=ResourceInfo(url=path),
            accepts=[self._requirements(-(-amount // self.unit), window_s)],
        )
        return encode_payment_required_header(required).encode()

    def _requirements(self, value: int, window_s: int) -> PaymentRequirements:
        token = self._token
        return PaymentRequirements(
            scheme=said.SCHEME_EXACT,
            network=token.network,
            asset=to_checksum_address(token.address),
            amount=str(value),
            pay_to=to_checksum_address(token.pay_to),
            max_timeout_seconds=max(1, window_s // 2),
            extra={"name": token.name, "version": token.version},
        )

    def read(self, header: bytes, window_s: int) -> Payment:
        payload = _payload(header)
        self._require_ours(payload)
        try:
            signed = msgspec.convert(payload.payload, _Signed)
        except msgspec.ValidationError as error:
            raise Unpaid(PAYLOAD, f"{error}.") from None
        payment = self.payment(_authorization(signed), self._token.address)
        left_s = payment.valid_before_s - self._now_s()
        if left_s <= 0:
            raise Unpaid(said.ERR_VALID_BEFORE_EXPIRED, "It has expired; sign another one.")
        if left_s > window_s:
            raise Unpaid(
                said.ERR_VALID_BEFORE_EXPIRED,
                f"It may be valid for {window_s} seconds ahead at most, not for {left_s}.",
            )
        if not 0 < payment.amount <= AMOUNT_MAX or payment.payer == self._token.pay_to:
            raise Unpaid(said.ERR_AUTHORIZATION_VALUE_MISMATCH, "It would bring nothing in.")
        return payment

    def _require_ours(self, payload: PaymentPayload) -> None:
        token, accepted = self._token, payload.accepted
        if accepted.scheme != said.SCHEME_EXACT:
            raise Unpaid(said.ERR_UNSUPPORTED_SCHEME, f"Pay by the scheme {said.SCHEME_EXACT}.")
        if accepted.network != token.network:
            raise Unpaid(said.ERR_NETWORK_MISMATCH, f"Pay on the network {token.network}.")
        if accepted.asset.lower() != token.address:
            raise Unpaid("invalid_asset", f"Pay with the token {token.address}.")

    def payment(self, signed: Authorization, token: str) -> Payment:
        """By whom, over how much, in our own words."""
        names = (str(self._token.chain_id), token, signed.payer, signed.nonce)
        return Payment(
            payer=signed.payer,
            nonce=signed.nonce,
            amount=signed.value * self.unit,
            valid_before_s=signed.valid_before_s,
            reference=":".join(("x402", *names)),
            call=signed.call(),
        )

    def settled(self, payment: Payment, transaction: str) -> bytes:
        told = SettleResponse(
            success=True,
            payer=to_checksum_address(payment.payer),
            transaction=transaction,
            network=self._token.network,
            amount=str(payment.amount // self.unit),
        )
        return encode_payment_response_header(told).encode()

    # --- before anything moves -----------------------------------------------------------

    async def verify(self, payment: Payment) -> None:
        signed = read_call(payment.call)
        left_s = signed.valid_before_s - self._now_s()
        if left_s < self._margin_s:
            raise Unpaid(
                said.ERR_VALID_BEFORE_EXPIRED,
                f"It is valid for {left_s} seconds more, and must be for {self._margin_s}.",
            )
        loop = asyncio.get_running_loop()
        eyes = _Eyes(self._chain, loop)
        requirements = self._requirements(signed.value, 0)
        payload = PaymentPayload(payload=_told(signed), accepted=requirements)
        scheme = ExactEvmScheme(eyes)  # type: ignore[arg-type]  # it need not send or sign here
        answer = await loop.run_in_executor(self._threads, scheme.verify, payload, requirements)
        if eyes.failed is not None:
            raise eyes.failed  # the SDK takes a chain that is away for a bad signature
        if not answer.is_valid:
            raise Unpaid(*_why(str(answer.invalid_reason), eyes.reverted))


class _Eyes:
    """The SDK's FacilitatorEvmSigner as far as it looks, from a thread beside the loop."""

    def __init__(self, chain: Chain, loop: asyncio.AbstractEventLoop) -> None:
        self.failed: ChainFailed | None = None
        """What stood in the way, other than the contract."""
        self.reverted = ""
        self._chain = chain
        self._loop = loop

    def get_code(self, address: str) -> bytes:
        return self._wait(self._chain.code(address.lower()))

    def read_contract(self, address: str, abi: list[dict[str, Any]], name: str, *args: Any) -> Any:
        """The first thing that it gives back. ChainFailed("reverted")."""
        asked = encode_contract_call(abi, name, *args)
        data = self._wait(self._chain.call(address.lower(), asked))
        gives = [str(one["type"]) for one in abi[0].get("outputs", ())]
        return decode(gives, data)[0] if gives else None

    def _wait(self, asked: Awaitable[T]) -> T:
        async def ask() -> T:
            return await asked

        try:
            return asyncio.run_coroutine_threadsafe(ask(), self._loop).result(ASK_S)
        except ChainFailed as failed:
            if failed.cause == "reverted":
                self.reverted = self.reverted or failed.detail
            else:
                self.failed = failed
            raise
        except TimeoutError:
            self.failed = ChainFailed("timeout", "the chain does not answer")
            raise


def _payload(header: bytes) -> PaymentPayload:
    """Unpaid for whatever is not one of version 2."""
    if len(header) > HEADER_MAX:
        raise Unpaid(PAYLOAD, f"The payment has more than {HEADER_MAX} bytes.")
    try:
        payload = decode_payment_signature_header(header.decode())
    except (ValueError, TypeError, AttributeError, RecursionError):
        raise Unpaid(PAYLOAD, "The payment is not base64 of x402's JSON.") from None
    if not isinstance(payload, PaymentPayload) or payload.x402_version != 2:
        raise Unpaid(VERSION, "Pay by version 2 of x402.")
    return payload


def _authorization(signed: _Signed) -> Authorization:
    fields = signed.authorization
    return Authorization(
        payer=fields.from_.lower(),
        payee=fields.to.lower(),
        value=int(fields.value),
        valid_after_s=int(fields.valid_after),
        valid_before_s=int(fields.valid_before),
        nonce=fields.nonce.lower(),
        signature=bytes.fromhex(signed.signature[2:]),
    )


def _told(signed: Authorization) -> dict[str, Any]:
    """The inner payload again, from what will be sent and from nothing else."""
    told = ExactEIP3009Authorization(
        from_address=signed.payer,
        to=signed.payee,
        value=str(signed.value),
        valid_after=str(signed.valid_after_s),
        valid_before=str(signed.valid_before_s),
        nonce=signed.nonce,
    )
    return ExactEIP3009Payload(told, "0x" + signed.signature.hex()).to_dict()


def _why(reason: str, reverted: str) -> tuple[str, str]:
    """The SDK's word, made exact by what the token said."""
    exact = next((word for part, word in REVERTS.items() if part in reverted), reason)
    return exact, f"The payment will not do: {reverted or exact}."
