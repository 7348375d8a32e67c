"""Signing in with a wallet, and linking one: what is let in, and every way of lying about it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from wallets import Purse, WalletDoors

from allmende.core.commands import AddMember, IssueKey
from allmende.core.nouns import Key, Member
from allmende.core.refusals import Refused
from allmende.doors import wallet_entry
from allmende.doors.caller import Caller
from allmende.doors.wallet_entry import Entry
from allmende.signing import WRONG

ANNA, BEN, CARL = Purse("anna"), Purse("ben"), Purse("carl")


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WalletDoors]:
    with WalletDoors(tmp_path_factory.mktemp("market")) as market:
        yield market


def refused(doors: WalletDoors, purse: Purse, message: str, signature: str = "") -> str:
    """The detail of a refusal that must be one of signatures."""
    answer = doors.log_in(purse, message, signature)
    assert (answer.status, answer.code) == (401, "bad_signature"), answer.text
    assert "set-cookie" not in answer.headers
    return str(answer.json["error"]["message"])


# Signing in ---------------------------------------------------------------------------


def test_an_unknown_wallet_becomes_a_member_with_a_budget_and_a_session(
    doors: WalletDoors,
) -> None:
    answer = doors.log_in(ANNA)
    id_ = "w-" + ANNA.address[2:]
    assert answer.json == {"member": id_, "address": ANNA.address}
    assert "httponly" in answer.headers["set-cookie"].lower()
    state = doors.market.desk.state
    assert (state.members[id_].kind, state.members[id_].tier) == ("person", 0)
    assert state.budgets[id_].owner == id_
    assert state.addresses[ANNA.address] == id_
    assert ANNA.address in doors.market.greeted
    cookie = answer.headers["set-cookie"].split(";")[0]
    assert doors.got("/api/wallet", cookie)["address"] == ANNA.address
    page = doors.get("/keys", headers={"cookie": cookie})
    assert page.status == 200


def test_coming_again_is_the_same_member_and_makes_nothing_new(doors: WalletDoors) -> None:
    doors.enter(ANNA)
    number = doors.market.desk.number
    assert doors.log_in(ANNA).json["member"] == "w-" + ANNA.address[2:]
    assert doors.market.desk.number == number


def test_a_message_is_good_once(doors: WalletDoors) -> None:
    message = doors.message(ANNA)
    assert doors.log_in(ANNA, message).status == 200
    assert "used before" in refused(doors, ANNA, message)


def test_a_message_may_be_written_by_others(doors: WalletDoors) -> None:
    nonce = doors.sent("/api/wallet/nonce", {})["nonce"]
    given = doors.message(ANNA)
    old = given.split("Nonce: ")[1].split("\n")[0]
    assert doors.log_in(ANNA, given.replace(old, nonce)).status == 200


SPOILT = [
    ("market.test wants", "evil.test wants", "another site"),
    ("URI: http://market.test/wallet", "URI: http://evil.test/wallet", "another page"),
    ("URI: http://market.test/wallet", "URI: http://market.test/", "another page"),
    ("Chain ID: 31337", "Chain ID: 1", "another chain"),
    ("Version: 1", "Version: 2", "no sign-in message"),
    ("Sign in to the market m.", "Sign in to the market x.", "something else"),
    ("Nonce: 00", "Nonce: 0f", "not of now"),
    ("wants you to sign in", "wants you to pay", "another site"),
    ("Issued At: 2026", "Issued At: 2025", "not of now"),
    ("Issued At: 2026", "Issued At: 2027", "not of now"),
    ("Expiration Time: 2026", "Expiration Time: 2025", "has expired"),
    ("Expiration Time: 2026", "Not Before: 2027", "not valid yet"),
    ("\n\nURI", "\n\nURL", "no sign-in message"),
]


@pytest.mark.parametrize(("there", "instead", "says"), SPOILT)
def test_a_message_for_elsewhere_or_another_time_lets_nobody_in(
    doors: WalletDoors, there: str, instead: str, says: str
) -> None:
    """Signed in full by its owner, as a phishing site would have it signed."""
    message = doors.message(ANNA)
    assert there in message
    assert says in refused(doors, ANNA, message.replace(there, instead, 1))


def test_a_forged_signature_lets_nobody_in(doors: WalletDoors) -> None:
    message = doors.message(ANNA)
    assert "did not sign" in refused(doors, ANNA, message, BEN.says(message))
    assert "did not sign" in refused(doors, ANNA, message, "0x" + "11" * 65)
    assert "no sign-in message" in refused(doors, ANNA, message, "0x11")
    assert doors.log_in(ANNA, message).status == 200, "a failed try does not use it up"


def test_anothers_address_is_not_taken(doors: WalletDoors) -> None:
    message = doors.message(BEN).replace(BEN.checksummed, ANNA.checksummed)
    assert "did not sign" in refused(doors, ANNA, message, BEN.says(message))


def test_a_nonce_that_was_not_asked_for_here_is_none(doors: WalletDoors) -> None:
    message = doors.message(ANNA)
    nonce = message.split("Nonce: ")[1].split("\n")[0]
    for wrong in ("a" * 58, nonce[:-1] + ("0" if nonce[-1] != "0" else "1"), nonce[:26]):
        assert "not of now" in refused(doors, ANNA, message.replace(nonce, wrong))


def test_a_nonce_grows_stale(doors: WalletDoors) -> None:
    message = doors.message(ANNA)
    lines = [line for line in message.split("\n") if not line.startswith("Expiration")]
    doors.market.clock.at += (wallet_entry.LIFE_S + 1) * 10**6
    assert "has expired" in refused(doors, ANNA, message)
    assert "not of now" in refused(doors, ANNA, "\n".join(lines))


@pytest.mark.parametrize(
    "fields",
    [{}, {"message": "x"}, {"message": 1, "signature": "0x"}, {"message": "x", "signature": []}],
)
def test_what_is_no_message_is_refused(doors: WalletDoors, fields: dict[str, object]) -> None:
    answer = doors.handed("/api/wallet/login", fields)
    assert (answer.status, answer.code) == (422, "bad_value")


def test_long_and_strange_messages_are_refused_quickly(doors: WalletDoors) -> None:
    head = "market.test wants you to sign in with your Ethereum account:\n"
    for text in (head + "a" * 10_000, head + "(" * 700, head + "ä", head, "\0", "[" * 5_000):
        refused(doors, ANNA, text, ANNA.says(text))


def test_another_sites_page_cannot_sign_in_for_its_visitor(doors: WalletDoors) -> None:
    message = doors.message(ANNA)
    fields = {"message": message, "signature": ANNA.says(message)}
    answer = doors.post("/api/wallet/login", fields, headers={"origin": "https://evil.test"})
    assert (answer.status, answer.code) == (403, "not_allowed")


def test_the_markets_own_account_is_no_member(doors: WalletDoors) -> None:
    house = Purse("an account of the tests")
    assert house.address == doors.market.signing.house
    answer = doors.log_in(house)
    assert (answer.status, answer.code) == (403, "not_allowed")
    assert house.address not in doors.market.desk.state.addresses


def test_only_so_many_come_in_by_themselves_in_a_minute(doors: WalletDoors) -> None:
    doors.market.clock.at += 120 * 10**6
    codes = [doors.log_in(Purse(f"new {n}")).status for n in range(wallet_entry.NEW_PER_MINUTE + 2)]
    assert codes == [200] * wallet_entry.NEW_PER_MINUTE + [429] * 2
    assert doors.log_in(ANNA).status == 200, "whoever is known comes in"
    doors.market.clock.at += 61 * 10**6
    assert doors.log_in(Purse("new again")).status == 200


def test_a_revoked_session_ends_and_the_wallet_comes_in_again(doors: WalletDoors) -> None:
    cookie = doors.enter(ANNA)
    doors.ask("revoke_key", id=f"wallet-{ANNA.address[2:]}")
    assert doors.get("/api/wallet", headers={"cookie": cookie}).status == 401
    again = doors.enter(ANNA)
    assert doors.get("/api/wallet", headers={"cookie": again}).status == 200
    assert doors.get("/api/wallet", headers={"cookie": cookie}).status == 401


def test_who_paid_per_call_finds_the_account_and_what_is_on_it(doors: WalletDoors) -> None:
    payer = Purse("payer")
    id_ = "w-" + payer.address[2:]
    at = doors.now()
    member = Member(id_, payer.address, "person", tier=0)
    doors.run(doors.market.desk.submit(AddMember(at=at, member=member)))
    doors.ask("deposit", member=id_, amount="3", reference="call 1")
    assert doors.got("/api/wallet", doors.enter(payer))["desk"]["available"] == "3"


def test_an_id_that_is_something_else_is_not_given_away(doors: WalletDoors) -> None:
    taken = Purse("taken")
    id_ = "w-" + taken.address[2:]
    organisation = Member(id_, "Not a wallet", "organisation")
    doors.run(doors.market.desk.submit(AddMember(at=doors.now(), member=organisation)))
    answer = doors.log_in(taken)
    assert (answer.status, answer.code) == (409, "exists")


# Linking ------------------------------------------------------------------------------


def manager(doors: WalletDoors, member: str) -> str:
    """The cookie of a new member's manager."""
    at, secret = doors.now(), f"secret of {member}"
    desk = doors.market.desk
    doors.run(desk.submit(AddMember(at=at, member=Member(member, member, "organisation"))))
    key = Key(f"key-{member}", Caller(secret.encode()).hash, member, "manage")
    doors.run(desk.submit(IssueKey(at=at, key=key)))
    return doors.sign_in(secret)


