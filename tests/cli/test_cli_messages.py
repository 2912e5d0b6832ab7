"""`tocsin messages` against a fake daemon."""

import json
from datetime import timedelta

import grpc
from cli_program import Run
from fake_daemon import FakeDaemon
from fake_records import now

from tocsin.v1.messages_pb2 import Message


def _fill(daemon: FakeDaemon) -> None:
    daemon.add_contact("anna")
    daemon.add_contact("oncall", display_name="On call")
    anna, gone = "contactPoints/anna", "contactPoints/gone"
    daemon.add_message(1, 1, contact_point=anna, state=Message.DEAD, kind=Message.FIRING, answer="550 no\n")
    daemon.add_message(1, 2, contact_point=anna, on_call="contactPoints/oncall", state=Message.DELIVERED)
    daemon.add_message(2, 3, contact_point=gone, state=Message.DEAD)
    daemon.add_message(2, 4, contact_point=anna, state=Message.DEAD)


def _names(run: Run, *options: str) -> list[str]:
    return [found["name"] for found in json.loads(run("messages", "list", "-o", "json", *options).stdout)["messages"]]


def test_list_and_its_conditions(run: Run, daemon: FakeDaemon) -> None:
    """Messages of all groups or of one, in some states, to one contact point."""
    _fill(daemon)
    assert len(_names(run)) == 4
    assert _names(run, "--group", "2") == ["alertGroups/2/messages/4", "alertGroups/2/messages/3"]
    assert _names(run, "--state", "delivered", "--state", "pending") == ["alertGroups/1/messages/2"]
    assert _names(run, "--contact", "Anna", "--state", "dead", "--group", "1") == ["alertGroups/1/messages/1"]
    assert daemon.requests("ListMessages")[0].parent == "alertGroups/-"
    lines = run("messages", "list").stdout.splitlines()
    assert lines[2].split()[:2] == ["alertGroups/2/messages/3", "contactPoints/gone"]
    assert "Anna (on call: On call)" in lines[3]
    assert lines[4].endswith("550 no\\n")


def test_list_says_when_there_is_more(run: Run, daemon: FakeDaemon) -> None:
    """The first page says that it is not all; --all is all."""
    for number in range(60):
        daemon.add_message(1, number)
    assert run("messages", "list").stderr == "tocsin: there are more: --all lists them all\n"
    assert len(_names(run, "--all")) == 60


def test_show(run: Run, daemon: FakeDaemon) -> None:
    """A message is given by its resource name, or by the numbers of group and message."""
    _fill(daemon)
    for name in ("alertGroups/1/messages/1", "1/1", "#1/messages/1"):
        lines = run("messages", "show", name).stdout.splitlines()
        assert {"to: Anna", "state: dead", "says: firing", "answer: 550 no\\n"} <= set(lines)
    assert run("messages", "show", "1").exit_code == 2


def test_retry_some(run: Run, daemon: FakeDaemon) -> None:
    """Each that is named is tried; one that fails does not keep the others, and its code is the program's."""
    _fill(daemon)
    daemon.refused_messages["alertGroups/1/messages/2"] = (grpc.StatusCode.FAILED_PRECONDITION, "it is delivered")
    result = run("messages", "retry", "1/2", "2/4")
    assert (result.exit_code, result.stdout) == (4, "alertGroups/2/messages/4 is to be sent now\n")
    assert result.stderr == "tocsin: alertGroups/1/messages/2: it is delivered\n"


def test_retry_all_that_are_dead(run: Run, daemon: FakeDaemon) -> None:
    """--dead finds every dead one, in the order in which they were decided; of a group or a contact point, those."""
    _fill(daemon)
    assert run("messages", "retry", "--dead", "--contact", "anna").exit_code == 0
    assert [request.name for request in daemon.requests("RetryMessage")] == [
        "alertGroups/1/messages/1",
        "alertGroups/2/messages/4",
    ]
    assert run("messages", "retry", "--dead", "--group", "2").stdout == "alertGroups/2/messages/3 is to be sent now\n"
    assert run("messages", "retry", "--dead").stderr == "Nothing is dead.\n"


def test_retry_of_nothing_is_wrong_usage(run: Run, daemon: FakeDaemon) -> None:
    """Neither names nor --dead, both, and conditions without --dead: nothing is retried."""
    _fill(daemon)
    for arguments in ([], ["1/1", "--dead"], ["1/1", "--group", "1"]):
        assert run("messages", "retry", *arguments).exit_code == 2
    assert not daemon.requests("RetryMessage")


def test_what_is_due_is_said_to_be(run: Run, daemon: FakeDaemon) -> None:
    """A time that has passed is not when it is sent: it waits for others to the same contact point."""
    daemon.add_contact("anna")
    for number, minutes in ((1, -3), (2, 3)):
        message = daemon.add_message(1, number, contact_point="contactPoints/anna", state=Message.PENDING)
        message.next_attempt_time.FromDatetime(now() + timedelta(minutes=minutes, seconds=30))
    later, overdue = run("messages", "list").stdout.splitlines()[1:]
    assert ("due" in later, "in 3m" in later) == (False, True)
    assert ("  due 2" in overdue, "2m ago" in overdue) == (True, True)
    assert "nextAttemptTime: due 2" in run("messages", "show", "1/1").stdout
