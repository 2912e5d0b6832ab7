"""Groups of a running daemon: what people and timers do to them, over restarts and jumps of the clock."""

import grpc
import pytest
from fake_clock import DAY, HOUR, MINUTE, SECOND, FakeClock
from notices import notice
from running_daemon import AlertGroup, Integration, RunningDaemon, duration, pages, reason

from tocsin.v1 import integrations_pb2

YEAR = 365 * DAY


def state(daemon: RunningDaemon, name: str) -> str:
    """Where a group stands."""
    return str(AlertGroup.State.Name(daemon.group(name).state))


def update(daemon: RunningDaemon, integration: Integration, **settings: int) -> Integration:
    """Changes durations of an integration."""
    changed = Integration(name=integration.name, **{name: duration(value) for name, value in settings.items()})
    request = integrations_pb2.UpdateIntegrationRequest(integration=changed)
    request.update_mask.paths.extend(settings)
    return daemon.integrations.UpdateIntegration(request)


def test_a_group_is_taken_through_all_its_states(daemon: RunningDaemon) -> None:
    """Each action is on disk with its actor and note, and each is one line of the timeline."""
    name = daemon.fire(daemon.integration())
    for verb, after in [
        ("Acknowledge", "ACKNOWLEDGED"),
        ("Unacknowledge", "FIRING"),
        ("Silence", "SILENCED"),
        ("Unsilence", "FIRING"),
        ("Resolve", "RESOLVED"),
        ("Unresolve", "FIRING"),
    ]:
        acted = daemon.act(verb, name, actor=f"{verb} ünd co", note=f"about {verb}")
        assert AlertGroup.State.Name(acted.state) == after
        assert acted == daemon.group(name)
        event = daemon.events(name)[-1]
        assert (event.actor, event.note) == (f"{verb} ünd co", f"about {verb}")

    kinds = ["OPENED", "ACKNOWLEDGED", "UNACKNOWLEDGED", "SILENCED", "UNSILENCED", "RESOLVED", "UNRESOLVED"]
    assert daemon.kinds(name) == kinds
    assert daemon.crash().kinds(name) == kinds


def test_a_repeat_is_no_event_and_a_rival_is_refused(daemon: RunningDaemon) -> None:
    """The same actor may repeat; another is told who was first."""
    name = daemon.fire(daemon.integration())
    daemon.act("Acknowledge", name, actor="ada")
    daemon.act("Acknowledge", name, actor="ada")

    with pytest.raises(grpc.RpcError, match="it is acknowledged by ada") as refusal:
        daemon.act("Acknowledge", name, actor="bob")

    assert (refusal.value.code(), reason(refusal.value)) == (grpc.StatusCode.FAILED_PRECONDITION, "WRONG_STATE")
    assert daemon.kinds(name) == ["OPENED", "ACKNOWLEDGED"]


def test_unresolve_is_refused_while_another_is_open(daemon: RunningDaemon) -> None:
    """An identity has one open group: the older one is opened again only when the newer is resolved."""
    integration = daemon.integration()
    first = daemon.fire(integration)
    daemon.act("Resolve", first)
    second = daemon.fire(integration, "a b")
    assert second != first

    with pytest.raises(grpc.RpcError, match=f"{second} is open for the same source") as refusal:
        daemon.act("Unresolve", first)
    assert (refusal.value.code(), reason(refusal.value)) == (grpc.StatusCode.FAILED_PRECONDITION, "ANOTHER_IS_OPEN")
    assert daemon.group(first).state == AlertGroup.RESOLVED

    daemon.act("Resolve", second)
    daemon.act("Unresolve", first)
    assert daemon.fire(integration, "a b") == first
    daemon.send(integration, notice("", "a b"))
    assert state(daemon, first) == "RESOLVED"


# Silences


def silenced(daemon: RunningDaemon, span: int = HOUR) -> str:
    """A group that is silenced for an hour."""
    name = daemon.fire(daemon.integration())
    daemon.act("Silence", name, duration=duration(span))
    return name


