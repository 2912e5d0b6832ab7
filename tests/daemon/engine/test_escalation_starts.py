"""What starts an escalation, what stops it, and what has it begin anew."""

from collections.abc import Callable

import grpc
import pytest
from beats import INTERVAL, alarms, expected
from changing import batch, by, delete, make_route, wipe
from escalating import (
    chain,
    contact,
    delivered,
    edit,
    forget_contact,
    messages,
    number,
    progress,
    route_tells,
    runs,
    said,
    tells,
    write,
)
from fake_clock import HOUR, MINUTE, SECOND
from maintaining import collectors, finish, maintain, stop
from notices import notice
from routing import open_group, remove
from running_daemon import AlertGroup, Integration, RunningDaemon, duration, reason
from templated import said as saying
from templated import template

from tocsin.v1 import integrations_pb2
from tocsind.domain.escalation_chain import Notify, Resolve, Wait

Act = Callable[[RunningDaemon, Integration, str], object]


@pytest.fixture
def integration(daemon: RunningDaemon) -> Integration:
    """An integration whose groups take the chain that is the default: ops, then after five minutes the boss."""
    ops, boss = contact(daemon, "ops"), contact(daemon, "boss")
    chain(daemon, Notify((ops,)), Wait(5 * MINUTE), Notify((boss,)))
    return daemon.integration(stale_after=duration(HOUR))


def delete_integration(daemon: RunningDaemon, integration: Integration, name: str) -> None:
    """The integration is deleted, with what is open."""
    request = integrations_pb2.DeleteIntegrationRequest(name=integration.name)
    daemon.integrations.DeleteIntegration(request, metadata=by())


STOPS: dict[str, Act] = {
    "acknowledge": lambda daemon, integration, name: daemon.act("Acknowledge", name),
    "acknowledge many": lambda daemon, integration, name: batch(daemon, "Acknowledge", [name]),
    "silence": lambda daemon, integration, name: daemon.act("Silence", name),
    "resolve": lambda daemon, integration, name: daemon.act("Resolve", name),
    "resolve many": lambda daemon, integration, name: batch(daemon, "Resolve", [name]),
    "source": lambda daemon, integration, name: daemon.send(integration, notice("", "a")),
    "wipe": lambda daemon, integration, name: wipe(daemon, name),
    "delete": lambda daemon, integration, name: delete(daemon, name),
    "integration": delete_integration,
}

SAID = {
    "acknowledge": "acknowledged",
    "acknowledge many": "acknowledged",
    "silence": "silenced",
    "resolve": "resolved",
    "resolve many": "resolved",
    "source": "resolved",
    "integration": "resolved",
}

ANEW: dict[str, tuple[Act, Act]] = {
    "unacknowledge": (STOPS["acknowledge"], lambda daemon, integration, name: daemon.act("Unacknowledge", name)),
    "unsilence": (STOPS["silence"], lambda daemon, integration, name: daemon.act("Unsilence", name)),
    "end of a silence": (
        lambda daemon, integration, name: daemon.act("Silence", name, duration=duration(MINUTE)),
        lambda daemon, integration, name: daemon.pass_time(MINUTE),
    ),
    "unresolve": (STOPS["resolve"], lambda daemon, integration, name: daemon.act("Unresolve", name)),
    "reopen": (STOPS["source"], lambda daemon, integration, name: daemon.send(integration, notice("a"))),
}


