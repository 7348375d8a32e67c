"""An emission pays what was published, within the epoch's pool, after the window, once."""

from __future__ import annotations

from collections.abc import Iterator

import boa
import pytest
from emission_rig import (
    ADMIN,
    ANNA,
    AUDITOR,
    BEN,
    HALVING,
    LENGTH,
    MALLORY,
    POOL,
    PUBLISHER,
    RULE,
    WINDOW,
    List,
    Mine,
)
from eth_hash.auto import keccak
from vault_rig import ZERO, deploy, refused

TOLD = List({ANNA: 600, BEN: 401})
FORGED = List({MALLORY: POOL})


@pytest.fixture(scope="module")
def deployed() -> Iterator[Mine]:
    with boa.env.anchor():
        yield Mine()


@pytest.fixture
def mine(deployed: Mine) -> Iterator[Mine]:
    """Epoch 0 is over."""
    with boa.env.anchor():
        deployed.end(0)
        yield deployed


def opened(mine: Mine, epoch: int = 0, list_: List = TOLD) -> Mine:
    mine.publish(epoch, list_)
    mine.later(WINDOW)
    return mine


def test_each_line_is_paid_once_whoever_calls(mine: Mine) -> None:
    opened(mine)
    mine.claim(0, TOLD.line(ANNA), by=MALLORY)
    assert (mine.has(ANNA), mine.has(MALLORY), mine.emission.minted()) == (600, 0, 600)
    for by in (ANNA, MALLORY):
        with refused("claims: claimed already"):
            mine.claim(0, TOLD.line(ANNA), by=by)
    mine.claim(0, TOLD.line(BEN))
    assert mine.share.totalSupply() == mine.emission.minted() == TOLD.total


def test_nothing_is_claimed_in_the_window_and_nothing_voided_after_it(mine: Mine) -> None:
    mine.publish(0, TOLD)
    mine.later(WINDOW - 1)
    with refused("emission: in the audit window"):
        mine.claim(0, TOLD.line(ANNA))
    with boa.env.anchor():
        mine.void(0)
    mine.later(1)
    with refused("emission: the audit window is over"):
        mine.void(0)
    mine.claim(0, TOLD.line(ANNA))
    assert mine.has(ANNA) == 600


def test_a_wrong_list_is_voided_and_another_one_has_its_own_window(mine: Mine) -> None:
    mine.publish(0, FORGED)
    mine.later(WINDOW - 1)
    mine.void(0)
    with refused("emission: no list"):
        mine.void(0)
    mine.publish(0, TOLD)
    mine.later(WINDOW - 1)
    with refused("emission: in the audit window"):
        mine.claim(0, TOLD.line(ANNA))
    mine.later(1)
    with refused("claims: not in the list"):
        mine.claim(0, FORGED.line(MALLORY))
    mine.claim(0, TOLD.line(ANNA))
    assert (mine.has(ANNA), mine.has(MALLORY)) == (600, 0)


def test_an_epoch_voided_under_later_ones_is_published_anew_and_no_other(mine: Mine) -> None:
    mine.end(3)
    mine.publish(1, TOLD)
    mine.publish(3, List({ANNA: 1}))
    mine.void(1)
    for epoch in (0, 2, 3):
        with refused("emission: out of order"):
            mine.publish(epoch, List({ANNA: 1}))
    mine.publish(1, TOLD)
    with refused("emission: out of order"):
        mine.publish(1, TOLD)
    mine.later(WINDOW)
    mine.claim(1, TOLD.line(ANNA))
    assert mine.emission.last() == mine.first + 3


def test_an_epoch_has_one_list(mine: Mine) -> None:
    mine.publish(0, TOLD)
    with refused("emission: out of order"):
        mine.publish(0, FORGED)
    mine.later(WINDOW)
    with refused("emission: out of order"):
        mine.publish(0, FORGED)


def test_epochs_that_are_not_over_or_not_yet_or_no_more_are_refused(mine: Mine) -> None:
    with refused("emission: the epoch is not over"):
        mine.publish(1, TOLD)
    with refused("emission: the epoch is not over"):
        mine.publish(2, List({ANNA: 1}))
    with refused("emission: no pool in that epoch"):
        mine.publish(2**200, TOLD)
    with refused("emission: no pool in that epoch"):
        mine.publish(-1, TOLD)
    boa.env.evm.patch.timestamp = (mine.first + 2) * LENGTH - 1
    with refused("emission: the epoch is not over"):
        mine.publish(1, TOLD)
    mine.later(1)
    mine.publish(1, TOLD)
    assert mine.emission.last() == mine.first + 1