def test_a_silence_ends_by_timer(daemon: RunningDaemon) -> None:
    """At its end and not before; nobody did it, and the timeline says why."""
    name = silenced(daemon)
    assert daemon.group(name).silence_end_time.ToMicroseconds() == daemon.clock.wall() + HOUR
    daemon.pass_time(HOUR - 1)
    assert state(daemon, name) == "SILENCED"

    daemon.settle()

    assert state(daemon, name) == "FIRING"
    event = daemon.events(name)[-1]
    assert (daemon.kinds(name)[-1], event.actor, event.reason) == ("UNSILENCED", "", "the silence ended")
    assert not daemon.group(name).HasField("silence_end_time")


@pytest.mark.parametrize("end", ["close", "crash"])
def test_a_silence_survives_the_daemon(daemon: RunningDaemon, end: str) -> None:
    """It ends at its time of day, however often the daemon was started in between."""
    name = silenced(daemon)
    daemon.pass_time(10 * MINUTE)
    daemon = daemon.reopen(downtime=20 * MINUTE) if end == "close" else daemon.crash(downtime=20 * MINUTE)
    daemon.pass_time(30 * MINUTE - 1)
    assert state(daemon, name) == "SILENCED"

    daemon.settle()

    assert state(daemon, name) == "FIRING"


def test_a_silence_that_ended_while_the_daemon_was_down_ends_at_its_start(daemon: RunningDaemon) -> None:
    """What is overdue is done at once."""
    name = silenced(daemon)
    daemon = daemon.crash(downtime=2 * HOUR)
    daemon.settle()

    assert state(daemon, name) == "FIRING"


def test_a_silence_counts_the_time_in_which_the_machine_slept(daemon: RunningDaemon, clock: FakeClock) -> None:
    """It was promised until a time of day."""
    name = silenced(daemon)
    clock.suspend(HOUR)
    daemon.settle()

    assert state(daemon, name) == "FIRING"


@pytest.mark.parametrize("jump", [YEAR, -YEAR])
def test_a_jump_of_the_time_of_day_does_not_end_or_prolong_a_silence(
    daemon: RunningDaemon, clock: FakeClock, jump: int
) -> None:
    """It was set for an hour, and lasts an hour."""
    name = silenced(daemon)
    clock.jump(jump)
    daemon.pass_time(HOUR - 1)
    assert state(daemon, name) == "SILENCED"

    daemon.settle()

    assert state(daemon, name) == "FIRING"


@pytest.mark.parametrize("verb", ["Unsilence", "Resolve", "Acknowledge"])
def test_the_timer_of_a_silence_goes_with_it(daemon: RunningDaemon, verb: str) -> None:
    """Whoever ended it, its timer does nothing to what came after."""
    name = silenced(daemon)
    acted = daemon.act(verb, name)

    daemon.pass_time(2 * HOUR)
    daemon.settle()

    assert daemon.group(name) == acted


def test_a_silence_for_ever_has_no_end(daemon: RunningDaemon) -> None:
    """It lasts until somebody ends it, also when it follows one that would have ended."""
    name = silenced(daemon)
    daemon.act("Silence", name)
    daemon.pass_time(2 * HOUR)
    daemon = daemon.crash(downtime=YEAR)
    daemon.settle()

    assert state(daemon, name) == "SILENCED"


@pytest.mark.parametrize("end", [10 * MINUTE, 3 * HOUR])
def test_the_last_end_of_a_silence_counts(daemon: RunningDaemon, end: int) -> None:
    """Moved to earlier or to later."""
    name = silenced(daemon)
    daemon.act("Silence", name, duration=duration(end))
    daemon.pass_time(end - 1)
    assert state(daemon, name) == "SILENCED"

    daemon.settle()

    assert state(daemon, name) == "FIRING"


