"""Running: markets, demonstrations and experiments that go on until they end."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import click
import msgspec

from allmende.adapters.secrets import SecretBroken
from allmende.adapters.server import Busy
from allmende.cli.client import Failed
from allmende.cli.remote import Market, remote
from allmende.cli.show import out_json
from allmende.core.refusals import Refused
from allmende.main import Opened, Settings, Unset, settings
from allmende.main import serve as serve_market
from allmende.ports import ChainFailed
from allmende.wire.journal import Broken

CHAT_MODEL = "smollm2-135m-instruct"
CLIENT_ONLY = ("url", "key")
"""Settings that only mean something to commands that talk to a running market."""
KINDS = {"string": str, "integer": int}


def settings_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """An option for every setting of a market; what is not given comes from the environment."""
    fields = msgspec.json.schema(Settings)["$defs"]["Settings"]["properties"]
    for name, says in reversed(fields.items()):
        if name in CLIENT_ONLY:
            continue
        flag, default = f"--{name.replace('_', '-')}", says["default"]
        described = f"{says['description']} [ALLMENDE_{name.upper()}, {default}]"
        if says["type"] == "boolean":
            flag = f"{flag}/--no-{name.replace('_', '-')}"
            option = click.option(flag, default=None, help=described)
        else:
            option = click.option(flag, type=KINDS[says["type"]], help=described)
        command = option(command)
    return command


@click.command()
@settings_options
def serve(**given: Any) -> None:
    """Run a market until Ctrl-C, and say how to connect."""
    try:
        sys.exit(serve_market(settings(given), _say_opened, _say_model))
    except Unset as error:
        raise click.UsageError(str(error)) from None
    except (Busy, SecretBroken, Refused) as error:
        raise Failed(str(error)) from None
    except Broken as error:
        raise Failed(f"The journal is damaged: {error}. See `allmende audit`.") from None
    except ChainFailed as failed:
        raise Failed(f"The chain does not start: {failed.cause}. {failed.detail}") from None


def _say_opened(opened: Opened) -> None:
    click.echo(f"{opened.name} is open at {opened.url}")
    if opened.operator_key:
        click.echo("\nYour administrator's key, shown this once:")
        click.secho(f"  {opened.operator_key}", bold=True)
    if opened.spending_key:
        click.echo("\nConnect any OpenAI client (100 credits of play money are on this key):")
        click.echo(snippet(opened.url, opened.spending_key, CHAT_MODEL))
    elif not opened.operator_key:
        click.echo(f"Any OpenAI client connects with base_url={opened.url}/v1 and its key.")


def _say_model(trouble: str) -> None:
    if trouble:
        click.echo(f"\nNo local model: {trouble}.")
    else:
        click.echo(f"\nThe local model answers: {CHAT_MODEL}. Stop with Ctrl-C.")


def snippet(url: str, key: str, model: str) -> str:
    """The three lines that connect the openai package."""
    return (
        "  from openai import OpenAI\n"
        f'  client = OpenAI(base_url="{url}/v1", api_key="{key}")\n'
        f'  print(client.chat.completions.create(model="{model}", '
        'messages=[{"role": "user", "content": "Hello"}]).choices[0].message.content)'
    )


@click.command()
@click.option("--id", "id_", default="my-organisation", show_default=True)
@click.option("--credits", "amount", default="100", show_default=True)
@remote
def quickstart(market: Market, id_: str, amount: str) -> None:
    """An organisation with a budget, credits and a first key, in a running market."""
    client = market.client
    client.ask("add_member", {"id": id_, "name": id_, "kind": "organisation"})
    client.ask("add_budget", {"id": id_, "name": "Everything", "owner": id_})
    client.ask("deposit", {"member": id_, "amount": amount, "reference": f"quickstart {id_}"})
    key = client.ask("issue_key", {"member": id_, "role": "spend", "budget": id_})
    models = sorted({offer["model"] for offer in client.get("offers")})
    if market.as_json:
        out_json({"member": id_, "key": key["secret"], "url": f"{client.url}/v1", "models": models})
        return
    click.echo(f"{id_} has {amount} credits. Its first key, shown this once, in three lines:")
    click.echo(snippet(client.url, key["secret"], models[0] if models else "MODEL"))


# The laboratory -----------------------------------------------------------------------


@click.command()
def demo() -> None:
    """Walk one market through a token's life, with a real model and the openai client."""
    from allmende.lab.demo import main

    sys.exit(main(click.echo))


@click.command()
@click.option("--seeds", default=100, show_default=True, help="How many markets.")
def sim(seeds: int) -> None:
    """Whole markets under a virtual clock, with faults; every one is checked and replayed."""
    from allmende.lab import limits
    from allmende.lab.simulation import main

    sys.exit(main(seeds) or limits.main())


@click.command()
@click.option("--rounds", default=20, show_default=True, help="How many kills.")
def crash(rounds: int) -> None:
    """kill -9 a market under load, and audit each restart."""
    from allmende.lab.crash import main

    sys.exit(main(rounds))


@click.command()
@click.option("--requests", default=1_000, show_default=True, help="All at once.")
@click.option("--affords", default=137, show_default=True, help="What the budget pays for.")
def overshoot(requests: int, affords: int) -> None:
    """Requests at once against a budget that affords fewer: not one receipt too many."""
    from allmende.lab.overshoot import main

    sys.exit(main(requests, affords))
