"""`tocsin tokens`: the keys to the API; and `tocsin whoami`: as whom the daemon sees us.

The daemon keeps a hash of a secret only, so `create` is the one time that it can be shown. It goes to stdout alone,
where a script can pick it up; that it will not come again is said on stderr.
"""

from collections.abc import Sequence
from datetime import datetime

import click

from tocsin.v1.access_pb2 import (
    ApiToken,
    CreateApiTokenRequest,
    DeleteApiTokenRequest,
    GetApiTokenRequest,
    GetCallerRequest,
    ListApiTokensRequest,
)

from . import names, output, several, times
from .commands import Command, Group, Settings, notice, pass_settings

_COLUMNS = (
    output.Column("NAME"),
    output.Column("ROLE"),
    output.Column("DISPLAY NAME", folds=True),
    output.Column("CREATED", folds=True),
    output.Column("BY", folds=True),
    output.Column("EXPIRES", folds=True),
    output.Column("LAST USED", folds=True),
)
_ROLES = ["admin", "editor", "viewer", "gateway"]


@click.group(cls=Group)
def tokens() -> None:
    """API tokens: the keys of people, tools and gateways.

    NAME is apiTokens/ID, or the ID alone.
    """


@tokens.command()
@click.option(
    "--role",
    type=click.Choice(_ROLES),
    required=True,
    help="What it is good for: everything, acting on alert groups, reading, or handing in what a gateway received.",
)
@click.option(
    "--name", "display_name", required=True, metavar="TEXT", help="What timelines and the audit log call it; unique."
)
@click.option("--expires", type=times.AHEAD, help="When it stops working: 90d from now, or 2027-01-01. Default: never.")
@pass_settings
def create(settings: Settings, role: str, display_name: str, expires: datetime | None) -> None:
    """Create a token, and print its secret: the only time that it is shown."""
    token = ApiToken(display_name=display_name, role=ApiToken.Role.Value(role.upper()))
    if expires is not None:
        token.expire_time.FromDatetime(expires)
    with settings.connect() as daemon:
        created = daemon.call(daemon.access.CreateApiToken, CreateApiTokenRequest(api_token=token))
    _print(settings, created)
    if not created.secret:  # the answer that bore it got lost on the way, and this is the one to a repeat
        notice(f"the secret got lost: `tocsin tokens revoke {created.name}`, and create another")
    elif not settings.json:
        notice("the secret is not shown again: keep it now")


@tokens.command("list")
@pass_settings
def list_(settings: Settings) -> None:
    """List all tokens, oldest first, expired ones included."""
    with settings.connect() as daemon:
        response = daemon.all_pages(daemon.access.ListApiTokens, ListApiTokensRequest())
    if settings.json:
        output.print_json(response, "apiTokens")
    else:
        output.print_table(_COLUMNS, map(_row, response.api_tokens))


@tokens.command()
@click.argument("name", type=names.API_TOKEN)
@pass_settings
def show(settings: Settings, name: str) -> None:
    """Show one token, without its secret."""
    with settings.connect() as daemon:
        token = daemon.call(daemon.access.GetApiToken, GetApiTokenRequest(name=name))
    _print(settings, token)


@tokens.command()
@click.argument("revoked", metavar="NAME...", nargs=-1, required=True, type=names.API_TOKEN)
@several.yes_option
@pass_settings
def revoke(settings: Settings, revoked: Sequence[str], yes: bool) -> None:
    """Revoke tokens: whoever uses them is refused from now on."""
    with settings.connect() as daemon:
        if several.must_ask(yes):
            several.confirm_each(
                daemon,
                daemon.access.GetApiToken,
                [GetApiTokenRequest(name=name) for name in revoked],
                _COLUMNS,
                _row,
                lambda found: f"Revoke {several.count(found, 'token')}?",
            )

        def revoke_one(name: str) -> None:
            response = daemon.call(daemon.access.DeleteApiToken, DeleteApiTokenRequest(name=name))
            if settings.json:
                output.print_json_line(response)
            else:
                click.echo(f"{name} revoked")

        several.for_each(revoked, revoke_one)


@click.command(cls=Command)
@pass_settings
def whoami(settings: Settings) -> None:
    """Say as whom and with which role the daemon sees you."""
    with settings.connect() as daemon:
        caller = daemon.call(daemon.access.GetCaller, GetCallerRequest())
    if settings.json:
        output.print_json(caller)
        return
    output.print_fields(
        [
            ("actor", caller.actor),
            ("role", output.enum_word(caller, "role")),
            ("apiToken", caller.api_token or "none (you may open the daemon's socket)"),
        ]
    )


def _row(token: ApiToken) -> list[str]:
    return [
        token.name,
        output.enum_word(token, "role"),
        token.display_name,
        output.time_and_age(token, "create_time"),
        token.creator,
        output.time_and_age(token, "expire_time") or "never",
        output.time_and_age(token, "last_use_time") or "never",
    ]


def _print(settings: Settings, token: ApiToken) -> None:
    if settings.json:
        output.print_json(token)
        return
    output.print_fields(
        [
            ("name", token.name),
            ("displayName", token.display_name),
            ("role", output.enum_word(token, "role")),
            ("expireTime", output.time_and_age(token, "expire_time") or "never"),
            ("createTime", output.time_and_age(token, "create_time")),
            ("creator", token.creator),
            ("lastUseTime", output.time_and_age(token, "last_use_time")),
            ("secret", token.secret),
        ]
    )
