"""sale.toml, and a sale among the contracts that are put up."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from deployed import Town, deployed
from test_institutions import founding, theirs

from allmende.adapters.chain.distribution import FILE, PUT_UP, lab_sale, read_sale, sale_of
from allmende.adapters.chain.establish import establish
from allmende.adapters.chain.institutions import ChainCommons
from allmende.adapters.chain.verify_institutions import verify_institutions
from allmende.adapters.sale_terms import DAY
from allmende.core.refusals import Refused

NOW = 1_800_000_000
GOOD = f"""\
price = "2.5"
euro_rate = "0.5"
soft_cap = 10
hard_cap = 100
person_cap = 20
start = {NOW}
end = {NOW + 30 * DAY}
"""


def written(folder: Path, text: str = GOOD) -> Path:
    (folder / FILE).write_text(text)
    return folder


def test_a_sale_is_what_its_file_says(tmp_path: Path) -> None:
    terms = sale_of(written(tmp_path), "open", 6, 0, NOW)
    assert terms is not None
    assert (terms.price, terms.euro_rate, terms.soft_cap) == (2_500_000, 500_000, 10)
    assert terms.proceeds_max == 2_000_000 * 10**6  # a million euro at half a euro
    (tmp_path / PUT_UP).write_text("{}")
    assert sale_of(tmp_path, "open", 6, 0, NOW + 900 * DAY) is None  # what stands, stands


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (GOOD.replace('price = "2.5"', 'price = "0"'), "not a number above 0"),
        (GOOD.replace('price = "2.5"', 'price = "2.5000001"'), "with 6 decimals"),
        (GOOD.replace("soft_cap = 10\n", ""), "soft_cap"),
        (GOOD + "bonus = 3\n", "bonus"),
        (GOOD.replace("soft_cap = 10", "soft_cap = 101"), "the soft cap is over the hard one"),
        (GOOD + "refund = 60\n", "for the lab alone"),
        ("nonsense", "is no sale"),
    ],
)
def test_a_file_that_is_not_in_order_says_why(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(Refused, match=says):
        read_sale(written(tmp_path, text) / FILE, "open", 6, NOW)


def test_only_a_lab_sells_by_itself_and_only_a_mode_with_sales_at_all(tmp_path: Path) -> None:
    assert sale_of(tmp_path, "open", 12, NOW, NOW) is None
    assert sale_of(tmp_path, "lab", 12, NOW, NOW) == lab_sale(NOW, 12)
    assert sale_of(tmp_path, "lab", 12, NOW, NOW + 31 * DAY) is None
    with pytest.raises(Refused, match="lacks 'sale'"):
        sale_of(written(tmp_path), "closed_loop", 12, NOW, NOW)


def test_a_sale_is_put_up_with_the_others_in_the_same_hands(tmp_path: Path) -> None:
    async def test(town: Town) -> None:
        sale = lab_sale(town.deployment.made_at, town.deployment.decimals)
        made: Any = founding(town, sale=sale)
        record = await establish(town.rig.chain, town.sender, theirs(), made)
        found = await verify_institutions(town.rig.chain, record, theirs())
        assert [one.says for one in found if not one.ok] == []
        assert "Sale terms: within eu/mica-sale@2024-12-30." in [one.says for one in found]
        commons = ChainCommons(town.rig.chain, record, theirs(), town.rig.profile)
        told = await commons["Sale"].get("terms", None)
        assert told == tuple(getattr(sale, name) for name in sale.__struct_fields__)
        assert await commons["Sale"].get("beneficiary", None) == town.deployment.commons

    theirs()  # compiled before the clock runs

    async def work() -> None:
        async with deployed("embedded", tmp_path) as town, asyncio.timeout(60):
            await test(town)

    asyncio.run(work())
