"""Race report: the panels of the race monitor as files: SVG, CSV, one page and one text."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from datetime import date
from html import escape
from pathlib import Path

from allmende.measure.drawing_paper import COLOURS, DARK, INKS, LIGHT, colours
from allmende.measure.race import Missing, Panel, Tongue

PAGE = """<!doctype html>
<html lang="{language}"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><title>{title}</title><style>
:root {{ {light} --paper: #faf8f3; }}
@media (prefers-color-scheme: dark) {{ :root {{ {dark} --paper: #111513; }} }}
body {{ margin: 0 auto; max-width: 50rem; padding: 1rem; background: var(--paper);
  color: var(--ink); font: 16px/1.55 system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }}
h1, h2 {{ font-family: "Iowan Old Style", Palatino, Charter, Georgia, serif; line-height: 1.2; }}
figure {{ margin: 0 0 1rem; }} img {{ width: 100%; height: auto; display: block; }}
section {{ margin: 2rem 0; }} .seen {{ font-size: 1.05rem; }}
dl {{ font-size: .88rem; color: var(--faint); margin: 0; }} dt {{ font-weight: 600; }}
dd {{ margin: 0 0 .4rem; overflow-wrap: anywhere; }} a {{ color: var(--s1); }}
</style></head><body><h1>{title}</h1><p>{lead}</p>
{sections}
{missing}<p>{thanks}</p></body></html>
"""


def write(
    folder: Path, found: Sequence[Panel | Missing], tongue: Tongue, today: date
) -> list[Path]:
    """Everything into `folder`; what was there under these names is replaced."""
    folder.mkdir(parents=True, exist_ok=True)
    panels = [one for one in found if isinstance(one, Panel)]
    files = {f"{one.key}.svg": one.svg for one in panels}
    files |= {f"{one.key}.csv": as_csv(one) for one in panels}
    lacking = [_lacking(one, tongue) for one in found if isinstance(one, Missing)]
    files["index.html"] = _page(panels, lacking, tongue)
    files["summary.md"] = _text(panels, lacking, tongue, today)
    written = []
    for name, content in files.items():
        path = folder / name
        path.write_text(content, encoding="utf-8", newline="\n")
        written.append(path)
    return written


def as_csv(panel: Panel) -> str:
    """The table behind a chart; a text that a spreadsheet would run is made a text."""
    out = io.StringIO()
    names = list(dict.fromkeys(name for row in panel.table for name in row))
    writer = csv.DictWriter(out, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _inert(value) for name, value in row.items()} for row in panel.table)
    return out.getvalue()


def _inert(value: str | int | float | None) -> str | int | float | None:
    return f"'{value}" if isinstance(value, str) and value[:1] in tuple("=+-@\t\r") else value


def facts(panel: Panel, tongue: Tongue) -> list[tuple[str, str]]:
    """What stands under every chart."""
    say = tongue.say
    return [
        (say("race.what"), panel.definition),
        (say("race.whole"), panel.denominator),
        (say("race.window"), panel.window),
        (say("race.source"), panel.source),
        (say("race.grade"), f"{say(f'grade.{panel.grade}')}: {say(f'grade.why.{panel.grade}')}"),
    ]


def _lacking(one: Missing, tongue: Tongue) -> str:
    if one.needs:
        return tongue.say("race.needs", title=one.title, needs=", ".join(one.needs))
    return tongue.say("race.few", title=one.title)


def _page(panels: Sequence[Panel], lacking: Sequence[str], tongue: Tongue) -> str:
    say = tongue.say
    missing = "".join(f"<li>{escape(line)}</li>" for line in lacking)
    light, dark = (f"{inks} {colours(row)}" for inks, row in zip(INKS, (LIGHT, DARK), strict=True))
    assert len(LIGHT) == COLOURS
    return PAGE.format(
        language=tongue.language,
        title=escape(say("race.head")),
        lead=escape(say("race.opening")),
        light=light,
        dark=dark,
        sections="\n".join(_section(one, tongue) for one in panels),
        missing=f"<h2>{escape(say('race.missing'))}</h2><ul>{missing}</ul>\n" if missing else "",
        thanks=escape(say("race.thanks")),
    )


def _section(panel: Panel, tongue: Tongue) -> str:
    rows = "".join(
        f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in facts(panel, tongue)
    )
    table = f'<a href="{panel.key}.csv" download>{panel.key}.csv</a>'
    return (
        f'<section id="{panel.key}"><figure><img src="{panel.key}.svg" '
        f'alt="{escape(panel.title)}"></figure><p class="seen">{escape(panel.seen)}</p>'
        f"<dl>{rows}<dt>{escape(tongue.say('race.data'))}</dt><dd>{table}</dd></dl></section>"
    )


def _text(panels: Sequence[Panel], lacking: Sequence[str], tongue: Tongue, today: date) -> str:
    say = tongue.say
    parts = [f"# {say('race.head')}", say("race.opening"), str(today)]
    for panel in panels:
        told = "\n".join(f"- {name}: {value}" for name, value in facts(panel, tongue))
        told += f"\n- {say('race.data')}: [{panel.key}.csv]({panel.key}.csv)"
        picture = f"![{panel.title}]({panel.key}.svg)"
        parts.append(f"## {panel.title}\n\n{picture}\n\n{panel.seen}\n\n{told}")
    if lacking:
        lines = "\n".join(f"- {line}" for line in lacking)
        parts.append(f"## {say('race.missing')}\n\n{lines}")
    return "\n\n".join([*parts, say("race.thanks")]) + "\n"
