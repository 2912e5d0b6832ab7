"""Commands that stand in the docs are commands that there are."""

import re
import shlex
from pathlib import Path

import click
import pytest

from tocsin_cli.__main__ import tocsin

_ROOT = Path(__file__).parents[2]
_PAGES = [_ROOT / "README.md", _ROOT / "SECURITY.md", *sorted((_ROOT / "docs").rglob("*.md"))]
_LINE = re.compile(r"^ *\$ (?:.*\| )?(?:sudo (?:-u \S+ )?)?(tocsin .*)$", re.MULTILINE)
_IN_TEXT = re.compile(r"`(tocsin [^`]*)`")


def _commands() -> list[tuple[str, str]]:
    found = []
    for page in _PAGES:
        text = page.read_text(encoding="utf-8")
        if page.name != "cli.md":  # which is written from the commands
            lines = [*_LINE.findall(text), *(" ".join(line.split()) for line in _IN_TEXT.findall(text))]
            found += [(page.name, line) for line in lines]
    return sorted(set(found))


@pytest.mark.parametrize(("page", "line"), _commands())
def test_what_the_docs_say_exists(page: str, line: str) -> None:
    """Each command, and each of its options, is one that the program has."""
    line = line.partition(" > ")[0].replace("...", "")
    command: click.Command = tocsin
    path, rest = "tocsin", shlex.split(line, comments=True)[1:]
    while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
        name = rest.pop(0).rstrip(",:")
        assert name in command.commands, f"{path} has no {name}"
        command, path = command.commands[name], f"{path} {name}"
    known = {option for param in command.params for option in (*param.opts, *param.secondary_opts)}
    for word in rest:
        if word.startswith("--") and len(word) > 2:
            assert word.partition("=")[0] in known | {"--help", "--version"}, f"{path} has no {word}"
