"""Writes docs/cli.md from the commands themselves: `python -m tocsin_cli.reference > docs/cli.md`.

A test fails while that file says anything but what this module prints, so every command and option is documented.
"""

import inspect
from collections.abc import Iterator

import click

from .__main__ import tocsin
from .commands import CommonOption
from .connection import EXIT_CODES

_INTRODUCTION = """\
# The command line

<!-- Written by `python -m tocsin_cli.reference > docs/cli.md`: change the commands in cli/, not this file. -->

`tocsin` asks and steers a running daemon over gRPC; `tocsin up` runs a trial of everything.

Things have names: `integrations/ID`, `integrations/ID/heartbeat`, `alertGroups/42`, `alertGroups/42/notes/7`,
`alertGroups/42/messages/7`, `integrations/ID/routes/ID`, `contactPoints/ID`, `escalationChains/ID`, `apiTokens/ID`.
Where the kind of thing is clear from the command, the bare `ID`, or `42` or `'#42'` for a group, `42/7` for a note or a
message, or `ID/ID` for a route, will do. Integrations, contact points and chains may be given by what people call them
as well.

Durations are numbers with units, `10s`, `5m`, `1h30m`, `7d`; `0s` is none. A number without a unit is refused.

Times are dates with or without a time of day, `2027-01-01`, `2027-01-01T10:00`, `2027-01-01T10:00:00Z`, local unless
they say otherwise; or durations, which count from now: `--since 1d` is a day ago, `--expires 90d` in 90 days.

What cannot be undone, and what a filter finds, is shown on a terminal and asked about; `--yes` does not ask. Without a
terminal nobody is asked.

Timelines and the audit log name who did what: your login name, or what the environment variable `TOCSIN_ACTOR` says.
Where a token is used its name is added, as in `ada via Ada's laptop`: the login name alone proves nothing.

Secrets are read from files or from stdin, so that they stand on no command line, where other users of the machine could
read them.

Tables are for people: in local time, in colour on a terminal (unless `NO_COLOR` is set), and free to change. `-o json`
is for programs: the API's messages in proto3 JSON, in which numbers of 64 bits are strings and values that are empty,
zero or false are left out; the list of a list is always there.
"""


_STEPS = """\
One a line in a file, or one for each `--step`; `tocsin chains show` prints them the same way.
[notifying.md](notifying.md#escalation-chains) says what each does.

| step | |
| --- | --- |
| `wait DURATION` | `wait 5m`: 1 second to 7 days |
| `notify NAME[, NAME...]` | `notify Anna`, `notify "Ben, mail", Carla`: up to 20 contact points |
| `within [DAYS] HH:MM-HH:MM TIMEZONE` | `within Mon-Fri 08:00-18:00 Europe/Berlin`, `within Sat,Sun 22:00-06:00 UTC` |
| `more-than N in DURATION` | `more-than 5 in 10m` |
| `repeat N` | `repeat 3`: 1 to 5 |
| `resolve` | the last step |

A name with a comma, a quote, a backslash, or a `#` at its begin stands in double quotes, in which `\\"` is a quote and
`\\\\` a backslash. Without quotes, `notify A, B` is the contact point `A, B` where there is one, else two; where all
three are there it is refused. Days are `Mon` to `Sun`, with `-` and commas: those on which the hours begin; without
any, every day. Empty lines, and those that begin with `#`, say nothing."""


def reference() -> str:
    """Return the whole of docs/cli.md."""
    lines = [_INTRODUCTION, "## Options of every command", "", "Before the noun, after it, or after the verb:", ""]
    lines += _options(option for option in tocsin.params if isinstance(option, CommonOption))
    lines += ["", "`tocsin --version` says which one this is; `--help` or `-h` explains any command."]
    lines += ["", "## Exit codes", "", "| code | meaning |", "| --- | --- |"]
    lines += [f"| {code} | {meaning} |" for code, meaning in EXIT_CODES.items()]
    lines += [
        "",
        "What failed is said in one line on stderr. Of several names, each is tried, each failure is said, and the",
        "code is that of the first. `tocsin groups watch` and `tocsin up` have no end of their own: for them Ctrl-C is",
        "a success.",
    ]
    for name, command in sorted(tocsin.commands.items()):
        lines += _section(command, f"tocsin {name}", depth=2)
        if name == "chains":
            lines += ["", "### Steps", "", _STEPS]
    return "\n".join(lines) + "\n"


def _section(command: click.Command, path: str, depth: int) -> Iterator[str]:
    """Yield the lines about one command and those below it."""
    context = click.Context(command, info_name=path)
    yield from ("", f"{'#' * depth} {path}", "")
    if not isinstance(command, click.Group):
        yield from (f"    {path} {' '.join(command.collect_usage_pieces(context))}", "")
    yield inspect.cleandoc(command.help or "")
    own = [param for param in command.params if isinstance(param, click.Option) and not isinstance(param, CommonOption)]
    if own:
        yield ""
        yield from _options(own)
    if isinstance(command, click.Group):
        for name, below in sorted(command.commands.items()):
            yield from _section(below, f"{path} {name}", depth + 1)


def _options(options: "Iterator[click.Option] | list[click.Option]") -> Iterator[str]:
    """Yield one line of a list for each option."""
    for option in options:
        record = option.get_help_record(click.Context(tocsin))
        if record is not None:
            yield f"- `{record[0]}`: {record[1]}"


if __name__ == "__main__":
    print(reference(), end="")
