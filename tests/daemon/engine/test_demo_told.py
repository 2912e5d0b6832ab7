"""Who is told of a demo alert."""

import grpc
import pytest
from changing import by, delete
from escalating import contact, forget_contact, messages, paging_integration, said
from maintaining import finish, maintain, stop
from running_daemon import Integration, RunningDaemon, reason

from tocsin.v1 import integrations_pb2


@pytest.fixture
def integration(daemon: RunningDaemon) -> Integration:
    """An integration whose groups take the chain that is the default: ops, then after five minutes the boss."""
    return paging_integration(daemon)


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
