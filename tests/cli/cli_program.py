"""Runs the program `tocsin` in this process."""

from collections.abc import Mapping

import click.testing

from tocsin_cli.__main__ import tocsin


class Run:
    """The program, with a daemon that it finds by its environment."""

    def __init__(self, target: str) -> None:
        """Remember where the daemon listens."""
        self._environment: dict[str, str | None] = {"TOCSIN_TARGET": target}

    def __call__(
        self, *arguments: str, env: Mapping[str, str | None] | None = None, stdin: bytes = b""
    ) -> click.testing.Result:
        """Run it to its end; return exit code, stdout and stderr. What it does not handle itself is raised here."""
        runner = click.testing.CliRunner(env={**self._environment, **(env or {})})
        result = runner.invoke(tocsin, arguments, input=stdin, prog_name="tocsin")
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result
