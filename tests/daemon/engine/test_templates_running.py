"""Integrations with templates in a running daemon: what comes of their notifications, and what of everybody else's."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from changing import make_route
from fake_clock import MINUTE, SECOND
from running_daemon import AlertGroup, Event, Receipt, RunningDaemon, Start
from templated import said, template

from tocsin.v1 import intake_pb2

LOOPS = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"


def failures(daemon: RunningDaemon, name: str) -> list[str]:
    """What the timeline of a group says of templates."""
    return [event.reason for event in daemon.events(name) if event.kind == Event.TEMPLATE_FAILED]


def test_what_has_templates_is_deferred_over_the_stream(daemon: RunningDaemon) -> None:
    """Nothing of it is applied; what came with it is, and so is a repeat of what was rendered."""
    plain, fancy = daemon.integration("plain"), daemon.integration("fancy")
    template(daemon, fancy, title="{{ labels.alertname }}!")
    deliveries = [daemon.delivery(fancy, said("a")), daemon.delivery(plain, said("a"))]

    def over_the_stream() -> list[int]:
        request = intake_pb2.DeliverRequest(deliveries=deliveries)
        (response,) = daemon.intake.DeliverStream(iter([request]))
        return [receipt.outcome for receipt in response.receipts]

    assert over_the_stream() == [Receipt.DEFERRED, Receipt.APPLIED]
    assert [group.title for group in daemon.list_groups()] == ["DiskFull"]
    assert [receipt.outcome for receipt in daemon.deliver(deliveries)] == [Receipt.APPLIED, Receipt.UNCHANGED]
    assert over_the_stream() == [Receipt.UNCHANGED, Receipt.UNCHANGED]
    template(daemon, fancy, title="{{ labels.alertname }}?")
    assert over_the_stream() == [Receipt.DEFERRED, Receipt.UNCHANGED]


def test_what_was_rendered_is_not_kept_for_ever(daemon: RunningDaemon) -> None:
    """After some minutes, or where the result depends on the time, templates are asked again."""
    integration = daemon.integration()
    request = intake_pb2.DeliverRequest(deliveries=[daemon.delivery(integration, said("a"))])

    def outcome() -> int:
        (response,) = daemon.intake.DeliverStream(iter([request]))
        return response.receipts[0].outcome

    template(daemon, integration, title="x")
    daemon.send(integration, said("a"))
    assert outcome() == Receipt.UNCHANGED
    daemon.pass_time(11 * MINUTE)
    assert outcome() == Receipt.DEFERRED
    template(daemon, integration, title="{{ time() }}")
    daemon.send(integration, said("a"))
    assert outcome() == Receipt.DEFERRED


def test_title_message_and_link(daemon: RunningDaemon) -> None:
    """They are what templates make of them; a changed template shows at the next notification."""
    integration = daemon.integration()
    template(
        daemon,
        integration,
        title="{{ labels.alertname }} on\n{{ payload.alerts[0].labels.instance }}",
        message="see {{ source_link }}\nnow",
        source_link="http://grafana/{{ labels.alertname }}",
    )
    name = daemon.send(integration, said("a")).alert_group
    group = daemon.group(name)
    assert (group.title, group.message) == ("DiskFull on a", "see http://grafana/DiskFull\nnow")
    assert group.source_link == "http://grafana/DiskFull"
    assert daemon.send(integration, said("a")).outcome == Receipt.UNCHANGED
    template(daemon, integration, title="other")
    assert daemon.send(integration, said("a")).outcome == Receipt.APPLIED
    group = daemon.group(name)
    assert (group.title, group.message, group.source_link) == ("other", "", "http://am-1")
    template(daemon, integration)
    daemon.send(integration, said("a"))
    assert daemon.group(name).title == "DiskFull"
    assert daemon.kinds(name) == ["OPENED"]


def test_the_grouping_id_makes_what_belongs_together(daemon: RunningDaemon) -> None:
    """Two of the source's groups are one where their ids are equal; an empty id leaves the source's own key."""
    integration = daemon.integration()
    template(daemon, integration, grouping_id="{{ payload.team }}")
    one = daemon.send(integration, said("a", key="k1", payload={"team": "db"}))
    two = daemon.send(integration, said("b", key="k2", payload={"team": "db"}))
    three = daemon.send(integration, said("a", key="k3", payload={"team": " "}))
    assert one.alert_group == two.alert_group != three.alert_group
    assert daemon.group(one.alert_group).grouping_key == "db"
    assert daemon.group(three.alert_group).grouping_key == "k3"


def test_a_failing_grouping_id_leaves_the_sources_key(daemon: RunningDaemon) -> None:
    """Every notification of that key reaches the same group all the same, unlike in OnCall; the timeline says why."""
    integration = daemon.integration()
    template(daemon, integration, grouping_id="{{ payload.a.b }}")
    first, second = (daemon.send(integration, said(firing)).alert_group for firing in ("a", "a b"))
    assert first == second
    lines = failures(daemon, first)
    assert lines == ["grouping_id: line 1: 'dict object' has no attribute 'a'"] * 2


def test_what_opened_under_the_sources_key_is_resolved_all_the_same(daemon: RunningDaemon) -> None:
    """Whether there was no template then or its grouping id could not be made in time; what fires on stays."""
    integration = daemon.integration()
    before = daemon.send(integration, said("a", key="k1")).alert_group
    other = daemon.send(integration, said("a", key="k2")).alert_group
    template(daemon, integration, grouping_id="all")
    late = daemon.send(integration, said("a", key="k3"), left=1).alert_group
    assert daemon.group(late).grouping_key == "k3"
    group = daemon.send(integration, said("a b", key="k3")).alert_group
    assert {daemon.group(name).state for name in (before, other, late, group)} == {AlertGroup.FIRING}

    for key in ("k1", "k3"):
        assert daemon.send(integration, said("", "a b", key=key)).alert_group == group

    assert [daemon.group(name).state for name in (before, late, group)] == [AlertGroup.RESOLVED] * 3
    assert daemon.group(other).state == AlertGroup.FIRING
    assert daemon.kinds(before) == ["OPENED", "RESOLVED"]


def test_failures_are_told_once(daemon: RunningDaemon) -> None:
    """Not with every repeat that changes nothing; the defaults are used meanwhile."""
    integration = daemon.integration()
    template(daemon, integration, title="{{ payload.a.b }}", message="fine")
    name = daemon.send(integration, said("a")).alert_group
    for _ in range(3):
        daemon.send(integration, said("a"))
    group = daemon.group(name)
    assert (group.title, group.message) == ("DiskFull", "fine")
    assert daemon.kinds(name) == ["OPENED", "TEMPLATE_FAILED"]
    text = daemon.engine.metrics.exposition().decode()
    assert "tocsin_template_failures_total 1.0" in text


def test_a_resolve_condition_decides_in_place_of_the_source(daemon: RunningDaemon) -> None:
    """True resolves what fires; false leaves what the source calls resolved open, and wakes nobody for it."""
    integration = daemon.integration()
    template(daemon, integration, resolve_condition="{{ payload.over }}")
    name = daemon.send(integration, said("a")).alert_group
    daemon.send(integration, said("", "a"))
    assert daemon.group(name).state == AlertGroup.FIRING
    daemon.send(integration, said("a b", payload={"over": " OK "}))
    assert daemon.group(name).state == AlertGroup.RESOLVED
    daemon.pass_time(10 * MINUTE)
    assert daemon.send(integration, said("", "a b")).alert_group == name
    assert len(daemon.list_groups()) == 1
    assert daemon.send(integration, said("a", payload={"over": 1})).alert_group == name


def test_without_a_group_what_is_resolved_opens_none(daemon: RunningDaemon) -> None:
    """Neither by a condition that is true, nor by one that is false where the source says resolved."""
    integration = daemon.integration()
    template(daemon, integration, resolve_condition="{{ payload.over }}")
    assert daemon.send(integration, said("a", payload={"over": True})).outcome == Receipt.NOTHING_KNOWN
    assert daemon.send(integration, said("", "a")).outcome == Receipt.NOTHING_KNOWN


def test_an_acknowledge_condition_acknowledges_what_fires(daemon: RunningDaemon) -> None:
    """At the opening or later, without an actor; not again where somebody took it back."""
    integration = daemon.integration()
    template(daemon, integration, acknowledge_condition="{{ payload.known }}")
    at_once = daemon.send(integration, said("a", key="k1", payload={"known": 1})).alert_group
    group = daemon.group(at_once)
    assert (group.state, group.state_actor, group.acknowledge_actor) == (AlertGroup.ACKNOWLEDGED, "", "")
    assert group.acknowledge_time == group.create_time
    assert daemon.kinds(at_once) == ["OPENED", "ACKNOWLEDGED"]

    later = daemon.send(integration, said("a", key="k2")).alert_group
    daemon.send(integration, said("a b", key="k2", payload={"known": True}))
    assert daemon.kinds(later) == ["OPENED", "NEW_ALERTS", "ACKNOWLEDGED"]
    daemon.act("Unacknowledge", later)
    daemon.send(integration, said("a b c", key="k2", payload={"known": True}))
    assert daemon.group(later).state == AlertGroup.FIRING
    daemon.act("Silence", later)
    daemon.send(integration, said("a b", key="k2", payload={"known": True}))
    assert daemon.group(later).state == AlertGroup.SILENCED


def test_an_acknowledgement_by_the_source_survives_a_crash(start: Start) -> None:
    """It is in the file with the group that it opened with."""
    daemon = start()
    integration = daemon.integration()
    template(daemon, integration, acknowledge_condition="1")
    name = daemon.send(integration, said("a")).alert_group
    before = daemon.group(name)
    assert daemon.crash().group(name) == before


def test_a_failing_condition_of_a_route_is_told_when_a_group_opens(daemon: RunningDaemon) -> None:
    """Only then is a route chosen."""
    integration = daemon.integration()
    route = make_route(daemon, integration.name, jinja="{{ payload.a.b }}")
    name = daemon.send(integration, said("a")).alert_group
    daemon.send(integration, said("a b"))
    (line,) = failures(daemon, name)
    assert line == f"{route.name}: line 1: 'dict object' has no attribute 'a'"


def test_the_payload_is_stored_as_it_came(daemon: RunningDaemon) -> None:
    """Whatever templates do to theirs."""
    integration = daemon.integration()
    template(
        daemon, integration, title="{{ payload.clear() }}{{ labels.clear() }}x", message="{{ payload.alerts.pop() }}"
    )
    sent = said("a b")
    name = daemon.send(integration, sent).alert_group
    assert daemon.sql("SELECT body FROM payloads") == [(sent.payload,)]
    assert dict(daemon.group(name).labels) == sent.labels


@pytest.mark.parametrize(
    "source",
    [
        LOOPS,
        "{{ 'x' * 10**9 }}",
        "{{ ('a' * 40 + 'b') | regex_search('(a+)+$') }}",
        "{% macro m(n) %}{{ m(n + 1) }}{% endmacro %}{{ m(0) }}",
        "{{ ''.__class__.__mro__ }}",
        "{% include '/etc/passwd' %}",
    ],
)
def test_a_bad_template_does_not_stop_the_writer_nor_others(daemon: RunningDaemon, source: str) -> None:
    """While it is rendered, others deliver, with templates and without; then its alert is there, with the default."""
    plain, fancy, bad = (daemon.integration(name) for name in ("plain", "fancy", "bad"))
    template(daemon, fancy, title="good")
    template(daemon, bad, title=source)
    daemon.send(fancy, said("warm", key="warm"))
    ended: list[str] = []
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(daemon.send, bad, said("a"))
        waiting.add_done_callback(lambda _: ended.append("bad"))
        for number in range(3):
            assert daemon.send(plain, said("a", key=f"k{number}")).outcome == Receipt.APPLIED
            assert daemon.send(fancy, said("a", key=f"k{number}")).outcome == Receipt.APPLIED
            ended.append("good")
        name = waiting.result().alert_group
    if source == LOOPS:
        assert ended[0] == "good"
    assert daemon.group(name).title == "DiskFull"
    (line,) = failures(daemon, name)
    assert line.startswith("title: ")


def test_one_that_took_too_long_rests(daemon: RunningDaemon) -> None:
    """For a minute its defaults are used at once; a template that was corrected is used at once too."""
    integration = daemon.integration()
    template(daemon, integration, title=LOOPS)
    name = daemon.send(integration, said("a")).alert_group
    daemon.send(integration, said("a b"))
    assert failures(daemon, name) == [
        "title: it took too long",
        "title: it took too long less than a minute ago, and rests",
    ]
    template(daemon, integration, title="better")
    daemon.send(integration, said("a b"))
    assert daemon.group(name).title == "better"


def test_a_delivery_that_cannot_wait_takes_the_defaults(daemon: RunningDaemon) -> None:
    """Where templates take more than the sender has, the alert goes through without them."""
    integration = daemon.integration()
    template(daemon, integration, title=LOOPS)
    receipt = daemon.send(integration, said("a"), left=SECOND // 100)
    assert receipt.outcome == Receipt.APPLIED
    (line,) = failures(daemon, receipt.alert_group)
    assert line in ("title: its turn did not come in time", "title: it took too long")


def test_a_batch_of_many_is_rendered_and_applied_in_its_order(daemon: RunningDaemon) -> None:
    """Later arrivals win, whatever the order of rendering; each has its own receipt."""
    integration = daemon.integration()
    template(daemon, integration, title="{{ payload.n }}")
    deliveries = [daemon.delivery(integration, said(f"a{n}", payload={"n": n}), age=1000 - n) for n in range(30)]
    others = [daemon.delivery(daemon.integration("other"), said("a"))]
    receipts = daemon.deliver([*deliveries, *others])
    assert [receipt.outcome for receipt in receipts] == [Receipt.APPLIED] * 31
    assert daemon.group(receipts[0].alert_group).title == "29"


def test_stopping_while_something_is_rendered(daemon: RunningDaemon) -> None:
    """What is under way is answered, and no process is left."""
    integration = daemon.integration()
    template(daemon, integration, title=LOOPS)
    begun = threading.Event()
    original = daemon.engine.renderer.render

    def render(*args: object, **kwargs: object) -> object:
        begun.set()
        return original(*args, **kwargs)  # type: ignore[arg-type]

    daemon.engine.renderer.render = render  # type: ignore[method-assign,assignment]
    call = daemon.intake.Deliver.future(
        intake_pb2.DeliverRequest(deliveries=[daemon.delivery(integration, said("a"))]), timeout=30
    )
    assert begun.wait(30)
    daemon.main.close()
    daemon.closed = True
    assert call.result().receipts[0].outcome == Receipt.APPLIED
    daemon.channel.close()
    assert daemon.engine.renderer.pids() == []


def test_a_caller_that_goes_away_breaks_nothing(daemon: RunningDaemon) -> None:
    """Its call is cancelled while its templates are rendered, or while it is applied; others go on."""
    integration = daemon.integration()
    template(daemon, integration, title=LOOPS)
    request = intake_pb2.DeliverRequest(deliveries=[daemon.delivery(integration, said("a"))])
    for _ in range(20):
        call = daemon.intake.Deliver.future(request, timeout=30)
        call.cancel()
    assert daemon.send(integration, said("b")).outcome == Receipt.APPLIED
    assert daemon.serving()


def test_without_templates_no_process_is_started(daemon: RunningDaemon, tmp_path: Path) -> None:
    """The defaults cost nothing."""
    daemon.fire(daemon.integration())
    assert daemon.engine.renderer.pids() == []
