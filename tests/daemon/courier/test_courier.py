"""Errands always have an outcome, whatever becomes of the process that runs them."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from pathlib import Path
from typing import Any

import pytest
import structlog
from receivers import (
    BEARER,
    KEY,
    LOOPBACK,
    PASSWORD,
    QUERY,
    SECRET,
    Opens,
    answers,
    deaf,
    drips,
    hangs,
    request,
    secretive,
)

from tocsind.clock import SystemClock
from tocsind.courier import courier as courier_module
from tocsind.courier import process as process_module
from tocsind.courier import worker
from tocsind.courier.courier import ENDED, NOT_STARTED, STOPPING, TOO_LONG, Courier
from tocsind.courier.process import UnderWay
from tocsind.courier.wire import MOST_UNDER_WAY, READY, Answer, Bulletin, Errand, Fetch, Look, Outcome, Sent, frame
from tocsind.metrics import Metrics


def until(true: Callable[[], object], seconds: float = 20.0) -> None:
    """Waits for what another process does."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)


def value(metrics: Metrics, name: str, **labels: str) -> float:
    """What a metric says."""
    found = metrics.registry.get_sample_value(name, labels)
    assert found is not None
    return found


def is_alive(pid: int) -> bool:
    """Whether there is such a process, be it as a zombie."""
    return Path(f"/proc/{pid}").exists()


def started(courier: Courier, opens: Opens) -> int:
    """The process id of a courier that has done something."""
    assert courier.run(request(opens(answers()).url())).done
    (pid,) = courier.pids()
    return pid


def under_way(courier: Courier, opens: Opens, count: int, timeout: float = 60.0) -> list["Future[Outcome]"]:
    """Errands that hang, once they do."""
    receiver = opens(hangs())
    futures = [courier.send(request(receiver.url(), timeout=timeout)) for _ in range(count)]
    for _ in range(count):
        receiver.received.get(timeout=30)
    return futures


def test_nothing_is_started_before_it_is_needed(courier: Courier, opens: Opens, metrics: Metrics) -> None:
    """Who tells nobody has no process for it."""
    assert courier.pids() == []
    assert value(metrics, "tocsin_courier_up") == 0

    started(courier, opens)

    assert value(metrics, "tocsin_courier_up") == 1
    assert value(metrics, "tocsin_courier_restarts_total") == 0


def test_every_kind_of_errand(courier: Courier, opens: Opens, metrics: Metrics) -> None:
    """They are carried out, timed and counted; private networks are the courier's own, whatever an errand says."""
    receiver = opens(answers(body=b"fine"))
    errands: list[Any] = [
        request(receiver.url(), networks=[]),
        Fetch(receiver.url(), 100),
        Bulletin(f"json://127.0.0.1:{receiver.port}/", "title", "body"),
        Look("mailto://ann:pw@mail.example"),
    ]

    outcomes = [courier.run(errand) for errand in errands]

    assert [outcome.done for outcome in outcomes] == [True] * 4
    assert outcomes[1].body == b"fine"
    assert all(outcome.seconds > 0 for outcome in outcomes)
    for kind in ("http", "fetch", "bulletin", "look"):
        assert value(metrics, "tocsin_errands_total", kind=kind, outcome="done") == 1
        assert value(metrics, "tocsin_errand_seconds_count", kind=kind) == 1
    assert value(metrics, "tocsin_errands_total", kind="look", outcome="failed") == 0


def test_without_networks_nothing_private_is_reached(opens: Opens, metrics: Metrics) -> None:
    """As the daemon is started by default, and whatever an errand says."""
    courier = Courier(SystemClock(), metrics)
    try:
        assert "not public" in courier.run(request(opens(answers()).url(), networks=LOOPBACK)).answer
    finally:
        courier.close()


def test_a_kill_answers_what_was_under_way(courier: Courier, opens: Opens, metrics: Metrics) -> None:
    """And the next errand finds a new process at once; no zombie remains."""
    pid = started(courier, opens)
    futures = under_way(courier, opens, 20)

    os.kill(pid, signal.SIGKILL)

    assert {future.result(20).answer for future in futures} == {ENDED}
    assert started(courier, opens) != pid
    assert not is_alive(pid)
    assert value(metrics, "tocsin_courier_restarts_total") == 1
    assert value(metrics, "tocsin_courier_up") == 1