def link(doors: WalletDoors, purse: Purse, cookie: str, by: Purse | None = None) -> int:
    draft = doors.got(f"/api/wallet/link?address={purse.checksummed}", cookie)
    fields = {"message": draft["message"], "signature": (by or purse).says(draft["message"])}
    return doors.handed("/api/wallet/link", fields, cookie).status


def test_a_member_links_its_wallet_and_comes_in_by_it(doors: WalletDoors) -> None:
    cookie = manager(doors, "uni")
    assert link(doors, CARL, cookie, by=BEN) == 401, "nobody links what is not his"
    assert link(doors, CARL, cookie) == 200
    assert doors.market.desk.state.addresses[CARL.address] == "uni"
    assert doors.log_in(CARL).json["member"] == "uni"
    assert link(doors, Purse("second"), cookie) == 409, "a member has one wallet"


def test_a_statement_for_one_member_links_no_other(doors: WalletDoors) -> None:
    first, second = manager(doors, "first"), manager(doors, "second")
    purse = Purse("of the first")
    message = doors.got(f"/api/wallet/link?address={purse.checksummed}", first)["message"]
    fields = {"message": message, "signature": purse.says(message)}
    stolen = doors.handed("/api/wallet/link", fields, second)
    assert (stolen.status, stolen.code) == (401, "bad_signature")
    signed_in = doors.message(purse)
    fields = {"message": signed_in, "signature": purse.says(signed_in)}
    assert doors.handed("/api/wallet/link", fields, second).status == 401
    assert purse.address not in doors.market.desk.state.addresses


