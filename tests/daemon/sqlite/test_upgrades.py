"""Files of earlier versions: brought up to date with all that is in them, and backed up before."""

import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from fake_clock import SECOND, FakeClock
from little_room import little_room
from old_files import LATEST, VERSIONS, change_file, make_old_file, rows_of
from running_daemon import RunningDaemon

from tocsind.domain.units import DAY
from tocsind.sqlite import copying, soundness
from tocsind.sqlite.copying import CopyError
from tocsind.sqlite.migrate import NewerFileError, migrate, migrations
from tocsind.sqlite.store import Store

OLD = [version for version in VERSIONS if version < migrations()[-1][0]]
OPEN = """
import sys
from pathlib import Path
from tocsind.sqlite.store import Store
Store(Path(sys.argv[1])).close()
"""


def open_and_close(folder: Path, clock: FakeClock | None = None) -> list[str]:
    """What a start does; returns the migrations that it made."""
    store = Store(folder, clock)
    store.close()
    return store.migrated


def copies(folder: Path) -> list[str]:
    """The names of what is kept."""
    place = folder / "backups"
    return sorted(path.name for path in place.iterdir()) if place.exists() else []


def content(folder: Path) -> dict[str, bytes]:
    """Every file of a folder."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_there_is_a_file_of_every_version() -> None:
    """Whoever adds a migration adds the file that the version before it leaves."""
    assert [number for number, _, _ in migrations()] == VERSIONS


@pytest.mark.parametrize("version", VERSIONS)
def test_a_file_of_a_version_has_something_in_every_table(tmp_path: Path, version: int) -> None:
    """What these tests are about is there, and sound."""
    path = make_old_file(version, tmp_path / "tocsin.db")

    assert [table for table, rows in rows_of(path).items() if not rows] == []
    with closing(sqlite3.connect(path)) as connection:
        assert (soundness.damage(connection), soundness.disagreements(connection)) == ([], [])


@pytest.mark.parametrize("version", VERSIONS)
def test_what_is_in_a_file_stays_in_it(tmp_path: Path, version: int) -> None:
    """Each row of each version is there after the migrations, with all its values; and the file is sound."""
    path = make_old_file(version, tmp_path / "tocsin.db")
    before = rows_of(path)

    open_and_close(tmp_path)

    after = rows_of(path)
    for table, rows in before.items():
        columns = rows[0].keys()
        assert [{column: row[column] for column in columns} for row in after[table]] == rows, table
    with closing(sqlite3.connect(path)) as connection:
        assert (soundness.damage(connection), soundness.disagreements(connection)) == ([], [])


@pytest.mark.parametrize("version", VERSIONS)
def test_a_daemon_goes_on_with_it(tmp_path: Path, folder: Path, clock: FakeClock, version: int) -> None:
    """It serves the groups of an old file, and takes what comes for them."""
    data = folder / "data"
    data.mkdir()
    expected = {row["id"] for row in rows_of(make_old_file(version, data / "tocsin.db"))["alert_groups"]}
    daemon = RunningDaemon(data, clock)
    try:
        found = {group.name: group for group in daemon.list_groups(page_size=1000)}
        assert found.keys() == {f"alertGroups/{number}" for number in expected}
        (acknowledged,) = (group for group in found.values() if group.grouping_key == "acked")
        assert daemon.act("Unacknowledge", acknowledged.name).state == acknowledged.FIRING
        assert daemon.kinds(acknowledged.name)[:2] == ["OPENED", "ACKNOWLEDGED"]
    finally:
        daemon.close()


@pytest.mark.parametrize("journal", ["WAL", "DELETE"])
def test_a_newer_file_is_refused_and_nothing_of_it_is_touched(tmp_path: Path, journal: str) -> None:
    """An older program says so, and leaves every byte as it is."""
    path = make_old_file(LATEST, tmp_path / "tocsin.db")
    change_file(path, f"PRAGMA journal_mode = {journal}", "PRAGMA user_version = 9000")
    before = path.read_bytes()

    with pytest.raises(
        NewerFileError, match=r"at migration 9000, and this version of tocsind knows .* a newer version"
    ):
        Store(tmp_path)

    assert path.read_bytes() == before
    assert copies(tmp_path) == []


@pytest.mark.parametrize("version", OLD)
def test_a_copy_is_kept_of_what_is_migrated(tmp_path: Path, clock: FakeClock, version: int) -> None:
    """It is what was there, for its owner only, and says before which migration and when it was made."""
    path = make_old_file(version, tmp_path / "tocsin.db")
    before = rows_of(path)

    made = open_and_close(tmp_path, clock)

    (name,) = copies(tmp_path)
    assert name == f"before-{made[0].removesuffix('.sql').replace('_', '-')}-20260921T141320Z.db"
    copy = tmp_path / "backups" / name
    assert rows_of(copy) == before
    assert (copy.stat().st_mode & 0o777, copy.parent.stat().st_mode & 0o777) == (0o600, 0o700)


def test_what_only_the_log_knows_is_in_the_copy(tmp_path: Path) -> None:
    """A daemon that was killed leaves its last commits in the log beside the file."""
    folder, killed = tmp_path / "data", tmp_path / "killed"
    folder.mkdir()
    path = make_old_file(OLD[-1], folder / "tocsin.db")
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("UPDATE integrations SET description = 'in the log' WHERE id = 2")
        killed.mkdir()
        for name in ("tocsin.db", "tocsin.db-wal"):
            (killed / name).write_bytes((folder / name).read_bytes())

    open_and_close(killed)

    (copy,) = (killed / "backups").iterdir()
    assert "in the log" in [row["description"] for row in rows_of(copy)["integrations"]]


def test_a_new_file_and_one_that_is_up_to_date_are_not_copied(tmp_path: Path) -> None:
    """There is nothing to go back to."""
    open_and_close(tmp_path)
    open_and_close(tmp_path)

    assert copies(tmp_path) == []


def test_the_same_moment_is_copied_once(tmp_path: Path, clock: FakeClock) -> None:
    """A start that breaks off after the copy finds it again; what went on since is another moment."""
    path = make_old_file(OLD[-1], tmp_path / "tocsin.db")
    old = path.read_bytes()
    for _ in range(3):
        path.write_bytes(old)
        open_and_close(tmp_path, clock)
        clock.advance(DAY)
    assert len(copies(tmp_path)) == 1

    path.write_bytes(old)
    change_file(path, "UPDATE daemon_state SET alive_at = alive_at + 1")
    open_and_close(tmp_path, clock)
    assert len(copies(tmp_path)) == 2

    path.write_bytes(old)
    change_file(path, "UPDATE sqlite_sequence SET seq = seq + 1 WHERE name = 'events'")
    open_and_close(tmp_path, clock)
    assert len(copies(tmp_path)) == 3


def test_an_upgrade_that_broke_off_between_two_migrations_has_its_copy(tmp_path: Path, clock: FakeClock) -> None:
    """What is there is the copy of what was there before the first: none of what is halfway is made."""
    path = make_old_file(1, tmp_path / "tocsin.db")
    old = path.read_bytes()
    open_and_close(tmp_path, clock)
    path.write_bytes(old)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        migrate(connection, 2)

    made = open_and_close(tmp_path, clock)

    assert made[0].startswith("0003")
    assert copies(tmp_path) == ["before-0002-api-20260921T141320Z.db"]


def test_three_are_kept(tmp_path: Path, clock: FakeClock) -> None:
    """The oldest goes, and nothing else that lies there."""
    path = make_old_file(OLD[-1], tmp_path / "tocsin.db")
    old = path.read_bytes()
    (tmp_path / "backups").mkdir()
    (tmp_path / "backups" / "mine.db").write_text("mine")
    names = []
    for number in range(5):
        path.write_bytes(old)
        change_file(path, f"UPDATE daemon_state SET alive_at = {number}")
        open_and_close(tmp_path, clock)
        names += [name for name in copies(tmp_path) if name != "mine.db" and name not in names]
        clock.advance(SECOND)

    assert copies(tmp_path) == [*names[2:], "mine.db"]

    path.write_bytes(old)
    open_and_close(tmp_path, FakeClock(clock.wall() - DAY))  # it jumped back
    assert [name[-19:] for name in copies(tmp_path)] == [
        "20260920T141325Z.db",
        *(name[-19:] for name in names[3:]),
        "mine.db",
    ]


def test_without_room_nothing_is_touched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The start is refused, with what is needed and what there is; the old version can go on."""
    make_old_file(OLD[-1], tmp_path / "tocsin.db")
    before = content(tmp_path)
    real = copying.shutil.disk_usage(tmp_path)
    monkeypatch.setattr(copying.shutil, "disk_usage", lambda path: real._replace(free=4_000_000))

    with pytest.raises(CopyError, match=r"is not upgraded.* 8\.\d MB are needed and 4\.0 MB are free .* make room"):
        Store(tmp_path)

    assert content(tmp_path) == before
    assert copies(tmp_path) == []


