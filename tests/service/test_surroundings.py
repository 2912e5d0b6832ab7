"""A daemon that cannot start says in one line what is wrong and what to do, and damages nothing."""

import errno
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from little_room import little_room
from load import assert_sound
from processes import Processes
from senders import notification
from stacks import Stack

from tocsind import config, surroundings
from tocsind.rpc.server import ListenError

AS_ANYBODY = ["setpriv", "--bounding-set=-dac_override,-dac_read_search,-fowner", "--"]
"""Root as if it were an ordinary user, whom modes bind."""


def refused(data: Path, *arguments: str, within: list[str] | None = None, status: int = 1) -> str:
    """What a daemon says that does not start: its own line, which is one, and the only one beside the log."""
    command = [*(within or []), sys.executable, "-m", "tocsind", "--data", str(data), *arguments]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    said = [line for line in done.stderr.splitlines() if not line.startswith("{")]
    assert done.returncode == status, done.stderr
    assert len(said) == 1, done.stderr
    assert said[0].startswith("tocsind: ")
    return str(said[0])


@contextmanager
def mounted(folder: Path, *options: str) -> Iterator[None]:
    """A file system of its own for a folder."""
    try:
        done = subprocess.run(["mount", *options, str(folder)], check=False, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("there is no mount command here")
    if done.returncode:
        pytest.skip(f"nothing can be mounted here: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
def anybody() -> list[str]:
    """Runs a command as somebody whom modes bind."""
    if os.geteuid():
        return []
    if shutil.which("setpriv") is None:
        pytest.skip("there is no setpriv here")
    return AS_ANYBODY


def foreign(path: Path) -> None:
    """Gives a path to somebody else."""
    if os.geteuid():
        pytest.skip("only root can give files away")
    os.chown(path, 65534, 65534)


@pytest.fixture
def used(processes: Processes, folder: Path) -> Path:
    """A data folder in which there is something."""
    stack = Stack(processes, folder)
    stack.start()
    integration = stack.client.create("prod")
    sender = stack.sender()
    for number in range(5):
        assert sender.post(integration.url, notification(str(number))) == 200
    sender.close()
    assert stack.gateway.stop() == 0
    assert stack.daemon.stop() == 0
    stack.close()
    return stack.data


def groups(data: Path) -> int:
    """How many groups there are in a file that is whole."""
    assert_sound(data)
    with closing(sqlite3.connect(f"file:{data}/tocsin.db?mode=ro", uri=True)) as connection:
        return int(connection.execute("SELECT count(*) FROM alert_groups").fetchone()[0])


def content(data: Path) -> dict[str, bytes]:
    """What is in a folder, but for the lock."""
    return {path.name: path.read_bytes() for path in data.iterdir() if path.is_file() and path.suffix != ".lock"}


def test_a_full_disk(folder: Path) -> None:
    """Where nothing can be made; with room it starts."""
    data = folder / "data"
    data.mkdir()
    with mounted(data, "-t", "tmpfs", "-o", "size=64k", "tmpfs"):
        (data / "ballast").write_bytes(bytes(64 * 1024))
        said = refused(data)

    assert said == f"tocsind: {data}: the disk is full: make room and start again; what was taken is still there"


def test_a_disk_that_is_full_in_the_middle_of_a_migration(folder: Path) -> None:
    """The file is wholly before it, and it is made when there is room."""
    data = folder / "data"

    said = refused(data, within=little_room(40_000))

    assert f"tocsind: {data}/tocsin.db: the file cannot be used: disk I/O error" in said or "disk is full" in said
    with closing(sqlite3.connect(data / "tocsin.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_disk_that_is_read_only(used: Path) -> None:
    """It is not taken for one that lacks a permission."""
    with mounted(used, "--bind", str(used)):
        subprocess.run(["mount", "-o", "remount,ro,bind", str(used)], check=True)
        said = refused(used)

    assert f"tocsind: {used}/tocsind.lock: the disk is read-only: mount it for writing" in said
    assert groups(used) == 5


@pytest.mark.parametrize("what", ["", "tocsin.db", "tocsind.lock"])
def test_a_wrong_owner(used: Path, anybody: list[str], what: str) -> None:
    """Who it is, to whom it belongs, and how to mend that; of the folder as of the file."""
    path = used / what
    foreign(path)
    path.chmod(0o700 if path.is_dir() else 0o600)

    said = refused(used, within=anybody)

    assert said.startswith(f"tocsind: {path}: root may not write there: it belongs to nobody, with mode 0")
    assert "chown" in said
    assert groups(used) == 5


def test_a_folder_that_cannot_be_made(folder: Path, anybody: list[str]) -> None:
    """The one above it is named."""
    foreign(folder)
    folder.chmod(0o755)

    said = refused(folder / "data", within=anybody)
    os.chown(folder, 0, 0)

    assert said.startswith(f"tocsind: {folder}: root may not write there: it belongs to nobody, with mode 0755")


def _header(file: Path) -> None:
    file.write_bytes(os.urandom(4096) + file.read_bytes()[4096:])


def _pages(file: Path) -> None:
    whole = file.read_bytes()
    file.write_bytes(whole[:4096] + os.urandom(len(whole) - 4096))


def _half(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 8192 * 4096])


@pytest.mark.parametrize("damage", [_header, _pages, _half])
def test_a_file_that_is_damaged(used: Path, damage: Callable[[Path], None]) -> None:
    """It is left as it is, and the line says how to get a good one."""
    damage(used / "tocsin.db")
    before = content(used)["tocsin.db"]

    said = refused(used)

    assert said.startswith(f"tocsind: {used}/tocsin.db: the file is damaged (")
    assert "tocsin restore" in said
    assert content(used)["tocsin.db"] == before


def test_a_file_of_a_newer_version(used: Path) -> None:
    """It is not touched."""
    with closing(sqlite3.connect(used / "tocsin.db")) as connection:
        connection.execute("PRAGMA user_version = 9999")
    before = content(used)["tocsin.db"]

    said = refused(used)

    assert "the file is at migration 9999" in said
    assert "it was written by a newer version, which must be used to open it" in said
    assert content(used)["tocsin.db"] == before


def test_another_daemon_has_it(processes: Processes, folder: Path) -> None:
    """Which one, and what to do."""
    stack = Stack(processes, folder)
    stack.start()

    said = refused(stack.data)

    assert f"is in use by process {stack.daemon.pid}: another tocsind is running on it; stop that one first" in said
    assert stack.status("/-/ready") == 200
    stack.close()


def test_another_program_writes(used: Path) -> None:
    """Such as somebody's sqlite3 shell in a transaction."""
    with closing(sqlite3.connect(used / "tocsin.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute("BEGIN EXCLUSIVE")
        said = refused(used)

    assert f"tocsind: {used}/tocsin.db: another program is writing to it" in said
    assert groups(used) == 5


def test_the_folder_of_the_socket_is_not_there(folder: Path) -> None:
    """It is said before anything is made."""
    said = refused(folder / "data", "--listen", f"unix:{folder}/none/tocsind.sock")

    assert f"tocsind: the folder {folder}/none of the socket is not there: make it" in said
    assert list(folder.iterdir()) == []


def test_something_is_in_the_way_of_the_socket(folder: Path) -> None:
    """A file that is no socket is not taken away."""
    (folder / "file").touch()

    assert f"{folder}/file is no socket and in the way of one" in refused(
        folder / "data", "--listen", f"unix:{folder}/file"
    )


def test_a_port_that_is_taken(folder: Path) -> None:
    """gRPC's own lines do not come in between, and nothing is made."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        said = refused(folder / "data", "--listen", address)

    assert said == f"tocsind: cannot listen on {address}: address already in use: choose another address (--listen)"
    assert list(folder.iterdir()) == []


def test_an_address_of_another_machine(folder: Path) -> None:
    """The system's reason is told."""
    said = refused(folder / "data", "--listen", "192.0.2.1:7000", "--insecure-plain-tcp")

    assert "cannot listen on 192.0.2.1:7000: cannot assign requested address: choose another" in said


def test_the_folder_of_the_socket_belongs_to_another(folder: Path, anybody: list[str]) -> None:
    """Whose it is."""
    (folder / "run").mkdir(mode=0o755)
    foreign(folder / "run")

    said = refused(folder / "data", "--listen", f"unix:{folder}/run/tocsind.sock", within=anybody)

    assert said.startswith(f"tocsind: {folder}/run: root may not write there: it belongs to nobody, with mode 0755")


def test_a_file_where_the_folder_should_be(folder: Path) -> None:
    """It is left alone."""
    (folder / "data").write_text("mine")

    assert "a file is where the data folder should be" in refused(folder / "data")
    assert (folder / "data").read_text() == "mine"


def test_a_mistake_in_the_configuration(folder: Path) -> None:
    """File, line and key, and a status of its own: starting again does not help. Nothing is made."""
    file = folder / "tocsin.toml"
    file.write_text("[daemon]\nrate_limt = 5\n")

    said = refused(folder / "data", "--config", str(file), status=2)

    assert said == f"tocsind: {file}:2: [daemon] rate_limt: there is no such setting; did you mean rate_limit?"
    assert list(folder.iterdir()) == [file]


def test_a_unit_without_a_network_is_named(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Another address would be of no use: the unit has none."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EAFNOSUPPORT, "Address family not supported by protocol")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    with pytest.raises(
        ListenError, match=r"^cannot listen on 127.0.0.1:9095: this process has no network, as its unit"
    ):
        surroundings.check_addresses(config.parse(["--data", str(folder), "--listen", "127.0.0.1:9095"]))
