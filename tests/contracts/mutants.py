"""Break the contracts on purpose, one defect at a time: which test notices?

    make mutants                                   all of them, as a table
    python tests/contracts/mutants.py void exit    those whose line has one of these words

Each mutant is a copy of the house in a temporary folder with one change to one contract. The
written tests run first, then the random ones by themselves. A mutant that no test notices is
a test that is missing, and the command fails.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from mutants_votes import VOTES

ROOT = Path(__file__).parents[2]
LEDGERS = (("bond", "erc20"), "ledgers")
CUSTODY = (("vault_attacks", "vault", "vault_wallets", "vault_replay", "parity"), "vault_machine")
TITLES = (("titles",), "titles_machine")
BRIDGE = (("bridge", "bridge_attacks"), "bridge_machine")
EMISSION = (("emission",), "emission_machine")
SALE, AIRDROP = (("sale",), "sale_machine"), (("airdrop",), "airdrop_machine")
SHARE = (("share", "erc20"), "ledgers")
STAKE = (("stake", "assembly_attacks"), "assembly_machine")
ASSEMBLY = (("assembly", "assembly_attacks"), "assembly_machine")
LOOKED_AT_BY = {"Bond": LEDGERS, "Credit": LEDGERS, "Rights": LEDGERS, "Titles": TITLES,
                "Sale": SALE, "Airdrop": AIRDROP, "claims": AIRDROP, "Share": SHARE,
                "Bridge": BRIDGE, "Emission": EMISSION, "Stake": STAKE,
                "Assembly": ASSEMBLY}  # fmt: skip
"""By contract: the files of written tests, the quick ones first, and of the random ones."""


class Mutant(NamedTuple):
    file: str
    says: str
    old: str
    new: str = ""


PENDING = "self.slots[3 - self.turn]"
MUTANTS = (
    Mutant("Vault", "exit pays the leaf again and again",
           "        self.leaf_paid[msg.sender] = True\n"),
    Mutant("Vault", "exit pays the deposits again and again",
           "        self.deposits_paid[msg.sender] = True\n"),
    Mutant("Vault", "exit takes anyone's leaf",
           'assert leaf.account == msg.sender, "vault: not yours"', "pass"),
    Mutant("Vault", "pay forgets what it paid",
           "self.withdrawals[id].amount = found.amount - amount", "pass"),
    Mutant("Vault", "pay does not wait for a batch",
           'assert found.epoch <= self.slots[self.turn].cut, "vault: not covered yet"', "pass"),
    Mutant("Vault", "ask forgets earlier requests",
           "assert amount + out <= leaf.balance", "assert amount <= leaf.balance"),
    Mutant("Vault", "a deposit counts in no epoch",
           "    self.deposits[account][self.epoch] += amount\n"),
    Mutant("Vault", "submit takes a total that is not backed",
           'assert total <= self.cover, "vault: not backed"', "pass"),
    Mutant("Vault", "a cut forgets what was asked for",
           "self.cover = self.backed - self.reserved", "self.cover = self.backed"),
    Mutant("Vault", "a challenge in the second after the window",
           f"block.timestamp < {PENDING}.at + terms.window",
           f"block.timestamp <= {PENDING}.at + terms.window"),
    Mutant("Vault", "final a second before the window ends",
           f"block.timestamp >= {PENDING}.at + terms.window",
           f"block.timestamp + 1 >= {PENDING}.at + terms.window"),
    Mutant("Vault", "final in spite of an open challenge",
           "return self.open_challenges == 0 and ", "return "),
    Mutant("Vault", "an answer need not have what is missing",
           'assert leaf.balance + leaf.spent >= found.least, "vault: something is missing"',
           "pass"),
    Mutant("Vault", "an answer needs no signature",
           "assert leaf.spent <= max(", "assert leaf.spent < max_value(uint256) or 0 <= max("),
    Mutant("Vault", "void in the last second of the response",
           "assert block.timestamp > found.deadline", "assert block.timestamp >= found.deadline"),
    Mutant("Vault", "void keeps the challenger's stake",
           "self.owed[found.challenger] += terms.stake + reward",
           "self.owed[found.challenger] += reward"),
    Mutant("Vault", "void gives the whole penalty to the challenger",
           "reward: uint256 = slashed // 2", "reward: uint256 = slashed"),
    Mutant("Vault", "a contested request stays reserved",
           "    self.reserved -= less\n"),
    Mutant("Vault", "collect forgets what it paid", "    self.owed[msg.sender] = 0\n"),
    Mutant("merkle_sum", "a proof's sums need not be the total",
           "top == root and sum == total", "top == root"),
    Mutant("merkle_sum", "a leaf and a node are hashed alike",
           "concat(0x00, abi_encode(leaf", "concat(0x01, abi_encode(leaf"),
    Mutant("vouchers", "a voucher adds to the one before",
           "self.signed[permit.account] += total - before",
           "self.signed[permit.account] += total"),
    Mutant("vouchers", "a session key signs beyond its limit",
           'assert total <= permit.limit, "voucher: over the limit"', "pass"),
    Mutant("vouchers", "a voucher of one lane counts in all",
           "abi_encode(CHANNEL_TYPEHASH, account, lane)",
           "abi_encode(CHANNEL_TYPEHASH, account, lane * 0)"),
    Mutant("tokens", "a token may keep a fee",
           "balanceOf(self) == before + amount,", "balanceOf(self) >= before,"),
    Mutant("Bond", "a slash takes more than the bond",
           "paid: uint256 = min(amount, its.bonded)\n    self.collateral[account].bonded = "
           "its.bonded - paid",
           "paid: uint256 = amount\n    self.collateral[account].bonded = "
           "its.bonded - min(paid, its.bonded)"),
    Mutant("Bond", "what is leaving escapes the slash",
           "min(amount, its.bonded)", "min(amount, its.bonded - its.leaving)"),
    Mutant("Bond", "release ignores claims",
           "min(mine.claimed, mine.bonded)", "min(0, mine.bonded)"),
    Mutant("Bond", "a verdict leaves the claim open",
           "    self.claims[number] = empty(Claim)\n"),
    Mutant("Credit", "an authorisation is used twice",
           "    self.authorizationState[owner][nonce] = True\n"),
    Mutant("Rights", "a reference is minted twice", "    self.minted[reference] = True\n"),
    Mutant("Rights", "more than the issue is minted",
           'assert erc20.totalSupply + grains <= issue, "rights: over the issue"', "pass"),
    Mutant("Bridge", "a transfer is paid again and again",
           "    self.arrived[transfer.nonce] = True\n"),
    Mutant("Bridge", "a transfer returns again and again",
           "    self.departures[transfer.nonce] = empty(bytes32)\n"),
    Mutant("Bridge", "one signature too few is enough",
           "len(signatures) >= self.rules", "len(signatures) + 1 >= self.rules"),
    Mutant("Bridge", "a validator signs twice",
           "assert convert(signer, uint256) > last", "assert convert(signer, uint256) >= last"),
    Mutant("Bridge", "anybody attests",
           'assert signer in self.rules.validators, "bridge: not a validator"', "pass"),
    Mutant("Bridge", "a transfer is paid after its deadline",
           "block.timestamp <= transfer.deadline", "block.timestamp <= transfer.deadline + 1"),
    Mutant("Bridge", "a transfer returns while it can be paid",
           "block.timestamp > transfer.deadline", "block.timestamp >= transfer.deadline"),
    Mutant("Bridge", "a day is four hours",
           "SPANS: constant(uint256) = 7", "SPANS: constant(uint256) = 1"),
    Mutant("Bridge", "out and in share one limit", "self.moved[inwards][span - back]",
           "self.moved[True][span - back]"),
    Mutant("Bridge", "rules hold at once",
           'assert block.timestamp >= self.holds_from, "bridge: too soon"', "pass"),
    Mutant("Bridge", "a pause follows a pause",
           'assert block.timestamp >= self.pausable_from, "bridge: too soon"', "pass"),
    Mutant("Bridge", "a paused side pays",
           'assert block.timestamp >= self.paused_until, "bridge: paused"', "pass"),
    Mutant("Bridge", "more is burnt than was minted", "        self.outstanding -= amount\n"
           "        extcall", "        extcall"),
    Mutant("Titles", "anybody mints a title",
           "    access_control._check_role(REGISTRAR, msg.sender)\n"),
    Mutant("Titles", "a title's royalty has no bound",
           'assert royalty_ppm <= ROYALTY_MAX, "titles: royalty too high"', "pass"),
    Mutant("Titles", "an ask outlives its title's transfer",
           "    if self.asks[token_id].price > 0:\n        self._end_ask(token_id)\n"),
    Mutant("Titles", "a title's buyer pays whatever is asked",
           'assert asked.price <= max_price, "titles: price is higher"', "pass"),
    Mutant("Titles", "a title kept for one buyer goes to any",
           'assert asked.buyer in [empty(address), msg.sender], "titles: for another buyer"',
           "pass"),
    Mutant("Titles", "a title's price may be too small for its royalty",
           'assert ppm == 0 or self._royalty(token_id, price) > 0', "assert True or ppm == 0"),
    Mutant("Titles", "a title's royalty stays in the contract",
           "tokens._push(token, author, royalty)", "pass"),
    Mutant("Titles", "a title's royalty is rounded up",
           "return price * ppm // PPM", "return (price * ppm + PPM - 1) // PPM"),
    Mutant("Titles", "an old permit of a title comes back with its signer",
           "    erc721.nonces[token_id] += 1\n"),
    Mutant("Titles", "who gets a title may call back",
           "@external\ndef buy(", "@external\n@reentrant\ndef buy("),
    Mutant("Titles", "a title goes to a wallet that refuses it",
           'assert taken, "titles: that wallet takes no titles"', "pass"),
    Mutant("Titles", "titles are sold in a closed loop",
           "    modes._require_transfer()\n    asked: Ask", "    asked: Ask"),
    Mutant("Emission", "a list over the pool is taken",
           'assert total <= pool_, "emission: over the pool"', "pass"),
    Mutant("Emission", "a list may pay more than its total",
           'assert amount <= known.total - known.claimed, "emission: over the total"', "pass"),
    Mutant("Emission", "a claim in the audit window",
           'assert block.timestamp >= known.opens, "emission: in the audit window"', "pass"),
    Mutant("Emission", "a void after the window",
           'assert block.timestamp < known.opens, "emission: the audit window is over"', "pass"),
    Mutant("Emission", "an epoch has two lists",
           'assert epoch > self.last or self._voided(epoch), "emission: out of order"', "pass"),
    Mutant("Emission", "an epoch's list before its end",
           'assert block.timestamp // length > epoch, "emission: the epoch is not over"', "pass"),
    Mutant("Emission", "the pool is never halved",
           "return pool >> ((epoch - first) // halving)", "return pool"),
    Mutant("Share", "shares are minted over the cap",
           'assert amount <= cap - erc20.totalSupply, "share: over the cap"', "pass"),
    Mutant("Share", "shares move between members in every mode",
           "        modes._require_transfer()", "        pass"),
    Mutant("Share", "whoever likes mints shares",
           "    access_control._check_role(MINTER, msg.sender)\n"),
    Mutant("claims", "a line is claimed again and again",
           "    self.taken[round][index // 256] |= 1 << (index % 256)\n"),
    Mutant("claims", "claimed lines share a bit with others",
           "|= 1 << (index % 256)", "|= 1 << (index % 2)"),
    Mutant("claims", "a node can be shown as a line",
           "keccak256(abi_encode(keccak256(abi_encode(index, account, amount))))",
           "keccak256(abi_encode(index, account, amount))"),
    Mutant("claims", "a line of one round is taken in all",
           "return (self.taken[round][index // 256]", "return (self.taken[1][index // 256]"),
    Mutant("Airdrop", "a round gives more than its total",
           'assert self.rounds[round].given <= self.rounds[round].total, "airdrop: over the total"',
           "pass"),
    Mutant("Airdrop", "what is left is given back before the deadline",
           'assert block.timestamp > found.deadline, "airdrop: not over"', "pass"),
    Mutant("Airdrop", "rounds promise without a limit",
           'assert total <= most - self.promised, "airdrop: more than there is to give"', "pass"),
    Mutant("Sale", "anybody takes anybody's purchase back",
           'assert msg.sender == found.buyer, "sale: not the buyer"', "pass"),
    Mutant("Sale", "a purchase is taken back a second too late",
           "assert block.timestamp <= found.until", "assert block.timestamp <= found.until + 1"),
    Mutant("Sale", "a purchase is taken back again and again",
           "    self.purchases[number].ended = REFUNDED\n"),
    Mutant("Sale", "a purchase is completed again and again",
           "    self.purchases[number].ended = COMPLETED\n"),
    Mutant("Sale", "proceeds go on before it is decided",
           'assert terms.soft_cap == 0 or self._decided(), "sale: not decided"', "pass"),
    Mutant("Sale", "a failed sale pays out",
           'assert not self._failed(), "sale: failed"', "pass"),
    Mutant("Sale", "it is decided a second before the last refund",
           "block.timestamp >= terms.end + terms.refund",
           "block.timestamp + 1 >= terms.end + terms.refund"),
    Mutant("Sale", "the 150th person of a state buys",
           "+ 1 < terms.persons_below", "+ 1 <= terms.persons_below"),
    Mutant("Sale", "a purchase is taken off no cap",
           "    self.bought[found.person] -= found.shares\n"),
    Mutant("Sale", "a voucher is good for any wallet",
           'assert msg.sender == voucher.wallet, "sale: another\'s voucher"', "pass"),
    Mutant("Sale", "a voucher is good for ever",
           'assert block.timestamp <= voucher.deadline, "sale: the voucher has expired"', "pass"),
    Mutant("Sale", "anybody signs vouchers",
           'assert access_control.hasRole[ISSUER][signer], "sale: not the market\'s voucher"',
           "pass"),
    Mutant("Sale", "shares are sold after the end",
           'assert block.timestamp < terms.end, "sale: over"', "pass"),
    Mutant("Sale", "proceeds exceed the law's limit",
           'assert self.raised + paid <= terms.proceeds_max, "sale: over the limit of proceeds"',
           "pass"),
    Mutant("Sale", "qualified investors are never counted",
           "(voucher.qualified and not terms.count_qualified)", "voucher.qualified"),
    Mutant("Sale", "shares are sold in a closed loop",
           "    modes._require_sale()\n"),
    Mutant("Sale", "who is paid back may call back",
           "# pragma nonreentrancy on", "# pragma nonreentrancy off"),
    *(Mutant(*one) for one in VOTES),
)  # fmt: skip


def house(mutant: Mutant, folder: Path) -> None:
    """A copy of what the tests need, with the one change."""
    for part in ("src", "tests", "contracts"):
        skip = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / part, folder / part, symlinks=True, ignore=skip)
    shutil.copy(ROOT / "pyproject.toml", folder)
    path = folder / "contracts" / f"{mutant.file}.vy"
    text = path.read_text()
    assert text.count(mutant.old) == 1, f"{mutant.file}: '{mutant.old}' is not there once"
    path.write_text(text.replace(mutant.old, mutant.new))


def noticed(folder: Path, *names: str) -> str:
    """The first test that fails in these files of a copy; nothing if all pass."""
    files = [f"tests/contracts/test_{name}.py" for name in names]
    command = [sys.executable, "-m", "pytest", "-x", "-p", "no:cacheprovider", *files]
    here = os.environ | {"PYTHONPATH": str(folder / "src"), "HYPOTHESIS_PROFILE": "once"}
    done = subprocess.run(
        [*command, "--hypothesis-seed=1"], cwd=folder, env=here, capture_output=True, text=True
    )
    if done.returncode == 0:
        return ""
    assert "does not compile" not in done.stdout, done.stdout[-2_000:]
    found = re.search(r"^(?:FAILED|ERROR) \S+?::(\S+)", done.stdout, re.MULTILINE)
    assert found, done.stdout[-2_000:] + done.stderr
    return found[1].removesuffix("::runTest").partition("[")[0]


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main(words: list[str]) -> int:
    chosen = [m for m in MUTANTS if not words or any(word in m.says for word in words)]
    missed = 0
    say("| contract | defect | written test | random run |\n|---|---|---|---|")
    for mutant in chosen:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            house(mutant, folder)
            files, machine = LOOKED_AT_BY.get(mutant.file, CUSTODY)
            written, random = noticed(folder, *files), noticed(folder, machine)
        missed += not (written or random)
        cells = (f"`{test}`" if test else "-" for test in (written, random))
        say(f"| {mutant.file} | {mutant.says} | {' | '.join(cells)} |")
    say(f"\n{len(chosen)} mutants, {missed} not noticed.")
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
