"""Many groups in one request: what becomes of each, and that it is one transaction."""

import grpc
import pytest
from beats import INTERVAL, alarms, expected
from changing import batch, exists
from changing import delete as remove
from fake_clock import MINUTE
from google.rpc import code_pb2, error_details_pb2
from notices import notice
from running_daemon import AlertGroup, RunningDaemon, details, duration

from tocsin.v1 import alert_groups_pb2

VERBS = ("Acknowledge", "Silence", "Resolve")


def fill(daemon: RunningDaemon, many: int) -> list[str]:
    """That many groups."""
    integration = daemon.integration()
    stories = [notice("a", key=f"k{n}") for n in range(many)]
    return [receipt.alert_group for receipt in daemon.deliver([daemon.delivery(integration, one) for one in stories])]


@pytest.mark.parametrize("verb", VERBS)
def test_a_batch_does_to_each_what_a_single_call_does(daemon: RunningDaemon, verb: str) -> None:
    """State, timeline and answer of each are those of a single call, in the order of the request."""
    single, *many = fill(daemon, 70)
    alone = daemon.act(verb, single, note="all of them")
    many.reverse()

    results = batch(daemon, verb, many, note="all of them")

    assert [result.name for result in results] == many
    expectation = AlertGroup()
    expectation.CopyFrom(alone)
    for result in results:
        group = daemon.group(result.name)
        assert result.alert_group == group
        expectation.name, expectation.number, expectation.grouping_key = group.name, group.number, group.grouping_key
        assert group == expectation
        assert daemon.kinds(group.name) == daemon.kinds(single)
        assert (daemon.events(group.name)[-1].note, daemon.events(group.name)[-1].actor) == ("all of them", "ada")
    assert {daemon.group(name).state for name in [single, *many]} == {alone.state}


def test_what_cannot_be_done_to_one_does_not_keep_the_others_from_it(daemon: RunningDaemon) -> None:
    """Each that is refused says so as the single call would, and its state stays."""
    first, second, third, resolved = fill(daemon, 4)
    daemon.act("Acknowledge", second, actor="bob")
    daemon.act("Resolve", resolved)
    names = [first, "alertGroups/999", second, resolved, third]

    results = batch(daemon, "Acknowledge", names)

    assert [result.name for result in results] == names
    assert [result.WhichOneof("outcome") for result in results] == ["alert_group", *["error"] * 3, "alert_group"]
    for result in (results[1], results[2], results[3]):
        with pytest.raises(grpc.RpcError) as refusal:
            daemon.act("Acknowledge", result.name)
        assert result.error.message == refusal.value.details()
        assert code_pb2.Code.Name(result.error.code) == refusal.value.code().name
        info = error_details_pb2.ErrorInfo()
        assert result.error.details[0].Unpack(info)
        assert info == details(refusal.value)[0]
    assert daemon.group(second).state_actor == "bob"
    assert daemon.group(resolved).state == AlertGroup.RESOLVED
    assert [daemon.group(name).state for name in (first, third)] == [AlertGroup.ACKNOWLEDGED] * 2


def test_a_batch_again_changes_nothing(daemon: RunningDaemon) -> None:
    """The same by the same actor holds already: no events, no entries in the audit log."""
    names = fill(daemon, 5)
    first = batch(daemon, "Resolve", names)
    before = daemon.sql("SELECT count(*), max(id) FROM events") + daemon.sql("SELECT count(*) FROM audit_entries")

    assert batch(daemon, "Resolve", names) == first
    assert (
        daemon.sql("SELECT count(*), max(id) FROM events") + daemon.sql("SELECT count(*) FROM audit_entries") == before
    )


def test_a_batch_is_one_transaction(daemon: RunningDaemon) -> None:
    """What fails at its end undoes all of it: nothing is half done."""
    names = fill(daemon, 100)
    daemon.engine.store.writer.execute(
        f"CREATE TEMP TRIGGER refuse BEFORE INSERT ON main.audit_entries WHEN new.resource = '{names[99]}' "
        "BEGIN SELECT raise(ABORT, 'no'); END"
    )

    with pytest.raises(grpc.RpcError) as refusal:
        batch(daemon, "Resolve", names)

    assert refusal.value.code() is grpc.StatusCode.INTERNAL
    assert {daemon.group(name).state for name in names} == {AlertGroup.FIRING}
    assert daemon.sql("SELECT count(*) FROM events") == [(100,)]
    assert b"AlertGroup" not in b"".join(row[0].encode() for row in daemon.sql("SELECT method FROM audit_entries"))


def test_timers_of_a_batch_are_those_of_each(daemon: RunningDaemon) -> None:
    """Each silence ends at its time, but for those that somebody ended before."""
    names = fill(daemon, 3)
    batch(daemon, "Silence", names, duration=duration(MINUTE))
    batch(daemon, "Resolve", names[:1])
    daemon.pass_time(MINUTE - 1)
    assert [daemon.group(name).state for name in names] == [AlertGroup.RESOLVED, *[AlertGroup.SILENCED] * 2]

    daemon.settle()

    assert [daemon.group(name).state for name in names] == [AlertGroup.RESOLVED, *[AlertGroup.FIRING] * 2]


