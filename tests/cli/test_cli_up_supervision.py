"""How `tocsin up` minds its children: with a daemon and a gateway that misbehave on request."""

import os
import select
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from processes import free_port
from up_process import Up

STAND_INS = Path(__file__).with_name("stand_ins")
StartUp = Callable[..., Up]


@pytest.fixture
def log(folder: Path) -> Path:
    """Return the file in which the stand-ins take down what they do."""
    return folder / "log"


@pytest.fixture
def start_up(folder: Path, log: Path) -> Iterator[StartUp]:
    """Return a function that runs `tocsin up` with the stand-ins as its children."""
    started: list[Up] = []

    def start(*arguments: str, setup: str = "", **env: str) -> Up:
        path = os.pathsep.join(filter(None, [str(STAND_INS), os.environ.get("PYTHONPATH")]))
        environment = {"PYTHONPATH": path, "STAND_IN_LOG": str(log), **env}
        started.append(Up(folder, *arguments, env=environment, setup=setup))
        return started[-1]

    yield start
    for up in started:
        up.clean_up()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_gateway_stops_before_the_daemon(start_up: StartUp, log: Path, number: int) -> None:
    """A signal stops first what takes alerts and then what keeps them, and the exit code is 0."""
    up = start_up()
    up.sheet()
    code, _, errors = up.stop(number)
    assert code == 0, errors
    assert log.read_text().splitlines() == [
        "tocsind starts",
        "tocsin-gateway starts",
        "tocsin-gateway stops",
        "tocsind stops",
    ]


def test_a_stop_while_starting_is_a_stop(start_up: StartUp, log: Path) -> None:
    """A signal that comes before everything is up stops what was started; nothing more is."""
    up = start_up(TOCSIND_MODE="mute")
    while not log.exists():
        assert up.process.poll() is None
    code, output, errors = up.stop(signal.SIGINT)
    assert (code, output) == (0, ""), errors
    assert "tocsin-gateway starts" not in log.read_text()


def test_who_does_not_stop_is_killed(start_up: StartUp, log: Path) -> None:
    """A child that ignores SIGTERM is killed when our patience ends."""
    up = start_up(setup="up._STOP_PATIENCE = 1", TOCSIND_MODE="stubborn")
    up.sheet()
    daemon = up.children()[0]
    code, _, errors = up.stop()
    assert code == 0, errors
    assert "tocsind ignores SIGTERM" in log.read_text()
    with pytest.raises(ProcessLookupError):
        os.kill(daemon, 0)


def test_stdout_is_for_the_sheet(start_up: StartUp) -> None:
    """What children write, to whichever of their streams, goes to stderr; stdout has the sheet and nothing else."""
    up = start_up()
    sheet = up.sheet()
    _, output, errors = up.stop()
    assert output.strip() == sheet
    assert sheet.startswith("Tocsin is up")
    assert "chatter on stdout" in errors


def test_a_daemon_that_refuses_to_start_is_not_asked_again(start_up: StartUp, log: Path) -> None:
    """When the daemon ends while starting, its own words are passed on and everything ends with exit code 1."""
    code, output, errors = start_up(TOCSIND_MODE="refuse").end()
    assert (code, output) == (1, "")
    assert errors.splitlines() == [
        "chatter on stdout",
        "another tocsind holds the data folder",
        "tocsin: tocsind ended with exit status 1 while it was starting; what it said is above",
    ]
    assert log.read_text() == "tocsind starts\n"


def test_a_daemon_that_never_answers_is_given_up(start_up: StartUp, log: Path) -> None:
    """When the daemon is not there in time, the message says so, and it is stopped."""
    code, output, errors = start_up(setup="up._START_PATIENCE = 1", TOCSIND_MODE="mute").end()
    assert (code, output) == (1, "")
    assert errors.splitlines()[-1] == "tocsin: not up within 1 s: the daemon does not answer"
    assert log.read_text() == "tocsind starts\ntocsind stops\n"


def test_a_gateway_that_never_gets_ready_is_given_up(start_up: StartUp, log: Path) -> None:
    """When the gateway is not ready in time, the message repeats what it said, and both are stopped."""
    up = start_up(setup="up._START_PATIENCE = 2", GATEWAY_MODE="unready")
    code, output, errors = up.end()
    assert (code, output) == (1, "")
    assert f"the gateway is not ready: http://127.0.0.1:{up.port}/-/ready says 503 no daemon yet" in errors
    assert log.read_text().splitlines()[-2:] == ["tocsin-gateway stops", "tocsind stops"]


