# SPDX-License-Identifier: AGPL-3.0-only
# pragma version ==0.4.3
# pragma nonreentrancy on
"""
@title Titles: who owns a model, a dataset or a machine, and a market for them
@custom:contract-name Titles
@license GNU Affero General Public License v3.0 only
@author Allmende
@notice A title of the desk as an ERC-721: its id is the keccak of the desk's id,
        so there is one, whatever is asked how often. The desk follows the
        token: what the title's owner earns, its holder earns from the next
        receipt on. Terms and waterfall stand here as hashes, and who wrote the
        thing keeps a royalty (ERC-2981) that is fixed when the token is minted.
        A holder may ask a price here. A sale pulls the price from the buyer and
        pushes royalty and rest within one call, so nothing stays here, and an
        ask dies with every transfer. A price of which a royalty is due but
        rounds to nothing is refused.
        Invariant: every sale here pays price = royalty + rest, with
        royalty = floor(price * ppm / 1_000_000): the desk's own `units.split`.
        Worked number: a title sold for 101 with 10 % pays the author 10 and the
        seller 91. What a plain transfer outside of this market is paid with
        nobody sees, and no royalty is due on it.
@custom:roles REGISTRAR: the market's operator; mints a title to its owner, once.
              DEFAULT_ADMIN: grants that; in production a timelock.
              Neither can move, change or burn what a holder has.
@custom:kill There is no switch. Without a registrar no new title comes; what is
             there moves and sells as before.
"""

import modes
import tokens
from ethereum.ercs import IERC165
from ethereum.ercs import IERC721
from snekmate.auth import access_control
from snekmate.auth import ownable
from snekmate.extensions import erc2981
from snekmate.extensions.interfaces import IERC2981
from snekmate.tokens import erc721

implements: IERC165
implements: IERC721
implements: IERC2981
initializes: access_control
initializes: modes
initializes: ownable
initializes: erc721[ownable := ownable]
initializes: erc2981[ownable := ownable]
exports: (
    access_control.hasRole,
    access_control.grantRole,
    access_control.revokeRole,
    access_control.renounceRole,
    access_control.getRoleAdmin,
    access_control.DEFAULT_ADMIN_ROLE,
    erc721.name,
    erc721.symbol,
    erc721.tokenURI,
    erc721.balanceOf,
    erc721.ownerOf,
    erc721.approve,
    erc721.getApproved,
    erc721.setApprovalForAll,
    erc721.isApprovedForAll,
    erc721.totalSupply,
    erc721.tokenByIndex,
    erc721.tokenOfOwnerByIndex,
    erc721.permit,
    erc721.nonces,
    erc721.DOMAIN_SEPARATOR,
    erc721.eip712Domain,
    erc2981.royaltyInfo,
    modes.mode,
)

struct Record:
    terms: bytes32  # hash of what the title is: kind, name, licence, evidence
    waterfall: bytes32  # hash of who is paid out of its use, the owner unnamed

struct Ask:
    price: uint256  # base units of the pay unit; 0 is no ask
    buyer: address  # for whom alone, or nobody: for everybody

struct Seen:
    holder: address  # nobody while it is not minted
    price: uint256
    buyer: address

event Registered:
    token_id: indexed(uint256)
    author: indexed(address)
    royalty_ppm: uint96
    terms: bytes32
    waterfall: bytes32

event Asked:
    token_id: indexed(uint256)
    seller: indexed(address)
    price: uint256
    buyer: address

event AskEnded:
    token_id: indexed(uint256)

event Sold:
    token_id: indexed(uint256)
    seller: indexed(address)
    buyer: indexed(address)
    price: uint256
    royalty: uint256

