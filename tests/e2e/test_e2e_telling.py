"""Somebody is told: from a real Prometheus that dies to a mail in a box, and webhooks that misbehave."""

import json
import tempfile
from contextlib import ExitStack
from pathlib import Path

from early import early
from hearing import answer, mailbox, receiving
from neighbours import (
    NEEDS_ALERTMANAGER,
    NEEDS_PROMETHEUS,
    Alertmanager,
    Demo,
    prometheus,
    webhook_and_heartbeat,
)
from processes import Processes, until
from senders import notification
from stacks import Stack, running_stack

from tocsin.v1 import contact_points_pb2
from tocsin.v1.alert_groups_pb2 import AlertGroup
from tocsin.v1.heartbeats_pb2 import Heartbeat
from tocsin.v1.messages_pb2 import Message


def notify(*contacts: contact_points_pb2.ContactPoint) -> dict[str, object]:
    """A step that tells contact points."""
    return {"notify": {"contact_points": [contact.name for contact in contacts]}}


def wait(seconds: int) -> dict[str, object]:
    """A step that waits."""
    return {"wait": {"duration": {"seconds": seconds}}}


@NEEDS_PROMETHEUS
@NEEDS_ALERTMANAGER
@early
def test_prometheus_dies_and_somebody_gets_a_mail() -> None:
    """If your monitoring is down and stops sending alerts, you are notified; and again when it is back."""
    with ExitStack() as parts:
        stack = parts.enter_context(running_stack())
        box = parts.enter_context(mailbox())
        folder = Path(parts.enter_context(tempfile.TemporaryDirectory(prefix="tocsin-")))
        processes = Processes()
        parts.callback(processes.close)
        demo = Demo()
        parts.callback(demo.close)
        client = stack.client
        integration = client.create("Prometheus of the site")
        anna = client.contact("Anna, mail", apprise={"url": box.url})
        client.chain("Anna", notify(anna))
        client.tell_of_resolution(integration)
        client.expect_beats(integration, 10)
        alertmanager = Alertmanager(processes, folder, webhook_and_heartbeat(integration)).start()

        def beats(state: Heartbeat.State) -> bool:
            return client.heartbeat(integration).state == state

        with prometheus(processes, folder, alertmanager, demo) as monitoring:
            until(lambda: beats(Heartbeat.UP), "the heartbeat is up")
            assert box.mails == []
            monitoring.kill()
            # Alertmanager takes the heartbeat's alert for resolved a while after Prometheus repeats it no more; it is
            # stopped too, so that the test need not wait for that.
            alertmanager.process.stop()
            (missing,) = box.await_mails(1)
        assert missing["To"] == "anna@site.example"
        assert "[FIRING" in str(missing["Subject"])
        assert "Prometheus of the site" in str(missing["Subject"])
        body = missing.get_body(("plain", "html"))
        assert body is not None
        assert "10s" in body.get_content()

        alertmanager.start()
        with prometheus(processes, folder, alertmanager, demo):
            _, resolved = box.await_mails(2)
        assert "[RESOLVED" in str(resolved["Subject"])
        (group,) = [group for group in client.groups(integration) if group.source == AlertGroup.HEARTBEAT]
        timeline = client.timeline(group)
        assert timeline[:4] == ["OPENED", "ESCALATION_STARTED", "NOTIFIED", "ESCALATION_ENDED"]
        assert sorted(timeline[4:]) == ["DELIVERED", "DELIVERED", "NOTIFIED", "RESOLVED"]


