"""Errands always have an outcome, however many there are and whatever they ask for."""

import os
import socket
import threading
from concurrent.futures import wait
from typing import Any

import pytest
from courier_process import is_alive, started, under_way, value
from no_threads import no_more_threads
from receivers import LOOPBACK, SECRET, Opens, answers, deaf, request

from tocsind.clock import SystemClock
from tocsind.courier import process as process_module
from tocsind.courier import worker
from tocsind.courier.courier import NOT_STARTED, STOPPING, TOO_LONG, Courier
from tocsind.courier.wire import MOST_UNDER_WAY, READY, Bulletin, Fetch, Frames, Look, Sent, answer_of, frame
from tocsind.metrics import Metrics


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


def test_waiting_for_a_turn_is_not_counted(courier: Courier, opens: Opens, monkeypatch: pytest.MonkeyPatch) -> None:
    """An errand has its whole time, however long it had to wait for room."""
    monkeypatch.setattr(process_module, "GRACE", 0.3)
    receiver, deaf_one = opens(answers()), opens(deaf)
    for _ in range(MOST_UNDER_WAY):
        courier.send(request(deaf_one.url(), timeout=4))

    futures = [courier.send(request(receiver.url(), timeout=2)) for _ in range(5)]

    assert [future.result(30).answer for future in futures] == ["HTTP 200"] * 5


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


def test_without_a_thread_an_errand_is_answered_at_once(courier: Courier, opens: Opens) -> None:
    """It never left this machine; the next one finds a thread again, and so does closing."""
    with no_more_threads("courier"):
        refused = courier.send(Look("mailto://ann:pw@mail.example"))

        assert refused.done()
    assert (refused.result().answer, refused.result().tried) == (NOT_STARTED, False)
    assert started(courier, opens)


def test_one_that_never_had_a_thread_closes(metrics: Metrics) -> None:
    """As one that was never used."""
    courier = Courier(SystemClock(), metrics)
    with no_more_threads("courier"):
        courier.run(Look("x://"))

    courier.close()

    assert courier.run(Look("x://")).answer == STOPPING


@pytest.mark.parametrize("name", ["errand", "look-up"])
def test_what_the_process_has_no_thread_for_was_not_tried(
    opens: Opens, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither its own nor the one that looks names up: no message is given up for that, and the process goes on."""
    # These are for a process of its own.
    monkeypatch.setattr(socket, "setdefaulttimeout", lambda _: None)
    monkeypatch.setattr(threading, "stack_size", lambda _: None)
    receiver = opens(answers())
    ours, its = socket.socketpair()
    serving = threading.Thread(target=worker.serve, args=(its,))
    serving.start()
    frames, said = Frames(), ours.makefile("rb", buffering=0)

    def heard() -> bytes:
        while not (found := list(frames.feed(said.read(1 << 20)))):
            pass
        return found[0]

    with ours, its, said:
        assert heard() == READY
        with no_more_threads(name):
            ours.sendall(frame(Sent(1, request(receiver.url()))))
            refused = answer_of(heard())
        ours.sendall(frame(Sent(2, request(receiver.url()))))
        done = answer_of(heard())
        ours.shutdown(socket.SHUT_WR)
        serving.join()

    assert (refused.number, refused.outcome.answer, refused.outcome.tried) == (1, worker.NO_THREAD, False)
    assert (done.number, done.outcome.done) == (2, True)
