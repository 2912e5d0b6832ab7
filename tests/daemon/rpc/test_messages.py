"""Messages by rpc: reading, listing and retrying them."""

from typing import Any

import grpc
import pytest
from changing import audit_log, by, delete, wipe
from fake_clock import DAY, SECOND
from posting import (
    LONG,
    ScriptedCourier,
    add_contact,
    add_given_up,
    fire_many,
    hung,
    pass_time,
    put,
    quiet,
    refused,
    service,
    states,
    story,
    taken,
)
from running_daemon import RunningDaemon, Start, details, reason

from tocsin.v1 import messages_pb2
from tocsind.domain.message import Kind, MessageState
from tocsind.engine.telling import outbox
from tocsind.sqlite import messages as rows

Message = messages_pb2.Message


@pytest.fixture
def daemon(courier: ScriptedCourier, start: Start) -> RunningDaemon:
    """A daemon with that courier."""
    return start()


def read(daemon: RunningDaemon, name: str) -> Message:
    """One message."""
    return service(daemon).GetMessage(messages_pb2.GetMessageRequest(name=name))


def retry(daemon: RunningDaemon, name: str, actor: str = "ada", **fields: Any) -> Message:
    """Has a message sent now."""
    request = messages_pb2.RetryMessageRequest(name=name, **fields)
    return service(daemon).RetryMessage(request, metadata=by(actor))


def pages(daemon: RunningDaemon, size: int, parent: str = "alertGroups/-", **fields: Any) -> list[list[str]]:
    """The names of the messages on all pages."""
    found, token = [], ""
    while True:
        request = messages_pb2.ListMessagesRequest(parent=parent, page_size=size, page_token=token, **fields)
        page = service(daemon).ListMessages(request)
        found.append([message.name for message in page.messages])
        token = page.next_page_token
        if not token:
            return found


def flat(found: list[list[str]]) -> list[str]:
    """All pages as one list."""
    return [name for page in found for name in page]


def fill(daemon: RunningDaemon, group: str, contact: int, standing: list[MessageState]) -> list[str]:
    """Messages in these states, written as they are; returns their names, newest first."""
    made = [outbox.message(int(group.removeprefix("alertGroups/")), contact, Kind.FIRING) for _ in standing]
    for each, state in zip(made, standing, strict=True):
        each.state = state
    daemon.engine.change(lambda transaction, memory: rows.insert(transaction.connection, made))
    return [each.name for each in made][::-1]


def test_a_message_says_where_it_stands(courier: ScriptedCourier, daemon: RunningDaemon) -> None:
    """To whom, by whose calendar, how often it was tried and what came of it; when it is tried next while it waits,
    and when it ended afterwards."""
    courier.answer = refused
    (group,) = fire_many(daemon, 1)
    daemon.act("Resolve", group)
    ops, rota = add_contact(daemon, "ops"), add_contact(daemon, "rota")
    made = outbox.message(int(group.removeprefix("alertGroups/")), ops, Kind.RESOLVED, via_id=rota, step=2)
    daemon.engine.change(outbox.put, [made])
    quiet(daemon)

    message = read(daemon, made.name)
    assert (message.contact_point, message.on_call) == ("contactPoints/cops", "contactPoints/crota")
    assert (message.kind, message.state, message.attempt_count) == (Message.RESOLVED, Message.PENDING, 1)
    assert message.answer == "500 Internal Server Error"
    assert message.idempotency_key.startswith("msg_")
    assert message.next_attempt_time.ToMicroseconds() > message.create_time.ToMicroseconds()
    assert not message.HasField("end_time")
    courier.answer = taken
    pass_time(daemon, LONG)

    message = read(daemon, made.name)
    assert message.state == Message.DELIVERED
    assert message.HasField("end_time")
    assert not message.HasField("next_attempt_time")


@pytest.mark.parametrize("size", [1, 3, 7, 1_000])
def test_every_message_comes_once_newest_first(daemon: RunningDaemon, size: int) -> None:
    """Whatever the size of the pages; of all groups, or of one."""
    groups = fire_many(daemon, 2)
    ops = add_contact(daemon, "ops")
    mine = fill(daemon, groups[0], ops, [MessageState.DELIVERED] * 10)
    others = fill(daemon, groups[1], ops, [MessageState.DEAD] * 5)

    assert flat(pages(daemon, size)) == others + mine
    assert flat(pages(daemon, size, groups[0])) == mine
    assert max(len(page) for page in pages(daemon, size)) <= size


