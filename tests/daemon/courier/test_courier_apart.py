"""The process of the courier beside the daemon: what can be seen of it, and what ends it."""

import os
import signal
import socket
import subprocess
import sys
from concurrent.futures import Future
from pathlib import Path

import pytest
import structlog
from courier_process import is_alive, started, until
from receivers import BEARER, KEY, PASSWORD, QUERY, SECRET, Opens, hangs, request, secretive

from tocsind.courier.courier import Courier
from tocsind.courier.process import UnderWay
from tocsind.courier.wire import READY, Bulletin, Errand, Fetch, Look, Sent, frame


@pytest.mark.parametrize(
    "errand",
    [
        request(f"http://u:{PASSWORD}@x.example/{SECRET}", headers={"X-Key": BEARER}, secret=KEY),
        Bulletin(f"mailto://u:{PASSWORD}@x.example", "title", "body"),
        Look(f"mailto://u:{PASSWORD}@x.example"),
        Fetch(f"http://x.example/{PASSWORD}", 10),
    ],
    ids=lambda errand: type(errand).__name__,
)
def test_errands_do_not_show_what_they_hold(errand: Errand) -> None:
    """Whatever has them printed, alone or as a part of something."""
    shown = f"{errand!r} {Sent(1, errand)!r} {UnderWay(errand, Future())!r}"

    assert not [secret for secret in (PASSWORD, SECRET, BEARER, KEY) if secret in shown]


def test_nothing_of_an_errand_can_be_seen_from_outside(
    courier: Courier, opens: Opens, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither in the command line, nor the environment, nor the logs; of the daemon's environment only what is needed
    is handed on."""
    monkeypatch.setenv("TOCSIN_TOKEN", "env1ronmentSecret")
    monkeypatch.setenv("no_proxy", "localhost")
    monkeypatch.setenv("SSL_CERT_DIR", "/etc/ssl/certs")
    asked = secretive(opens(hangs()), timeout=60)
    future = courier.send(asked)
    pid = started(courier, opens)
    seen = (Path(f"/proc/{pid}/cmdline").read_bytes() + Path(f"/proc/{pid}/environ").read_bytes()).decode()
    with structlog.testing.capture_logs() as logged:
        os.kill(pid, signal.SIGKILL)
        seen += future.result(20).answer
        until(lambda: logged)
    seen += str(logged)

    assert [secret for secret in (SECRET, PASSWORD, QUERY, KEY, BEARER, "env1ronmentSecret") if secret in seen] == []
    assert "no_proxy=localhost" in seen
    assert "SSL_CERT_DIR=/etc/ssl/certs" in seen


def test_signals_to_the_whole_group_are_for_the_daemon(courier: Courier, opens: Opens) -> None:
    """It goes on: the daemon may still have something to send before it ends."""
    pid = started(courier, opens)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(pid, number)

    assert [started(courier, opens) for _ in range(3)] == [pid] * 3


SCRIPT = """
import sys, time
sys.path.insert(0, {here!r})
from receivers import LOOPBACK, Receiver, hangs, request
from tocsind.clock import SystemClock
from tocsind.courier.courier import Courier
from tocsind.metrics import Metrics
courier = Courier(SystemClock(), Metrics([], [], []), LOOPBACK)
receiver = Receiver(hangs())
futures = [courier.send(request(receiver.url(), timeout=60)) for _ in range(5)]
for _ in futures: receiver.received.get()
print(courier.pids()[0], flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_it_ends_with_the_daemon(how: signal.Signals) -> None:
    """However the daemon dies, and whatever is under way."""
    script = SCRIPT.format(here=str(Path(__file__).parent))
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as daemon:
        assert daemon.stdout is not None
        pid = int(daemon.stdout.readline())
        daemon.send_signal(how)

    until(lambda: not is_alive(pid) or "State:\tZ" in Path(f"/proc/{pid}/status").read_text())


def test_the_daemon_has_none_of_the_libraries(tmp_path: Path) -> None:
    """Whatever it has sent, neither apprise nor what it brings along is ever imported there; nor where calendars are
    read."""
    script = f"""
import sys
from pathlib import Path
from tocsind.config import Config
from tocsind.domain.access import Role
from tocsind.main import Main
from tocsind.rpc.server import Listener
from tocsind.courier.wire import Bulletin, Fetch, Look
main = Main(Config(Path({str(tmp_path)!r}), (Listener("unix:{tmp_path}/s", Role.ADMIN),), "http://x"))
assert main.engine.courier.run(Look("mailto://u:p@x.example")).done
assert not main.engine.courier.run(Bulletin("json://127.0.0.1:1/", "t", "b")).done
assert not main.engine.courier.run(Fetch("http://127.0.0.1:1/", 9)).done
main.close()
outward = ("apprise", "requests", "urllib3", "smtplib", "icalendar")
print("RESULT", [name for name in sys.modules if name in outward])
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert "RESULT []" in done.stdout


def test_a_socket_is_all_that_it_needs() -> None:
    """The other end may be a unix socket that somebody else accepts on: garbage ends it, the end of the socket too."""
    for said, status in ((b"", 0), (b"\xff" * 8, 1), (frame(b"\xc1 no errand"), 1), (b"\0\0", 0)):
        ours, its = socket.socketpair()
        with ours, subprocess.Popen([sys.executable, "-P", "-m", "tocsind.courier"], stdin=its.fileno()) as process:
            its.close()
            ours.settimeout(20)
            assert ours.recv(100) == frame(READY)
            ours.sendall(said)
            ours.shutdown(socket.SHUT_WR)
            assert process.wait(20) == status