def test_killed_again_and_again_nothing_is_left_unanswered(courier: Courier, opens: Opens) -> None:
    """Errands from several threads while the process is killed all the time: each has an outcome."""
    url = opens(answers()).url()
    over = threading.Event()

    def kills() -> None:
        while not over.wait(0.05):
            for pid in courier.pids():
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)

    killer = threading.Thread(target=kills)
    killer.start()
    futures = []
    for _ in range(300):
        futures.append(courier.send(request(url)))
        time.sleep(0.005)
    over.set()
    killer.join()

    outcomes = [future.result(30) for future in futures]
    assert {outcome.answer for outcome in outcomes} <= {"HTTP 200", ENDED, NOT_STARTED}
    until(lambda: courier.run(request(url)).done)


def test_many_that_hang_delay_nobody(courier: Courier, opens: Opens) -> None:
    """300 receivers that do not answer, and another errand is done meanwhile."""
    hanging = under_way(courier, opens, 300)

    assert courier.run(request(opens(answers()).url())).done
    assert not any(future.done() for future in hanging)
    courier.close()
    assert {future.result(0).answer for future in hanging} == {STOPPING}


def test_more_than_there_is_room_for_wait_their_turn(courier: Courier, opens: Opens) -> None:
    """They are given to the process when others are done, and their time begins then."""
    count = MOST_UNDER_WAY + 30
    release = threading.Event()
    receiver = opens(lambda receiver, connection: (receiver.read(connection), release.wait(30),
                                                   connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")))  # fmt: skip
    futures = [courier.send(request(receiver.url(), timeout=60)) for _ in range(count)]
    for _ in range(MOST_UNDER_WAY):
        receiver.received.get(timeout=30)
    assert receiver.received.empty()

    release.set()

    assert all(future.result(60).done for future in futures)


def test_what_takes_too_long_is_given_up(
    courier: Courier, opens: Opens, monkeypatch: pytest.MonkeyPatch, metrics: Metrics
) -> None:
    """A service that drips keeps a thread of the process for longer than its errand may take; nobody waits for it."""
    monkeypatch.setattr(process_module, "GRACE", 0.3)
    receiver = opens(drips(b"HTTP/1.1 200 OK\r\n" + b"X-Header: x\r\n" * 90, 0.02))

    future = courier.send(Bulletin(f"json://127.0.0.1:{receiver.port}/", "t", "b", timeout=0.5))
    assert started(courier, opens)
    outcome = future.result(20)

    assert (outcome.done, outcome.answer) == (False, "no answer within 0.5 s")
    assert started(courier, opens)
    assert value(metrics, "tocsin_courier_restarts_total") == 0


def test_waiting_for_a_turn_is_not_counted(courier: Courier, opens: Opens, monkeypatch: pytest.MonkeyPatch) -> None:
    """An errand has its whole time, however long it had to wait for room."""
    monkeypatch.setattr(process_module, "GRACE", 0.3)
    receiver, deaf_one = opens(answers()), opens(deaf)
    for _ in range(MOST_UNDER_WAY):
        courier.send(request(deaf_one.url(), timeout=4))

    futures = [courier.send(request(receiver.url(), timeout=2)) for _ in range(5)]

    assert [future.result(30).answer for future in futures] == ["HTTP 200"] * 5


def test_what_ends_after_all_is_not_stuck(courier: Courier, opens: Opens, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer that comes too late frees its thread: only what hangs at the same time counts."""
    monkeypatch.setattr(process_module, "GRACE", 0.1)
    pid = started(courier, opens)
    receiver = opens(drips(b"HTTP/1.1 200 OK" + b" " * 9000, 0.02))

    future = courier.send(Bulletin(f"json://127.0.0.1:{receiver.port}/", "t", "b", timeout=0.5))
    assert started(courier, opens)
    outcome = future.result(20)

    assert outcome.answer == "no answer within 0.5 s"
    (process,) = courier._processes
    assert process.stuck == 1
    receiver.close()
    until(lambda: process.stuck == 0)
    assert started(courier, opens) == pid


def test_a_process_in_which_too_much_hangs_is_replaced(
    courier: Courier, opens: Opens, monkeypatch: pytest.MonkeyPatch, metrics: Metrics
) -> None:
    """New errands go to a new one; the old one does what it had, and ends."""
    monkeypatch.setattr(process_module, "GRACE", 0.3)
    monkeypatch.setattr(courier_module, "MOST_STUCK", 3)
    pid = started(courier, opens)
    release = threading.Event()
    slow = opens(lambda receiver, connection: (receiver.read(connection), release.wait(30),
                                               connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")))  # fmt: skip
    last = courier.send(request(slow.url(), timeout=60))
    slow.received.get(timeout=10)
    dripping = f"json://127.0.0.1:{opens(drips(b'HTTP/1.1 200 OK' + b' ' * 9000, 0.02)).port}/"

    stuck = [courier.send(Bulletin(dripping, "t", "b", timeout=0.5)) for _ in range(3)]

    assert {future.result(20).answer for future in stuck} == {"no answer within 0.5 s"}
    until(lambda: value(metrics, "tocsin_courier_restarts_total") == 1)
    assert courier.run(request(opens(answers()).url())).done
    assert len(courier.pids()) == 2
    release.set()
    assert last.result(20).answer == "HTTP 204"
    until(lambda: not is_alive(pid))
    assert len(courier.pids()) == 1


def test_a_process_that_is_stopped_blocks_nobody(
    courier: Courier, opens: Opens, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes nothing any more: giving it errands returns all the same, and they are given up."""
    monkeypatch.setattr(process_module, "GRACE", 0.3)
    pid = started(courier, opens)
    os.kill(pid, signal.SIGSTOP)

    futures = [courier.send(request("http://127.0.0.1:1/", body=b"x" * 1_000_000, timeout=0.5)) for _ in range(80)]

    assert {future.result(20).answer for future in futures} == {"no answer within 0.5 s"}
    assert courier.run(request(opens(answers()).url())).done
    until(lambda: not is_alive(pid))


def test_a_process_that_says_nothing_any_more_is_replaced(
    courier: Courier, opens: Opens, monkeypatch: pytest.MonkeyPatch, metrics: Metrics
) -> None:
    """The first errand that it leaves unanswered is enough: messages have few attempts, and all would be wasted."""
    monkeypatch.setattr(process_module, "GRACE", 0.3)
    pid = started(courier, opens)
    os.kill(pid, signal.SIGSTOP)

    lost = courier.run(request("http://127.0.0.1:1/", timeout=0.5))

    assert lost.answer == "no answer within 0.5 s"
    assert courier.run(request(opens(answers()).url(), timeout=5.0)).done
    until(lambda: not is_alive(pid))
    assert value(metrics, "tocsin_courier_restarts_total") == 1


def test_closing_answers_everything(opens: Opens, metrics: Metrics) -> None:
    """What is under way, what waits, and what comes later; the process is gone, and closing again does nothing."""
    courier = Courier(SystemClock(), metrics, LOOPBACK)
    pid = started(courier, opens)
    futures = under_way(courier, opens, 5)

    courier.close()
    courier.close()

    assert {future.result(0).answer for future in (*futures, courier.send(Look("x://")))} == {STOPPING}
    assert courier.pids() == []
    assert not is_alive(pid)
    assert value(metrics, "tocsin_courier_up") == 0


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


def test_one_that_was_never_used_closes(metrics: Metrics) -> None:
    """Without ever having had a process."""
    Courier(SystemClock(), metrics).close()


def test_what_is_too_long_is_refused(courier: Courier, opens: Opens) -> None:
    """It is not sent, and the process lives on."""
    pid = started(courier, opens)

    assert courier.run(request("http://x/", body=b"x" * 17_000_000)).answer == TOO_LONG
    assert courier.pids() == [pid]


def test_what_cannot_be_written_is_refused(courier: Courier) -> None:
    """Half of a pair of surrogates is no text."""
    assert courier.run(Look("mailto://\ud800")).answer == TOO_LONG


@pytest.mark.parametrize("program", ["/bin/false", "/nowhere/python"])
def test_one_that_does_not_start(courier: Courier, opens: Opens, monkeypatch: pytest.MonkeyPatch, program: str) -> None:
    """Errands fail at once, it is not started all the time, and when it can be again it is."""
    tried = []
    real = subprocess.Popen

    def counting(command: list[str], **options: Any) -> Any:
        tried.append(command)
        return real([program] if len(tried) < 3 else command, **options)

    monkeypatch.setattr(process_module.subprocess, "Popen", counting)
    url = opens(answers()).url()

    assert courier.run(request(url)).answer == NOT_STARTED
    for _ in range(50):
        assert courier.run(request(url)).answer == NOT_STARTED
    assert len(tried) < 3
    until(lambda: courier.run(request(url)).done)
    assert len(tried) == 3


@pytest.mark.parametrize(
    "said",
    [
        b"garbage",
        b"\xff\xff\xff\xff",
        frame(b"hello"),
        frame(READY) + frame(b"\xc1"),
        frame(READY) + frame(Answer(999, Outcome(True, "forged"))),
        frame(READY) + frame({"a": 1}),
        frame(READY) + b"\0\0\0\5ab",
    ],
)
def test_garbage_from_the_process_ends_it(
    courier: Courier, opens: Opens, monkeypatch: pytest.MonkeyPatch, said: bytes
) -> None:
    """What it had has failed; another one takes over."""
    real = subprocess.Popen
    script = f"import os, time; os.write(0, {said!r}); {'time.sleep(60)' if said[-1:] != b'b' else ''}"
    commands = [[sys.executable, "-c", script]]
    monkeypatch.setattr(
        process_module.subprocess, "Popen", lambda own, **options: real(commands.pop() if commands else own, **options)
    )
    url = opens(answers()).url()

    outcome = courier.run(request(url, timeout=60))

    assert outcome.answer in (ENDED, NOT_STARTED)
    until(lambda: courier.run(request(url)).done)


def test_a_callback_that_fails_is_nobodys_problem(courier: Courier, opens: Opens) -> None:
    """What is called with an outcome may raise."""
    future = courier.send(request(opens(answers()).url()))
    future.add_done_callback(lambda _: 1 // 0)

    assert future.result(20).done
    assert started(courier, opens)


def test_an_errand_cannot_be_cancelled(courier: Courier, opens: Opens) -> None:
    """Nobody could say whether it has gone."""
    (future,) = under_way(courier, opens, 1)

    assert not future.cancel()


def test_an_errand_that_does_something_odd_is_answered(courier: Courier, opens: Opens) -> None:
    """A defect in the process is an answer, without the text of an exception; the process goes on."""
    pid = started(courier, opens)

    outcomes = [
        courier.run(request("http://x/", method="BAD METHOD\r\n")),
        courier.run(request("http://x/", timeout=-1)),
        courier.run(Bulletin("mailto://u:p@127.0.0.1:1?from=a@b.example&to=c@d.example", "", "")),
        courier.run(Fetch(opens(answers(body=b"x" * 20_000_000)).url(), 19_000_000)),
    ]
    courier.networks = ["no network"]
    outcomes.append(courier.run(request("http://127.0.0.1:1/")))

    assert [outcome.done for outcome in outcomes] == [False] * 5
    assert all(outcome.answer for outcome in outcomes)
    assert courier.pids() == [pid]


@pytest.mark.parametrize("error", [RuntimeError(SECRET), SystemExit(SECRET), MemoryError(), KeyboardInterrupt()])
def test_a_defect_is_an_answer(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    """Whatever a library raises in the process, with nothing of its text: that may hold anything."""

    def breaks(_: object) -> None:
        raise error

    monkeypatch.setattr(worker.webhook, "send", breaks)

    outcome = worker.run(request("http://x/"))

    assert (outcome.done, outcome.answer) == (False, f"it failed unexpectedly: {type(error).__name__}")


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


def test_nothing_is_kept_of_what_is_done(courier: Courier, opens: Opens) -> None:
    """Thousands of errands leave no sockets open in the daemon."""
    receiver = opens(answers())
    started(courier, opens)
    before = len(os.listdir("/proc/self/fd"))

    for _ in range(5):
        wait([courier.send(request("http://127.0.0.1:1/")) for _ in range(400)])

    assert len(os.listdir("/proc/self/fd")) <= before + 5
    assert receiver.received.empty()


def test_deaf_receivers_do_not_keep_threads(courier: Courier, opens: Opens) -> None:
    """After their deadlines there is room again: more errands in a row than there are threads."""
    receiver = opens(deaf)
    for _ in range(2):
        futures = [courier.send(request(receiver.url(), timeout=0.5)) for _ in range(MOST_UNDER_WAY)]
        assert {future.result(60).answer for future in futures} <= {
            "no answer within 0.5 s",
            "connection reset by peer",
        }

    assert courier.run(request(opens(answers()).url())).done


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
