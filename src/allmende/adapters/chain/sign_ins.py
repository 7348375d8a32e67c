"""Sign-ins: the reader of wallets' messages where it is installed, and one that says no elsewhere.

Rule: a market without the extra `wallets` has everything on its chain but the way in by wallet.
Invariant: what is missing is said once at the start, and to everybody who tries.
Worked number: importing `siwe` takes a second the first time, so it is done at the start.
"""

from __future__ import annotations

import logging

from allmende.signing import SignIn, SignIns

log = logging.getLogger(__name__)


class NoSignIns:
    """signing.SignIns without the library."""

    def read(
        self, message: str, signature: str, *, domain: str, uri: str, chain_id: int, at_s: int
    ) -> SignIn:
        raise ValueError("missing")


def open_sign_ins() -> SignIns:
    try:
        from allmende.adapters.chain.siwe import EthereumSignIns
    except ImportError as missing:
        log.warning("Nobody signs in by wallet: %s. pip install 'allmende[chain,wallets]'", missing)
        return NoSignIns()
    return EthereumSignIns()
