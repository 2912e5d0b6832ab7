"""Errands always have an outcome, whatever becomes of the process that runs them; another one takes its place."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from typing import Any

import pytest
from courier_process import is_alive, started, under_way, until, value
from receivers import Opens, answers, drips, request

from tocsind.courier import courier as courier_module
from tocsind.courier import process as process_module
from tocsind.courier.courier import ENDED, NOT_STARTED, Courier
from tocsind.courier.wire import READY, Answer, Bulletin, Outcome, frame
from tocsind.metrics import Metrics


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
