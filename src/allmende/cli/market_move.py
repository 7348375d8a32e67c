"""Market: a whole market, or a member's tree, as one open file; and back. docs/portability.md."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click
import msgspec

from allmende.adapters import bundle, market_import
from allmende.adapters.market_export import write_market
from allmende.adapters.market_import import Imported, read_market
from allmende.adapters.member_file import Member, read_member
from allmende.adapters.secrets import SecretBroken
from allmende.cli.client import Failed
from allmende.cli.offline import data_option, opened
from allmende.cli.remote import Market, remote
from allmende.cli.show import out_json, pairs, progress
from allmende.main import JOURNAL
from allmende.wire.portable import MEMBER, Bad, Manifest

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
@click.option("--public-key", help="The market's key in hex, as you know it from elsewhere.")
@json_option
def verify(file: Path, public_key: str | None, as_json: bool) -> None:
    """Check an export, of a market or a member, as an import would; and keep nothing."""
    with progress("checked") as step:
        try:
            with bundle.opened(file) as found:
                if found.manifest.format == MEMBER:
                    said = _member(read_member(found, public_key, step))
                else:
                    said = _checked(market_import.check_market(found, step))
        except Bad as bad:
            raise Failed(f"{file}: {bad}.") from None
    if public_key not in (None, said["public_key"]):
        raise Failed(f"{file}: it is of a market with another key, {said['public_key']}.")
    if as_json:
        out_json(said)
    else:
        pairs(said)


@market.command("export-member")
@click.argument("ids", metavar="ID...", nargs=-1, required=True)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="ID.zip if not given.")
@remote
def export_member(market: Market, /, ids: tuple[str, ...], out: Path | None) -> None:
    """A member's tree with all that is its own, and its receipts with their proofs.

    With several, their trees in one file. A manager's key takes its own tree, an operator's any.
    """
    out = out or Path(f"{ids[0]}.zip")
    if out.exists():
        raise Failed(f"{out} is there already; nothing was written over it.")
    data = market.client.download("export_member", member=list(ids))
    try:
        with open(os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(data)
    except OSError as error:
        raise Failed(f"{out} cannot be written: {error.strerror}.") from None
    with bundle.opened(out) as found:
        said = {"file": str(out), **_member(read_member(found))}
    if market.as_json:
        out_json(said)
    else:
        pairs(said)


@market.command("import-member")
@file_argument
@click.option("--prefix", default="", help="Goes before every id that comes.")
@click.option("--secrets", type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help='JSON of offer to its provider\'s key, as {"my-offer": "sk-..."}.')  # fmt: skip
@click.option("--asset", "assets", multiple=True, metavar="THERE=HERE",
              help="Which asset here stands for one there, as credit=credit@south.")  # fmt: skip
@remote
def import_member(
    market: Market, /, file: Path, prefix: str, secrets: Path | None, assets: tuple[str, ...]
) -> None:
    """Take a member's tree from another market into the running one: all of it or nothing.

    Members, budgets with what was spent, keys, titles, offers, evidence as claims; no money.
    Again with the same file it changes nothing. It takes an operator's key.
    """
    given = _secrets(secrets)
    named = dict(_pair(word) for word in assets)
    try:
        with bundle.opened(file) as found:
            member = read_member(found)
    except Bad as bad:
        raise Failed(f"Nothing was imported. {bad}.") from None
    answer = market.client.send("import_member", asked(member, prefix, given, named))
    if market.as_json:
        out_json(answer)
        return
    for line in told(answer):
        click.echo(line)


def _secrets(file: Path | None) -> dict[str, str]:
    if file is None:
        return {}
    try:
        return msgspec.json.decode(file.read_bytes(), type=dict[str, str])
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Failed(f"{file.name} is no JSON of offers to keys: {error}.") from None


def _pair(word: str) -> tuple[str, str]:
    there, equals, here = word.partition("=")
    if not (there and equals and here):
        raise click.UsageError(f"{word!r} is not THERE=HERE, such as credit=credit@south.")
    return there, here


NO_ASSETS: Mapping[str, str] = {}


def asked(
    member: Member, prefix: str, secrets: Mapping[str, str], assets: Mapping[str, str] = NO_ASSETS
) -> bytes:
    """The body of an import."""
    manifest = member.manifest
    return msgspec.json.encode(
        {
            "tree": member.tree,
            "market": manifest.market.id,
            "public_key": manifest.market.public_key,
            "events": manifest.events,
            "prefix": prefix,
            "secrets": dict(secrets),
            "assets": dict(assets),
            "bring": member.open.bring,
        }
    )


def told(answer: Mapping[str, Any]) -> Iterator[str]:
    """What came, what did not, and what is still to come."""
    names = ", ".join(answer["members"])
    if answer["again"]:
        yield f"This tree came before, as {names}. Nothing was changed."
    else:
        came = ", ".join(f"{count} {part}" for part, count in answer["came"].items() if count)
        yield f"{names} came with {came}."
    yield from (f"Not here: {line}" for line in answer["left"])
    for row in answer["bring"]:
        yield (
            f"To bring: {row['amount']} {row['unit']} of {row['asset']} ({row['kind']}) "
            f"of {row['account']}."
        )


def _member(found: Member) -> dict[str, object]:
    tree = found.tree
    parts = ("budgets", "keys", "titles", "offers", "evidence")
    return {
        "market": found.manifest.market.name,
        "public_key": found.manifest.market.public_key,
        "events": found.manifest.events,
        "members": [member.id for member in tree.members],
        **{part: len(getattr(tree, part)) for part in parts},
        "receipts": found.receipts,
        "bring": len(found.open.bring),
        "left": list(found.open.left),
    }


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
