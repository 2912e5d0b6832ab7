"""What `tocsin backup` leaves, whatever happens."""

import fcntl
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from fake_clock import DAY, FakeClock
from little_room import little_room
from old_files import change_file, rows_of
from running_daemon import RunningDaemon
from upkeep_command import upkeep

from tocsind.sqlite import copying
from tocsind.sqlite.copying import CopyError
from tocsind.upkeep.backup import backup


def names(folder: Path) -> list[str]:
    """What lies in a folder."""
    return sorted(path.name for path in folder.iterdir())


def test_a_backup_is_the_file(data: Path, tmp_path: Path) -> None:
    """It has every row, is one file that only its owner can read, and one line says what it is."""
    ran = upkeep("backup", "--data", data, tmp_path / "backups")

    assert (ran.status, ran.err, ran.out.count("\n")) == (0, "", 1)
    assert rows_of(ran.path) == rows_of(data / "tocsin.db")
    assert names(tmp_path / "backups") == [ran.path.name]
    assert (ran.path.stat().st_mode & 0o777, ran.path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    groups = len(rows_of(ran.path)["alert_groups"])
    size = f"{ran.path.stat().st_size / 1e6:.1f}"
    assert ran.out.startswith(f"backed up {data} to {ran.path}: {size} MB, {groups} alert groups, ")


def test_a_backup_can_be_read_where_nobody_can_write(daemon: RunningDaemon, tmp_path: Path) -> None:
    """It has no log of its own, as the daemon's file has, for which SQLite would want to make companions."""
    assert (daemon.folder / "tocsin.db").read_bytes()[18:20] == b"\x02\x02"

    path = upkeep("backup", "--data", daemon.folder, tmp_path / "backups").path

    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    assert path.read_bytes()[18:20] == b"\x01\x01"  # https://www.sqlite.org/fileformat.html, 1.3.3


def test_what_a_running_daemon_has_only_in_its_log_is_in_it(daemon: RunningDaemon, tmp_path: Path) -> None:
    """What was answered is in the backup, though it is not in the file yet."""
    integration = daemon.integration()
    for number in range(3):
        daemon.fire(integration, key=f"key {number}")

    ran = upkeep("backup", "--data", daemon.folder, tmp_path)

    found = {row["grouping_key"] for row in rows_of(ran.path)["alert_groups"]}
    assert found == {"key 0", "key 1", "key 2"}


def test_a_backup_by_root_leaves_the_folder_to_its_owner(data: Path, tmp_path: Path) -> None:
    """Companions that SQLite makes for reading belong to the owner of the file, so that the daemon can start after."""
    if os.geteuid() != 0:
        pytest.skip("only root can give files away")
    change_file(data / "tocsin.db", "PRAGMA journal_mode = WAL")
    for path in (data, data / "tocsin.db"):
        os.chown(path, 12345, 12345)

    assert upkeep("backup", "--data", data, tmp_path / "backups").status == 0

    assert {path.stat().st_uid for path in data.iterdir()} == {12345}


def test_older_ones_go(data: Path, tmp_path: Path, clock: FakeClock) -> None:
    """The newest stay, as many as were asked for, and what is no backup stays anyway."""
    into = tmp_path / "backups"
    into.mkdir()
    (into / "tocsin-notes.db").write_text("mine")
    lines = []
    for _ in range(5):
        lines.append(backup(data, into, 3, clock))
        clock.advance(DAY)

    kept = [f"tocsin-202609{day}T141320Z.db" for day in (23, 24, 25)]
    assert names(into) == [*kept, "tocsin-notes.db"]
    assert [line.endswith("removed 1 older") for line in lines] == [False, False, False, True, True]


def test_a_clock_that_jumped_back_does_not_cost_the_new_one(data: Path, tmp_path: Path, clock: FakeClock) -> None:
    """The one that was just made is kept, though by its name it is the oldest."""
    clock.advance(DAY)
    backup(data, tmp_path / "b", 1, clock)

    backup(data, tmp_path / "b", 1, FakeClock())

    assert names(tmp_path / "b") == ["tocsin-20260921T141320Z.db"]


def test_two_in_a_second_are_two(data: Path, tmp_path: Path, clock: FakeClock) -> None:
    """None takes the place of another."""
    for _ in range(2):
        backup(data, tmp_path / "b", None, clock)

    assert names(tmp_path / "b") == ["tocsin-20260921T141320Z.db", "tocsin-20260921T141321Z.db"]


def test_what_a_killed_one_left_is_removed(data: Path, tmp_path: Path, clock: FakeClock) -> None:
    """What is half done has a name that says so, and goes with the next backup."""
    into = tmp_path / "backups"
    into.mkdir()
    for name in ("tocsin-20260101T000000Z.db.partial", "tocsin-20260101T000000Z.db.partial-journal"):
        (into / name).write_text("half")

    backup(data, into, None, clock)

    assert names(into) == ["tocsin-20260921T141320Z.db"]


def test_one_at_a_time(data: Path, tmp_path: Path) -> None:
    """A second one into the same folder is refused, and does not take what the first is making for a leftover."""
    (tmp_path / "tocsin-20260101T000000Z.db.partial").write_text("half")
    held = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)

    ran = upkeep("backup", "--data", data, tmp_path)

    assert ran == (1, "", f"tocsin: another backup into {tmp_path} is under way: wait for its end\n")
    assert "tocsin-20260101T000000Z.db.partial" in names(tmp_path)
    os.close(held)