def test_heartbeats_resolved_in_a_batch_are_raised_again(daemon: RunningDaemon) -> None:
    """Each counts as dismissed by a person."""
    for name in ("one", "two"):
        expected(daemon, display_name=name)
    daemon.pass_time(INTERVAL)
    daemon.settle()
    batch(daemon, "Resolve", [group.name for group in alarms(daemon)])
    assert alarms(daemon, "state != RESOLVED") == []

    daemon.pass_time(INTERVAL)
    daemon.settle()

    assert len(alarms(daemon, "state != RESOLVED")) == 2


REFUSED = {
    "names": ["", "must be 1 to 1000"],
    "names[3]": ["alertGroups/1 alertGroups/2 alertGroups/3 alertGroups/x", "must be of the form alertGroups/{number}"],
    "names[2]": ["alertGroups/1 alertGroups/2 alertGroups/1", "alertGroups/1 is also names[0]"],
}


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("field", REFUSED)
def test_a_wrong_list_of_names_is_refused_as_a_whole(daemon: RunningDaemon, verb: str, field: str) -> None:
    """With the place of the first that is wrong; nothing is done to the others."""
    names = fill(daemon, 3)

    with pytest.raises(grpc.RpcError) as refusal:
        batch(daemon, verb, REFUSED[field][0].split())

    assert refusal.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert refusal.value.details().startswith(f"{field}: {REFUSED[field][1]}")
    (violation,) = details(refusal.value)[1].field_violations
    assert violation.field == field
    assert {daemon.group(name).state for name in names} == {AlertGroup.FIRING}


def test_a_batch_has_a_limit(daemon: RunningDaemon) -> None:
    """A thousand names are taken, one more is not."""
    names = [f"alertGroups/{n}" for n in range(1, 1_002)]
    assert len(batch(daemon, "Resolve", names[:1_000])) == 1_000

    with pytest.raises(grpc.RpcError, match="names: must be 1 to 1000"):
        batch(daemon, "Resolve", names)


def test_what_no_group_may_be_told_is_refused_as_a_whole(daemon: RunningDaemon) -> None:
    """A note that is too long, a silence that is too short."""
    names = fill(daemon, 2)
    for verb, fields, match in [
        ("Resolve", {"note": "n" * 3_001}, "note: must be at most 3000 characters"),
        ("Silence", {"duration": duration(1)}, "duration: must be 1 second to 366 days"),
    ]:
        with pytest.raises(grpc.RpcError, match=match) as refusal:
            batch(daemon, verb, names, **fields)
        assert refusal.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert {daemon.group(name).state for name in names} == {AlertGroup.FIRING}


# Payloads


def payloads(daemon: RunningDaemon, *names: str) -> list[alert_groups_pb2.Payload]:
    """Several payloads."""
    return list(daemon.groups.BatchGetPayloads(alert_groups_pb2.BatchGetPayloadsRequest(names=names)).payloads)


def test_several_payloads_are_those_that_exist(daemon: RunningDaemon) -> None:
    """In the order of the request, byte for byte, the missing ones left out."""
    one, two, gone = fill(daemon, 3)
    remove(daemon, gone)
    names = [
        f"{two}/payloads/latest",
        f"{gone}/payloads/first",
        f"{one}/payloads/first",
        "alertGroups/99/payloads/first",
    ]

    found = payloads(daemon, *names)

    assert [payload.name for payload in found] == [names[0], names[2]]
    assert not exists(daemon, gone)
    for payload in found:
        assert payload == daemon.groups.GetPayload(alert_groups_pb2.GetPayloadRequest(name=payload.name))


@pytest.mark.parametrize(
    ("names", "field"),
    [([], "names"), (["alertGroups/1/payloads/first"] * 101, "names"), (["alertGroups/1/payloads/x"], "names[0]")],
)
def test_a_wrong_list_of_payloads_is_refused(daemon: RunningDaemon, names: list[str], field: str) -> None:
    """One to a hundred, each of the right form."""
    with pytest.raises(grpc.RpcError) as refusal:
        payloads(daemon, *names)

    assert refusal.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    (violation,) = details(refusal.value)[1].field_violations
    assert violation.field == field


def test_payloads_that_are_too_large_together_are_refused(
    daemon: RunningDaemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The caller is told to ask for fewer; one alone is always given."""
    monkeypatch.setattr("tocsind.rpc.group_batches.MOST_PAYLOAD_BYTES", 10)
    one, two = fill(daemon, 2)
    assert len(payloads(daemon, f"{one}/payloads/first")) == 1

    with pytest.raises(grpc.RpcError, match="ask for fewer"):
        payloads(daemon, f"{one}/payloads/first", f"{two}/payloads/first")