def test_a_list_over_the_pool_is_refused_and_so_is_one_of_nothing(mine: Mine) -> None:
    with refused("emission: over the pool"):
        mine.publish(0, List({ANNA: POOL + 1}))
    for words, says in (
        ((bytes(32), 1, RULE), "emission: an empty list"),
        ((TOLD.root, 0, RULE), "emission: an empty list"),
        ((TOLD.root, 1, bytes(32)), "emission: no rule"),
    ):
        with refused(says):
            mine.emission.publish(mine.first, *words, sender=PUBLISHER.address)
    assert mine.emission.last() == 0


def test_the_pool_is_halved_by_the_number_of_the_epoch_and_burns_change_nothing(
    mine: Mine,
) -> None:
    def pools() -> list[int]:
        return [mine.emission.pool_of(mine.first + epoch) for epoch in (-1, 0, 1, 2, 4, 2**250)]

    before = pools()
    assert before == [0, POOL, POOL, POOL // 2, POOL // 4, 0]
    opened(mine).claim(0, TOLD.line(ANNA))
    mine.share.burn(500, sender=ANNA.address)
    assert pools() == before
    assert HALVING == 2
    mine.end(2)
    with refused("emission: over the pool"):
        mine.publish(2, List({ANNA: POOL // 2 + 1}))


def test_a_root_that_says_more_than_its_total_stops_at_the_total(mine: Mine) -> None:
    """Mallory published a root of 1,001 and called it 1,000."""
    words = (mine.first, TOLD.root, TOLD.total - 1, RULE)
    mine.emission.publish(*words, sender=PUBLISHER.address)
    mine.later(WINDOW)
    mine.claim(0, TOLD.line(ANNA))
    with refused("emission: over the total"):
        mine.claim(0, TOLD.line(BEN))
    assert mine.emission.minted() == 600
    assert not mine.emission.claimed(mine.first, TOLD.line(BEN)[0])


def test_forged_lines_and_lines_of_other_epochs_pay_nothing(mine: Mine) -> None:
    opened(mine)
    mine.end(1)
    opened(mine, 1, List({ANNA: 7, BEN: 5}))
    index, account, amount, proof = TOLD.line(ANNA)
    forged = [
        (0, (index, MALLORY.address, amount, proof)),
        (0, (index, account, amount + 1, proof)),
        (0, (index + 256, account, amount, proof)),
        (0, (index, account, amount, [])),
        (1, (index, account, amount, proof)),
    ]
    for epoch, line in forged:
        assert not mine.emission.listed(mine.first + epoch, *line)
        with refused("claims: not in the list"):
            mine.claim(epoch, line)
    with refused("emission: no list"):
        mine.claim(5, TOLD.line(ANNA))
    assert mine.share.totalSupply() == 0


def test_only_roles_publish_void_and_grant(mine: Mine) -> None:
    for by in (MALLORY, ADMIN, AUDITOR):
        with refused("access_control"):
            mine.publish(0, TOLD, by=by)
    mine.publish(0, TOLD)
    for by in (MALLORY, ADMIN, PUBLISHER):
        with refused("access_control"):
            mine.void(0, by=by)
    with refused("access_control"):
        mine.emission.grantRole(keccak(b"PUBLISHER"), MALLORY.address, sender=PUBLISHER.address)
    assert mine.emission.epochs(mine.first)[1] == TOLD.total


def test_where_the_share_has_no_room_the_line_waits_and_is_not_lost() -> None:
    with boa.env.anchor():
        mine = Mine(cap=700)
        mine.end(0)
        opened(mine).claim(0, TOLD.line(ANNA))
        with refused("share: over the cap"):
            mine.claim(0, TOLD.line(BEN))
        assert mine.emission.minted() == 600
        mine.share.burn(301, sender=ANNA.address)
        mine.claim(0, TOLD.line(BEN))
        assert (mine.has(BEN), mine.emission.minted()) == (401, 1_001)


def test_what_makes_no_emission_is_not_deployed() -> None:
    share = ADMIN.address
    for words, says in (
        ((ZERO, 1, 1, 1, 1, 1), "no share"),
        ((share, 0, 1, 1, 1, 1), "no time"),
        ((share, 1, 0, 1, 1, 1), "no first epoch"),
        ((share, 1, 1, 0, 1, 1), "no time"),
        ((share, 1, 1, 1, 0, 1), "no pool"),
        ((share, 1, 1, 1, 1, 0), "no time"),
    ):
        with boa.env.anchor(), pytest.raises(AssertionError, match=says):
            deploy("Emission", *words)
