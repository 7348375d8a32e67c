"""Lazy: groups of commands that import a command's module when the command is asked for.

So `allmende --help` starts at once, and what needs an extra needs it only where it is used.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

import click


class Lazy(click.Group):
    """`listed`: name -> (`module` or `module:function` in this package, what it does), in the order
    in which help lists them. Without a function it is called `function`, or as the command."""

    def __init__(
        self, *args: Any, listed: Mapping[str, tuple[str, str]], function: str = "", **more: Any
    ) -> None:
        super().__init__(*args, **more)
        self._listed = listed
        self._function = function

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self._listed)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self._listed:
            return None
        name, _, function = self._listed[cmd_name][0].partition(":")
        module = importlib.import_module(f"allmende.cli.{name}")
        command: click.Command = getattr(module, function or self._function or cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, does) for name, (_, does) in self._listed.items()])


class Mixed(click.Group):
    """A group with commands of its own, and `more` in modules of theirs: name -> module in this
    package, where `deploy` is `deploy_`."""

    def __init__(self, *args: Any, more: Mapping[str, str], **given: Any) -> None:
        super().__init__(*args, **given)
        self._more = more

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*super().list_commands(ctx), *self._more]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self._more:
            return super().get_command(ctx, cmd_name)
        module = importlib.import_module(f"allmende.cli.{self._more[cmd_name]}")
        command: click.Command = getattr(module, f"{cmd_name}_")
        return command
