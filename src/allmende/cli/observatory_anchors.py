"""Anchors: every published value beside our own, and exit code 1 if one differs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import msgspec

from allmende.adapters.anchors import BadAnchors, Held, held, published
from allmende.adapters.rules import BadRules
from allmende.cli.client import Failed
from allmende.cli.show import out_json, table

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command("anchors")
@click.option("--published", "path", type=FILE, help="Another file of values, in the same form.")
@click.option("--json", "as_json", is_flag=True, help="With inputs.")
def command(path: Path | None, as_json: bool) -> None:
    """Published values, and what our own figures make of the same inputs.

    `published` was printed by its source, `closed-form` follows from a definition, `recomputed`
    was computed again by somebody before us. Exit code 1 if one of them differs by more than its
    tolerance.
    """
    try:
        found = published(path)
        rows = held(found)
    except (BadAnchors, BadRules) as error:
        raise Failed(str(error)) from None
    differ = [row.anchor.id for row in rows if not row.fits]
    if as_json:
        out_json([{**msgspec.to_builtins(row.anchor), **_ours(row)} for row in rows])
    else:
        table([_row(row) for row in rows], COLUMNS, "No anchors.")
        click.echo(f"Not figures but models of the lab, so not here: {', '.join(found.elsewhere)}.")
    if differ:
        raise Failed(f"{len(differ)} of {len(rows)} differ: {', '.join(differ)}.")
    if not as_json:
        click.echo(f"All {len(rows)} within their tolerances.")


COLUMNS = ("what", "published", "own", "within", "unit", "kind", "fits", "source")


def _row(row: Held) -> dict[str, Any]:
    anchor = row.anchor
    return {
        "what": anchor.says,
        "published": f"{anchor.published:.10g}",
        "own": f"{row.own:.10g}",
        "within": f"{anchor.tolerance:g}",
        "unit": anchor.unit,
        "kind": anchor.kind,
        "fits": "yes" if row.fits else "NO",
        "source": anchor.source,
    }


def _ours(row: Held) -> dict[str, Any]:
    return {"own": row.own, "fits": row.fits}
