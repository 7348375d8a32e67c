"""Wallet entry: who comes in by signing with a wallet, and which member a wallet belongs to.

Rule: a message is for this market's own address on the net, its own chain and now, with a nonce
that was asked for here (EIP-4361); it works once.
Invariant: a wallet is linked by a statement, signed by the wallet itself, that names the member
and the market; nobody can link another's, and signing in links nothing to anybody else.
Worked number: a nonce lives 300 s; 10_000 asked for and never used take no memory.

A nonce carries its own time under our seal, so only used ones are remembered. The seal is drawn
when the process starts: what was asked for before is void, and so is every used message.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from datetime import UTC, datetime
from urllib.parse import urlsplit

from starlette.requests import Request

from allmende.core import identity
from allmende.core.commands import AddBudget, AddMember, IssueKey, Tick
from allmende.core.custody_commands import LinkWallet
from allmende.core.nouns import Key, Member
from allmende.core.refusals import Refused, Why
from allmende.doors.sight import Viewer
from allmende.doors.wallet_kit import Kit
from allmende.signing import SignIn, SignIns

LIFE_S = 300
SKEW_S = 60
"""For which the clocks of browser and market may differ."""
NEW_PER_MINUTE = 60
"""Members that come by themselves: each is in the journal for ever."""
PAGE = "/wallet"
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
SAYS = {
    "malformed": "This is no sign-in message of EIP-4361; ask /api/wallet/nonce for one.",
    "domain": "This message is for another site. Sign the one that this page shows.",
    "uri": "This message is for another page than this market's /wallet.",
    "chain": "This message is for another chain. Switch your wallet to this market's and sign in.",
    "expired": "This message has expired. Sign in again.",
    "early": "This message is not valid yet. Look at your clock, and sign in again.",
    "signature": "The address in this message did not sign it.",
    "missing": "This market cannot read it: whoever runs it installs 'allmende[chain,wallets]'.",
}


class Entry:
    """`public` is the address at which browsers reach us, "" where only this machine does."""

    def __init__(self, kit: Kit, sign_ins: SignIns, public: str, secure: bool) -> None:
        """Refused(BAD_VALUE) for an address that is none."""
        where = urlsplit(public.rstrip("/"))
        if public and (where.scheme not in ("http", "https") or not where.netloc or where.path):
            raise Refused(
                Why.BAD_VALUE, f"public is as https://market.example, not {public[:80]!r}."
            )
        self._kit = kit
        self._sign_ins = sign_ins
        self._public = public.rstrip("/")
        self._secure = secure
        self._seal = secrets.token_bytes(32)
        self._used: dict[str, int] = {}
        """Nonce -> the second in which it would have ended anyway."""
        self._new: list[int] = []

    # --- messages ------------------------------------------------------------------------

    def origin(self, request: Request) -> str:
        """Our own address as the signer must have seen it. Refused(NOT_ALLOWED).

        Never what a request merely claims: a site that shows its visitors our messages could
        claim to be itself.
        """
        if self._public:
            return self._public
        if request.url.hostname not in LOOPBACK:
            raise Refused(
                Why.NOT_ALLOWED,
                "This market does not know its own address. Whoever runs it starts it with "
                "--public https://…, or you sign in on the machine itself.",
            )
        scheme = "https" if self._secure else request.url.scheme
        return f"{scheme}://{request.url.netloc}"

    def nonce(self) -> str:
        text = f"{self._kit.at_s:010x}{secrets.token_hex(8)}"
        return text + self._mac(text)

    def message(self, origin: str, address: str, statement: str) -> tuple[str, str]:
        """A message for an address to sign, and its nonce."""
        nonce, at_s = self.nonce(), self._kit.at_s
        issued, ends = (datetime.fromtimestamp(s, UTC) for s in (at_s, at_s + LIFE_S))
        lines = (
            f"{urlsplit(origin).netloc} wants you to sign in with your Ethereum account:",
            *(address, "", statement, ""),
            f"URI: {origin}{PAGE}",
            "Version: 1",
            f"Chain ID: {self._kit.custody.deployment.chain_id}",
            f"Nonce: {nonce}",
            f"Issued At: {issued:%Y-%m-%dT%H:%M:%SZ}",
            f"Expiration Time: {ends:%Y-%m-%dT%H:%M:%SZ}",
        )
        return "\n".join(lines), nonce

    def read(self, origin: str, message: str, signature: str, statement: str) -> str:
        """The address that signed this message, which now is used. Refused(BAD_SIGNATURE)."""
        at_s = self._kit.at_s
        try:
            said = self._sign_ins.read(
                message,
                signature,
                domain=urlsplit(origin).netloc,
                uri=origin + PAGE,
                chain_id=self._kit.custody.deployment.chain_id,
                at_s=at_s,
            )
        except ValueError as error:
            raise Refused(Why.BAD_SIGNATURE, SAYS[str(error)]) from None
        if said.statement != statement:
            raise Refused(
                Why.BAD_SIGNATURE, f"This message says something else. It has to say: {statement}"
            )
        self._use(said, at_s)
        return said.address

    def _use(self, said: SignIn, at_s: int) -> None:
        text, mac = said.nonce[:26], said.nonce[26:]
        ours = hmac.compare_digest(mac.encode(), self._mac(text).encode())
        ends = int(text[:10], 16) + LIFE_S if ours else 0
        recent = at_s - LIFE_S - SKEW_S <= said.issued_s <= at_s + SKEW_S
        if at_s >= ends or not recent:
            raise Refused(Why.BAD_SIGNATURE, "This message is not of now. Sign in again.")
        self._used = {nonce: until for nonce, until in self._used.items() if until > at_s}
        if said.nonce in self._used:
            raise Refused(Why.BAD_SIGNATURE, "This message was used before. Sign in again.")
        self._used[said.nonce] = ends

    def _mac(self, text: str) -> str:
        return hmac.digest(self._seal, text.encode(), "sha256").hex()[:32]

    # --- statements ----------------------------------------------------------------------

    @property
    def sign_in_statement(self) -> str:
        return f"Sign in to the market {self._market}. This moves nothing and costs nothing."

    def link_statement(self, member: str) -> str:
        return (
            f"Link this wallet to the member {member} of the market {self._market}. From now on "
            "it signs for what that member spends."
        )

    @property
    def _market(self) -> str:
        assert self._kit.state.market is not None
        return self._kit.state.market.id

    # --- members -------------------------------------------------------------------------

    async def enter(self, address: str) -> Viewer:
        """Whoever the wallet belongs to, with the key that its sessions stand on. Refused."""
        desk, state = self._kit.desk, self._kit.state
        member = self._kit.member_of(address) or self._admit(address)
        id_, at = identity.WALLET_KEY + address[2:], self._kit.clock.now()
        if id_ not in state.key_hashes:
            # nobody knows its secret: it is there to be named by sessions, and to be revoked
            hash_ = hashlib.sha256(secrets.token_bytes(32)).hexdigest()
            desk.post(IssueKey(at=at, key=Key(id_, hash_, member, "manage", name="wallet")))
        found = state.keys[state.key_hashes[id_]]
        if found.member != member:
            raise Refused(Why.EXISTS, f"The key {id_} is another's; ask whoever runs this market.")
        await desk.submit(Tick(at=at))  # waits until all of it is durable
        return Viewer(found)

    def _admit(self, address: str) -> str:
        """A member for an address that none belongs to yet, and its wallet. Refused."""
        self._require_free(address)
        desk, state, at = self._kit.desk, self._kit.state, self._kit.clock.now()
        id_ = identity.wallet_member(address)
        known = state.members.get(id_)
        if known is None:
            self._require_rate()
            desk.post(AddMember(at=at, member=Member(id_, address, "person", tier=0)))
        elif (known.kind, known.home) != ("person", ""):
            raise Refused(Why.EXISTS, f"The id {id_} is taken: ask whoever runs this market.")
        asset = next(iter(state.assets))
        if id_ not in state.budgets:
            desk.post(AddBudget(at=at, id=id_, name="wallet", owner=id_, asset=asset))
        desk.post(LinkWallet(at=at, member=id_, address=address))
        return id_

    def _require_free(self, address: str) -> None:
        """Refuse where nobody may come in by himself, and the market's own accounts."""
        try:
            identity.feature(self._kit.state, "withdraw")
        except Refused as refused:
            raise Refused(
                refused.why,
                f"Nobody has an account here by this wallet. {refused.detail} In this market "
                "whoever runs it gives out keys: sign in with yours.",
            ) from None
        if address in (self._kit.signing.house, self._kit.signing.market):
            raise Refused(Why.NOT_ALLOWED, "This is the market's own account on the chain.")

    def _require_rate(self) -> None:
        at_s = self._kit.at_s
        self._new = [second for second in self._new if second > at_s - 60]
        if len(self._new) >= NEW_PER_MINUTE:
            raise Refused(Why.RATE, "Many are coming in at once. Try again in a minute.")
        self._new.append(at_s)

    async def link(self, viewer: Viewer, member: str, address: str) -> None:
        """By whoever manages the member; `read` said that the wallet wants it too. Refused."""
        self._require_free(address)
        at = self._kit.clock.now()
        await self._kit.desk.submit(
            LinkWallet(at=at, by=viewer.key.hash, member=member, address=address)
        )
