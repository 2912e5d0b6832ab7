"""What templates cannot do to the processes that render them nor to others, and what becomes of processes that end."""

import asyncio
import os
import select
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from fake_clock import MINUTE, SECOND, FakeClock
from no_threads import no_more_threads
from rulebooks import LOOPS, PAYLOAD, body, message, packed, render, rulebook

from tocsind.domain.rulebook import Rendered, Rulebook
from tocsind.domain.template import Slot
from tocsind.metrics import Metrics
from tocsind.rendering import process as process_module
from tocsind.rendering.renderer import Renderer
from tocsind.rendering.wire import Made, Task


@pytest.mark.parametrize(
    "source",
    [
        LOOPS,
        "{{ 'x' * 10**9 }}",
        "{% set x = 'x' * 10**7 %}{% for a in range(99999) %}{{ x }}{% endfor %}",
        "{{ ('a' * 40 + 'b') | regex_search('(a+)+$') }}",
        "{{ ('a' * 40 + 'b') | regex_replace('(a|aa)+$', 'x') }}",
        "{% macro m(n) %}{{ m(n + 1) }}{% endmacro %}{{ m(0) }}",
        "{{ (10 ** 99999999) | length }}",
        "{{ '%999999999d' % (3,) }}",
        "{{ [0] * 10**9 }}",
        "{{ ('[' * 100000) | parse_json }}",
        "{{ range(100001) | list }}",
        "{{ lipsum(n=99999) }}",
        "{% set a = [] %}{% for n in range(99999) %}{{ a.extend(a + [n]) }}{% endfor %}",
        "{{ '{:>999999999999}'.format(1) }}",
        "{{ 'a' | indent(10**10) }}",
    ],
)
def test_what_takes_much_or_long_is_bounded(renderer: Renderer, source: str) -> None:
    """It fails, and what another integration asks for meanwhile is answered before it: nothing waits for it."""
    ended: list[str] = []

    async def both() -> tuple[Rendered, Rendered]:
        bad = asyncio.create_task(renderer.render(rulebook(1, message=source), packed(), 30.0))
        good = asyncio.create_task(renderer.render(rulebook(2, title="good"), packed(), 30.0))
        bad.add_done_callback(lambda _: ended.append("bad"))
        good.add_done_callback(lambda _: ended.append("good"))
        return await bad, await good

    bad, good = asyncio.run(both())
    assert (good.texts, good.failures) == ({Slot.TITLE: "good"}, [])
    (line,) = bad.failures
    assert bad.texts == {}
    assert "\n" not in line
    assert len(line) < 500


def test_others_are_served_while_one_loops(renderer: Renderer) -> None:
    """Many deliveries of others are rendered before one that loops is given up."""
    ended: list[int] = []

    async def scenario() -> None:
        await asyncio.gather(*(renderer.render(rulebook(n, title="x"), packed(), 30.0) for n in (1, 2)))
        bad = asyncio.create_task(renderer.render(rulebook(1, title=LOOPS), packed(), 30.0))
        bad.add_done_callback(lambda _: ended.append(1))
        for number in range(2, 12):
            await renderer.render(rulebook(number, title="{{ labels.disk }}"), packed(), 30.0)
            ended.append(number)
        await bad

    asyncio.run(scenario())
    assert sorted(ended) == list(range(1, 12))
    assert ended.index(1) > 2


def test_the_quick_come_first(renderer: Renderer, clock: FakeClock) -> None:
    """However many take long, also after a rest or for the first time: others wait for those alone that have begun."""
    old, new = ([rulebook(n, title=LOOPS) for n in numbers] for numbers in (range(1, 5), range(5, 9)))
    good = [rulebook(number, title="x") for number in range(10, 30)]
    render(renderer, *old, *good)
    render(renderer, *old)
    clock.advance(MINUTE + SECOND)
    ended: list[bool] = []

    async def one(book: Rulebook) -> None:
        rendered = await renderer.render(book, packed(), 30.0)
        ended.append(bool(rendered.texts))

    async def scenario() -> None:
        await asyncio.gather(*map(one, [*old, *new, *good]))

    asyncio.run(scenario())
    assert (ended.count(True), ended.count(False)) == (20, 8)
    assert not any(ended[22:])


