"""What `tocsin restore` leaves, whatever happens; a crash at any point included."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from fake_clock import FakeClock
from old_files import LATEST, VERSIONS, change_file, label, make_old_file, rows_of
from running_daemon import RunningDaemon
from upkeep_command import upkeep

from tocsind.clock import SystemClock
from tocsind.sqlite import copying, replacing
from tocsind.sqlite.copying import CopyError
from tocsind.sqlite.store import Store
from tocsind.upkeep.check import check
from tocsind.upkeep.places import UpkeepError
from tocsind.upkeep.restore import _give_to_owner, restore

# Kills itself before the n-th thing that it asks of the kernel about files, those of SQLite itself not counted.
KILLED = """
import os, pathlib, signal, sys
left = int(sys.argv[1])
def counted(real):
    def call(*arguments, **options):
        global left
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1
        return real(*arguments, **options)
    return call
from tocsind.upkeep.restore import restore
from tocsind.clock import SystemClock
for name in ("open", "close", "rename", "unlink", "fsync", "chown", "pwrite", "ftruncate"):
    setattr(os, name, counted(getattr(os, name)))
restore(pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3]), SystemClock())
"""


def says(path: Path) -> str:
    """The description by which the tests tell files apart."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        return str(connection.execute("SELECT description FROM integrations WHERE id = 2").fetchone()[0])


@pytest.fixture
def backup(tmp_path: Path) -> Path:
    """A backup that says `new`."""
    return label(make_old_file(LATEST, tmp_path / "tocsin-20260101T000000Z.db"), "new")


def test_what_was_backed_up_is_there_again(data: Path, tmp_path: Path) -> None:
    """The file is the backup, and what was there is kept under a name that says when."""
    before = rows_of(data / "tocsin.db")
    path = upkeep("backup", "--data", data, tmp_path / "backups").path
    label(data / "tocsin.db", "since")

    ran = upkeep("restore", "--data", data, path)

    assert (ran.status, ran.err, ran.out.count("\n")) == (0, "", 1)
    (kept,) = data.glob("tocsin-before-restore-*.db")
    assert sorted(path.name for path in data.iterdir()) == [kept.name, "tocsin.db", "tocsind.lock"]
    assert rows_of(data / "tocsin.db") == before
    assert says(kept) == "since"
    assert ran.out.endswith(f"what was there is {kept}\n")


def test_a_daemon_goes_on_with_it(daemon: RunningDaemon, tmp_path: Path) -> None:
    """What happened after the backup is gone, and all before it is there; new groups get numbers of their own."""
    integration = daemon.integration()
    daemon.fire(integration, key="before")
    path = upkeep("backup", "--data", daemon.folder, tmp_path).path
    daemon.fire(integration, key="after")
    daemon.close()

    assert upkeep("restore", "--data", daemon.folder, path).status == 0

    next_one = daemon.reopen()
    assert [group.grouping_key for group in next_one.list_groups()] == ["before"]
    next_one.fire(integration, key="new")
    assert len(next_one.list_groups()) == 2


def test_a_start_waits_for_nobody_who_only_reads(data: Path, backup: Path) -> None:
    """A backup or a check, such as the one that a timer begins when the machine comes up, does not keep a daemon from
    starting on what was restored."""
    assert upkeep("restore", "--data", data, backup).status == 0

    with closing(copying.open_to_read(data / "tocsin.db")) as reader:
        reader.execute("BEGIN")
        assert copying.size(reader) > 0
        Store(data).close()


def test_what_was_restored_can_be_read_where_nobody_can_write(data: Path, backup: Path) -> None:
    """A check by who may only read, as after every stop of a daemon; and it is one file."""
    restore(data, backup, FakeClock())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "access", lambda path, mode: mode != os.W_OK)
        line, wrong = check(data / "tocsin.db", FakeClock())

    assert (wrong, "is sound" in line) == ([], True)
    assert not [path for end in copying.COMPANIONS for path in data.glob(f"tocsin.db{end}")]


def test_not_under_a_running_daemon(daemon: RunningDaemon, backup: Path) -> None:
    """It says which process has the folder and how to stop it, and touches nothing."""
    ran = upkeep("restore", "--data", daemon.folder, backup)

    assert (ran.status, ran.out) == (1, "")
    assert ran.err == (
        f"tocsin: the data folder {daemon.folder} is in use by process {os.getpid()}: another tocsind is running on "
        "it; stop it first (systemctl stop tocsind)\n"
    )
    assert not list(daemon.folder.glob("*restore*"))
    daemon.fire(daemon.integration())


def test_an_empty_folder_gets_the_file(backup: Path, tmp_path: Path) -> None:
    """On a new machine there is nothing to keep."""
    folder = tmp_path / "new"
    folder.mkdir()

    ran = upkeep("restore", "--data", folder, backup)

    assert ran.status == 0
    assert "what was there" not in ran.out
    assert sorted(path.name for path in folder.iterdir()) == ["tocsin.db", "tocsind.lock"]
    assert says(folder / "tocsin.db") == "new"


@pytest.mark.parametrize("version", VERSIONS)
def test_backups_of_earlier_versions_are_taken(data: Path, tmp_path: Path, version: int) -> None:
    """They are migrated by the next start, as an upgrade is."""
    path = make_old_file(version, tmp_path / "old.db")

    assert upkeep("restore", "--data", data, path).status == 0

    assert rows_of(data / "tocsin.db") == rows_of(path)
    Store(data).close()


