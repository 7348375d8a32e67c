"""Govern: who decides, and what a decision would change. docs/govern.md.

Rule: each command is a module of its own, cli/govern_<what>.py, with one line in COMMANDS.
"""

from __future__ import annotations

import importlib

import click

COMMANDS = {
    "simulate": ("govern_simulate", "What a rule would have changed, on real requests."),
    "levy": ("govern_levy", "What the commons took of every price, and what it paid out."),
    "jury": ("govern_jury", "Juries by lot: call, draw, check, list."),
}
"""Name -> (module here, what it does), in the order in which help lists them. A module's command
is always called `command`."""


class Lazy(click.Group):
    """Imports a command's module when it is asked for: some need an extra."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"allmende.cli.{COMMANDS[cmd_name][0]}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, does) for name, (_, does) in COMMANDS.items()])


@click.group(cls=Lazy)
def govern() -> None:
    """Who decides on the rules of a market, and what a decision would change."""
