"""Data folders for the tests of backup, restore and check."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from old_files import LATEST, label, make_old_file


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder with something in every table, on which no daemon runs."""
    folder = tmp_path / "data"
    folder.mkdir(mode=0o750)
    make_old_file(LATEST, folder / "tocsin.db")
    return folder


@pytest.fixture
def killed(tmp_path: Path, data: Path) -> Path:
    """The folder of a daemon that was killed: that it says `old` is in the log alone."""
    label(data / "tocsin.db", "older")
    folder = tmp_path / "killed"
    folder.mkdir()
    with closing(sqlite3.connect(data / "tocsin.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("UPDATE integrations SET description = 'old' WHERE id = 2")
        for name in ("tocsin.db", "tocsin.db-wal", "tocsin.db-shm"):
            shutil.copy(data / name, folder / name)
    (folder / "tocsind.lock").touch()
    return folder
