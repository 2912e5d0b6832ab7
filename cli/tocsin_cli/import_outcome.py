"""What became of one thing that `tocsin import` was to create, and how that is told."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import click

from . import output
from .connection import NOT_ALLOWED, UNREACHABLE, CommandError


@dataclass
class Outcome:
    """What became of one thing. `word` is for programs, `line` for people; `left` grows while it is carried out."""

    title: str
    oncall_id: str
    oncall_type: str = ""
    word: str = "notTried"
    line: str = "not tried"
    name: str = ""
    taken: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)

    def became(self, word: str, line: str, name: str = "") -> None:
        """Note what came of it."""
        self.word, self.line, self.name = word, line, name

    def refused(self, error: CommandError) -> None:
        """Note that nothing of it was created, and why."""
        self.became("refused", "not created")
        self.taken = []
        self.left.append(f"all of it: {error.message}")

    def as_json(self) -> dict[str, object]:
        """Return it for programs."""
        kind = {"oncallType": self.oncall_type} if self.oncall_type else {}
        return {
            "oncallId": self.oncall_id,
            **kind,
            "displayName": self.title,
            "outcome": self.word,
            "name": self.name,
            "taken": self.taken,
            "notTaken": self.left,
        }


def print_outcomes(outcomes: Sequence[Outcome]) -> None:
    """Print outcomes for people, with an empty line between them."""
    for number, outcome in enumerate(outcomes):
        if number:
            click.echo()
        click.echo(output.visible(f"{outcome.title} ({outcome.oncall_id}): {outcome.line}"))
        for heading, lines in (("taken over", outcome.taken), ("NOT taken over", outcome.left)):
            if lines:
                click.echo(f"  {heading}:")
            for line in lines:
                click.echo(output.visible(f"    {line}"))


def raise_if_hopeless(error: CommandError) -> None:
    """Raise what would fail for everything that follows as well."""
    if is_hopeless(error):
        raise error


def is_hopeless(error: CommandError) -> bool:
    """Return whether an error would meet everything that follows as well."""
    return error.exit_code in (UNREACHABLE, NOT_ALLOWED)
