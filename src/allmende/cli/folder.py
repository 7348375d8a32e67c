"""Folder: the data directory and the addresses that commands of a chain are given.

Beside everything heavy: a command that needs a node and a key alone starts in half the time.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click

from allmende.main_settings import Unset, settings

data_option = click.option("--data", help="The data directory [ALLMENDE_DATA, data].")


class _Address(click.ParamType[str]):
    name = "address"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if not re.fullmatch(r"0x[0-9a-fA-F]{40}", value):
            self.fail(f"{value} is not 0x and 40 hex digits.", param, ctx)
        return str(value).lower()


ADDRESS = _Address()


def folder_of(data: str | None) -> Path:
    """The one that is named, or that the environment says."""
    try:
        return Path(settings({"data": data}).data)
    except Unset as error:
        raise click.UsageError(str(error)) from None