def test_what_came_before_the_culprit_counts(renderer: Renderer) -> None:
    """The templates before the one that loops have their results, those after it are told to be not reached."""
    (rendered,) = render(renderer, rulebook(grouping_id="g", title=LOOPS, message="m", conditions=("1",)))
    assert rendered.texts == {Slot.GROUPING_ID: "g"}
    assert rendered.matched == {101: True}
    assert rendered.failures == ["title: it took too long", "message: it was not reached in time"]
    assert not rendered.lasting


def test_a_template_that_took_too_long_rests(renderer: Renderer, clock: FakeClock, metrics: Metrics) -> None:
    """For a minute its default is used at once, and those beside it are rendered; then it is tried again."""
    book = rulebook(title=LOOPS, message="m")
    restarts = metrics.renderer_restarts._value.get
    render(renderer, book)
    assert restarts() == 1
    (rested,) = render(renderer, book)
    assert rested.texts == {Slot.MESSAGE: "m"}
    assert rested.failures == ["title: it took too long less than a minute ago, and rests"]
    assert restarts() == 1
    (other,) = render(renderer, rulebook(2, title=LOOPS))
    assert other.failures == ["title: it took too long"]
    clock.advance(MINUTE + SECOND)
    (again,) = render(renderer, book)
    assert again.failures[0] == "title: it took too long"
    assert restarts() == 3


def test_a_large_payload_is_no_templates_fault(renderer: Renderer) -> None:
    """It may be read in time or not: no template rests because of it when the next one comes."""
    book = rulebook(grouping_id="{{ payload.groupKey }}")
    alert = {"status": "firing", "labels": {"alertname": "x", "instance": "i"}, "startsAt": "2020-01-01T00:00:00Z"}
    large, dense = packed(alerts=[alert] * 300_000), packed(more=[{}] * 7_500_000)
    for payload in (large, dense):
        render(renderer, book, payload=payload)
        (after,) = render(renderer, book)
        assert after.texts == {Slot.GROUPING_ID: PAYLOAD["groupKey"]}


def test_a_template_that_was_changed_does_not_rest(renderer: Renderer) -> None:
    """What rests is the template that took too long, not its successor."""
    render(renderer, rulebook(title=LOOPS))
    (rendered,) = render(renderer, rulebook(title="better"))
    assert rendered.texts == {Slot.TITLE: "better"}


def kill_when_busy(renderer: Renderer) -> threading.Thread:
    """Kills the process that renders, in the middle of its work."""

    def kill() -> None:
        while not (running := [pid for pid in renderer.pids() if state(pid) == "R"]):
            pass
        os.kill(running[0], signal.SIGKILL)

    thread = threading.Thread(target=kill, daemon=True)
    thread.start()
    return thread


def state(pid: int) -> str:
    """R while a process computes."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def test_a_process_that_is_killed_is_replaced(renderer: Renderer, metrics: Metrics) -> None:
    """What it had under way is done by another one, whether it was killed at work or before."""
    message(renderer, "warm")
    for _ in range(2):
        os.kill(*renderer.pids(), signal.SIGKILL)
        assert message(renderer, "next") == "next"
    assert metrics.renderer_restarts._value.get() == 2
    killer = kill_when_busy(renderer)
    assert render(renderer, rulebook(title=LOOPS))[0].failures == ["title: it took too long"]
    killer.join()
    assert message(renderer, "next") == "next"


def test_a_template_of_which_processes_die_has_failed(
    renderer: Renderer, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where another process dies of the same, it is taken for the culprit, and rests; what came before it counts."""
    asked: list[int] = []

    def die(self: process_module.Process, task: Task) -> list[Made]:
        asked.append(self.pid)
        self.kill()
        raise process_module.Ended([Made("g")], in_time=True)

    book = rulebook(grouping_id="g", title="t", message="m")
    with monkeypatch.context() as patched:
        patched.setattr(process_module.Process, "ask", die)
        (rendered,) = render(renderer, book)
    assert len(set(asked)) == 2
    assert rendered.texts == {Slot.GROUPING_ID: "g"}
    assert rendered.failures == [
        "title: it broke the process that renders, perhaps by its memory",
        "message: it was not reached in time",
    ]
    assert set(render(renderer, book)[0].texts) == {Slot.GROUPING_ID, Slot.MESSAGE}
    clock.advance(2 * MINUTE)
    assert render(renderer, book)[0].failures == []


