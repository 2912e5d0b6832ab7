"""Templates of contact points rendered by real processes: what they see, and that they cannot hold up what comes in."""

import asyncio
import json
import threading
import zlib
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from fake_clock import MINUTE, SECOND, FakeClock
from rulebooks import LOOPS, PAYLOAD, message, packed, rulebook

from tocsind.domain.template import MAX_RESULT, MAX_TITLE, Slot
from tocsind.metrics import Metrics
from tocsind.rendering.renderer import Renderer
from tocsind.rendering.wire import Made

GROUP = {"name": "alertGroups/7", "number": 7, "labels": {"severity": "critical"}}
FIRST = {"event": "firing", "group": GROUP, "labels": GROUP["labels"], "source_link": "http://am-1"}
ABOUT = json.dumps(
    {
        "messages": [FIRST, {"event": "resolved", "group": {"number": 8}}],
        "contact_point": {"name": "contactPoints/c1", "display_name": "Ops", "on_call": None},
        "title": "the title",
        "body": "the body",
    }
).encode()


def render(renderer: Renderer, contact_id: int | None = 1, payload: bytes = b"", **sources: str) -> dict[str, Made]:
    """What comes of templates, by their names."""
    return renderer.render_message(contact_id, sources, ABOUT, payload)


def text(renderer: Renderer, source: str, payload: bytes = b"") -> str:
    """What a body template makes; AssertionError where it fails."""
    made = render(renderer, payload=payload, body_template=source)["body_template"]
    assert made.error == ""
    return made.text


@pytest.mark.parametrize(
    ("source", "made"),
    [
        ("{{ event }} {{ group.number }} {{ labels.severity }} {{ source_link }}", "firing 7 critical http://am-1"),
        ("{{ title }}, {{ body }}, {{ contact_point.display_name }}", "the title, the body, Ops"),
        ("{% for m in messages %}{{ m.event }} {{ m.group.number }};{% endfor %}", "firing 7;resolved 8;"),
        ("{{ payload.alerts[0].labels.instance }} {{ payload.numFiring }}", "a 1"),
        ("{{ payload.missing }}|{{ missing }}", "|"),
        ('{"text": {{ title | json_dumps }}}', '{"text": "the title"}'),
        ("{{ ('5m' | timedeltaparse).total_seconds() | int }}", "300"),
    ],
)
def test_what_they_see(shared: Renderer, source: str, made: str) -> None:
    """The group that the message is about, the defaults, and the payload as it came, with OnCall's filters."""
    assert text(shared, source, packed()) == made


@pytest.mark.parametrize("payload", [b"", b"no zlib", zlib.compress(b"{"), zlib.compress(b"[]")])
def test_a_payload_that_is_none_is_empty(shared: Renderer, payload: bytes) -> None:
    """Heartbeats have none: what does not use it is rendered all the same."""
    assert text(shared, "{{ payload }} {{ title }}", payload) == "{} the title"


def test_a_title_is_one_line(shared: Renderer) -> None:
    """It is cut to 500 characters, and a body to 50,000, which is told."""
    made = render(shared, title_template="a\n b\x07" + "{{ 'x' * 900 }}", body_template="a\n\n{{ 'y' * 50000 }}")
    assert made["title_template"].text == "a b " + "x" * (MAX_TITLE - 6) + ".."
    assert len(made["body_template"].text) == MAX_RESULT
    assert made["body_template"].shortened


def test_what_one_changes_the_next_does_not_see(shared: Renderer) -> None:
    """Each has variables of its own."""
    made = render(
        shared,
        payload=packed(),
        title_template="{{ messages.clear() }}{{ group.clear() }}{{ payload.clear() }}",
        body_template="{{ messages | length }} {{ group.number }} {{ payload.status }}",
    )
    assert made["body_template"].text == "2 7 firing"


def test_what_is_missing_is_told_from_what_is_wrong(shared: Renderer) -> None:
    """An attribute of something that is not there may be there another time; a filter that is unknown never is."""
    missing = render(shared, body_template="{{ payload.a.b }}")["body_template"]
    assert (missing.undefined, missing.line) == (True, 1)
    assert "has no attribute 'a'" in missing.error
    for source in ("{{ 1 | nonsense }}", "{{ 1 / 0 }}", "{% if %}"):
        wrong = render(shared, body_template=source)["body_template"]
        assert wrong.error
        assert not wrong.undefined


