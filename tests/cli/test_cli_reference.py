"""docs/cli.md says what the commands say."""

from pathlib import Path

import click
import pytest

from tocsin_cli.__main__ import tocsin
from tocsin_cli.commands import CommonOption
from tocsin_cli.reference import reference

_PAGE = Path(__file__).parents[2] / "docs" / "cli.md"


def _commands(command: click.Command, path: str) -> list[tuple[str, click.Command]]:
    below = command.commands.items() if isinstance(command, click.Group) else []
    return [(path, command), *(found for name, child in below for found in _commands(child, f"{path} {name}"))]


_ALL = _commands(tocsin, "tocsin")


def test_the_page_is_what_the_generator_writes() -> None:
    """docs/cli.md is exactly the output of `python -m tocsin_cli.reference`."""
    assert _PAGE.read_text(encoding="utf-8") == reference(), "run: python -m tocsin_cli.reference > docs/cli.md"


@pytest.mark.parametrize(("path", "command"), _ALL, ids=[path for path, _ in _ALL])
def test_every_command_and_option_is_documented(path: str, command: click.Command) -> None:
    """Each command has a heading on the page, and each of its options a line; and each option says what it is for."""
    page = _PAGE.read_text(encoding="utf-8")
    common = page.partition("## Options of every command\n")[2].partition("\n#")[0]
    section = page.partition(f"# {path}\n")[2].partition("\n#")[0]
    assert command.help
    assert section or command is tocsin
    for option in command.params:
        if isinstance(option, click.Option):
            assert option.help, f"{path} {option.opts[0]} explains nothing"
            where = common if isinstance(option, CommonOption) or command is tocsin else section
            assert all(name in where for name in option.opts)
