"""People: members, keys and budgets."""

from __future__ import annotations

import click

from allmende.cli.remote import Market, given, remote
from allmende.cli.show import out_json, table


@click.group()
def member() -> None:
    """Who takes part: organisations, people, providers."""


@member.command("add")
@click.argument("id_", metavar="ID")
@click.option("--name", help="As people read it; the id if not given.")
@click.option(
    "--kind",
    type=click.Choice(["organisation", "person", "provider"]),
    default="organisation",
    show_default=True,
)
@click.option("--home", default="", help="The organisation that it belongs to.")
@remote
def add_member(market: Market, id_: str, name: str | None, kind: str, home: str) -> None:
    """Add a member."""
    fields = {"id": id_, "name": name or id_, "kind": kind, "home": home}
    market.ask("add_member", fields, f"Member {id_} is added.")


@member.command("tier")
@click.argument("member")
@click.argument("tier", type=click.IntRange(0, 2))
@click.option("--common-good", is_flag=True, help="It comes first where lots are allotted so.")
@remote
def set_tier(market: Market, member: str, tier: int, common_good: bool) -> None:
    """How far a member is known, and so what it may have open in buy orders."""
    fields = {"member": member, "tier": tier, "common_good": common_good}
    market.ask("set_tier", fields, f"Member {member} is of tier {tier}.")


@member.command("list")
@remote
def list_members(market: Market) -> None:
    """Members that your key sees."""
    market.rows("members", ("id", "name", "kind", "home"), "No members.")


@click.group()
def key() -> None:
    """Keys: what programs and people sign in with."""


@key.command("issue")
@click.argument("member")
@click.option("--role", type=click.Choice(["spend", "manage", "operate"]), default="spend")
@click.option("--budget", default="", help="The budget that it spends from.")
@click.option("--id", "id_", help="A name for it in lists and receipts; made up if not given.")
@click.option("--model", "models", multiple=True, help="Only this model; may be repeated.")
@click.option("--max-rate", help="Dearest price it takes, credits per million tokens.")
@click.option("--expires", help="When it ends, such as 2027-03-31.")
@click.option("--per-minute", type=int, help="Requests a minute at most.")
@remote
def issue_key(
    market: Market,
    member: str,
    role: str,
    budget: str,
    id_: str | None,
    models: tuple[str, ...],
    max_rate: str | None,
    expires: str | None,
    per_minute: int | None,
) -> None:
    """Issue a key for MEMBER. It is shown once, now."""
    fields = {
        "id": id_,
        "member": member,
        "role": role,
        "budget": budget,
        "models": list(models),
        "max_rate": max_rate,
        "expires": expires,
        "per_minute": per_minute,
    }
    answer = market.client.ask("issue_key", given(fields))
    if market.as_json:
        out_json(answer)
    else:
        click.echo(f"Key {answer['id']} for {member}; copy it now, it is not shown again:")
        click.echo(answer["secret"])


@key.command("revoke")
@click.argument("id_", metavar="ID")
@remote
def revoke_key(market: Market, id_: str) -> None:
    """End a key at once."""
    market.ask("revoke_key", {"id": id_}, f"Key {id_} is revoked.")


@key.command("list")
@remote
def list_keys(market: Market) -> None:
    """Keys that your key sees; secrets are nowhere."""
    columns = ("id", "member", "role", "budget", "models", "max_rate", "expires", "per_minute")
    market.rows("keys", columns, "No keys.")


@click.group()
def budget() -> None:
    """Budgets: a tree of what may be spent."""


@budget.command("add")
@click.argument("id_", metavar="ID")
@click.option("--name", help="As people read it; the id if not given.")
@click.option("--parent", default="", help="The budget above it.")
@click.option("--owner", default="", help="For a root: the member whose account pays.")
@click.option("--limit", help="Credits per period; no limit if not given.")
@click.option("--period", type=click.Choice(["total", "month", "term"]), default="total")
@click.option("--asset", help="For a root: the credit it counts in.")
@remote
def add_budget(
    market: Market,
    id_: str,
    name: str | None,
    parent: str,
    owner: str,
    limit: str | None,
    period: str,
    asset: str | None,
) -> None:
    """Add a budget: a root with --owner, or below another with --parent."""
    if bool(parent) == bool(owner):
        raise click.UsageError("A root needs --owner, any other budget --parent; give one of them.")
    fields = {
        "id": id_,
        "name": name or id_,
        "parent": parent,
        "owner": owner,
        "limit": limit,
        "period": period,
        "asset": asset,
    }
    market.ask("add_budget", given(fields), f"Budget {id_} is added.")


@budget.command("set")
@click.argument("id_", metavar="ID")
@click.argument("limit")
@remote
def set_budget(market: Market, id_: str, limit: str) -> None:
    """Set the LIMIT of a budget in credits, or to `none`."""
    value = None if limit == "none" else limit
    market.ask("set_budget", {"id": id_, "limit": value}, f"Budget {id_} has the limit {limit}.")


@budget.command("cap")
@click.argument("id_", metavar="ID")
@click.argument("grams")
@remote
def set_carbon_cap(market: Market, id_: str, grams: str) -> None:
    """Cap the CO2e that a budget may cause in its period at GRAMS, or at `none`."""
    cap = None if grams == "none" else grams
    told = f"Budget {id_} has no carbon cap." if cap is None else f"Budget {id_} may cause {cap} g."
    market.ask("set_carbon_cap", {"id": id_, "cap_ug": cap}, told)


@budget.command("list")
@remote
def list_budgets(market: Market) -> None:
    """The budgets that your key sees, as a tree."""
    rows = market.client.get("budgets")
    if market.as_json:
        out_json(rows)
        return
    columns = ("id", "name", "owner", "limit", "spent", "held", "available", "period", "asset")
    table([{**row, "id": "  " * row["depth"] + row["id"]} for row in rows], columns, "No budgets.")
