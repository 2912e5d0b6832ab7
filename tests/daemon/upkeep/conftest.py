"""Data folders for the tests of backup, restore and check."""

from pathlib import Path

import pytest
from old_files import LATEST, make_old_file


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder with something in every table, on which no daemon runs."""
    folder = tmp_path / "data"
    folder.mkdir(mode=0o750)
    make_old_file(LATEST, folder / "tocsin.db")
    return folder