def test_a_silence_moved_in_the_last_moment_is_not_ended_by_its_old_timer(
    daemon: RunningDaemon, clock: FakeClock
) -> None:
    """The old end is due in the same transaction in which somebody moves it: what was promised to them holds."""
    name = silenced(daemon)
    daemon.pass_time(HOUR - SECOND)
    clock.advance(SECOND)
    daemon.act("Silence", name, duration=duration(HOUR))
    daemon.settle()
    assert state(daemon, name) == "SILENCED"

    daemon.pass_time(HOUR)
    daemon.settle()

    assert state(daemon, name) == "FIRING"


@pytest.mark.parametrize("span", [0, SECOND - 1, 366 * DAY + 1])
def test_a_silence_has_bounds(daemon: RunningDaemon, span: int) -> None:
    """A second to 366 days, or for ever."""
    name = daemon.fire(daemon.integration())

    with pytest.raises(grpc.RpcError, match="1 second to 366 days") as refusal:
        daemon.act("Silence", name, duration=duration(span))

    assert refusal.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert state(daemon, name) == "FIRING"


# Staleness


def test_nothing_goes_stale_unless_that_is_wanted(daemon: RunningDaemon) -> None:
    """Off by default."""
    name = daemon.fire(daemon.integration())
    daemon.pass_time(DAY)

    assert state(daemon, name) == "FIRING"


@pytest.mark.parametrize("verb", ["", "Acknowledge", "Silence"])
def test_a_group_that_is_not_heard_of_goes_stale(daemon: RunningDaemon, verb: str) -> None:
    """Counted from the last notification, a repeat included, and from any open state."""
    integration = daemon.integration(stale_after=duration(HOUR))
    name = daemon.fire(integration)
    if verb:
        daemon.act(verb, name)
    daemon.pass_time(HOUR - 1)
    assert daemon.fire(integration) == name
    daemon.pass_time(HOUR - 1)
    assert daemon.group(name).state != AlertGroup.RESOLVED

    daemon.settle()

    group = daemon.group(name)
    assert (group.state, group.resolve_reason) == (AlertGroup.RESOLVED, AlertGroup.STALE)
    assert daemon.events(name)[-1].reason == "not heard of for longer than stale_after"
    assert daemon.fire(integration) != name


