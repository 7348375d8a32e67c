"""Checks: sealed verdicts on one delivery, told when nobody can seal any more."""

from __future__ import annotations

import secrets
from pathlib import Path

import click

from allmende.cli.client import Failed
from allmende.cli.remote import Market, remote
from allmende.core.checks import SAID, SALT_LEAST, sealed

VERDICT = click.Choice(SAID)


@click.group()
def check() -> None:
    """Verifiers seal a verdict each, and tell it when all are sealed: docs/life/verify.md."""


@check.command("open")
@click.argument("id_", metavar="ID")
@click.option("--subject", required=True, help="The receipt, case or offer that is looked at.")
@click.option("--about", required=True, help="The member whose work it was.")
@click.option("--commit-seconds", type=int, default=3_600, show_default=True)
@click.option("--reveal-seconds", type=int, default=3_600, show_default=True)
@remote
def open_(market: Market, /, id_: str, **told: object) -> None:
    """Ask verifiers. Operators."""
    market.ask("open_check", {"id": id_, **told}, f"Check {id_} takes sealed verdicts now.")


@check.command("commit")
@click.argument("id_", metavar="ID")
@click.argument("verifier")
@click.argument("verdict", type=VERDICT)
@click.option("--salt-file", type=click.Path(path_type=Path), required=True,
              help="Where the salt is kept until you reveal; made now.")  # fmt: skip
@remote
def commit(market: Market, /, id_: str, verifier: str, verdict: str, salt_file: Path) -> None:
    """Seal a VERDICT: nobody, the market either, knows it before you tell."""
    salt = secrets.token_hex(SALT_LEAST // 2)
    try:
        with salt_file.open("x") as file:
            salt_file.chmod(0o600)
            file.write(f"{verdict} {salt}\n")
    except FileExistsError:
        raise Failed(f"{salt_file} exists: one file a sealed verdict.") from None
    fields = {"check": id_, "verifier": verifier, "hash": sealed(id_, verifier, verdict, salt)}
    market.ask("commit", fields, f"Sealed. Keep {salt_file}, and reveal when commitments end.")


@check.command("reveal")
@click.argument("id_", metavar="ID")
@click.argument("verifier")
@click.option("--salt-file", type=click.Path(exists=True, path_type=Path), required=True)
@remote
def reveal(market: Market, /, id_: str, verifier: str, salt_file: Path) -> None:
    """Tell what was sealed."""
    verdict, _, salt = salt_file.read_text().strip().partition(" ")
    if verdict not in SAID:
        raise Failed(f"{salt_file} has no verdict and salt in it.")
    fields = {"check": id_, "verifier": verifier, "verdict": verdict, "salt": salt}
    market.ask("reveal", fields, f"{verifier} said: {verdict}.")


@check.command("list")
@remote
def list_(market: Market) -> None:
    """Checks that are open: until when, and how many have sealed and told."""
    columns = ("id", "subject", "about", "commit_until", "reveal_until", "sealed", "told")
    market.rows("checks", columns, "No check is open.")