@early
def test_a_receiver_that_fails_hangs_and_comes_back() -> None:
    """Each attempt and its answer is in the timeline; the receiver gets the message in the end, under the same key, and
    another receiver is told at once all the while."""
    with running_stack() as stack, receiving() as bad, receiving() as good:
        integration = stack.client.create("site")
        first = stack.client.contact("bad", webhook={"url": bad.url, "timeout": {"seconds": 2}})
        second = stack.client.contact("good", webhook={"url": good.url})
        stack.client.chain("both", notify(first, second))

        bad.behave = answer(503, "not now", Retry_After="1")
        stack.sender().post(integration.url, notification("a"))
        until(lambda: good.told, "the good one is told")
        until(lambda: len(bad.told) >= 1, "the bad one is tried")
        bad.behave = bad.hang
        until(lambda: len(bad.told) >= 2, "it is tried again")
        stack.sender().post(integration.url, notification("b"))
        until(lambda: len(good.told) == 2, "the good one is told of the second group meanwhile")
        bad.behave = answer(200, "thanks")
        messages = until(lambda: _all(stack, Message.DELIVERED, 4), "all are delivered in the end")

        assert len({message.idempotency_key for message in messages}) == 4
        assert len(set(bad.keys())) == 2
        (group,) = [group for group in stack.client.groups() if group.grouping_key == "a"]
        kinds = stack.client.timeline(group)
        assert kinds.count("DELIVERY_FAILED") >= 2
        assert kinds.count("DELIVERED") == 2


@early
def test_a_redirect_is_a_failure_that_says_where_to() -> None:
    """What is redirected is not followed: it could reach somebody else, or nobody."""
    with running_stack() as stack, receiving() as moved, receiving() as elsewhere:
        integration = stack.client.create("site")
        contact = stack.client.contact("moved", webhook={"url": moved.url})
        stack.client.chain("moved", notify(contact))
        moved.behave = answer(307, Location=elsewhere.url)

        stack.sender().post(integration.url, notification("a"))

        until(lambda: [m for m in stack.client.sent() if m.attempt_count], "it is tried")
        (message,) = until(lambda: [m for m in stack.client.sent() if m.answer], "it has an answer")
        assert "307" in message.answer
        assert str(elsewhere.port) in message.answer
        assert elsewhere.told == []


@early
def test_nothing_is_lost_or_reordered_when_everything_is_killed() -> None:
    """The daemon is killed again and again while a chain tells a receiver: each step is told at least once, under one
    key, in order, and then it is resolved."""
    with running_stack() as stack, receiving() as receiver:
        integration = stack.client.create("site")
        contact = stack.client.contact("hook", webhook={"url": receiver.url})
        stack.client.chain("steps", *(step for _ in range(4) for step in (notify(contact), wait(1))))
        stack.client.tell_of_resolution(integration)
        for key in "abc":
            stack.sender().post(integration.url, notification(key))
        for count in range(1, 9):
            until(lambda count=count: len(set(receiver.keys())) >= count, f"{count} messages")  # type: ignore[misc]
            stack.daemon.kill()
            stack.start_daemon()
        until(lambda: len(set(receiver.keys())) >= 12, "all steps of all groups")
        stack.wait_ready()
        for key in "abc":
            stack.sender().post(integration.url, notification(key, firing=(), resolved="a"))
        until(lambda: _all(stack, Message.DELIVERED, 15), "all are delivered")

        assert len(set(receiver.keys())) == 15
        for group in stack.client.groups():
            order = [message.idempotency_key for message in stack.client.sent(group.name)]
            heard = list(dict.fromkeys(told.key for told in receiver.told if told.json["group"]["name"] == group.name))
            assert heard == order
            assert [m.kind for m in stack.client.sent(group.name)] == [Message.FIRING] * 4 + [Message.RESOLVED]


@early
def test_many_groups_make_one_mail() -> None:
    """Groups that open within a moment are bundled for who reads them, and each is told of to a program."""
    with running_stack() as stack, receiving() as receiver, mailbox() as box:
        integration = stack.client.create("site")
        mail = stack.client.contact("mail", apprise={"url": box.url})
        hook = stack.client.contact("hook", webhook={"url": receiver.url})
        stack.client.chain("both", notify(mail, hook))
        sender = stack.sender()
        for key in "abcde":
            assert sender.post(integration.url, notification(key)) == 200

        until(lambda: _all(stack, Message.DELIVERED, 10), "all are delivered")

        assert len(box.mails) == 1
        assert {json.loads(told.body)["group"]["grouping_key"] for told in receiver.told} == set("abcde")
        assert len(receiver.told) == 5


def _all(stack: Stack, state: Message.State, count: int) -> list[Message]:
    """All messages, once there are so many and all of them stand there."""
    messages = stack.client.sent()
    return messages if len(messages) == count and all(m.state == state for m in messages) else []
