"""Evidence, assessments and floors: what counts when, who may say so, and what a refusal tells."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import structs

from allmende.core import commands as c
from allmende.core import evidence_commands as v
from allmende.core import floors
from allmende.core.evidence import Assessment, Evidence
from allmende.core.filing import FILED_MAX
from allmende.core.nouns import SYSTEM, Key, Policy
from allmende.core.refusals import Why
from allmende.core.units import DAY, Zone
from allmende.lab.world import OFFERS, START, World, ask, secret

ROOT, RHINE, DEAN = secret("root"), secret("rhine"), secret("dean")
ALL = tuple(f"SOV-{number}" for number in range(1, 9))


def paper(id_: str = "p", **more: Any) -> Evidence:
    usual: dict[str, Any] = {
        "objective": "SOV-3",
        "level": 3,
        "claim": "Data stays under European law.",
        "issuer": "TÜV",
        "issued": START - DAY,
        "expires": START + 30 * DAY,
        "document": "ab" * 32,
        "offer": "cheap",
    }
    return Evidence(id=id_, **{**usual, **more})


def file(world: World, id_: str = "p", *, confirmed: bool = True, **more: Any) -> None:
    world.do(v.FileEvidence(evidence=paper(id_, **more), by=ROOT))
    if confirmed:
        world.do(v.ConfirmEvidence(id=id_, by=ROOT))


def word(**more: Any) -> v.Assess:
    usual: dict[str, Any] = {
        "regime": "US",
        "exposure": 0,
        "kill_switch": 1,
        "reasoning": "No owner, operator or update path in the United States.",
        "signer": "Grace Hopper",
        "expires": START + 30 * DAY,
        "provider": "rhine",
    }
    return v.Assess(assessment=Assessment(**{**usual, **more}), by=ROOT)


def level(world: World, objective: str = "SOV-3", offer: str = "cheap") -> int:
    return floors.seal(world.state, world.state.offers[offer], objective, world.now).level


def refused(world: World, policy: Policy, key: str = "lab") -> str:
    no = world.refuse(ask("no", key, policy=policy))
    assert no.why is Why.NO_OFFER
    return str(no)


# What counts ---------------------------------------------------------------------------


def test_evidence_counts_once_a_person_confirmed_it_and_until_it_expires():
    world = World()
    file(world, confirmed=False)
    assert level(world) == 0
    world.do(v.ConfirmEvidence(id="p", by=ROOT))
    assert level(world) == 3
    assert level(world, offer="clean") == 0
    world.now += 30 * DAY - 1
    assert level(world) == 3
    world.now += 1
    assert level(world) == 0, "no tick is needed"
    world.do(c.Tick())
    assert world.state.evidence == {} == world.state.filings


def test_evidence_that_has_not_begun_does_not_count():
    world = World()
    file(world, issued=START + 1)
    assert level(world) == 0
    world.now += 1
    assert level(world) == 3


def test_evidence_on_the_provider_is_evidence_on_each_of_its_offers():
    world = World()
    file(world, offer="", provider="rhine")
    assert level(world) == 3
    assert level(world, offer="vectors") == 3
    assert level(world, offer="clean") == 0


def test_of_contradictory_levels_the_lowest_counts_and_it_shows():
    world = World()
    file(world, "p")
    file(world, "q", offer="", provider="rhine", level=1)
    found = floors.seal(world.state, world.state.offers["cheap"], "SOV-3", world.now)
    assert (found.level, found.contradictory) == (1, True)
    assert {filed.evidence.id for filed in found.evidence} == {"p", "q"}
    world.do(v.WithdrawEvidence(id="q", by=RHINE))
    assert level(world) == 3


def test_what_rests_on_what_is_gone_shows_nothing_however_far_below_it_is():
    world = World()
    file(world, "ground", objective="SOV-1", provider="nordic", offer="clean")
    file(world, "middle", objective="SOV-2", rests_on=("ground",))
    file(world, rests_on=("middle",))
    assert level(world) == 3
    world.do(c.PostOffer(offer=structs.replace(OFFERS[1], url="http://elsewhere.example/v1")))
    assert level(world) == 0, "the ground moved"
    world.do(v.ConfirmEvidence(id="ground", by=ROOT))
    assert level(world) == 3
    world.do(v.WithdrawEvidence(id="ground", by=ROOT))
    assert level(world) == 0


def test_levels_of_different_times_do_not_contradict_each_other_in_an_import():
    world, turn = World(), START + 10 * DAY
    rows = (paper("old", expires=turn), paper("new", issued=turn, level=1))
    assert len(world.do(v.ImportEvidence(rows=rows, by=ROOT))) == 2
    no = world.refuse(v.ImportEvidence(rows=(paper("more", issued=turn - 1, level=2),), by=ROOT))
    assert "contradicts 'new'" in str(no) or "contradicts 'old'" in str(no)


def test_an_operator_of_another_offer_may_vouch_for_this_one():
    world = World()
    other = structs.replace(OFFERS[0], id="other", zone=Zone("DEU", operator="Auditors"))
    world.do(c.PostOffer(offer=other))
    file(world, issuer="Auditors")
    circular = (paper("q", offer="other"), paper("r", offer="", provider="rhine"))
    for one in circular:
        no = world.refuse(v.FileEvidence(evidence=structs.replace(one, issuer="auditors"), by=ROOT))
        assert "vouches for itself" in str(no)


def test_an_offer_that_moved_shows_nothing_until_somebody_looked_again():
    world = World()
    file(world)
    moved = structs.replace(OFFERS[0], zone=Zone("USA"))
    world.do(c.PostOffer(offer=moved))
    assert level(world) == 0
    world.do(c.PostOffer(offer=structs.replace(OFFERS[0], capacity=1)))
    assert level(world) == 3, "capacity is no ground of it"
    world.do(c.PostOffer(offer=moved))
    world.do(v.ConfirmEvidence(id="p", by=ROOT))
    assert level(world) == 3


def test_another_providers_offer_under_the_same_name_shows_nothing():
    world = World()
    file(world)
    world.do(c.WithdrawOffer(id="cheap"))
    world.do(c.PostOffer(offer=structs.replace(OFFERS[0], provider="nordic")))
    assert level(world) == 0


def test_evidence_is_only_as_good_as_what_it_rests_on():
    world = World()
    file(world, "base", offer="", provider="rhine", objective="SOV-1")
    file(world, "p", rests_on=("base",))
    assert level(world) == 3
    world.do(v.WithdrawEvidence(id="base", by=ROOT))
    assert level(world) == 0


# Who may -------------------------------------------------------------------------------


def test_a_provider_may_claim_and_only_an_operator_confirms():
    world = World()
    world.do(v.FileEvidence(evidence=paper(), by=RHINE))
    for by, why in ((RHINE, Why.NOT_ALLOWED), ("system", Why.NOT_ALLOWED)):
        assert world.refuse(v.ConfirmEvidence(id="p", by=by)).why is why
    assert world.refuse(v.FileEvidence(evidence=paper("q"), by=DEAN)).why is Why.NOT_ALLOWED
    assert world.refuse(v.FileEvidence(evidence=paper("q"))).why is Why.NOT_ALLOWED
    assert world.refuse(v.FileEvidence(evidence=paper("q", offer="clean"), by=RHINE)).why
    world.do(v.ConfirmEvidence(id="p", by=ROOT))
    assert world.refuse(v.ConfirmEvidence(id="p", by=ROOT)).why is Why.EXISTS


def test_only_a_named_person_signs():
    world = World()
    assert world.refuse(structs.replace(word(), by="system")).why is Why.NOT_ALLOWED
    assert world.refuse(structs.replace(word(), by=RHINE)).why is Why.NOT_ALLOWED
    assert world.refuse(word(signer=" ")).why is Why.BAD_VALUE
    assert world.refuse(word(reasoning="")).why is Why.BAD_VALUE
    assert world.refuse(word(expires=START)).why is Why.ENDED
    world.do(word(regime="USA"))
    signed = world.state.assessments["rhine/"]["US"]
    assert (signed.key, signed.assessment.signer) == ("root", "Grace Hopper")


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"objective": "SOV-9"}, "SOV-1 to SOV-8"),
        ({"framework": "gaia-x"}, "framework"),
        ({"level": 5}, "0 to 4"),
        ({"claim": " "}, "claim"),
        ({"document": "AB" * 32}, "SHA-256"),
        ({"expires": START}, "expired"),
        ({"issued": START + 40 * DAY}, "issued before"),
        ({"issuer": "  rhine  COMPUTE "}, "circular"),
        ({"issuer": "cheap"}, "circular"),
        ({"rests_on": ("p",)}, "circular"),
        ({"rests_on": ("gone",)}, "not on the file"),
        ({"offer": "none"}, "No offer 'none'"),
        ({"provider": "nordic"}, "No offer 'cheap' of 'nordic'"),
        ({"offer": "", "provider": "nobody"}, "No member"),
        ({"id_": "a/b"}, "An id"),
    ],
)
def test_what_is_missing_circular_or_expired_is_refused(more: dict[str, Any], says: str):
    world = World()
    id_ = more.pop("id_", "p")
    no = world.refuse(v.FileEvidence(evidence=paper(id_, **more), by=ROOT))
    assert says in str(no)


def test_a_circle_through_a_name_that_was_used_before_is_refused():
    world = World()
    file(world, "a")
    file(world, "b", rests_on=("a",))
    world.do(v.WithdrawEvidence(id="a", by=ROOT))
    no = world.refuse(v.FileEvidence(evidence=paper("a", rests_on=("b",)), by=ROOT))
    assert "circular" in str(no)


def test_an_import_names_every_bad_row_and_files_none():
    world = World()
    rows = (
        paper("good"),
        paper("old", expires=START - 1, issued=START - DAY),
        paper("low", level=1),
        paper("one", objective="SOV-1", rests_on=("two",)),
        paper("two", objective="SOV-2", rests_on=("one",)),
        paper("good", objective="SOV-4"),
    )
    no = world.refuse(v.ImportEvidence(rows=rows, by=ROOT))
    named = {row.split()[1] for row in no.facts["rows"]}
    assert named == {"1", "2", "3", "4", "5", "6"}
    assert "row 2 (old): This evidence has expired" in str(no)
    assert "contradicts 'good'" in no.facts["rows"]["row 3 (low)"]
    assert "circular" in no.facts["rows"]["row 4 (one)"]
    assert world.state.evidence == {}
    sound = (paper("b", objective="SOV-2", rests_on=("a",)), paper("a", objective="SOV-1"))
    assert len(world.do(v.ImportEvidence(rows=sound, by=ROOT))) == 2


def test_an_import_passes_the_bound_of_a_file_no_more_than_single_papers_do():
    world = World()
    rows = tuple(paper(f"p{number}") for number in range(FILED_MAX + 1))
    no = world.refuse(v.ImportEvidence(rows=rows, by=ROOT))
    assert len(no.facts["rows"]) == FILED_MAX + 1
    assert "At most 64 pieces an objective" in str(no)
    other = structs.replace(rows[-1], objective="SOV-4")
    assert world.do(v.ImportEvidence(rows=(*rows[:-1], other), by=ROOT))
    assert world.refuse(v.FileEvidence(evidence=paper("more"), by=ROOT)).why is Why.OVER_LIMIT


def test_whoever_may_not_file_is_told_so_of_an_import_too():
    world, rows = World(), (paper("a"), paper("b", offer="clean"))
    for by, status in ((DEAN, 403), ("0" * 64, 401), (SYSTEM, 403)):
        no = world.refuse(v.ImportEvidence(rows=rows, by=by))
        assert (
            no.why.status
            == status
            == world.refuse(v.FileEvidence(evidence=rows[0], by=by)).why.status
        )
    no = world.refuse(v.ImportEvidence(rows=(rows[0], structs.replace(rows[1], level=9)), by=ROOT))
    assert no.why is Why.BAD_VALUE


def test_a_refusal_of_expired_evidence_speaks_of_no_instrument():
    no = World().refuse(v.FileEvidence(evidence=paper(expires=START), by=ROOT))
    assert no.why is Why.ENDED
    assert str(no) == "That is over. This evidence has expired; ask its issuer for a new one."


# Floors --------------------------------------------------------------------------------


def test_routing_fails_closed_and_says_what_would_cure_it():
    world = World()
    wish = Policy(min_seal=(("SOV-3", 3),), max_exposure=(("US", 1),))
    says = refused(world, wish)
    assert "2 by sovereignty" in says
    assert "SOV-3 is 0, not 3: confirmed evidence of it would cure it" in says
    assert "exposure to US is E3 as nobody validly assessed it" in says
    file(world)
    assert "1 by exposure, 1 by sovereignty" in refused(world, wish)
    world.do(word())
    assert world.reserve("r", policy=wish).offer.id == "cheap"
    kill = Policy(max_kill_switch=(("US", 0),))
    assert "US's kill switch is 1 as assessed, not 0" in refused(world, kill)


def test_the_dearer_offer_is_taken_where_the_cheap_one_is_below():
    world = World()
    file(world, offer="clean")
    assert world.reserve("r", policy=Policy(min_seal=(("SOV-3", 2),))).offer.id == "clean"
    assert world.reserve("s").offer.id == "cheap"


def test_floors_of_all_budgets_above_add_up_and_a_request_only_tightens():
    world = World()
    file(world, level=2)
    world.do(v.SetFloor(budget="uni", min_seal=(("SOV-3", 2),), by=DEAN))
    world.do(v.SetFloor(budget="ada", min_seal=(("SOV-3", 1),), by=DEAN))
    assert world.reserve("a", "ada", policy=Policy(min_seal=(("SOV-3", 1),))).offer.id == "cheap"
    assert world.reserve("b", "ada").offer.id == "cheap"
    refused(world, Policy(min_seal=(("SOV-3", 3),)), "ada")
    world.do(v.SetFloor(budget="physics", min_seal=(("SOV-3", 3),), by=ROOT))
    refused(world, Policy(), "ada")
    assert world.reserve("c", "dean").offer.id == "cheap"
    assert world.reserve("d", "coop").offer.id == "cheap"
    world.do(v.SetFloor(budget="physics", by=ROOT))
    assert "physics" not in world.state.floors
    assert world.reserve("e", "ada").offer.id == "cheap"


def test_a_floor_is_set_by_who_manages_the_budget():
    world = World()
    wish = (("SOV-3", 2),)
    for by in (RHINE, secret("ada")):
        no = world.refuse(v.SetFloor(budget="uni", min_seal=wish, by=by))
        assert no.why is Why.NOT_ALLOWED
    assert world.refuse(v.SetFloor(budget="none", min_seal=wish)).why is Why.NOT_FOUND
    for bad in ((("SOV-9", 1),), (("SOV-1", 5),), (("SOV-1", 1), ("SOV-1", 2))):
        assert world.refuse(v.SetFloor(budget="uni", min_seal=bad)).why is Why.BAD_VALUE
    unknown = v.SetFloor(budget="uni", max_exposure=(("XXX", 1),))
    assert world.refuse(unknown).why is Why.BAD_VALUE


def test_levels_are_never_averaged():
    """The example of the framework: eight levels, and the least of them is the overall one."""
    world = World()
    for objective, number in zip(ALL, (2, 1, 3, 2, 1, 3, 3, 2), strict=True):
        file(world, objective.lower(), objective=objective, level=number)
    assert world.reserve("r", policy=Policy(min_seal=tuple((o, 1) for o in ALL)))
    says = refused(world, Policy(min_seal=tuple((o, 2) for o in ALL)))
    assert "SOV-2 is 1, not 2" in says
    assert "SOV-5 is 1, not 2" in says


def test_an_assessment_of_the_offer_and_of_its_provider_are_both_heard():
    world = World()
    world.do(word())
    world.do(word(offer="cheap", exposure=2, kill_switch=0))
    found = floors.reach(world.state, world.state.offers["cheap"], "US", world.now)
    assert found[:2] == (2, 1)
    world.do(v.WithdrawAssessment(regime="US", offer="cheap", by=ROOT))
    found = floors.reach(world.state, world.state.offers["cheap"], "US", world.now)
    assert found[:2] == (0, 1)
    world.now += 30 * DAY
    found = floors.reach(world.state, world.state.offers["cheap"], "US", world.now)
    assert found == (3, 2, ())
    world.do(c.Tick())
    assert world.state.assessments == {}


def test_a_key_of_an_operator_who_is_gone_confirms_nothing():
    world = World()
    world.do(c.IssueKey(key=Key("deputy", secret("deputy"), "house", "operate")))
    file(world, confirmed=False)
    world.do(c.RevokeKey(id="deputy"))
    assert world.refuse(v.ConfirmEvidence(id="p", by=secret("deputy"))).why is Why.UNKNOWN_KEY