def test_a_child_that_keeps_ending_is_given_up(start_up: StartUp, log: Path) -> None:
    """A child that ends three times in a row soon after its start is given up: the other is stopped, exit code 1."""
    up = start_up(GATEWAY_MODE="short-lived")
    code, _, errors = up.end()
    assert code == 1
    assert [line for line in errors.splitlines() if line.startswith("tocsin:")] == [
        "tocsin: tocsin-gateway ended with exit status 7; starting it again",
        "tocsin: tocsin-gateway ended with exit status 7; starting it again",
        "tocsin: tocsin-gateway ended with exit status 7, 3 times in a row within 10 s of its start: giving up",
    ]
    assert log.read_text().splitlines() == ["tocsind starts", *["tocsin-gateway starts"] * 3, "tocsind stops"]


def test_children_are_out_of_reach_of_ctrl_c(start_up: StartUp) -> None:
    """Each child has a session of its own, so the terminal's Ctrl-C reaches `up` alone."""
    up = start_up()
    up.sheet()
    sessions = [os.getsid(pid) for pid in up.children()]
    assert sessions == up.children()
    assert os.getsid(up.process.pid) not in sessions


def test_children_do_not_outlive_up(start_up: StartUp, log: Path) -> None:
    """When `up` itself is killed, the kernel tells its children to stop."""
    up = start_up()
    up.sheet()
    gone = [os.pidfd_open(pid) for pid in up.children()]
    assert len(gone) == 2
    up.process.kill()
    for pidfd in gone:
        assert select.select([pidfd], [], [], 20)[0], "a child lives on"
        os.close(pidfd)
    assert sorted(log.read_text().splitlines()[-2:]) == ["tocsin-gateway stops", "tocsind stops"]


def test_a_port_in_use_is_said_before_anything_starts(start_up: StartUp, log: Path) -> None:
    """Where the gateway could not listen, the message names the address, and nothing is started."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        code, output, errors = start_up("--http", address).end()
    assert (code, output) == (1, "")
    assert errors == f"tocsin: cannot listen on {address}: Address already in use; --http HOST:PORT chooses another"
    assert not log.exists()


def test_a_path_too_long_for_a_socket_is_said_before_anything_starts(start_up: StartUp, folder: Path) -> None:
    """A data folder whose path cannot hold a unix socket is wrong usage: nothing is made or started."""
    deep = folder / ("d" * 100)
    code, output, errors = start_up("--data", str(deep)).end()
    assert (code, output) == (2, "")
    assert "bytes long; the system allows 107: choose a --data folder with a shorter path" in errors
    assert len(errors.splitlines()) == 1
    assert not deep.exists()


def test_a_path_just_short_enough_works(start_up: StartUp, folder: Path) -> None:
    """The longest path that the system allows is allowed."""
    room = 107 - len(f"{folder}//tocsind.sock")
    up = start_up("--data", str(folder / ("d" * room)))
    assert f"unix:{folder}/{'d' * room}/tocsind.sock" in up.sheet()


@pytest.mark.parametrize("address", ["8080", ":8080", "localhost", "localhost:0", "localhost:65536", "::1:80", "h:x"])
def test_an_address_that_is_none_is_wrong_usage(start_up: StartUp, address: str) -> None:
    """--http takes HOST:PORT with a port that can be connected to, and nothing else."""
    code, _, errors = start_up("--http", address).end()
    assert code == 2
    assert "Invalid value for '--http'" in errors


@pytest.mark.parametrize("host", ["0.0.0.0", "localhost"])
def test_the_url_is_one_that_others_can_use(start_up: StartUp, host: str) -> None:
    """Where the gateway listens on all addresses, the daemon is told this machine's name for its URLs."""
    port = free_port()
    up = start_up("--http", f"{host}:{port}")
    up.sheet()
    daemon = Path(f"/proc/{up.children()[0]}/cmdline").read_text().split("\0")
    expected = socket.gethostname() if host == "0.0.0.0" else host
    assert daemon[daemon.index("--external-url") + 1] == f"http://{expected}:{port}"