def test_it_starts_when_a_group_opens(daemon: RunningDaemon, integration: Integration) -> None:
    """At once, with the next tick; each step is told in the timeline and is a message; at the end it is over."""
    name = daemon.fire(integration)
    started = daemon.clock.wall()
    group = daemon.group(name)
    assert (group.escalation.escalation_chain, group.escalation.display_name) == ("escalationChains/idpage", "page")
    assert progress(group) == ("WAITING", 1, 3)
    assert group.escalation.start_time.ToMicroseconds() == started
    assert messages(daemon) == []

    daemon.settle()
    told = daemon.clock.wall()
    assert messages(daemon) == [("ops", "firing", 1, "pending")]
    assert said(daemon, name) == [("ESCALATION_STARTED", "page"), ("NOTIFIED", "step 1 of 3: ops")]
    group = daemon.group(name)
    assert progress(group) == ("WAITING", 3, 3)
    assert group.escalation.next_time.ToMicroseconds() == told + 5 * MINUTE
    assert daemon.list_groups() == [group]

    daemon.pass_time(5 * MINUTE - 1)
    assert len(messages(daemon)) == 1
    daemon.pass_time(SECOND)
    assert messages(daemon)[1:] == [("boss", "firing", 3, "pending")]
    assert said(daemon, name)[2:] == [("NOTIFIED", "step 3 of 3: boss"), ("ESCALATION_ENDED", "page")]
    assert not runs(daemon, name)
    daemon.pass_time(HOUR // 2)
    assert len(messages(daemon)) == 2


@pytest.mark.parametrize("how", STOPS)
def test_it_stops(daemon: RunningDaemon, integration: Integration, how: str) -> None:
    """Whatever has a group no longer fire: nobody else is told, and what was not sent is taken back."""
    name = daemon.fire(integration)
    other = daemon.fire(integration, key="other")
    daemon.settle()
    assert runs(daemon, name)

    STOPS[how](daemon, integration, name)

    assert daemon.sql("SELECT 1 FROM escalations WHERE group_id = ?", number(name)) == []
    assert number(name) not in daemon.engine.memory.escalations
    if how in ("wipe", "delete"):
        assert messages(daemon, name) == []
    else:
        assert not runs(daemon, name)
        assert messages(daemon, name) == [("ops", "firing", 1, "cancelled")]
        assert said(daemon, name, "DELIVERY_") == [("DELIVERY_CANCELLED", f"ops: it is {SAID[how]}")]
    if how == "wipe":
        assert daemon.kinds(name)[-1] == "WIPED"
        assert not any(event.reason for event in daemon.events(name))
    daemon.pass_time(6 * MINUTE)
    assert [step for _, _, step, _ in messages(daemon, name)][1:] == []
    if how != "integration":
        assert len(messages(daemon, other)) == 2


@pytest.mark.parametrize("how", STOPS)
def test_what_was_sent_is_not_taken_back(daemon: RunningDaemon, integration: Integration, how: str) -> None:
    """Nor does anybody say that it was."""
    name = daemon.fire(integration)
    daemon.settle()
    delivered(daemon)

    STOPS[how](daemon, integration, name)

    assert messages(daemon, name) in ([("ops", "firing", 1, "delivered")], [])
    if how not in ("wipe", "delete"):
        assert said(daemon, name, "DELIVERY_") == []


@pytest.mark.parametrize("how", ANEW)
def test_it_starts_anew(daemon: RunningDaemon, integration: Integration, how: str) -> None:
    """With its first step, as if it had never run; nothing is left of the run before."""
    name = daemon.fire(integration)
    daemon.settle()
    daemon.pass_time(3 * MINUTE)
    stops, starts = ANEW[how]

    stops(daemon, integration, name)
    assert not runs(daemon, name)
    daemon.pass_time(SECOND)
    starts(daemon, integration, name)
    daemon.settle()

    assert progress(daemon.group(name)) == ("WAITING", 3, 3)
    assert messages(daemon) == [("ops", "firing", 1, "cancelled"), ("ops", "firing", 1, "pending")]
    assert daemon.kinds(name).count("ESCALATION_STARTED") == 2
    daemon.pass_time(5 * MINUTE - SECOND)
    assert len(messages(daemon)) == 2
    daemon.pass_time(SECOND)
    assert messages(daemon)[2:] == [("boss", "firing", 3, "pending")]


def test_the_answer_to_an_action_says_what_runs_after_it(daemon: RunningDaemon, integration: Integration) -> None:
    """Not what ran before."""
    name = daemon.fire(integration)
    daemon.settle()

    assert not daemon.act("Acknowledge", name).HasField("escalation")
    assert progress(daemon.act("Unacknowledge", name)) == ("WAITING", 1, 3)
    (result,) = batch(daemon, "Silence", [name])
    assert not result.alert_group.HasField("escalation")


def test_a_move_of_what_does_not_fire_starts_nothing(daemon: RunningDaemon, integration: Integration) -> None:
    """Silenced again, acknowledged out of a silence, resolved and wiped."""
    name = daemon.fire(integration)
    daemon.settle()
    for verb in ("Silence", "Acknowledge", "Resolve"):
        daemon.act(verb, name)
        assert not runs(daemon, name)
    wipe(daemon, name)
    daemon.settle()
    assert not runs(daemon, name)
    assert daemon.sql("SELECT count(*) FROM messages")[0][0] == 0


def test_a_notification_that_moves_nothing_leaves_it_alone(daemon: RunningDaemon, integration: Integration) -> None:
    """New alerts, repeats: the chain goes on as it was."""
    name = daemon.fire(integration)
    daemon.settle()
    before = daemon.group(name).escalation
    daemon.pass_time(MINUTE)

    daemon.send(integration, notice("a b"))
    daemon.send(integration, notice("a b"))
    daemon.settle()

    assert daemon.group(name).escalation == before
    assert len(messages(daemon)) == 1


def test_what_goes_stale_is_told_no_further(daemon: RunningDaemon, integration: Integration) -> None:
    """As whatever is resolved."""
    name = daemon.fire(integration)
    write(daemon, "UPDATE escalations SET due_at = due_at + ?", 9 * HOUR)
    daemon.pass_time(HOUR)
    daemon.settle()

    assert daemon.group(name).resolve_reason == AlertGroup.STALE
    assert not runs(daemon, name)


def test_what_is_acknowledged_as_it_opens_tells_nobody(daemon: RunningDaemon, integration: Integration) -> None:
    """A template said so; when that is taken back people are told."""
    template(daemon, integration, acknowledge_condition="{{ payload.known }}")
    name = daemon.send(integration, saying("a", payload={"known": True})).alert_group
    daemon.settle()
    assert not runs(daemon, name)
    assert messages(daemon) == []

    daemon.act("Unacknowledge", name)
    daemon.settle()
    assert messages(daemon) == [("ops", "firing", 1, "pending")]


def test_opened_and_resolved_at_once_tells_nobody(daemon: RunningDaemon, integration: Integration) -> None:
    """In one batch, and so in one transaction, before the first step could be done."""
    opened, resolved = daemon.deliver(
        [daemon.delivery(integration, notice("a"), age=1), daemon.delivery(integration, notice("", "a"))]
    )
    daemon.settle()

    assert opened.alert_group == resolved.alert_group
    assert not runs(daemon, opened.alert_group)
    assert messages(daemon) == []


# Whose chain


def test_without_a_chain_nobody_is_told(daemon: RunningDaemon) -> None:
    """None is the default, and the route names none."""
    name = daemon.fire(daemon.integration())
    daemon.settle()

    assert not runs(daemon, name)
    assert daemon.kinds(name) == ["OPENED"]


def test_the_chain_is_that_of_the_route_or_else_the_default(daemon: RunningDaemon) -> None:
    """That of the default route where no other matches or the route is gone; an empty chain is a chain."""
    chains = {
        name: chain(daemon, Notify((contact(daemon, name),)), name=name, default=name == "default")
        for name in ("default", "mine", "routed")
    }
    quiet = chain(daemon, name="quiet", default=False)
    integration = daemon.integration()
    routed = make_route(daemon, integration.name, matchers="severity=page")
    unnamed = make_route(daemon, integration.name, matchers="severity=warn")
    silent = make_route(daemon, integration.name, matchers="severity=info")
    tells(daemon, integration, chains["mine"])
    route_tells(daemon, routed.name, chains["routed"])
    route_tells(daemon, silent.name, quiet)

    def told(severity: str) -> list[str]:
        name = open_group(daemon, integration, key=severity, severity=severity)
        daemon.settle()
        return [who for who, *_ in messages(daemon, name)]

    assert [told(each) for each in ("page", "warn", "info", "other")] == [["routed"], ["default"], [], ["mine"]]
    page = daemon.list_groups("")[-1]
    assert page.route == routed.name
    remove(daemon, routed.name)
    remove(daemon, unnamed.name)
    daemon.act("Acknowledge", page.name)
    daemon.act("Unacknowledge", page.name)
    daemon.settle()
    assert [who for who, *_ in messages(daemon, page.name)] == ["routed", "mine"]


def test_a_chain_that_is_changed_or_deleted_goes_on_as_it_was(daemon: RunningDaemon, integration: Integration) -> None:
    """What starts later takes it as it is then."""
    (chain_id,) = daemon.sql("SELECT id FROM escalation_chains")[0]
    before = daemon.fire(integration, key="before")
    edit(daemon, chain_id, Notify((contact(daemon, "late"),)))
    after = daemon.fire(integration, key="after")
    daemon.settle()
    write(daemon, "DELETE FROM escalation_chains")
    none = daemon.fire(integration, key="none")
    daemon.pass_time(6 * MINUTE)

    assert [who for who, *_ in messages(daemon, before)] == ["ops", "boss"]
    assert [who for who, *_ in messages(daemon, after)] == ["late"]
    assert messages(daemon, none) == []


# Maintenance, and what Tocsin says of itself


def test_what_a_maintenance_collects_tells_people_once_it_is_over(
    daemon: RunningDaemon, integration: Integration
) -> None:
    """Nobody is told of it before, nor of the group that collects; what was acknowledged or resolved meanwhile is not
    told of at all; what was open before goes on."""
    before = daemon.fire(integration, key="before")
    daemon.settle()
    maintain(daemon, integration)
    names = [daemon.fire(integration, key=key) for key in ("held", "acknowledged", "resolved")]
    daemon.act("Acknowledge", names[1])
    daemon.act("Resolve", names[2])
    daemon.pass_time(6 * MINUTE)
    (collector,) = collectors(daemon)
    assert [name for name in (*names, collector.name) if runs(daemon, name)] == []
    assert [who for who, *_ in messages(daemon)] == ["ops", "boss"]

    stop(daemon, integration)
    finish(daemon)
    daemon.settle()

    assert [len(messages(daemon, name)) for name in (*names, collector.name)] == [1, 0, 0, 0]
    assert progress(daemon.group(names[0])) == ("WAITING", 3, 3)
    assert len(messages(daemon, before)) == 2


def test_what_fires_again_into_a_maintenance_is_collected(daemon: RunningDaemon, integration: Integration) -> None:
    """Its chain does not start until it is released."""
    name = daemon.fire(integration)
    daemon.send(integration, notice("", "a"))
    maintain(daemon, integration)
    daemon.send(integration, notice("a"))
    daemon.settle()
    assert not runs(daemon, name)
    daemon.act("Acknowledge", name)
    daemon.act("Unacknowledge", name)
    assert not runs(daemon, name)

    stop(daemon, integration)
    finish(daemon)
    daemon.settle()
    assert runs(daemon, name)


def test_debugging_tells_nobody(daemon: RunningDaemon, integration: Integration) -> None:
    """Not even when it is over, or somebody takes an acknowledgement back; when it fires again, it does."""
    maintain(daemon, integration, "DEBUG")
    name = daemon.fire(integration)
    daemon.act("Acknowledge", name)
    daemon.act("Unacknowledge", name)
    stop(daemon, integration)
    finish(daemon)
    daemon.settle()
    daemon.pass_time(6 * MINUTE)
    assert not runs(daemon, name)
    assert messages(daemon) == []

    daemon.send(integration, notice("", "a"))
    daemon.send(integration, notice("a"))
    daemon.settle()
    assert messages(daemon) == [("ops", "firing", 1, "pending")]


def test_a_missing_heartbeat_and_a_missing_gateway_tell_people(daemon: RunningDaemon) -> None:
    """By the default chain, that of Tocsin's own integration included: "if your monitoring is down, you are told"."""
    chain(daemon, Notify((contact(daemon, "ops"),)), Wait(HOUR))
    expected(daemon)
    daemon.pass_time(INTERVAL)
    daemon.settle()
    (alarm,) = alarms(daemon)
    assert messages(daemon) == [("ops", "firing", 1, "pending")]
    assert runs(daemon, alarm.name)

    daemon.leave()
    for _ in range(3):
        daemon.clock.advance(MINUTE)
        daemon.settle()
    assert [who for who, *_ in messages(daemon)] == ["ops", "ops"]


def test_a_heartbeat_that_a_chain_resolves_is_raised_again(daemon: RunningDaemon) -> None:
    """As long as it is missing: a chain cannot have it forgotten."""
    chain(daemon, Notify((contact(daemon, "ops"),)), Wait(MINUTE), Resolve())
    expected(daemon)
    daemon.pass_time(INTERVAL)
    daemon.settle()
    daemon.pass_time(2 * MINUTE)
    assert [alarm.resolve_reason for alarm in alarms(daemon)] == [AlertGroup.ESCALATION]

    daemon.pass_time(INTERVAL)
    daemon.settle()
    assert sorted(AlertGroup.State.Name(alarm.state) for alarm in alarms(daemon)) == ["FIRING", "RESOLVED"]
    assert len(messages(daemon)) == 2


def test_that_no_gateway_is_there_is_not_told_again_and_again(daemon: RunningDaemon) -> None:
    """A chain may tell it and resolve it at once: it is raised again after a while, as when a person resolves it."""
    chain(daemon, Notify((contact(daemon, "ops"),)), Resolve())
    daemon.integration()
    daemon.leave()
    for _ in range(6):
        daemon.clock.advance(MINUTE // 2)
        daemon.settle()

    assert messages(daemon) == [("ops", "firing", 1, "pending")]
    assert [AlertGroup.State.Name(group.state) for group in daemon.list_groups()] == ["RESOLVED"]


def test_a_group_opens_though_its_chain_cannot_be_read(daemon: RunningDaemon, integration: Integration) -> None:
    """Another version of Tocsin may have written it."""
    write(daemon, """UPDATE chain_versions SET steps = '[["dance"]]'""")
    name = daemon.fire(integration)
    daemon.settle()

    assert daemon.group(name).state == AlertGroup.FIRING
    assert runs(daemon, name)


# Demo alerts


def demo(daemon: RunningDaemon, integration: Integration, to: str = "") -> str:
    """Sends a demo alert."""
    request = integrations_pb2.SendDemoAlertRequest(name=integration.name, contact_point=to)
    return str(daemon.integrations.SendDemoAlert(request, metadata=by()).alert_group)


def test_a_demo_alert_takes_the_chain_of_its_route(daemon: RunningDaemon, integration: Integration) -> None:
    """That is what it is to show."""
    name = demo(daemon, integration)
    daemon.settle()
    assert messages(daemon, name) == [("ops", "firing", 1, "pending")]


def test_a_demo_alert_can_be_sent_to_one_contact_point_alone(daemon: RunningDaemon, integration: Integration) -> None:
    """Nobody else is told of it, however often it starts anew; two such alerts share a version of the chain."""
    contact(daemon, "mine")
    name = demo(daemon, integration, "contactPoints/idmine")
    group = daemon.group(name)
    assert (group.escalation.escalation_chain, group.escalation.display_name) == ("", "mine")
    demo(daemon, integration, "contactPoints/idmine")
    daemon.settle()

    assert messages(daemon, name) == [("mine", "firing", 1, "pending")]
    assert said(daemon, name) == [
        ("ESCALATION_STARTED", "mine"),
        ("NOTIFIED", "step 1 of 1: mine"),
        ("ESCALATION_ENDED", "mine"),
    ]
    daemon.act("Acknowledge", name)
    daemon.act("Unacknowledge", name)
    daemon.settle()
    assert {who for who, *_ in messages(daemon, name)} == {"mine"}
    assert daemon.sql("SELECT count(*) FROM chain_versions WHERE chain = ''") == [(1,)]
    delete(daemon, name)
    assert daemon.sql("SELECT count(*) FROM chosen_versions") == [(1,)]


@pytest.mark.parametrize("to", ["contactPoints/none", "ops", "contactPoints/idops"])
def test_a_demo_alert_to_nobody_is_refused(daemon: RunningDaemon, integration: Integration, to: str) -> None:
    """With the field; also where the contact point was deleted."""
    forget_contact(daemon, 1)
    with pytest.raises(grpc.RpcError) as refusal:
        demo(daemon, integration, to)
    assert reason(refusal.value) == "INVALID_FIELD"
    assert "contact_point" in str(refusal.value)
    assert daemon.list_groups() == []


def test_a_demo_alert_under_maintenance_is_treated_like_others(daemon: RunningDaemon, integration: Integration) -> None:
    """Nobody is told of it while the integration is debugged; what is collected tells its one contact point later."""
    contact(daemon, "mine")
    maintain(daemon, integration, "DEBUG")
    demo(daemon, integration, "contactPoints/idmine")
    daemon.settle()
    stop(daemon, integration)
    maintain(daemon, integration)
    demo(daemon, integration, "contactPoints/idmine")
    daemon.settle()
    assert messages(daemon) == []

    stop(daemon, integration)
    finish(daemon)
    daemon.settle()
    assert messages(daemon) == [("mine", "firing", 1, "pending")]


# Telling of resolutions


@pytest.mark.parametrize("how", ["resolve", "resolve many", "source"])
def test_who_was_told_that_it_fires_is_told_that_it_is_resolved(
    daemon: RunningDaemon, integration: Integration, how: str
) -> None:
    """Where the route wants that; who was not told yet is not, and nobody is told twice."""
    tells(daemon, integration, None, notify_on_resolve=True)
    name = daemon.fire(integration)
    daemon.settle()
    delivered(daemon)
    daemon.pass_time(5 * MINUTE)
    daemon.settle()
    assert [who for who, *_ in messages(daemon)] == ["ops", "boss"]

    STOPS[how](daemon, integration, name)

    assert messages(daemon) == [
        ("ops", "firing", 1, "delivered"),
        ("boss", "firing", 3, "cancelled"),
        ("ops", "resolved", 0, "pending"),
    ]
    assert said(daemon, name)[-1] == ("NOTIFIED", "that it is resolved: ops")
    daemon.act("Unresolve", name)
    daemon.act("Resolve", name)
    assert [state for _, kind, _, state in messages(daemon) if kind == "resolved"] == ["cancelled", "pending"]


@pytest.mark.parametrize("how", ["acknowledge", "silence", "wipe", "delete", "integration"])
def test_nobody_is_told_of_what_is_no_resolution(daemon: RunningDaemon, integration: Integration, how: str) -> None:
    """Nor of what is removed, or goes with its integration."""
    tells(daemon, integration, None, notify_on_resolve=True)
    name = daemon.fire(integration)
    daemon.settle()
    delivered(daemon)

    STOPS[how](daemon, integration, name)

    assert [kind for _, kind, _, _ in messages(daemon) if kind == "resolved"] == []
    assert daemon.sql("SELECT count(*) FROM events WHERE reason LIKE 'that it is resolved%'") == [(0,)]


def test_without_the_setting_nobody_is_told_of_a_resolution(daemon: RunningDaemon, integration: Integration) -> None:
    """Routes have it off; and the setting is that of the group's route."""
    route = make_route(daemon, integration.name, matchers="alertname=DiskFull")
    tells(daemon, integration, None, notify_on_resolve=True)
    names = [daemon.fire(integration, key=key) for key in ("one", "two")]
    daemon.settle()
    delivered(daemon)

    daemon.act("Resolve", names[0])
    assert len(messages(daemon)) == 2
    route_tells(daemon, route.name, None, notify_on_resolve=True)
    daemon.act("Resolve", names[1])
    assert messages(daemon)[2:] == [("ops", "resolved", 0, "pending")]


def test_a_contact_point_that_is_gone_is_not_told_of_a_resolution(
    daemon: RunningDaemon, integration: Integration
) -> None:
    """There is nowhere to."""
    tells(daemon, integration, None, notify_on_resolve=True)
    name = daemon.fire(integration)
    daemon.settle()
    delivered(daemon)
    forget_contact(daemon, 1)

    daemon.act("Resolve", name)

    assert len(messages(daemon)) == 1