REGISTRAR: public(constant(bytes32)) = keccak256("REGISTRAR")
PPM: constant(uint256) = 1_000_000
ROYALTY_MAX: public(constant(uint96)) = 250_000  # parts per million of a price
PRICE_MAX: constant(uint256) = 2**128 - 1
LOOKS: constant(uint256) = 100  # titles that one look may name
ACCEPTS: constant(bytes32) = 0x150b7a0200000000000000000000000000000000000000000000000000000000
SUPPORTED: constant(bytes4[8]) = [
    0x01FFC9A7,  # ERC-165
    0x80AC58CD,  # ERC-721
    0x5B5E139F,  # its metadata
    0x780E9D63,  # its enumeration
    0x589C5CE2,  # ERC-4494, permit
    0x49064906,  # ERC-4906, metadata updates
    0x2A55205A,  # ERC-2981
    0x7965DB0B,  # access control
]

token: public(immutable(address))  # the pay unit
records: public(HashMap[uint256, Record])
asks: public(HashMap[uint256, Ask])


@deploy
def __init__(mode_: uint8, token_: address):
    """
    @param mode_ The market's, as modes.vy has it.
    @param token_ The ERC-20 that titles are paid in.
    """
    assert token_.is_contract, "titles: no token"
    access_control.__init__()
    modes.__init__(mode_)
    ownable.__init__()
    erc721.__init__("Allmende Titles", "TITLE", "", "Allmende Titles", "1")
    erc2981.__init__()
    erc2981._fee_denominator = PPM
    ownable._transfer_ownership(empty(address))  # the library's owner is nobody here
    token = token_


@external
@view
@reentrant
def supportsInterface(interface_id: bytes4) -> bool:
    """
    @notice ERC-165.
    """
    return interface_id in SUPPORTED


# Coming to be --------------------------------------------------------------------------


@external
def mint(
    holder: address,
    token_id: uint256,
    terms: bytes32,
    waterfall: bytes32,
    author: address,
    royalty_ppm: uint96,
    uri: String[432],
):
    """
    @notice The registrar mints a title to its owner's wallet, once.
    @param token_id The keccak of the desk's id.
    @param author Who gets the royalty of each sale here, for good.
    @param royalty_ppm Parts per million of the price, at most ROYALTY_MAX.
    """
    access_control._check_role(REGISTRAR, msg.sender)
    assert royalty_ppm <= ROYALTY_MAX, "titles: royalty too high"
    assert author not in [empty(address), self, token], "titles: no author"
    assert holder != self, "titles: not to this contract"
    self.records[token_id] = Record(terms=terms, waterfall=waterfall)
    erc721._mint(holder, token_id)
    erc721._set_token_uri(token_id, uri)
    erc2981._set_token_royalty(token_id, author, royalty_ppm)
    log Registered(token_id=token_id, author=author, royalty_ppm=royalty_ppm, terms=terms, waterfall=waterfall)
    self._offer(empty(address), holder, token_id, b"")


# Moving ----------------------------------------------------------------------------------


@external
@payable
def transferFrom(owner: address, to: address, token_id: uint256):
    """
    @notice ERC-721; payable because the standard is, but ether is refused.
    """
    assert msg.value == 0, "titles: no ether"
    self._require_may_move(token_id)
    self._move(owner, to, token_id)


@external
@payable
def safeTransferFrom(owner: address, to: address, token_id: uint256, data: Bytes[1_024] = b""):
    """
    @notice ERC-721; a contract that does not take titles is refused, nothing moves.
    """
    assert msg.value == 0, "titles: no ether"
    self._require_may_move(token_id)
    self._move(owner, to, token_id)
    self._offer(owner, to, token_id, data)


# The market ------------------------------------------------------------------------------


@external
def ask(token_id: uint256, price: uint256, buyer: address):
    """
    @notice The holder offers a title for a price; replaces the ask before.
    @param buyer For whom alone; nobody means everybody.
    """
    modes._require_transfer()
    assert erc721._owner_of(token_id) == msg.sender, "titles: not the holder"
    assert 0 < price and price <= PRICE_MAX, "titles: not a price"
    ppm: uint96 = erc2981._token_royalty_info[token_id].royalty_fraction
    assert ppm == 0 or self._royalty(token_id, price) > 0, "titles: price without its royalty"
    self.asks[token_id] = Ask(price=price, buyer=buyer)
    log Asked(token_id=token_id, seller=msg.sender, price=price, buyer=buyer)