def test_a_linking_message_lets_nobody_in(doors: WalletDoors) -> None:
    cookie = manager(doors, "third")
    purse = Purse("of the third")
    message = doors.got(f"/api/wallet/link?address={purse.checksummed}", cookie)["message"]
    assert "something else" in refused(doors, purse, message)


def test_only_a_manager_links(doors: WalletDoors) -> None:
    assert doors.get("/api/wallet/link?address=" + BEN.address).status == 401
    manager(doors, "fourth")
    doors.ask("add_budget", id="fourth", name="b", owner="fourth")
    spender = doors.key("fourth", budget="fourth")
    answer = doors.get("/api/wallet/link?address=" + BEN.address, spender)
    assert (answer.status, answer.code) == (403, "not_allowed")


def test_a_forged_form_of_another_site_links_nothing(doors: WalletDoors) -> None:
    cookie = manager(doors, "fifth")
    purse = Purse("of the fifth")
    message = doors.got(f"/api/wallet/link?address={purse.checksummed}", cookie)["message"]
    fields = {"message": message, "signature": purse.says(message)}
    for headers in ({"origin": "https://evil.test"}, {"sec-fetch-site": "cross-site"}, {}):
        answer = doors.post("/api/wallet/link", fields, headers={"cookie": cookie, **headers})
        assert (answer.status, answer.code) == (403, "not_allowed")


# Where --------------------------------------------------------------------------------


def test_in_a_closed_market_an_unknown_wallet_is_told_what_to_do(tmp_path: Path) -> None:
    with WalletDoors(tmp_path, mode="closed_loop") as doors:
        answer = doors.log_in(ANNA)
        assert (answer.status, answer.code) == (403, "mode_forbids")
        assert "gives out keys" in answer.json["error"]["message"]
        assert not doors.market.desk.state.addresses


def test_a_market_that_does_not_know_its_address_believes_no_request(tmp_path: Path) -> None:
    """Else a site in between would claim to be itself, and be let in as its visitor."""
    with WalletDoors(tmp_path, public="") as doors:
        answer = doors.handed("/api/wallet/nonce", {"address": ANNA.checksummed})
        assert (answer.status, answer.code) == (403, "not_allowed")
        assert "--public" in answer.json["error"]["message"]
        here = {"host": "127.0.0.1:8700"}
        made = doors.post("/api/wallet/nonce", {"address": ANNA.checksummed}, headers=here).json
        assert made["message"].startswith("127.0.0.1:8700 wants")
        fields = {"message": made["message"], "signature": ANNA.says(made["message"])}
        assert doors.post("/api/wallet/login", fields, headers=here).status == 200


def test_before_the_contracts_stand_it_says_so(tmp_path: Path) -> None:
    with WalletDoors(tmp_path, stands=False) as doors:
        answer = doors.get("/api/wallet/chain")
        assert (answer.status, answer.code) == (404, "not_found")
        assert "not on its chain yet" in answer.json["error"]["message"]
        doors.market.stand()
        assert doors.got("/api/wallet/chain")["id"] == 31_337


@pytest.mark.parametrize("public", ["market.test", "ftp://market.test", "https://", "http://a/b"])
def test_an_address_that_is_none_is_refused_at_the_start(public: str) -> None:
    with pytest.raises(Refused, match="as https"):
        Entry(None, None, public, secure=False)  # type: ignore[arg-type]


def test_without_the_library_everything_else_is_there() -> None:
    """In a process of its own, where it cannot be imported."""
    code = """
import sys
sys.modules["siwe"] = None
from allmende.adapters.chain.sign_ins import open_sign_ins
from allmende.signing import WRONG
assert WRONG[-1] == "missing"
try:
    open_sign_ins().read("m", "s", domain="", uri="", chain_id=1, at_s=1)
except ValueError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "missing\n", done.stderr
    assert "pip install 'allmende[chain,wallets]'" in done.stderr


def test_every_word_of_the_reader_has_a_sentence() -> None:
    assert set(wallet_entry.SAYS) == set(WRONG)
