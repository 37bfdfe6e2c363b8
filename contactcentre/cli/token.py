"""Tokens by which programs use the API in the name of an account."""

import time
from datetime import UTC, datetime

import click

from contactcentre.cli.context import open_store
from contactcentre.cli.terminal import actor, json_option, listed, print_json
from contactcentre.cli.user import known_user
from contactcentre.store import ApiToken


@click.group()
def command() -> None:
    """Tokens by which programs use the API, in the name of an account."""


@command.command()
@click.argument("account")
@click.option("--name", required=True, help="What it is for.")
@click.option("--scope", "scopes", required=True, multiple=True, help="What it may; several times: these.")
@click.option("--days", type=float, required=True, help="For so many it is good; at most 366.")
@json_option
def create(account: str, name: str, scopes: tuple[str, ...], days: float, as_json: bool) -> None:
    """Make a token of ACCOUNT, and print it this once."""
    from contactcentre.web import tokens

    with open_store() as store:
        made, text = tokens.issue(store, known_user(store, account), name, scopes, days, actor(), time.time())
    if as_json:
        print_json({"token": text, "id": made.id, "scopes": list(made.scopes), "expires_at": made.expires_at})
        return
    click.echo(f"The token of {account}, good until {_day(made.expires_at)}; it is not shown again:")
    click.echo(f"  {text}")


@command.command("list")
@click.argument("account", required=False)
@json_option
def list_(account: str | None, as_json: bool) -> None:
    """Show the tokens of ACCOUNT, or everybody's.

    Those that have ended are shown for 30 days.
    """
    now, cursor = time.time(), ""
    found: list[ApiToken] = []
    with open_store() as store:
        if account is not None:
            known_user(store, account)
        while True:
            page = store.tokens(account, now=now, limit=200, cursor=cursor)
            found += page.tokens
            if not (cursor := page.cursor):
                break
    rows = [
        {
            "token": one.id,
            "account": one.account,
            "name": one.name,
            "scopes": list(one.scopes),
            "expires": _day(one.expires_at),
            "used": _day(one.used_at) if one.used_at else "never",
            "state": "good" if one.usable(now) else "revoked" if one.revoked_at else "over",
        }
        for one in found
    ]
    columns = ("token", "account", "name", "scopes", "expires", "used", "state")
    listed(rows, columns, as_json, "No tokens: contactcentre token create ACCOUNT --name NAME --scope SCOPE --days N")


@command.command()
@click.argument("token")
def revoke(token: str) -> None:
    """End the token that begins with TOKEN (cct_ and 8 letters), at once."""
    from contactcentre.web import tokens
    from contactcentre.web.bearer import SHOWN

    with open_store() as store:
        ended = tokens.revoke(store, token[:SHOWN], actor(), time.time())
    click.echo(f"{ended.id} of {ended.account} is revoked")


def _day(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%MZ")