BAD = {
    "newer": "it was written by a newer version",
    "damaged": "is damaged: ",
    "unsound": "is not sound: integrations that are not deleted have no heartbeat",
    "text": "file is not a database; use another backup",
    "another program's": "no migration was ever made in it",
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_backup_is_refused_before_anything_is_touched(data: Path, backup: Path, kind: str) -> None:
    """A line says what is wrong with it; the data folder is as it was."""
    if kind == "newer":
        change_file(backup, "PRAGMA user_version = 9000")
    elif kind == "unsound":
        change_file(backup, "DELETE FROM heartbeats")
    elif kind == "text":
        backup.write_text("no database\n" * 500)
    elif kind == "another program's":
        backup.unlink()
        change_file(backup, "CREATE TABLE theirs (x)")
    else:
        with backup.open("r+b") as file:
            file.seek(4096 * 5)
            file.write(b"\x7f" * 4096 * 10)
    before = (data / "tocsin.db").read_bytes()

    ran = upkeep("restore", "--data", data, backup)

    assert (ran.status, ran.out, ran.err.count("\n")) == (1, "", 1)
    assert f"tocsin: {backup} " in ran.err
    assert BAD[kind] in ran.err
    assert {path.name: path.read_bytes() for path in data.glob("tocsin*.db*")} == {"tocsin.db": before}
    assert not list(data.glob("restore-*"))


def test_without_room_nothing_is_touched(data: Path, backup: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says how much is needed."""
    real = copying.shutil.disk_usage(data)
    monkeypatch.setattr(copying.shutil, "disk_usage", lambda path: real._replace(free=5_000_000))

    with pytest.raises(CopyError, match="there is no room"):
        restore(data, backup, FakeClock())

    assert sorted(path.name for path in data.iterdir()) == ["tocsin.db", "tocsind.lock"]


def test_it_belongs_to_whom_the_folder_belongs_to(data: Path, backup: Path) -> None:
    """Root restores for the user of the daemon, and nobody else can read what is in it."""
    if os.geteuid() != 0:
        pytest.skip("only root can give files away")
    os.chown(data, 12345, 12346)
    backup.chmod(0o644)

    assert upkeep("restore", "--data", data, backup).status == 0

    for name in ("tocsin.db", "tocsind.lock"):
        status = (data / name).stat()
        assert (status.st_uid, status.st_gid) == (12345, 12346), name
    assert (data / "tocsin.db").stat().st_mode & 0o777 == 0o600


def test_the_log_of_what_was_there_is_kept_with_it(killed: Path, backup: Path) -> None:
    """What was committed last is in what is kept, and not in what takes its place."""
    restore(killed, backup, SystemClock())

    (kept,) = killed.glob("tocsin-before-restore-*.db")
    assert (says(killed / "tocsin.db"), says(kept)) == ("new", "old")


def test_what_was_kept_can_be_restored(killed: Path, backup: Path) -> None:
    """To go back is the same command."""
    restore(killed, backup, FakeClock())
    (kept,) = killed.glob("tocsin-before-restore-*.db")

    restore(killed, kept, FakeClock())

    assert says(killed / "tocsin.db") == "old"
    assert len(list(killed.glob("tocsin-before-restore-*.db"))) == 2


def test_killed_at_any_point(killed: Path, backup: Path, tmp_path: Path) -> None:
    """A restore that is killed before any of its steps leaves a folder that a start finds as it was, or restored, with
    nothing of the one in the other; run again it restores, and what was there is kept."""
    found = []
    for number in range(200):
        folder = tmp_path / f"try {number}"
        shutil.copytree(killed, folder)
        command = [sys.executable, "-c", KILLED, str(number), str(folder), str(backup)]
        ended = subprocess.run(command, check=False).returncode
        assert ended in (0, -signal.SIGKILL)
        started = tmp_path / f"started {number}"
        shutil.copytree(folder, started)
        Store(started).close()
        found.append(says(started / "tocsin.db"))
        decided = any(path.name.startswith("tocsin-before") for path in started.iterdir())
        assert decided == (found[-1] == "new")
        if ended == 0:
            break
        restore(folder, backup, SystemClock())
        assert says(folder / "tocsin.db") == "new"
        assert "old" in [says(path) for path in folder.glob("tocsin-before-restore-*.db")]
        assert not [*folder.glob("restore-*"), *folder.glob("*.partial")]

    assert found == sorted(found, reverse=True)
    assert found.count("old") > 3
    assert found.count("new") > 3


def test_a_start_finishes_what_was_decided(killed: Path, backup: Path) -> None:
    """Also where a daemon of an earlier version, which knows nothing of it, made a file in between: it is kept too."""
    shutil.copy(backup, replacing.ready(killed, "20260101T000000Z"))
    os.rename(killed / "tocsin.db", replacing.aside(killed, "20260101T000000Z"))
    label(make_old_file(LATEST, killed / "tocsin.db"), "between")

    Store(killed).close()

    assert says(killed / "tocsin.db") == "new"
    assert says(killed / "tocsin-before-restore-20260101T000000Z-2.db") == "between"


def test_root_follows_no_link_of_the_daemons_user(tmp_path: Path, backup: Path) -> None:
    """Who owns the data folder can have root neither write nor give away another file by a link in its place."""
    folder, precious = tmp_path / "folder", tmp_path / "precious"
    folder.mkdir()
    precious.write_text("of root")
    (folder / "tocsind.lock").symlink_to(precious)

    with pytest.raises(UpkeepError, match="cannot be locked"):
        restore(folder, backup, SystemClock())
    assert precious.read_text() == "of root"

    if os.geteuid() == 0:
        os.chown(folder, 4_242, 4_242)
        _give_to_owner(folder / "tocsind.lock", folder)
        assert precious.stat().st_uid == 0
