"""Steps that name what is not there any more, and who is on call: what is missing is told, and the chain goes on."""

from collections.abc import Callable

import pytest
from escalating import chain, contact, figure, forget_contact, messages, number, page, said, write
from fake_clock import SECOND
from running_daemon import RunningDaemon

from tocsind.domain.escalation_chain import Notify, Within
from tocsind.engine.telling import steps
from tocsind.engine.telling.on_call import OnDuty


def test_a_contact_point_that_is_gone_is_a_problem_and_the_chain_goes_on(daemon: RunningDaemon) -> None:
    """In the timeline and in a metric."""
    gone, ops = contact(daemon, "gone"), contact(daemon, "ops")
    chain(daemon, Notify((gone, ops)), Notify((77,)), Notify((ops,)))
    forget_contact(daemon, gone)
    name = daemon.fire(daemon.integration())
    daemon.settle()

    assert said(daemon, name) == [
        ("ESCALATION_STARTED", "page"),
        ("ESCALATION_PROBLEM", "step 1 of 3: the contact point gone was deleted"),
        ("NOTIFIED", "step 1 of 3: ops"),
        ("ESCALATION_PROBLEM", "step 2 of 3: the contact point number 77 was deleted"),
        ("NOTIFIED", "step 3 of 3: ops"),
        ("ESCALATION_ENDED", "page"),
    ]
    assert figure(daemon, 'tocsin_escalation_problems_total{problem="contact_point"}') == 2


def test_a_time_zone_that_is_gone_is_a_problem_and_the_chain_goes_on(daemon: RunningDaemon) -> None:
    """As if it were within the hours."""
    chain(daemon, Within((), 0, 1, "Europe/Atlantis"), Notify((contact(daemon),)))
    name = daemon.fire(daemon.integration())
    daemon.settle()

    problem = "step 1 of 2: there is no time zone 'Europe/Atlantis'; taken as within the hours"
    assert said(daemon, name)[1:3] == [("ESCALATION_PROBLEM", problem), ("NOTIFIED", "step 2 of 2: ops")]
    assert figure(daemon, 'tocsin_escalation_problems_total{problem="time_zone"}') == 1


Duty = Callable[[OnDuty | Exception], None]


@pytest.fixture
def duty(monkeypatch: pytest.MonkeyPatch) -> Duty:
    """Says who is on call."""

    def on_duty(answer: OnDuty | Exception) -> None:
        def now(*_: object) -> OnDuty:
            if isinstance(answer, Exception):
                raise answer
            return answer

        monkeypatch.setattr(steps.on_call, "now", now)

    return on_duty


def test_who_is_on_call_is_told(daemon: RunningDaemon, duty: Duty) -> None:
    """By the calendar at that time; who is named by the step as well is told once."""
    ops, ada, calendar = contact(daemon, "ops"), contact(daemon, "ada"), contact(daemon, "rota", on_call=True)
    chain(daemon, Notify((ops, calendar)))
    duty(OnDuty((ada, ops), ("Ada", "Ops"), ("an old copy is used",)))
    name = daemon.fire(daemon.integration())
    daemon.settle()

    assert said(daemon, name)[1:4] == [
        ("NOTIFIED", "step 1 of 1: ops"),
        ("ESCALATION_PROBLEM", "step 1 of 1: an old copy is used"),
        ("NOTIFIED", "step 1 of 1: ada, on call by rota"),
    ]
    assert daemon.sql("SELECT contact_id, via_id FROM messages ORDER BY id") == [(ops, None), (ada, calendar)]
    assert figure(daemon, 'tocsin_escalation_problems_total{problem="on_call"}') == 1


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (OnDuty(), "nobody is on call for rota"),
        (OnDuty(problems=("Bob is no contact point",)), "Bob is no contact point"),
        (OnDuty((99,)), "nobody is on call for rota"),
        (ValueError("?"), "who is on call for rota could not be found out"),
    ],
)
def test_nobody_on_call_is_a_problem_and_the_chain_goes_on(
    daemon: RunningDaemon, duty: Duty, answer: OnDuty | Exception, problem: str
) -> None:
    """Whatever is the matter with the calendar."""
    chain(daemon, Notify((contact(daemon, "rota", on_call=True),)), Notify((contact(daemon),)))
    duty(answer)
    name = daemon.fire(daemon.integration())
    daemon.settle()

    assert said(daemon, name)[1:3] == [
        ("ESCALATION_PROBLEM", f"step 1 of 2: {problem}"),
        ("NOTIFIED", "step 2 of 2: ops"),
    ]


def test_a_chain_that_cannot_be_read_does_not_hold_up_others(daemon: RunningDaemon) -> None:
    """It is tried again, and goes on once it can be."""
    page(daemon)
    integration = daemon.integration()
    names = [daemon.fire(integration, key=f"k{n}") for n in range(3)]
    (version,) = daemon.sql("SELECT version_id FROM escalations LIMIT 1")[0]
    write(daemon, "INSERT INTO chain_versions (id, chain, display_name, steps) VALUES (99, 'x', 'x', 'x')")
    write(daemon, "UPDATE escalations SET version_id = 99 WHERE group_id = ?", number(names[0]))
    daemon.settle()
    assert [len(messages(daemon, name)) for name in names] == [0, 1, 1]

    write(daemon, "UPDATE escalations SET version_id = ? WHERE group_id = ?", version, number(names[0]))
    daemon.pass_time(SECOND)
    assert [len(messages(daemon, name)) for name in names] == [1, 1, 1]
