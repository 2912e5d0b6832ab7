"""What `tocsin check` sees, and what it says."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from little_room import little_room
from old_files import LATEST, VERSIONS, change_file, make_old_file
from running_daemon import RunningDaemon
from upkeep_command import upkeep

from tocsind.clock import SystemClock
from tocsind.sqlite import copying
from tocsind.sqlite.soundness import INVARIANTS, Invariant, is_of_the_file
from tocsind.upkeep.check import DAMAGED, DISAGREES, check
from tocsind.upkeep.places import UpkeepError

ONE = "(SELECT id FROM alert_groups WHERE state = 1 AND collected_by IS NULL LIMIT 1)"
RESOLVED = "(SELECT id FROM alert_groups WHERE state = 4 LIMIT 1)"
COLLECTED = "(SELECT id FROM alert_groups WHERE collected_by IS NOT NULL AND state = 1 LIMIT 1)"

# How each invariant is broken.
BREAKS = {
    "one open group for an identity": (
        "UPDATE alert_groups SET identity = (SELECT identity FROM alert_groups WHERE grouping_key = 'acked'), "
        "standing = 7 WHERE grouping_key = 'silenced'",
    ),
    "standing": ("UPDATE alert_groups SET standing = 5 WHERE grouping_key = 'acked'",),
    "states have events": (f"DELETE FROM events WHERE group_id = {ONE}",),
    "counts of alerts": (f"UPDATE alert_groups SET firing_count = 77 WHERE id = {ONE}",),
    "events have groups": ("UPDATE events SET group_id = 999 WHERE kind = 11",),
    "revisions": ("UPDATE sqlite_sequence SET seq = 3 WHERE name = 'events'",),
    "numbers of groups": ("UPDATE sqlite_sequence SET seq = 3 WHERE name = 'alert_groups'",),
    "forgotten revisions": ("UPDATE daemon_state SET forgotten = 100000",),
    "the daemon's state": ("UPDATE daemon_state SET intake_clock = -1",),
    "payloads have groups": ("UPDATE payloads SET id = 1998 WHERE id = 2",),
    "heartbeats": ("DELETE FROM heartbeats WHERE integration_id = (SELECT max(integration_id) FROM heartbeats)",),
    "deadlines": ("UPDATE heartbeats SET deadline = NULL, state = 2",),
    "positions of routes": ("UPDATE routes SET position = position + 1",),
    "running maintenances": ("UPDATE maintenances SET group_id = 999 WHERE running",),
    "collected groups": (f"UPDATE alert_groups SET collected_by = 1 WHERE id = {COLLECTED}",),
    "escalations": (f"UPDATE escalations SET group_id = {RESOLVED} WHERE group_id = {ONE}",),
    "versions of chains": ("UPDATE escalations SET version_id = 999",),
    "chosen chains": ("UPDATE chosen_versions SET group_id = 999",),
    "steps name contact points": ("UPDATE chain_versions SET steps = '[[\"notify\", [1, 999]]]' WHERE id = 1",),
    "chains can be read": ("UPDATE chain_versions SET steps = '[' WHERE id = 1",),
    "labels and fingerprints can be read": ("UPDATE events SET fingerprints = 'a, b' WHERE id = 1",),
    "messages have groups": ("UPDATE messages SET group_id = 999 WHERE id = 1",),
    "messages have receivers": ("UPDATE messages SET via_id = 999 WHERE id = 1",),
    "messages end": ("UPDATE messages SET ended_at = NULL WHERE id = (SELECT max(id) FROM messages WHERE state = 5)",),
}

# What else is seen, and what is said of it.
OTHERS = {
    "UPDATE alerts SET group_id = 999 WHERE id = 1": "rows of alerts refer to alert_groups that are not there: 1",
    "DELETE FROM contact_points WHERE id = 1": "rows of messages refer to contact_points that are not there: 2, 4, 6",
    "UPDATE calendars SET contact_id = 999": "rows of calendars refer to contact_points that are not there",
    "DROP INDEX alert_groups_by_identity": "the index alert_groups_by_identity is missing",
    "DROP TRIGGER groups_keep_payloads": "the trigger groups_keep_payloads is missing",
    "DROP TABLE notes": "the table notes is missing",
    "ALTER TABLE api_tokens DROP COLUMN creator": "the column api_tokens.creator is missing",
    "UPDATE heartbeats SET state = 9": "CHECK constraint failed in heartbeats",
    "UPDATE alert_groups SET state = 9 WHERE id = 2": "CHECK constraint failed in alert_groups",
    "PRAGMA user_version = 0": "no migration was ever made in it",
}


def test_each_invariant_is_broken_by_something_here() -> None:
    """Whoever adds one shows that it can be broken."""
    assert BREAKS.keys() == {invariant.name for invariant in INVARIANTS}


@pytest.mark.parametrize("invariant", INVARIANTS, ids=lambda invariant: invariant.name)
def test_a_broken_invariant_is_told(data: Path, invariant: Invariant) -> None:
    """A sentence says what is wrong and which rows are, and the last line says what to do."""
    change_file(
        data / "tocsin.db", "PRAGMA foreign_keys = OFF", "DROP TRIGGER payloads_have_groups", *BREAKS[invariant.name]
    )

    line, wrong = check(data / "tocsin.db", SystemClock())

    assert line == ""
    assert any(f"tocsin.db: {invariant.sentence}: " in each for each in wrong), wrong
    assert wrong[-1].endswith((DISAGREES, DAMAGED))


@pytest.mark.parametrize(("sql", "told"), OTHERS.items())
def test_what_else_is_wrong_is_told(data: Path, sql: str, told: str) -> None:
    """References that lead nowhere, what is missing of the schema, and what SQLite itself finds."""
    change_file(data / "tocsin.db", "PRAGMA foreign_keys = OFF", sql)

    _, wrong = check(data / "tocsin.db", SystemClock())

    assert any(told in each for each in wrong), wrong


@pytest.mark.parametrize("version", VERSIONS)
def test_what_is_sound_is_called_so(tmp_path: Path, version: int) -> None:
    """Files of every version are, and only what held then is asked of them; nothing of them is changed."""
    path = make_old_file(version, tmp_path / "old.db")
    before = path.read_bytes()

    ran = upkeep("check", path)

    assert ran.status == 0, ran
    assert f"{path} is sound: " in ran.out
    assert f"migration {version}, " in ran.out
    assert path.read_bytes() == before


def test_a_file_of_a_running_daemon_is_looked_at(daemon: RunningDaemon) -> None:
    """It goes on; what is in its log is looked at too."""
    daemon.fire(daemon.integration())

    ran = upkeep("check", "--data", daemon.folder)

    assert (ran.status, ran.err) == (0, "")
    assert "1 alert groups" in ran.out
    daemon.fire(daemon.integration("another"))


def test_the_log_of_a_daemon_that_was_killed_stays(data: Path, tmp_path: Path) -> None:
    """What lies there is looked at, log and all, and every file is left as it is."""
    with closing(sqlite3.connect(data / "tocsin.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("UPDATE integrations SET description = 'in the log'")
        names = ("tocsin.db", "tocsin.db-wal")
        for name in names:
            (tmp_path / name).write_bytes((data / name).read_bytes())
    before = [(tmp_path / name).read_bytes() for name in names]

    assert upkeep("check", tmp_path / "tocsin.db").status == 0

    assert [(tmp_path / name).read_bytes() for name in names] == before


def test_exit_status_and_lines_of_what_is_not_sound(data: Path) -> None:
    """Each is a line that names the file, on standard error; the exit status is 1."""
    change_file(data / "tocsin.db", "DELETE FROM heartbeats", "UPDATE messages SET group_id = 999")

    ran = upkeep("check", "--data", data)

    lines = ran.err.splitlines()
    assert (ran.status, ran.out, len(lines)) == (1, "", 3)
    assert all(line.startswith(f"tocsin: {data}/tocsin.db: ") for line in lines)
    assert "and 6 more" in lines[1]
    assert lines[-1].endswith(DISAGREES)


def test_damage_is_told(data: Path) -> None:
    """Pages that were overwritten are found, and restoring is what helps."""
    with (data / "tocsin.db").open("r+b") as file:
        file.seek(4096)
        file.write(b"\x7f" * 4096 * 10)

    ran = upkeep("check", "--data", data)

    assert ran.status == 1
    assert ran.err.splitlines()[-1].endswith(DAMAGED)


def test_a_file_that_cannot_be_looked_at_is_not_called_damaged(data: Path) -> None:
    """Nobody is told to put an old backup in the place of a file because another program locks it."""
    with closing(sqlite3.connect(data / "tocsin.db", isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        ran = upkeep("check", "--data", str(data))

    assert ran.status == 1
    assert "cannot be checked: database is locked. That says nothing of the file" in ran.err
    assert "damaged" not in ran.err


@pytest.mark.parametrize("command", ["check", "backup"])
def test_a_full_disk_is_no_damage(killed: Path, tmp_path: Path, command: str) -> None:
    """Where SQLite cannot make the index of the log it says that of a daemon that was killed as an I/O error. Who
    restored a backup because of that would throw away all that came since."""
    (killed / "tocsin.db-shm").unlink()
    into = [tmp_path / "backups"] if command == "backup" else []

    ran = upkeep(command, "--data", killed, *into, within=little_room(1024))

    assert (ran.status, ran.out, ran.err.count("\n")) == (1, "", 1)
    assert f"tocsin: {killed}/tocsin.db cannot be " in ran.err
    assert ": disk I/O error. That says nothing of the file: see " in ran.err


def test_that_the_disk_is_full_is_said(killed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then that is what to do something about."""
    real = copying.shutil.disk_usage(killed)
    monkeypatch.setattr(copying.shutil, "disk_usage", lambda path: real._replace(free=4096))

    def fails(path: Path) -> None:
        failure = sqlite3.OperationalError("disk I/O error")
        failure.sqlite_errorcode = sqlite3.SQLITE_IOERR_SHMSIZE
        raise failure

    monkeypatch.setattr(copying, "open_to_read", fails)

    with pytest.raises(UpkeepError, match="nothing of the file: its disk is full: make room, then try again"):
        check(killed / "tocsin.db", SystemClock())


