"""What all commands have in common: the options that each accepts, and how a command that failed says so.

`--target`, `--output` and the like are accepted before the noun, after it, and after the verb; the last one given
wins. They stand in a section of their own in every `--help`.

A token is taken from a file or the environment, never from an argument: everybody can read those of a process.

A failure is one line on stderr, `tocsin: what and where`, and an exit code from `connection.EXIT_CODES`.
"""

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import click

from . import connection, durations


@dataclass
class Settings:
    """The values of the common options."""

    target: str = field(default_factory=lambda: os.environ.get("TOCSIN_TARGET") or connection.DEFAULT_TARGET)
    output: str = "table"
    timeout: timedelta | None = None
    token_file: Path | None = None
    ca_file: Path | None = field(default_factory=lambda: _path(os.environ.get("TOCSIN_CA_FILE")))

    @property
    def json(self) -> bool:
        """Whether programs read the output."""
        return self.output == "json"

    def connect(self, patience: timedelta = connection.DEFAULT_TIMEOUT) -> connection.Connection:
        """Return a connection to the daemon that the options name; calls wait for `patience`, or --timeout."""
        return connection.Connection(self.target, self.timeout or patience, self.token(), self.ca_file)

    def token(self) -> str | None:
        """Return the secret of the API token to use, if there is one."""
        if self.token_file is None:
            return os.environ.get("TOCSIN_TOKEN", "").strip() or None
        try:
            return self.token_file.read_text(encoding="utf-8").strip()
        except (OSError, ValueError) as error:
            problem = error.strerror if isinstance(error, OSError) else "it is no text"
            raise connection.CommandError(f"{self.token_file}: {problem}", connection.USAGE) from error


def _path(text: str | None) -> Path | None:
    return Path(text) if text else None


pass_settings = click.make_pass_decorator(Settings, ensure=True)


class CommonOption(click.Option):
    """An option that writes its value into the Settings of the whole command line.

    Wherever it stands, it is read before the others: to understand those, the daemon may have to be asked.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Make it one that is read first."""
        super().__init__(*args, is_eager=True, **kwargs)


def _keep(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    if value is not None:
        setattr(ctx.ensure_object(Settings), param.name or "", value)


def _keep_timeout(ctx: click.Context, param: click.Parameter, value: timedelta | None) -> None:
    if value is not None and value <= timedelta(0):
        raise click.BadParameter("waiting for no time at all cannot work: write it like 10s", ctx, param)
    _keep(ctx, param, value)


def common_options() -> list[click.Option]:
    """Return the options of every command that talks to the daemon."""
    return [
        CommonOption(
            ["--target"],
            metavar="ADDRESS",
            help="Where the daemon listens: unix:/PATH or HOST:PORT. Default: $TOCSIN_TARGET, else "
            f"{connection.DEFAULT_TARGET}.",
            callback=_keep,
            expose_value=False,
        ),
        CommonOption(
            ["--token-file"],
            type=click.Path(path_type=Path),
            metavar="FILE",
            help="The file with the secret of an API token. Default: the secret itself in $TOCSIN_TOKEN, else none.",
            callback=_keep,
            expose_value=False,
        ),
        CommonOption(
            ["--ca-file"],
            type=click.Path(path_type=Path),
            metavar="FILE",
            help="Who vouches for the daemon's certificate, as PEM. Default: $TOCSIN_CA_FILE, else whom this machine "
            "trusts. Addresses beyond this machine are always TLS; localhost is plain unless this is given.",
            callback=_keep,
            expose_value=False,
        ),
        CommonOption(
            ["-o", "--output"],
            type=click.Choice(["table", "json"]),
            help="For people (table, the default) or for programs (json: the API's messages in proto3 JSON).",
            callback=_keep,
            expose_value=False,
        ),
        CommonOption(
            ["--timeout"],
            type=durations.DURATION,
            help=f"How long to wait for an answer. Default: {durations.format(connection.DEFAULT_TIMEOUT)}; longer "
            "where the daemon itself has to wait for others.",
            callback=_keep_timeout,
            expose_value=False,
        ),
    ]


class Command(click.Command):
    """A command that talks to the daemon, and so has the common options."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Add the common options to whatever else the command accepts."""
        super().__init__(*args, **kwargs)
        self.params.extend(common_options())

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the command's own options first, and then those of every command."""
        write_options(self, ctx, formatter)


class Group(click.Group):
    """A noun: a group of commands that talk to the daemon."""

    command_class = Command

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Add the common options, for those who write them before the verb."""
        super().__init__(*args, **kwargs)
        self.params.extend(common_options())

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands below after the options."""
        write_options(self, ctx, formatter)
        self.format_commands(ctx, formatter)


class Root(Group):
    """The program: reports every failure in one line, and exits with a code that says what kind it was."""

    def main(  # type: ignore[override]  # click's overloads promise NoReturn for some values of standalone_mode
        self, args: Sequence[str] | None = None, prog_name: str | None = None, **extra: Any
    ) -> Any:
        """Run one command line and exit; with standalone_mode=False, return or raise like any click command."""
        if not extra.pop("standalone_mode", True):
            return super().main(args, prog_name, standalone_mode=False, **extra)
        sys.exit(_exit_code(lambda: super(Root, self).main(args, prog_name, standalone_mode=False, **extra)))


def _exit_code(run: Callable[[], Any]) -> int:
    """Run, report what went wrong, and return the exit code.

    When whoever reads our output goes away, click ends the program by itself: without a word, and with FAILED.
    """
    try:
        result = run()
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return error.exit_code
    except click.ClickException as error:
        report(error)
        return error.exit_code
    except click.Abort:
        return connection.INTERRUPTED
    return result if isinstance(result, int) else 0


def report(error: click.ClickException) -> None:
    """Say on stderr, in one line, what went wrong."""
    message = " ".join(error.format_message().split())
    if isinstance(error, click.UsageError) and error.ctx is not None:
        message = f"{message} (see {error.ctx.command_path} --help)"
    notice(message)


def notice(message: str) -> None:
    """Tell people something on stderr, where it cannot mix with the output."""
    click.echo(f"tocsin: {message}", err=True)


def write_options(command: click.Command, ctx: click.Context, formatter: click.HelpFormatter) -> None:
    """Write the help of a command's options in two sections: its own, and those of every command."""
    options = [param for param in command.get_params(ctx) if isinstance(param, click.Option)]
    own = [option for option in options if not isinstance(option, CommonOption)]
    common = [option for option in options if isinstance(option, CommonOption)]
    for title, params in (("Options", own), ("Options of every command", common)):
        records = [record for param in params if (record := param.get_help_record(ctx)) is not None]
        if records:
            with formatter.section(title):
                formatter.write_dl(records)
