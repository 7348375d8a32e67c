"""Market: a whole market, or a member's tree, as one open file; and back. docs/portability.md."""

from __future__ import annotations

from pathlib import Path

import click

from allmende.adapters import bundle, market_import
from allmende.adapters.market_export import write_market
from allmende.adapters.market_import import Imported, read_market
from allmende.adapters.secrets import SecretBroken
from allmende.cli.client import Failed
from allmende.cli.offline import data_option, opened
from allmende.cli.show import out_json, pairs, progress
from allmende.main import JOURNAL
from allmende.wire.portable import Bad, Manifest

file_argument = click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")


@click.group()
def market() -> None:
    """A whole market, or a member's tree, as one open file; and back."""


@market.command("export")
@data_option
@click.option("--out", required=True, type=click.Path(dir_okay=False, path_type=Path))
@click.option("--with-keys", is_flag=True, help="Also the keys: who has the file is the market.")
@json_option
def export_(data: str | None, out: Path, with_keys: bool, as_json: bool) -> None:
    """All that a data directory has, as one file; the market may run meanwhile.

    Nothing secret is in it without --with-keys; with it the new place can sign, and open the
    providers' sealed keys. Whoever has that file can act as the market.
    """
    with opened(data) as (_, folder), progress("written") as step:
        try:
            made = write_market(folder, JOURNAL, out, with_keys=with_keys, step=step)
        except FileExistsError:
            raise Failed(f"{out} is there already; nothing was written over it.") from None
        except SecretBroken as broken:
            raise Failed(str(broken)) from None
        except OSError as error:
            raise Failed(f"{out} cannot be written: {error.strerror}.") from None
    if as_json:
        out_json({"file": str(out), **_facts(made), "left": list(made.left)})
        return
    pairs({"file": str(out), **_facts(made)})
    if made.left:
        click.echo(f"Left behind in {folder}: {', '.join(made.left)}.")
    if with_keys:
        click.secho(f"{out} holds the market's keys: keep it as you keep them.", bold=True)


@market.command("import")
@file_argument
@click.option("--data", required=True, type=click.Path(path_type=Path), help="A new directory.")
@json_option
def import_(file: Path, data: Path, as_json: bool) -> None:
    """A data directory out of an export; everything in it is checked on the way."""
    with progress("checked") as step:
        try:
            done = read_market(file, data, JOURNAL, step)
        except Bad as bad:
            raise Failed(f"Nothing was imported. {bad}.") from None
        except FileExistsError:
            raise Failed(f"{data} is not empty; name a new directory.") from None
        except OSError as error:
            raise Failed(f"Nothing was imported: {error}.") from None
    if as_json:
        out_json({"data": str(data), **_checked(done)})
        return
    pairs({"data": str(data), **_checked(done)})
    if done.manifest.keys:
        click.echo(f"It serves as before: allmende serve --data {data}")
        click.echo("Stop the market it was exported from: two with one key are a split view.")
    else:
        click.echo(f"Put its master.key and signer.key into {data}; then it serves as before.")


@market.command()
@file_argument
@json_option
def verify(file: Path, as_json: bool) -> None:
    """Check an export as an import would, and keep nothing."""
    with progress("checked") as step:
        try:
            with bundle.opened(file) as found:
                done = market_import.check_market(found, step)
        except Bad as bad:
            raise Failed(f"{file}: {bad}.") from None
    if as_json:
        out_json(_checked(done))
    else:
        pairs(_checked(done))


def _facts(made: Manifest) -> dict[str, object]:
    return {
        "market": made.market.name,
        "public_key": made.market.public_key,
        "events": made.events,
        "head": made.head,
        "digest": made.digest,
        "entries": len(made.entries),
        "keys": made.keys,
        "signed": bool(made.signature),
    }


def _checked(done: Imported) -> dict[str, object]:
    return {
        **_facts(done.manifest),
        "receipts": done.receipts,
        "batches": done.batches,
        "signatures": done.signatures,
        "digest": done.digest,
        "compared": done.compared,
    }