def test_without_room_nothing_is_begun(
    data: Path, tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says how much is needed, and the older ones stay."""
    into = tmp_path / "backups"
    backup(data, into, None, clock)
    before = names(into)
    real = copying.shutil.disk_usage(tmp_path)
    monkeypatch.setattr(copying.shutil, "disk_usage", lambda path: real._replace(free=5_000_000))

    with pytest.raises(CopyError, match=r"there is no room: 8\.\d MB are needed and 5\.0 MB are free .*; make room"):
        backup(data, into, 1, clock)

    assert names(into) == before


def test_a_disk_that_fails_in_the_middle_leaves_nothing(data: Path, tmp_path: Path) -> None:
    """What was written so far is removed, the older ones stay, and a line says what failed."""
    into = tmp_path / "backups"
    before = upkeep("backup", "--data", data, into).path

    ran = upkeep("backup", "--data", data, into, "--keep", 1, within=little_room(65536))

    assert (ran.status, ran.out, ran.err.count("\n")) == (1, "", 1)
    assert "cannot be written: " in ran.err
    assert names(into) == [before.name]


def test_a_damaged_file_is_no_backup(data: Path, tmp_path: Path, clock: FakeClock) -> None:
    """The exit status says so, no older one is removed, and a line says where to look."""
    into = tmp_path / "backups"
    backup(data, into, None, clock)
    before = names(into)
    with (data / "tocsin.db").open("r+b") as file:
        file.seek(4096 * 5)
        file.write(b"\x7f" * 4096 * 10)

    ran = upkeep("backup", "--data", data, into, "--keep", 1)

    assert (ran.status, ran.out, ran.err.count("\n")) == (1, "", 1)
    assert "`tocsin check`" in ran.err
    assert names(into) == before


def test_a_file_whose_rows_do_not_agree_is_kept_apart(data: Path, tmp_path: Path, clock: FakeClock) -> None:
    """It is more than nothing, but no success; only the last is kept, and no good one goes for it."""
    into = tmp_path / "backups"
    backup(data, into, None, clock)
    change_file(data / "tocsin.db", "DELETE FROM heartbeats")

    ran = [upkeep("backup", "--data", data, into, "--keep", 1) for _ in range(2)]

    assert [(each.status, each.out, each.err.count("\n")) for each in ran] == [(4, "", 1)] * 2
    kept = names(into)
    assert len(kept) == 2
    assert kept[0] == "tocsin-20260921T141320Z.db"
    assert kept[1].endswith(".db.unsound")
    assert str(into / kept[1]) in ran[1].err


BAD = {
    "no folder for the folder": (
        ["backup", "--data", "{data}", "{tmp}/no/such"],
        "there is no folder {tmp}/no: make it",
    ),
    "a file for the folder": (["backup", "--data", "{data}", "{data}/tocsin.db"], "is no folder: name one for backups"),
    "no data": (
        ["backup", "--data", "{tmp}/none", "{tmp}"],
        "there is no file {tmp}/none/tocsin.db: name the right one",
    ),
    "no number": (["backup", "--keep", "0", "{tmp}"], "0 is not in the range x>=1"),
    "a folder for a file": (["check", "{tmp}"], "{tmp} cannot be read: Is a directory; name a file of Tocsin"),
    "no backup": (["restore", "--data", "{data}", "{tmp}/none"], "there is no file {tmp}/none: name the right one"),
    "no data folder": (["restore", "--data", "{tmp}/none", "{data}/tocsin.db"], "there is no data folder {tmp}/none"),
    "a broken restore": (["backup", "--data", "{pending}", "{tmp}"], "a restore broke off: start tocsind"),
}


@pytest.mark.parametrize("case", BAD)
def test_each_mistake_is_one_line(data: Path, tmp_path: Path, case: str) -> None:
    """It says what is wrong and what to do, and nothing is left behind."""
    pending = tmp_path / "pending"
    pending.mkdir()
    (pending / "restore-20260101T000000Z.ready").touch()
    arguments, told = BAD[case]
    places = {"data": data, "tmp": tmp_path, "pending": pending}
    before = names(tmp_path)

    ran = upkeep(*(argument.format(**places) for argument in arguments))

    assert ran.status in (1, 2)
    assert (ran.out, ran.err.count("\n")) == ("", 1)
    assert ran.err.startswith("tocsin: ")
    assert told.format(**places) in ran.err
    assert names(tmp_path) == before


def test_the_folder_is_that_of_the_configuration(data: Path, tmp_path: Path) -> None:
    """The file that TOCSIN_CONFIG names says where the data is; the variable and the option come before it."""
    config = tmp_path / "tocsin.toml"
    config.write_text(f'[daemon]\ndata = "{data}"\n')
    named = {"TOCSIN_CONFIG": str(config)}

    assert f"{data}/tocsin.db is sound" in upkeep("check", env=named).out
    assert "/var/else/tocsin.db" in upkeep("check", env=named | {"TOCSIN_DAEMON_DATA": "/var/else"}).err
    assert "/var/other/tocsin.db" in upkeep("check", "--data", "/var/other", env=named).err


def test_a_mistake_in_the_configuration_backs_up_no_other_folder(data: Path, tmp_path: Path) -> None:
    """A line names file and line of the mistake, and nothing is done."""
    config = tmp_path / "tocsin.toml"
    config.write_text(f'[daemon]\ndate = "{data}"\n')

    ran = upkeep("backup", tmp_path / "backups", env={"TOCSIN_CONFIG": str(config)})

    assert (ran.status, ran.out) == (2, "")
    assert ran.err.startswith(f"tocsin: {config}:2: [daemon] date: there is no such setting")
    assert ran.err.endswith("name the data folder with --data DIR\n")
    assert not (tmp_path / "backups").exists()


def test_what_lies_in_the_current_folder_is_not_run(data: Path, tmp_path: Path) -> None:
    """Root runs this anywhere, also where somebody else put a module."""
    trap = tmp_path / "trap"
    (trap / "tocsind").mkdir(parents=True)
    (trap / "tocsind" / "__init__.py").write_text("raise SystemExit('trapped')")
    root = Path(__file__).parents[3]
    ours = os.pathsep.join(str(root / part) for part in ("daemon", "cli", "proto"))

    ran = upkeep("check", "--data", data, cwd=trap, env={"PYTHONPATH": ours})

    assert ran.status == 0, ran
