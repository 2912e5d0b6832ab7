"""Contact points: deleted, and what is left of them."""

from typing import Any

import grpc
import pytest
from contact_samples import ICAL, get, listed, make_contact, remove, stand_in, stand_in_calendars
from fake_clock import MINUTE, SECOND
from running_daemon import RunningDaemon, details, duration, reason

from tocsind.domain import contact_point as rules
from tocsind.domain.escalation_chain import Notify, Resolve, Step, Wait
from tocsind.domain.message import Kind
from tocsind.engine.telling import outbox
from tocsind.sqlite import contact_points as rows
from tocsind.sqlite import escalation_chains


def add_chain(daemon: RunningDaemon, display_name: str, *steps: Step) -> None:
    """A chain in the file."""

    def job(transaction: Any, memory: Any) -> None:
        connection, public_id = transaction.connection, display_name.lower()
        # An earlier version is there too: what it names does not count.
        escalation_chains.insert_version(connection, public_id, display_name, [Notify((1, 2, 3))])
        version = escalation_chains.insert_version(connection, public_id, display_name, steps)
        connection.execute(
            "INSERT INTO escalation_chains (public_id, display_name, description, version_id, is_default, created_at, "
            "updated_at) VALUES (?, ?, '', ?, 0, 0, 0)",
            (public_id, display_name, version),
        )

    daemon.engine.change(job)


def test_one_that_is_deleted_leaves_its_name_and_nothing_else(
    daemon: RunningDaemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not its settings, not its calendars and shifts; timelines can still say what it was called."""
    stand_in_calendars(monkeypatch)
    hook = make_contact(daemon, "hook", description="d", aliases=["a"], body_template="b")
    duty = make_contact(daemon, "duty", on_call={"schedule": {"ical": ICAL}, "overrides": {"file": "o.ics"}})
    assert daemon.sql("SELECT contact_id, role FROM shifts") == [(2, 1), (2, 2)]

    for made in (hook, duty):
        remove(daemon, made.name)

    for made in (hook, duty):
        with pytest.raises(grpc.RpcError) as refusal:
            get(daemon, made.name)
        assert refusal.value.code() is grpc.StatusCode.NOT_FOUND
    assert daemon.sql("SELECT display_name, description, aliases, target, body_template FROM contact_points") == [
        ("hook", "", "[]", "", ""),
        ("duty", "", "[]", "", ""),
    ]
    assert daemon.sql("SELECT * FROM calendars") == daemon.sql("SELECT * FROM shifts") == []
    with daemon.engine.store.reading() as connection:
        gone = rows.by_id(connection, 1)
    assert gone is not None
    assert (gone.settings, gone.deleted) == (rules.Webhook(""), daemon.clock.wall())


def test_one_that_chains_tell_is_not_deleted_by_chance(daemon: RunningDaemon) -> None:
    """The refusal names three of the chains; with `force` it goes. What chains told in the past does not count."""
    first, second, third = make_contact(daemon), make_contact(daemon), make_contact(daemon)
    for number in range(5):
        add_chain(daemon, f"Chain{number}", Wait(SECOND), Notify((2, 1)))
    add_chain(daemon, "Other", Resolve(), Notify((2,)))

    with pytest.raises(grpc.RpcError) as refusal:
        remove(daemon, first.name)

    assert (refusal.value.code(), reason(refusal.value)) == (grpc.StatusCode.FAILED_PRECONDITION, "IN_USE")
    assert refusal.value.details() == (
        f"{first.name} is told by the escalation chains 'Chain0' (escalationChains/chain0), 'Chain1' "
        "(escalationChains/chain1), 'Chain2' (escalationChains/chain2) and 2 more"
    )
    assert details(refusal.value)[0].metadata["resource"] == first.name
    remove(daemon, third.name)
    remove(daemon, first.name, force=True)
    assert [contact.name for contact in listed(daemon)] == [second.name]


def test_what_waits_for_one_that_is_deleted_is_taken_back(daemon: RunningDaemon) -> None:
    """It could not be sent any more; what waits for others does."""
    stand_in(daemon)
    made, other = (
        make_contact(daemon, apprise={"url": "mailto://m.example"}, bundle_window=duration(MINUTE)) for _ in range(2)
    )
    group = int(daemon.fire(daemon.integration()).partition("/")[2])
    waiting = [outbox.message(group, contact_id, Kind.FIRING) for contact_id in (1, 1, 2)]
    daemon.engine.change(outbox.put, waiting)

    remove(daemon, made.name)

    assert daemon.sql("SELECT contact_id, state FROM messages ORDER BY id") == [(1, 5), (1, 5), (2, 1)]
    assert get(daemon, other.name).name == other.name