def test_a_process_that_hangs_is_killed(renderer: Renderer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also one that computes nothing and does not answer has its limit."""
    monkeypatch.setattr(process_module, "WALL_SECONDS", 0.2)
    message(renderer, "warm")
    (pid,) = renderer.pids()
    os.kill(pid, signal.SIGSTOP)
    rendered = renderer.render_blocking(rulebook(title="t"), body())
    assert rendered.failures == ["title: its payload was not read in time"]
    assert pid not in renderer.pids()


def test_who_cannot_wait_gets_the_defaults(renderer: Renderer) -> None:
    """When the turn does not come in time, there is an answer that says so."""
    (rendered,) = render(renderer, rulebook(title="t"), patience=0.0)
    assert (rendered.texts, rendered.failures) == ({}, ["title: its turn did not come in time"])
    assert not rendered.lasting


def test_where_no_process_starts_there_are_the_defaults(
    renderer: Renderer, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then every template has failed, and once processes start again, all is well."""
    with monkeypatch.context() as patched:
        patched.setattr(sys, "executable", "/bin/false")
        for _ in range(2):
            (rendered,) = render(renderer, rulebook(title="t"))
            assert rendered.failures == ["title: the process that renders cannot be started"]
    clock.advance(2 * SECOND)
    (rendered,) = render(renderer, rulebook(title="t"))
    assert rendered.texts == {Slot.TITLE: "t"}


def test_where_there_is_no_thread_there_are_the_defaults(renderer: Renderer) -> None:
    """It is answered at once, and says nothing about the template; what is asked next is rendered."""
    with no_more_threads("rendering"):
        refused = renderer.render_blocking(rulebook(title="t"), body())
    assert refused.failures == ["title: the process that renders cannot be started"]
    assert not refused.lasting
    assert message(renderer, "next") == "next"


def test_where_there_is_one_thread_the_others_wait_for_it(renderer: Renderer) -> None:
    """A second one would only have been quicker."""
    message(renderer, "warm")

    async def scenario() -> list[Rendered]:
        return await asyncio.gather(*(renderer.render(rulebook(n, title="x"), packed(), 30.0) for n in range(1, 6)))

    with no_more_threads("rendering"):
        rendered = asyncio.run(scenario())
    assert [each.texts for each in rendered] == [{Slot.TITLE: "x"}] * 5
    assert len(renderer.pids()) == 1


def test_closing_answers_what_waits(clock: FakeClock, metrics: Metrics) -> None:
    """A daemon that stops does not wait for templates, and leaves no process."""
    renderer = Renderer(clock, metrics)
    message(renderer, "warm")
    (pid,) = renderer.pids()

    async def scenario() -> list[Rendered]:
        tasks = [asyncio.create_task(renderer.render(rulebook(1, title=LOOPS), packed(), 30.0)) for _ in range(5)]
        await asyncio.sleep(0)
        await asyncio.to_thread(renderer.close)
        return list(await asyncio.gather(*tasks))

    lines = {line for rendered in asyncio.run(scenario()) for line in rendered.failures}
    assert lines <= {"title: the daemon is stopping", "title: it took too long"}
    assert not Path(f"/proc/{pid}").exists()
    (late,) = render(renderer, rulebook(title="t"))
    assert late.failures == ["title: the daemon is stopping"]


def test_a_process_inherits_nothing(renderer: Renderer, monkeypatch: pytest.MonkeyPatch) -> None:
    """No secret of the environment, no file but its pipe, its journal and what goes nowhere."""
    monkeypatch.setenv("TOCSIN_SECRET", "s3cr3t")
    with open("/etc/hostname", "rb") as opened:
        os.set_inheritable(opened.fileno(), True)
        message(renderer, "warm")
        (pid,) = renderer.pids()
    assert sorted(os.listdir(f"/proc/{pid}/fd")) == ["0", "1", "2"]
    assert b"TOCSIN_SECRET" not in Path(f"/proc/{pid}/environ").read_bytes()


def test_a_process_ends_with_its_parent() -> None:
    """Also where that is killed."""
    script = """
import os, sys
from tocsind.clock import SystemClock
from tocsind.metrics import Metrics
from tocsind.rendering.renderer import Renderer
renderer = Renderer(SystemClock(), Metrics([], [], []))
renderer.check(["warm"])
print(*renderer.pids(), flush=True)
sys.stdin.read()
"""
    parent = subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    )
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    watch = os.pidfd_open(pid)
    parent.kill()
    parent.communicate()
    # Readable once it has ended.
    assert select.select([watch], [], [], 30.0)[0]
    os.close(watch)
