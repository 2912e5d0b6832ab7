"""`tocsin config`: looks at a file without a daemon."""

import getpass
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_program import Run

from tocsin_cli import config


@pytest.fixture
def file(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """What is the default file here, in a folder that everybody may enter; of the units' users there is one."""
    folder = Path(tempfile.mkdtemp(prefix="tocsin-", dir="/tmp"))
    folder.chmod(0o755)
    path = folder / "tocsin.toml"
    path.write_text("[daemon]\nrate_limit = 5\n")
    path.chmod(0o644)
    monkeypatch.setattr(config, "DEFAULT_FILE", path)
    monkeypatch.setattr(config, "READERS", ("no-such-user", "nobody"))
    yield path
    folder.chmod(0o700)
    shutil.rmtree(folder)


def test_a_file_that_is_fine(run: Run, file: Path) -> None:
    """It says how much is set."""
    done = run("config", "check", str(file))

    assert (done.exit_code, done.stdout) == (0, f"{file} is fine: it sets 1 of 21 settings\n")


def test_all_mistakes_are_lines(run: Run, file: Path) -> None:
    """With file, line and key, and how many there are."""
    file.write_text("[daemon]\nrate_limitt = 5\n[gateway]\nmax_body = 1\n")
    done = run("config", "check", str(file))

    assert done.exit_code == 2
    assert [line.split(": ", 2)[:2] for line in done.stderr.splitlines()[:2]] == [
        [f"{file}:2", "[daemon] rate_limitt"],
        [f"{file}:4", "[gateway] max_body"],
    ]
    assert f"2 mistakes in {file}" in done.stderr


@pytest.mark.parametrize(("of_file", "of_folder"), [(0o600, 0o755), (0o640, 0o755), (0o644, 0o700)])
def test_a_service_that_may_not_read_it_is_named(run: Run, file: Path, of_file: int, of_folder: int) -> None:
    """A file that an editor or a tool made anew for root alone: the next start of the service would be its last."""
    file.chmod(of_file)
    file.parent.chmod(of_folder)
    done = run("config", "check", str(file))

    assert done.exit_code == 2
    culprit = file if of_file != 0o644 else file.parent
    mode = "644" if of_file != 0o644 else "755"
    assert f"{culprit}: nobody may not read it" in done.stderr
    assert f"chmod {mode} {culprit}" in done.stderr


def test_another_file_may_be_for_oneself_alone(run: Run, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not the one that the services read, yet."""
    monkeypatch.setattr(config, "DEFAULT_FILE", file.with_name("other.toml"))
    file.chmod(0o600)

    assert run("config", "check", str(file)).exit_code == 0


def test_a_file_that_one_may_not_read(run: Run, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says who, and what to do. (Root may read everything.)"""

    def refuse(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)
    done = run("config", "check", str(file))

    assert done.exit_code == 2
    assert f"{getpass.getuser()} must be able to read it (chmod 644 {file})" in done.stderr


def test_the_example_is_printed(run: Run, tmp_path: Path) -> None:
    """And is a file that sets nothing."""
    example = tmp_path / "example.toml"
    example.write_text(run("config", "example").stdout)

    assert "it sets 0 of 21 settings" in run("config", "check", str(example)).stdout