def test_a_daemon_that_cannot_back_up_says_so_and_does_not_start(tmp_path: Path) -> None:
    """The program ends with a line: what is not upgraded, why, and which file could not be written."""
    make_old_file(OLD[-1], tmp_path / "tocsin.db")
    before = content(tmp_path)

    ran = subprocess.run(
        [
            *little_room(65536),
            *(sys.executable, "-m", "tocsind", "--data", str(tmp_path), "--listen", f"unix:{tmp_path}/s"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (ran.returncode, ran.stderr.count("\n")) == (1, 1)
    assert ran.stderr.startswith(f"tocsind: {tmp_path} is not upgraded, as it cannot be backed up before: ")
    assert "cannot be written: " in ran.stderr
    assert content(tmp_path) == before | {"tocsind.lock": (tmp_path / "tocsind.lock").read_bytes()}
    assert copies(tmp_path) == []


def test_a_damaged_file_is_not_migrated(tmp_path: Path) -> None:
    """Neither is there a copy that pretends to be one, nor is the file made worse."""
    path = make_old_file(OLD[-1], tmp_path / "tocsin.db")
    with path.open("r+b") as file:
        file.seek(20 * 4096)
        file.write(os.urandom(4096))
    before = content(tmp_path)

    with pytest.raises((CopyError, sqlite3.DatabaseError)):
        Store(tmp_path)

    assert content(tmp_path) == before
    assert copies(tmp_path) == []


def test_rows_that_do_not_agree_do_not_stop_an_upgrade(tmp_path: Path) -> None:
    """The version before ran with them, and whoever is to be woken is to be woken; the copy is kept."""
    path = make_old_file(OLD[-1], tmp_path / "tocsin.db")
    change_file(path, "DELETE FROM heartbeats")

    assert open_and_close(tmp_path)

    assert len(copies(tmp_path)) == 1


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """A file of the first version whose migrations take a while."""
    path = make_old_file(1, tmp_path / "tocsin.db")
    change_file(
        path,
        "INSERT INTO events (group_id, at, kind, state, actor, reason, note, fingerprints) "
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000) "
        "SELECT 1, i, 11, (SELECT state FROM alert_groups WHERE id = 1), 'ada', '', 'a note that is long enough', '[]' "
        "FROM n",
    )
    return path


def test_a_kill_while_it_migrates_is_mended_by_the_next_start(large: Path) -> None:
    """Killed again and again at any moment, before the copy, while it is made, in a migration and between two: the next
    start goes on, one copy is kept, and nothing is missing."""
    before = rows_of(large)["events"]
    folder = large.parent
    delay, killed = 0.15, 0
    while True:
        process = subprocess.Popen([sys.executable, "-c", OPEN, str(folder)], stderr=subprocess.DEVNULL)
        try:
            assert process.wait(delay) == 0
            break
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            killed += 1
        with closing(sqlite3.connect(f"file:{large}?mode=ro", uri=True)) as connection:
            (count,) = connection.execute("SELECT count(*) FROM events").fetchone()
            assert count == len(before)
        delay *= 1.15

    assert killed
    after = rows_of(large)["events"]
    assert [{column: row[column] for column in before[0]} for row in after] == before
    (name,) = copies(folder)
    assert rows_of(folder / "backups" / name)["events"] == before
    with closing(sqlite3.connect(large)) as connection:
        assert (soundness.damage(connection), soundness.disagreements(connection)) == ([], [])


def test_a_copy_that_takes_long_has_signs_of_life_all_the_while(tmp_path: Path) -> None:
    """They come while it is verified, which takes the most time: a start that is ended there would never get beyond."""
    change_file(
        make_old_file(OLD[-1], tmp_path / "tocsin.db"),
        "CREATE TABLE much AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 300000) "
        "SELECT i FROM n",
    )
    meanwhile = []

    def on_progress() -> None:
        meanwhile.extend((tmp_path / "backups").glob(f"*{copying.PARTIAL}"))

    Store(tmp_path, FakeClock(), on_progress).close()

    assert len(meanwhile) > 3
