"""Proposals on the Govern page: as they were followed from a real assembly, with power and power's
figures, for everybody and without a script."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from assembled import Here, assembled
from chains import serve
from chromium import Browser, require
from click.testing import CliRunner
from doors import Doors
from market import HandClock, open_desk
from test_assembly_follow import NoViews

from allmende.adapters.views_govern import SqliteTold
from allmende.cli import main
from allmende.core.units import SECOND
from allmende.doors.assembly_follow import AssemblyFollow
from allmende.doors.assembly_page import AssemblyPage
from allmende.doors.votes import Votes

LINKED = "less for the house, see https://forum.example/t/7 <b>"


async def story(folder: Path) -> Votes:
    """Two proposals: one over and passed, one open."""
    async with assembled(folder) as here:
        desk = await open_desk(folder)
        store = SqliteTold(":memory:", here.commons["Assembly"].address)
        follow = AssemblyFollow(desk, HandClock(), here.commons, store)
        await voted(here)
        await follow.step()
        at = await here.commons.time_s(await here.commons.newest_block())
        await desk.close()
    return Votes(AssemblyPage(desk, NoViews(), HandClock(at * SECOND), lambda: follow))


async def voted(here: Here) -> None:
    anna = await here.person("anna", shares=30)
    ben, cleo = await here.person("ben", shares=10), await here.person("cleo", shares=60)
    await here.act(anna, "Assembly", "propose_parameter", "hold_seconds", 60, 0, "shorter")
    await here.act(anna, "Assembly", "vote", 1, 1)
    await here.act(ben, "Assembly", "vote", 1, 0)
    await here.town.later(6)
    await here.act(cleo, "Assembly", "propose_parameter", "operator_fee_ppm", 40_000, 0, LINKED)
    await here.act(ben, "Assembly", "vote", 2, 1)


@pytest.fixture(scope="module")
def votes(tmp_path_factory: pytest.TempPathFactory) -> Votes:
    return asyncio.run(story(tmp_path_factory.mktemp("chain")))


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory, votes: Votes) -> Iterator[Doors]:
    with Doors(tmp_path_factory.mktemp("market")) as market:
        market.furnish()
        spender = market.key("uni", budget="lab")
        for number in range(20):
            market.receipt(f"r-{number}", spender)
        market.market._hall.governing.votes = votes
        yield market


def test_a_proposal_is_told_with_its_tally_and_its_times(votes: Votes) -> None:
    fee, hold = votes.proposals()
    assert (hold["status"], hold["chambers"], hold["rank"]) == ("passed", ["stake"], "ordinary")
    assert (hold["stake"]["yes"], hold["stake"]["no"]) == ("30", "10")
    assert (hold["stake"]["yes_width"], hold["stake"]["no_width"]) == (750, 250)
    assert (hold["stake"]["came_ppm"], hold["stake"]["agrees"]) == (400_000, True)
    assert [step["done"] for step in hold["steps"]][:2] == [True, True]
    assert (fee["status"], fee["chambers"], fee["rank"]) == ("open", ["stake", "members"], "money")
    assert fee["members"]["yes"] == "1"
    assert fee["link"] == "https://forum.example/t/7"
    assert fee["ballots"]["yes"].startswith("0x")
    assert len({fee["ballots"][choice] for choice in ("yes", "no", "abstain")}) == 3


def test_power_is_figured_from_who_votes_with_what(votes: Votes) -> None:
    found = {one.key: one for one in asyncio.run(votes.power())}
    assert found["nakamoto"].value == 1
    assert found["banzhaf_top"].value == 1
    assert found["turnout_stake"].value == 0.4
    assert not found["turnout_members"].defined, "no proposal of both chambers is over yet"
    assert found["success_small"].value == 1


def test_everybody_reads_the_proposals_and_nothing_they_say_runs(doors: Doors) -> None:
    for language in ("en", "de"):
        said = doors.get(f"/govern?lang={language}").text
        assert "<b>shorter" not in said
        assert "&lt;b&gt;" in said
        assert 'href="https://forum.example/t/7" rel="noopener noreferrer nofollow"' in said
        assert "allmende govern vote 2 yes" in said
        assert "Nakamoto" in said
    assert "10 no" in doors.get("/govern?lang=en").text


WALLET = """addEventListener("eip6963:requestProvider", () => {
  const provider = { request: async ({ method, params }) => {
    (window.asked ??= []).push([method, params]);
    return { eth_requestAccounts: ["0x" + "11".repeat(20)], eth_chainId: "0x1",
      wallet_switchEthereumChain: null, eth_sendTransaction: "0xaa",
      eth_getTransactionReceipt: { blockNumber: "0x1", status: "0x1" } }[method];
  } };
  const info = { uuid: "1", name: "Test wallet", rdns: "test" };
  dispatchEvent(new CustomEvent("eip6963:announceProvider", { detail: { info, provider } }));
});"""


def test_a_wallet_votes_from_the_page(doors: Doors, votes: Votes, tmp_path: Path) -> None:
    require()
    serving = serve(doors.market.app)
    url = doors.run(serving.__aenter__())
    try:
        with Browser(tmp_path) as browser:
            browser.size(360, 800)
            browser.open(f"{url}/govern?lang=de")
            assert browser.run("return document.documentElement.scrollWidth") <= 360
            assert browser.run("return document.getElementById('voting').hidden")
            browser.before_pages(WALLET)
            browser.open(f"{url}/govern?lang=en")
            browser.click("#voting button")
            browser.click("form.ballot button")
            browser.wait("document.querySelector('.progress').textContent.startsWith('Voted')")
            asked = dict(browser.run("return window.asked"))
    finally:
        doors.run(serving.__aexit__(None, None, None))
    (sent,) = asked["eth_sendTransaction"]
    ballots = votes.proposals()[0]["ballots"]
    assert (sent["to"], sent["data"]) == (ballots["to"], ballots["yes"])
    assert asked["wallet_switchEthereumChain"] == [{"chainId": hex(votes.chain_id)}]


def test_what_is_proposed_is_tried_out_by_anybody(doors: Doors) -> None:
    assert "name=operator_fee_ppm&amp;value=40000" in doors.get("/govern").text
    said = doors.get("/govern/simulation?name=operator_fee_ppm&value=40000").text
    assert "are the ledger" in said
    assert "it would have brought" in doors.get("/govern?lang=en").text
    other = doors.get("/govern/simulation?name=operator_fee_ppm&value=39999")
    assert other.status == 401


def test_power_is_told_to_programs_and_in_a_terminal(doors: Doors) -> None:
    assert doors.get("/api/govern/power").json[0]["key"] == "nakamoto"
    serving = serve(doors.market.app)
    url = doors.run(serving.__aenter__())
    try:
        words = ["govern", "power", "--url", url, "--key", doors.admin]
        done = CliRunner().invoke(main, words)
    finally:
        doors.run(serving.__aexit__(None, None, None))
    assert done.exit_code == 0, done.output
    assert "turnout members: No proposal that it decides on is over yet." in done.output


def test_a_market_without_an_assembly_has_none() -> None:
    assert Votes().proposals() == []
    assert Votes().terms() == []
    assert asyncio.run(Votes().power()) == ()