def test_time_in_which_nothing_could_be_heard_does_not_make_stale(daemon: RunningDaemon) -> None:
    """Neither without a gateway nor while the daemon was down or the machine slept."""
    name = daemon.fire(daemon.integration(stale_after=duration(HOUR)))
    daemon.pass_time(30 * MINUTE)
    daemon.leave()
    daemon.pass_time(DAY // 4)
    daemon = daemon.crash(downtime=DAY)
    daemon.clock.suspend(DAY)
    daemon.attend()
    daemon.pass_time(30 * MINUTE - 1)
    assert state(daemon, name) == "FIRING"

    daemon.pass_time(2 * SECOND)
    daemon.settle()

    assert daemon.group(name).resolve_reason == AlertGroup.STALE


def test_a_group_heard_of_just_before_a_crash_goes_stale_in_time(daemon: RunningDaemon) -> None:
    """However long nothing was timed before, the clock on disk is not behind what is written beside it."""
    integration = daemon.integration(stale_after=duration(HOUR))
    daemon.pass_time(5 * HOUR)
    name = daemon.fire(integration)
    daemon = daemon.crash()
    daemon.pass_time(HOUR)
    daemon.settle()

    assert daemon.group(name).resolve_reason == AlertGroup.STALE


def test_a_changed_setting_applies_to_what_is_open(daemon: RunningDaemon) -> None:
    """Turned on, changed and turned off, for groups that were there before."""
    integration = daemon.integration()
    name = daemon.fire(integration)
    daemon.pass_time(30 * MINUTE)
    update(daemon, integration, stale_after=HOUR)
    daemon.pass_time(29 * MINUTE)
    update(daemon, integration, stale_after=2 * HOUR)
    daemon.pass_time(30 * MINUTE)
    assert state(daemon, name) == "FIRING"
    update(daemon, integration, stale_after=0)
    daemon.pass_time(3 * HOUR)
    assert state(daemon, name) == "FIRING"

    update(daemon, integration, stale_after=MINUTE)
    daemon.settle()

    assert daemon.group(name).resolve_reason == AlertGroup.STALE


def test_an_unresolved_group_has_the_whole_time_again(daemon: RunningDaemon) -> None:
    """Whoever opens a stale group again does not see it go stale at once."""
    name = daemon.fire(daemon.integration(stale_after=duration(HOUR)))
    daemon.pass_time(2 * HOUR)
    daemon.act("Unresolve", name)
    daemon.pass_time(HOUR - 1)
    assert state(daemon, name) == "FIRING"

    daemon.settle()

    assert daemon.group(name).resolve_reason == AlertGroup.STALE


# What stays in the file


def test_repeats_do_not_make_the_file_grow(daemon: RunningDaemon) -> None:
    """Five thousand repeats of each of ten groups' notifications move counters, and nothing else."""
    integration = daemon.integration()
    stories = [notice("a b c", key=f"k{n}") for n in range(10)]
    daemon.deliver([daemon.delivery(integration, story) for story in stories])
    file = daemon.engine.store.path
    before = pages(file)

    for _ in range(50):
        daemon.deliver([daemon.delivery(integration, story) for story in stories for _ in range(100)])

    assert pages(file) == before
    assert daemon.sql("SELECT DISTINCT notifications FROM alert_groups") == [(5_001,)]
    assert daemon.sql("SELECT (SELECT count(*) FROM events), (SELECT count(*) FROM payloads)") == [(10, 10)]


def fill(daemon: RunningDaemon, integration: Integration, generation: int) -> None:
    """Opens and resolves 400 groups."""
    keys = [f"{generation:04}/{n:04}" for n in range(400)]
    for alerts in ("a b", ""):
        batch = [notice(alerts, "" if alerts else "a b", key=key) for key in keys]
        daemon.deliver([daemon.delivery(integration, one) for one in batch])


def test_retention_removes_in_steps_and_frees_room_for_new_groups(daemon: RunningDaemon) -> None:
    """What was resolved longer ago than the retention goes, with all that belongs to it; the file is used again."""
    integration = daemon.integration(retention=duration(HOUR))
    open_group = daemon.fire(integration, key="open")
    fill(daemon, integration, 0)
    file = daemon.engine.store.path
    before = pages(file)
    daemon.pass_time(HOUR - MINUTE)
    assert daemon.sql("SELECT count(*) FROM alert_groups") == [(401,)]

    counts = []
    for _ in range(40):
        daemon.clock.advance(10 * SECOND)
        daemon.settle()
        counts.append(daemon.sql("SELECT count(*) FROM alert_groups")[0][0])

    assert set(counts) == {401, 301, 201, 101, 1}
    assert counts == sorted(counts, reverse=True)
    assert [group.name for group in daemon.list_groups()] == [open_group]
    for table in ("alerts", "events", "payloads"):
        assert daemon.sql(f"SELECT DISTINCT group_id FROM {table}") == [(1,)]
    fill(daemon, integration, 1)
    assert pages(file) <= before + 2
    assert daemon.list_groups()[0].number == 801


def test_retention_goes_on_for_a_deleted_integration(daemon: RunningDaemon) -> None:
    """Its history ends when its time has come, too."""
    integration = daemon.integration(retention=duration(HOUR))
    fill(daemon, integration, 0)
    daemon.integrations.DeleteIntegration(integrations_pb2.DeleteIntegrationRequest(name=integration.name))
    daemon.clock.advance(HOUR + 2 * MINUTE)
    for _ in range(10):
        daemon.settle()

    assert daemon.list_groups() == []
