"""``marketsim keys``: the API keys by which clients of ``marketsim serve`` are known."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from marketsim.cli.console import empty_table, note, output, say
from marketsim.cli.guard import guarded
from marketsim.cli.options import Debug

if TYPE_CHECKING:
    from marketsim.gateway.keys import Key

_SHOWN = 8  # signs of a key by which people tell it from others

keys = typer.Typer(
    name="keys",
    help="Create, list and revoke the API keys of clients.",
    no_args_is_help=True,
)

KeysFile = Annotated[
    Path | None,
    typer.Option("--keys", metavar="FILE", help="Where keys are kept; in the user's configuration when left out."),
]


@keys.command()
@guarded
def create(
    client: Annotated[
        str, typer.Argument(metavar="CLIENT", help="The participant in the market whose orders the key may place.")
    ],
    label: Annotated[str, typer.Option("--label", help="A word on what the key is for.")] = "",
    read_only: Annotated[bool, typer.Option("--read-only", help="May look, and not trade.")] = False,
    address: Annotated[
        list[str] | None,
        typer.Option(
            "--address",
            metavar="NET",
            help="From where it may be used, such as 127.0.0.1 or 10.0.0.0/8; anywhere when left out. May be repeated.",
        ),
    ] = None,
    file: KeysFile = None,
    debug: Debug = False,
) -> None:
    """Make a key and its secret for a client."""
    from marketsim.gateway.keys import PERMISSIONS, KeyStore

    permissions = ("read",) if read_only else PERMISSIONS
    new = KeyStore(file).create(client, label=label, permissions=permissions, addresses=address or ())
    say(f"api key  {new.api_key}")
    say(f"secret   {new.secret}")
    note("The secret cannot be shown again: keep it now. If it is lost, revoke the key and create another.")


@keys.command(name="list")
@guarded
def listing(file: KeysFile = None, debug: Debug = False) -> None:
    """List the keys, without their secrets."""
    from marketsim.gateway.keys import KeyStore, default_path

    found = KeyStore(file).keys()
    if not found:
        note(f"no keys in {file or default_path()}; make one: marketsim keys create CLIENT")
        return
    table = empty_table()
    for title in ("key", "client", "label", "may", "from", "created"):
        table.add_column(title, no_wrap=title in ("key", "created"))
    for key in found:
        table.add_row(*_row(key))
    output().print(table)


def _row(key: Key) -> tuple[str, ...]:
    from rich.markup import escape

    created = datetime.fromtimestamp(key.created / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")
    addresses = ", ".join(key.addresses) or "anywhere"
    named = (escape(key.client), escape(key.label))
    return f"{key.api_key[:_SHOWN]}…", *named, ", ".join(key.permissions), addresses, created


@keys.command()
@guarded
def revoke(
    key: Annotated[str, typer.Argument(metavar="KEY", help="The key, or as much of its beginning as no other has.")],
    file: KeysFile = None,
    debug: Debug = False,
) -> None:
    """Take a key away: a running server refuses it within a second."""
    from marketsim.gateway.keys import KeyStore

    revoked = KeyStore(file).revoke(key)
    say(f"revoked {revoked.api_key[:_SHOWN]}… of {revoked.client}")