@pytest.mark.parametrize("name", [name for name in dir(sqlite3) if name.startswith("SQLITE_IOERR")])
def test_which_io_errors_are_of_the_file(name: str) -> None:
    """What cannot be read of it is, and what is not as it was written. All else is of the disk, locks and memory."""
    failure = sqlite3.OperationalError("disk I/O error")
    failure.sqlite_errorcode = getattr(sqlite3, name)

    of_the_file = {f"SQLITE_IOERR_{each}" for each in ("READ", "SHORT_READ", "DATA", "CORRUPTFS")}
    assert is_of_the_file(failure) == (name in of_the_file)


def test_no_more_lines_than_somebody_reads(data: Path) -> None:
    """What is wrong in very many ways is said in twenty lines."""
    names = [f"DROP INDEX {name}" for (name,) in _indexes(data / "tocsin.db")]
    assert len(names) > 20
    change_file(data / "tocsin.db", *names)

    _, wrong = check(data / "tocsin.db", SystemClock())

    assert len(wrong) == 22
    assert wrong[-2].endswith(f"and {len(names) - 20} more")


def test_what_is_no_file_of_ours_is_told(tmp_path: Path) -> None:
    """Something that is no database, an empty file, another program's database, a newer file: a line each."""
    text, empty, other = tmp_path / "text", tmp_path / "empty", tmp_path / "other.db"
    text.write_text("no database\n" * 500)
    empty.touch()
    change_file(other, "CREATE TABLE theirs (x)")
    newer = make_old_file(LATEST, tmp_path / "newer.db")
    change_file(newer, "PRAGMA user_version = 9000")

    assert [upkeep("check", path).err.splitlines()[0].partition(": ")[2] for path in (text, empty, other, newer)] == [
        f"{text}: file is not a database",
        f"{empty}: no migration was ever made in it: it is no file of Tocsin, or an empty one",
        f"{other}: no migration was ever made in it: it is no file of Tocsin, or an empty one",
        f"{newer}: the file is at migration 9000, and this version of tocsind knows {LATEST}: it was written by a "
        "newer version, which must be used to open it; or restore a backup that was made before the upgrade",
    ]


def _indexes(path: Path) -> list[tuple[str]]:
    with sqlite3.connect(path) as connection:
        return connection.execute("SELECT name FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL").fetchall()