@external
def withdraw_ask(token_id: uint256):
    """
    @notice The holder no longer sells.
    """
    assert erc721._owner_of(token_id) == msg.sender, "titles: not the holder"
    assert self.asks[token_id].price > 0, "titles: no ask"
    self._end_ask(token_id)


@external
def buy(token_id: uint256, max_price: uint256):
    """
    @notice Takes a title at its ask. The price was approved on the pay unit.
    @param max_price What the buyer saw: an ask that was raised since is refused.
    """
    modes._require_transfer()
    asked: Ask = self.asks[token_id]
    assert asked.price > 0, "titles: no ask"
    assert asked.price <= max_price, "titles: price is higher"
    assert asked.buyer in [empty(address), msg.sender], "titles: for another buyer"
    seller: address = erc721._owner_of(token_id)
    assert seller != msg.sender, "titles: it is yours"
    royalty: uint256 = self._royalty(token_id, asked.price)
    author: address = erc2981._token_royalty_info[token_id].receiver
    self._move(seller, msg.sender, token_id)
    log Sold(token_id=token_id, seller=seller, buyer=msg.sender, price=asked.price, royalty=royalty)
    tokens._pull(token, msg.sender, asked.price)
    if royalty > 0:
        tokens._push(token, author, royalty)
    if asked.price > royalty:
        tokens._push(token, seller, asked.price - royalty)
    self._offer(seller, msg.sender, token_id, b"")


@external
@view
def look(token_ids: DynArray[uint256, LOOKS]) -> DynArray[Seen, LOOKS]:
    """
    @notice Holders and asks of many titles at once, for whoever follows them.
    """
    seen: DynArray[Seen, LOOKS] = []
    for token_id: uint256 in token_ids:
        asked: Ask = self.asks[token_id]
        seen.append(Seen(holder=erc721._owners[token_id], price=asked.price, buyer=asked.buyer))
    return seen


# Inside ----------------------------------------------------------------------------------


@internal
def _require_may_move(token_id: uint256):
    modes._require_transfer()
    assert erc721._is_approved_or_owner(msg.sender, token_id), "erc721: caller is not token owner or approved"


@internal
def _move(owner: address, to: address, token_id: uint256):
    """
    @dev Ends the ask, and what was signed for a permit: snekmate's nonce stays
         at a transfer, and an old permit would come back with its signer.
    """
    assert to != self, "titles: not to this contract"
    if self.asks[token_id].price > 0:
        self._end_ask(token_id)
    erc721.nonces[token_id] += 1
    erc721._transfer(owner, to, token_id)


@internal
def _end_ask(token_id: uint256):
    self.asks[token_id] = empty(Ask)
    log AskEnded(token_id=token_id)


@internal
@view
def _royalty(token_id: uint256, price: uint256) -> uint256:
    ppm: uint256 = convert(erc2981._token_royalty_info[token_id].royalty_fraction, uint256)
    return price * ppm // PPM


@internal
def _offer(owner: address, to: address, token_id: uint256, data: Bytes[1_024]):
    """
    @dev Asks a contract whether it takes titles; last of all, when everything
         else is done. Not snekmate's, whose refusal may come without a reason.
    """
    if not to.is_contract:
        return
    ok: bool = False
    answer: Bytes[32] = b""
    ok, answer = raw_call(
        to,
        abi_encode(
            msg.sender,
            owner,
            token_id,
            data,
            method_id=method_id("onERC721Received(address,address,uint256,bytes)"),
        ),
        max_outsize=32,
        revert_on_failure=False,
    )
    taken: bool = False
    if ok and len(answer) == 32:
        taken = extract32(answer, 0) == ACCEPTS
    assert taken, "titles: that wallet takes no titles"
