"""Owners of titles in the read models, against what happened."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from test_core_titles import AUTHOR, MINT, RHINE, STRANGER, world
from test_views_fold import folded, table

from allmende.adapters.views_schema import connect
from allmende.core import commands as c
from allmende.core import title_commands as t
from allmende.core.nouns import Member


def test_a_title_has_a_row_for_each_owner_that_it_had(tmp_path: Path) -> None:
    made = world()
    made.do(MINT)
    made.do(t.EndTitleMint(id="owned", minted=True))
    id_ = "w-" + STRANGER[2:]
    made.do(c.AddMember(member=Member(id_, STRANGER, "person", tier=0)))
    for holder, owner in ((RHINE, "rhine"), (STRANGER, id_), (AUTHOR, "author"), (RHINE, "rhine")):
        made.do(t.FollowTitle(id="owned", holder=holder, owner=owner))
    with closing(connect(folded(tmp_path, made.events))) as db:
        rows = table(db, "SELECT * FROM title_owners WHERE title = 'owned' ORDER BY number")
        (title,) = table(db, "SELECT owner FROM titles WHERE id = 'owned'")
    assert [(row["owner"], row["holder"]) for row in rows] == [
        *(("author", ""), ("rhine", RHINE), (id_, STRANGER), ("author", AUTHOR)),
        ("rhine", RHINE),
    ]
    assert title["owner"] == "rhine"