def test_one_that_loops_is_stopped_and_rests(renderer: Renderer, clock: FakeClock, metrics: Metrics) -> None:
    """What was rendered before it counts. For a minute it is not tried, and its contact point's others are."""
    made = render(renderer, title_template="fine", body_template=LOOPS)
    assert (made["title_template"].text, made["body_template"].error) == ("fine", "it took too long")
    rested = render(renderer, title_template="fine", body_template=LOOPS)
    assert rested["title_template"].text == "fine"
    assert rested["body_template"].error == "it took too long less than a minute ago, and rests"
    assert render(renderer, 2, body_template=LOOPS)["body_template"].error == "it took too long"
    assert metrics.template_failures._value.get() == 3
    clock.advance(MINUTE + SECOND)
    assert render(renderer, body_template=LOOPS)["body_template"].error == "it took too long"


def test_one_of_an_integration_with_the_same_number_does_not_rest(renderer: Renderer) -> None:
    """Contact points and integrations are not mistaken for one another."""
    render(renderer, 1, body_template=LOOPS)
    rendered = renderer.render_blocking(rulebook(1, title=LOOPS), zlib.decompress(packed()))
    assert rendered.failures == ["title: it took too long"]


def test_one_that_takes_all_memory_fails(renderer: Renderer) -> None:
    """And the next is rendered."""
    assert render(renderer, body_template="{{ 'x' * 10**9 }}")["body_template"].error == "it needs too much memory"
    assert text(renderer, "next") == "next"


def test_what_is_tried_out_does_not_rest(renderer: Renderer, metrics: Metrics) -> None:
    """Nor is it counted as a failure: nobody was told anything else than meant."""
    for _ in range(2):
        made = render(renderer, None, body_template=LOOPS)["body_template"]
        assert made.error == "it took too long"
    assert metrics.template_failures._value.get() == 0


def test_intake_has_a_process_of_its_own(renderer: Renderer) -> None:
    """However many contact points have templates that loop, what is received is rendered before most of them."""
    ended: list[str] = []
    lock = threading.Lock()

    def note(what: str) -> None:
        with lock:
            ended.append(what)

    def tell(contact_id: int) -> None:
        render(renderer, contact_id, body_template=LOOPS)
        note("told")

    async def intake() -> None:
        for number in range(100, 110):
            rendered = await renderer.render(rulebook(number, title="{{ labels.disk }}"), packed(), 30.0)
            assert rendered.texts == {Slot.TITLE: "sda"}
            note("received")

    with ThreadPoolExecutor(8) as threads:
        telling = [threads.submit(tell, contact_id) for contact_id in range(1, 9)]
        asyncio.run(intake())
        for future in telling:
            future.result()
    assert (ended.count("told"), ended.count("received")) == (8, 10)
    assert ended[-4:] == ["told"] * 4


def test_two_contact_points_never_have_both_processes(renderer: Renderer, monkeypatch: pytest.MonkeyPatch) -> None:
    """While one is rendered, another waits, though a process is free."""
    under_way: list[int] = []
    most: list[int] = []
    ask = Renderer._ask

    def noted(self: Renderer, process: Any, job: Any) -> Any:
        under_way.append(job.whose)
        most.append(sum(whose < 0 for whose in under_way))
        try:
            return ask(self, process, job)
        finally:
            under_way.remove(job.whose)

    monkeypatch.setattr(Renderer, "_ask", noted)
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda n: render(renderer, n, body_template=LOOPS if n % 2 else "x"), range(1, 5)))
    assert len(most) == 4
    assert max(most) == 1


def test_a_closed_renderer_answers(clock: FakeClock, metrics: Metrics) -> None:
    """A daemon that stops sends the defaults, if anything."""
    renderer = Renderer(clock, metrics)
    message(renderer, "warm")
    renderer.close()
    assert render(renderer, body_template="x")["body_template"].error == "the daemon is stopping"


def test_integrations_see_none_of_it(shared: Renderer) -> None:
    """Their variables are their own, whatever was rendered in the same process before."""
    text(shared, "{{ title }}")
    assert message(shared, "{{ title }}{{ messages }}{{ contact_point }}{{ payload.status }}") == PAYLOAD["status"]