@pytest.mark.parametrize("size", [1, 2, 1_000])
def test_filters_narrow_messages(daemon: RunningDaemon, size: int) -> None:
    """By states, by contact point, by both, and within one group."""
    groups = fire_many(daemon, 2)
    contacts = [add_contact(daemon, name) for name in ("a", "b")]
    every = [
        (name, state, group, contact)
        for group in groups
        for contact, letter in zip(contacts, "ab", strict=True)
        for name, state in zip(
            fill(daemon, group, contact, [MessageState.DELIVERED, MessageState.DEAD, MessageState.CANCELLED]),
            ("CANCELLED", "DEAD", "DELIVERED"),
            strict=True,
        )
    ]
    for parent in ("alertGroups/-", groups[0]):
        for wanted in ([], ["DEAD"], ["DEAD", "CANCELLED"], ["PENDING"]):
            for to in ("", "a"):
                expected = [
                    name
                    for name, state, group, contact in every
                    if parent in ("alertGroups/-", group)
                    and (not wanted or state in wanted)
                    and (not to or contact == contacts[0])
                ]
                contact_point = f"contactPoints/c{to}" if to else ""
                found = flat(pages(daemon, size, parent, states=wanted, contact_point=contact_point))
                assert found == sorted(expected, key=lambda name: -int(name.rpartition("/")[2]))


def test_messages_far_back_are_found_page_by_page(daemon: RunningDaemon, monkeypatch: pytest.MonkeyPatch) -> None:
    """One answer looks at so many only: it may be empty, and says where to go on."""
    monkeypatch.setattr(rows, "MOST_LOOKED_AT", 10)
    (group,) = fire_many(daemon, 1)
    a, b = add_contact(daemon, "a"), add_contact(daemon, "b")
    wanted = fill(daemon, group, a, [MessageState.DELIVERED] * 2)
    fill(daemon, group, b, [MessageState.DELIVERED] * 35)

    found = pages(daemon, 5, contact_point="contactPoints/ca")
    assert found[0] == []
    assert len(found) == 4
    assert flat(found) == wanted


def test_what_is_asked_wrongly_is_refused(daemon: RunningDaemon) -> None:
    """With the field that is wrong, or the name of what is not there."""
    (group,) = fire_many(daemon, 1)
    name = fill(daemon, group, add_contact(daemon, "ops"), [MessageState.DELIVERED])[0]
    stub = service(daemon)
    wrong: list[tuple[Any, Any, str]] = [
        (stub.GetMessage, messages_pb2.GetMessageRequest(name="x"), "name"),
        (stub.RetryMessage, messages_pb2.RetryMessageRequest(name=group), "name"),
        (stub.ListMessages, messages_pb2.ListMessagesRequest(parent="x"), "parent"),
        (stub.ListMessages, messages_pb2.ListMessagesRequest(parent=group, page_size=-1), "page_size"),
        (stub.ListMessages, messages_pb2.ListMessagesRequest(parent=group, states=["DEAD", 0]), "states[1]"),
        (stub.ListMessages, messages_pb2.ListMessagesRequest(parent=group, contact_point="x"), "contact_point"),
        (stub.ListMessages, messages_pb2.ListMessagesRequest(parent=group, page_token="x"), "page_token"),
    ]
    for method, request, field in wrong:
        with pytest.raises(grpc.RpcError) as refusal:
            method(request)
        assert refusal.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert details(refusal.value)[1].field_violations[0].field == field
    missing: list[tuple[Any, Any]] = [
        (stub.GetMessage, messages_pb2.GetMessageRequest(name=f"{group}/messages/99")),
        (stub.GetMessage, messages_pb2.GetMessageRequest(name=name.replace(group, "alertGroups/77"))),
        (stub.RetryMessage, messages_pb2.RetryMessageRequest(name=f"{group}/messages/99")),
        (stub.ListMessages, messages_pb2.ListMessagesRequest(parent="alertGroups/77")),
        (stub.ListMessages, messages_pb2.ListMessagesRequest(parent=group, contact_point="contactPoints/nobody")),
    ]
    for method, request in missing:
        with pytest.raises(grpc.RpcError) as refusal:
            method(request)
        assert refusal.value.code() is grpc.StatusCode.NOT_FOUND


def test_one_that_was_given_up_is_retried_with_all_attempts_anew(
    courier: ScriptedCourier, daemon: RunningDaemon
) -> None:
    """At once, with the same key; the timeline and the audit log say who did it."""
    (group,) = fire_many(daemon, 1)
    ops = add_contact(daemon, "ops")
    (name,) = fill(daemon, group, ops, [MessageState.DEAD])
    daemon.engine.change(lambda t, memory: t.connection.execute("UPDATE messages SET attempts = 12") and None)
    courier.answer = hung

    answer = retry(daemon, name, actor="grace")
    assert (answer.state, answer.attempt_count) == (Message.PENDING, 0)
    assert not answer.HasField("end_time")
    courier.wait_for(1)
    courier.resolve()
    quiet(daemon)

    assert read(daemon, name).attempt_count == 1
    assert courier.sent[0].key == answer.idempotency_key
    assert story(daemon, group) == ["DELIVERY_RETRIED ops", "DELIVERED ops: 200 OK"]
    assert daemon.events(group)[-2].actor == "grace"
    assert [entry.resource for entry in audit_log(daemon)][1:] == [name]


def test_one_that_waits_is_sent_now(courier: ScriptedCourier, daemon: RunningDaemon) -> None:
    """Though its receiver rests after the failure; its attempts are counted on."""
    courier.answer = refused
    (group,) = fire_many(daemon, 1)
    (name,) = put(daemon, [group], add_contact(daemon, "ops"))
    quiet(daemon)
    courier.answer = taken

    retry(daemon, name)
    courier.wait_for(2)
    quiet(daemon)

    assert (states(daemon), read(daemon, name).attempt_count) == (["DELIVERED"], 2)
    assert story(daemon, group)[1:] == ["DELIVERY_RETRIED ops", "DELIVERED ops: 200 OK"]


def test_one_that_is_due_is_tried_though_its_receiver_rests(courier: ScriptedCourier, daemon: RunningDaemon) -> None:
    """Nothing changes on disk: it waits for nothing else."""
    courier.answer = refused
    groups = fire_many(daemon, 2)
    ops = add_contact(daemon, "ops")
    put(daemon, groups[:1], ops)
    quiet(daemon)
    (name,) = put(daemon, groups[1:], ops)
    quiet(daemon)
    assert len(courier.sent) == 1
    courier.answer = taken

    retry(daemon, name)
    courier.wait_for(2)
    quiet(daemon)

    assert read(daemon, name).state == Message.DELIVERED
    assert story(daemon, groups[1]) == ["DELIVERED ops: 200 OK"]


@pytest.mark.parametrize("state", [MessageState.SENDING, MessageState.DELIVERED, MessageState.CANCELLED])
def test_others_cannot_be_retried(daemon: RunningDaemon, state: MessageState) -> None:
    """The refusal says where the message stands."""
    (group,) = fire_many(daemon, 1)
    (name,) = fill(daemon, group, add_contact(daemon, "ops"), [state])

    with pytest.raises(grpc.RpcError) as refusal:
        retry(daemon, name)

    assert refusal.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert reason(refusal.value) == "WRONG_STATE"
    assert details(refusal.value)[0].metadata["state"] == state.name
    assert story(daemon, group) == []


def test_those_of_a_group_that_is_wiped_or_gone_cannot_be_retried(daemon: RunningDaemon) -> None:
    """They are gone with what the group said."""
    wiped, gone = fire_many(daemon, 2)
    ops = add_contact(daemon, "ops")
    names = [fill(daemon, group, ops, [MessageState.DEAD])[0] for group in (wiped, gone)]
    wipe(daemon, wiped)
    delete(daemon, gone)

    for name in names:
        with pytest.raises(grpc.RpcError) as refusal:
            retry(daemon, name)
        assert reason(refusal.value) == "NOT_FOUND"


def test_a_retry_survives_a_crash(courier: ScriptedCourier, daemon: RunningDaemon) -> None:
    """It is on disk when it is answered."""
    (group,) = fire_many(daemon, 1)
    retry(daemon, add_given_up(daemon, group))
    daemon = daemon.crash()
    pass_time(daemon, SECOND)
    assert courier.sent == []

    daemon.clock.advance(366 * DAY)
    quiet(daemon)

    assert states(daemon) == ["DELIVERED"]
