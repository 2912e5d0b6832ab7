"""How SQLite finds what is asked for: by an index, never by looking at everything and never by sorting."""

import dataclasses
import itertools
import sqlite3
from collections.abc import Callable, Iterator

import pytest
from fake_clock import START
from rows_of_groups import add_group, add_integration, make_group

from tocsind.domain.alert_group import OPEN_STATES, Source, State
from tocsind.domain.contact_point import CalendarRole, ContactPoint, Webhook
from tocsind.domain.escalation import start
from tocsind.domain.escalation_chain import Wait
from tocsind.domain.group_filter import GroupFilter, LabelCondition, LabelTest
from tocsind.domain.message import Kind, Message, MessageState
from tocsind.domain.note import Note
from tocsind.domain.span import Span
from tocsind.sqlite import (
    alert_groups,
    alerts,
    calendars,
    contact_points,
    escalation_chains,
    escalations,
    events,
    heartbeats,
    integrations,
    maintenances,
    messages,
    notes,
    removal,
    retention,
    routes,
)
from tocsind.sqlite.group_list import GroupList
from tocsind.sqlite.migrate import migrate

Query = Callable[[sqlite3.Connection], object]

SUBSETS = [subset for size in range(1, len(State) + 1) for subset in itertools.combinations(list(State), size)]


@pytest.fixture(scope="module")
def filled() -> Iterator[sqlite3.Connection]:
    """A file with enough rows, and with statistics, for SQLite to prefer a scan where one would be better."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    migrate(connection)
    owners = [add_integration(connection, f"i{n}", stale_after=n % 2) for n in range(4)]
    states = list(State)
    for number in range(1, 401):
        state = states[number % 4]
        add_group(connection, make_group(number, owners[number % 3], state), number.to_bytes(32, "big"))
    for number in range(50):
        made = ContactPoint(0, f"c{number}", f"c{number}", "", (), Webhook("http://x"))
        contact_points.insert(connection, made)
    sent = [make_message(number, 1 + number % 50, settled=number % 40 > 0) for number in range(1, 401)]
    messages.insert(connection, sent)
    versions = [escalation_chains.insert_version(connection, f"c{n}", "c", [Wait(1)]) for n in range(40)]
    escalations.store(connection, [start(number, versions[number % 40], START) for number in range(1, 401, 4)])
    yield connection
    connection.close()


def plans(connection: sqlite3.Connection, query: Query) -> list[str]:
    """The plan of every statement that a query function executes, one line a step."""
    statements: list[str] = []
    connection.set_trace_callback(statements.append)
    try:
        query(connection)
    finally:
        connection.set_trace_callback(None)
    assert statements
    return [row[3] for sql in statements for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}")]


FILTERS = {
    "": GroupFilter(),
    " created between": GroupFilter(created=Span(START - 1, START + 1)),
    " and by everything else": GroupFilter(
        source=Source.ALERTMANAGER,
        collected=False,
        titles=("a", "b"),
        labels=(
            LabelCondition("a", LabelTest.EQUAL, "b"),
            LabelCondition("c", LabelTest.DIFFERENT, "d"),
            LabelCondition("e", LabelTest.PRESENT),
        ),
        created=Span(first=START),
        notified=Span(first=START),
    ),
}


def lists() -> Iterator[tuple[str, Query]]:
    """Pages and totals: every combination of states, of all groups or of one integration, in both orders, with and
    without what no index knows, the first page and a later one."""
    for states, integration, newest_first, (conditions, wanted) in itertools.product(
        SUBSETS, (None, 1), (True, False), FILTERS.items()
    ):
        listed = GroupList(dataclasses.replace(wanted, states=states), integration, newest_first)
        name = (
            f"{'+'.join(state.name for state in states)} {'of one' if integration else 'of all'}{conditions}, "
            f"{'newest' if newest_first else 'oldest'} first"
        )
        yield f"page of {name}", lambda c, listed=listed: listed.page(c, None, 2)
        yield f"later page of {name}", lambda c, listed=listed: listed.page(c, (START, 200), 2)
        yield f"total of {name}", lambda c, listed=listed: listed.count(c)
    for route_id, newest_first in itertools.product((0, 1), (True, False)):
        listed = GroupList(GroupFilter(states=OPEN_STATES), 1, newest_first, route_id)
        which = "a" if route_id else "the default"
        name = f"under {which} route, {'newest' if newest_first else 'oldest'} first"
        yield f"page {name}", lambda c, listed=listed: listed.page(c, None, 2)
        yield f"total {name}", lambda c, listed=listed: listed.count(c)
    for integration, newest_first in itertools.product((None, 1), (True, False)):
        listed = GroupList(GroupFilter(resolved=Span(first=START)), integration, newest_first)
        name = f"page resolved since {'of one' if integration else 'of all'}, {'newest' if newest_first else 'oldest'}"
        yield name, lambda c, listed=listed: listed.page(c, None, 2)


QUERIES: dict[str, Query] = dict(lists()) | {
    "one": lambda c: alert_groups.one(c, 5),
    "several": lambda c: alert_groups.several(c, [1, 2, 3]),
    "wipe": lambda c: removal.wipe(c, [4, 8]),
    "remove": lambda c: removal.remove(c, [4, 8]),
    "old_tombstones": lambda c: removal.old_tombstones(c, 1, 500),
    "note": lambda c: notes.one(c, 1, 1),
    "notes page": lambda c: notes.page(c, 1, 0, 50),
    "removal of a note": lambda c: notes.delete(c, Note(1, 1, "text", "ada", 0, 0)),
    "by_id": lambda c: alert_groups.by_id(c, 5),
    "by_identity": lambda c: alert_groups.by_identity(c, [b"x" * 32, b"y" * 32]),
    "open_sibling": lambda c: alert_groups.open_sibling(c, 5),
    "open_of_integration": lambda c: alert_groups.open_of_integration(c, 1, 200),
    "open_collected": lambda c: alert_groups.open_collected(c, 1, 200),
    "count_collected": lambda c: maintenances.count_collected(c, 1),
    "silences": lambda c: list(alert_groups.silences(c)),
    "stale_candidates of all": lambda c: list(alert_groups.stale_candidates(c)),
    "stale_candidates of one": lambda c: list(alert_groups.stale_candidates(c, 2)),
    "retention": lambda c: retention.remove_expired(c, 0, 0, 200, 100),
    "last_id": lambda c: alert_groups.last_id(c),
    "alerts known": lambda c: alerts.known(c, [1, 2, 3]),
    "alerts page": lambda c: alerts.page(c, 1, "", 50),
    "alerts, those that fire first": lambda c: alerts.firing_first(c, 1, 50),
    "payload": lambda c: alerts.payload(c, 1, True),
    "events page": lambda c: events.page(c, 1, 0, 50),
    "events since": lambda c: events.since(c, 0, 50),
    "deleted_with_open_groups": lambda c: integrations.deleted_with_open_groups(c),
    "by_token": lambda c: integrations.by_token(c, "t"),
    "by_public_id": lambda c: integrations.by_public_id(c, "i1"),
    "any_described": lambda c: integrations.any_described(c, "i1"),
    "by_display_name": lambda c: integrations.by_display_name(c, "i1"),
    "last_received": lambda c: alerts.last_received(c, 1),
    "contact point": lambda c: contact_points.by_id(c, 1),
    "contact point by public id": lambda c: contact_points.by_public_id(c, "a"),
    "contact point by name": lambda c: contact_points.by_display_name(c, "a"),
    "contact points page": lambda c: contact_points.page(c, "a", 50),
    "removal of a calendar": lambda c: calendars.remove(c, 1, CalendarRole.OVERRIDES),
    "routes": lambda c: routes.of_integration(c, 1),
    "route": lambda c: routes.one(c, 1, "r1"),
    "count of routes": lambda c: routes.count(c, 1),
    "shift of routes": lambda c: routes.shift(c, 1, 0, 200, 1),
    "heartbeats": lambda c: heartbeats.load(c, [1, 2]),
    "heartbeats page": lambda c: heartbeats.page(c, 0, 50),
    "integrations page": lambda c: integrations.page(c, 0, 50),
    "escalations": lambda c: escalations.load(c, [1, 2, 3]),
    "escalations as read": lambda c: escalations.several(c, [1, 2, 3]),
    "removal of escalations": lambda c: escalations.remove(c, [4, 8]),
    "alerts that began to fire": lambda c: escalations.count_fired(c, 1, START),
    "version of a chain": lambda c: escalations.meant_version(c, 1),
    "version of the default chain": lambda c: escalations.meant_version(c, None),
    "chosen version": lambda c: escalations.chosen_version(c, 1),
    "messages of a group": lambda c: messages.of_group(c, 1),
}


def make_message(group: int, contact: int, *, settled: bool) -> Message:
    """A message of a group, delivered or not."""
    state = MessageState.DELIVERED if settled else MessageState.PENDING
    return Message(0, group, contact, Kind.FIRING, f"msg_{group}", state=state)


def message_lists() -> Iterator[tuple[str, Query]]:
    """Pages of messages by everything that they can be asked for."""
    subsets = (frozenset(s) for size in range(6) for s in itertools.combinations(list(MessageState), size))
    for states, group, contact in itertools.product(list(subsets), (None, 5), (None, 1)):
        wanted = messages.MessageFilter(group, states, contact)
        words = "+".join(sorted(state.name for state in states)) or "any"
        name = f"messages {words} of {'one' if group else 'all'}{' to one' if contact else ''}"
        yield name, lambda c, wanted=wanted: messages.page(c, wanted, messages.NEWEST, 2)


QUERIES |= dict(message_lists()) | {
    "message": lambda c: messages.one(c, 5, 5),
    "messages by ids": lambda c: messages.by_ids(c, [1, 2, 3]),
    "messages of a group": lambda c: messages.of_group(c, 5),
    "messages to withdraw": lambda c: messages.to_withdraw(c, [1, 2, 3], Kind.FIRING),
    "who was told": lambda c: list(messages.told(c, [1, 2, 3])),
    "unsettled messages": lambda c: list(messages.unsettled(c)),
    "messages being sent": lambda c: messages.sending(c, 500),
    "dead messages": lambda c: messages.count_dead(c),
    "oldest open message": lambda c: messages.oldest_open(c),
    "states of groups": lambda c: messages.states_of_groups(c, [1, 2]),
    "receivers": lambda c: messages.receivers(c, [1, 2]),
    "every receiver": lambda c: messages.every_receiver(c),
    "contact point": lambda c: contact_points.any_id(c, "c"),
    "update of messages": lambda c: messages.update(c, messages.of_group(c, 5)),
}
# Walked from end to end on purpose: these are few, and all of them are wanted.
SMALL_OF_MESSAGES = ("contact_points", "new", "messages_open", "messages_dead")
SMALL = ("integrations", "i", "wanted", "sqlite_sequence", "daemon_state", "CONSTANT ROW")


@pytest.mark.parametrize("analysed", [False, True], ids=["without statistics", "with statistics"])
@pytest.mark.parametrize("name", QUERIES)
def test_no_query_looks_at_everything(filled: sqlite3.Connection, name: str, analysed: bool) -> None:
    """No table that grows is scanned and nothing is sorted, however many groups there are."""
    if analysed:
        filled.execute("ANALYZE")
    try:
        steps = plans(filled, QUERIES[name])
    finally:
        filled.execute("DROP TABLE IF EXISTS sqlite_stat1")
        filled.execute("ANALYZE sqlite_master")

    scans = [step for step in steps if step.startswith("SCAN") and step.split()[1] not in SMALL]
    scans = [step for step in scans if not {step.split()[1], step.split()[-1]} & {*SMALL_OF_MESSAGES}]
    # A range of an index that ends with LIMIT is read in order of the key, and no further than the limit.
    assert [step for step in scans if "CONSTANT ROW" not in step and "CONSTANT ROWS" not in step] == []
    assert [step for step in steps if "TEMP B-TREE" in step] == []


BY_INDEX = {
    "messages to withdraw": "messages_by_group (group_id=?)",
    "who was told": "messages_by_group (group_id=?)",
    "unsettled messages": "messages_open",
    "messages being sent": "messages_open",
    "dead messages": "messages_dead",
    "oldest open message": "messages_open",
    "messages any of one": "messages_by_group (group_id=? AND id",
    "messages PENDING of all": "messages_open (id",
    "messages PENDING+SENDING of all to one": "messages_open (id",
    "messages DEAD of all to one": "messages_dead (id",
    "messages DELIVERED of all": "SEARCH m USING INTEGER PRIMARY KEY",
    "retention": "alert_groups_resolved (integration_id=? AND state_since<?)",
    "open_collected": "alert_groups_collected (collected_by=? AND state=?)",
    "count_collected": "COVERING INDEX alert_groups_collected (collected_by=? AND state=?)",
    "events page": "events_by_group (group_id=? AND id>?)",
    "by_identity": "alert_groups_by_identity (identity=? AND standing=?)",
    "old_tombstones": "events_of_deletion (at<?)",
    "notes page": "notes_by_group (group_id=? AND id>?)",
    "removal of a note": "events_by_group (group_id=?)",
    "last_received": "alert_groups_by_integration (integration_id=? AND state=?)",
    "routes": "routes_in_order (integration_id=?)",
    "version of the default chain": "escalation_chains_default (is_default=?)",
    "messages of a group": "messages_by_group (group_id=?)",
    "shift of routes": "routes_in_order (integration_id=? AND position>? AND position<?)",
    "page under a route, newest first": "alert_groups_by_integration (integration_id=? AND state=? AND created_at>?",
    "page under the default route, newest first": "SEARCH taken USING INTEGER PRIMARY KEY",
    "open_sibling": "alert_groups_by_identity (identity=? AND standing=?)",
    "stale_candidates of one": "alert_groups_by_integration (integration_id=? AND state=?)",
    **{
        f"{kind} of {states} {whose}, {order} first": f"{index}state=? AND created_at>? AND created_at<?)"
        for kind, states, order in itertools.product(
            ("page", "later page", "total"), ("FIRING", "FIRING+ACKNOWLEDGED+SILENCED"), ("newest", "oldest")
        )
        for whose, index in (
            ("of all", "alert_groups_by_state ("),
            ("of one", "alert_groups_by_integration (integration_id=? AND "),
            ("of one created between", "alert_groups_by_integration (integration_id=? AND "),
            ("of one and by everything else", "alert_groups_by_integration (integration_id=? AND "),
        )
    },
    "page resolved since of one, newest": "alert_groups_by_integration (integration_id=? AND state=? AND created_at>?",
}


@pytest.mark.parametrize("name", BY_INDEX)
def test_the_narrowest_index_is_used(filled: sqlite3.Connection, name: str) -> None:
    """Where a wider index would do without a scan, the one that was made for the query is used."""
    assert any(BY_INDEX[name] in step for step in plans(filled, QUERIES[name]))


def test_removing_a_group_costs_the_same_however_many_there_are(connection: sqlite3.Connection) -> None:
    """What SQLite does to keep its promises is in no plan: its steps are counted."""
    owner = add_integration(connection)
    for number in range(1, 2_001):
        add_group(connection, make_group(number, owner, State.RESOLVED), number.to_bytes(32, "big"))
    alerts.store_payloads(connection, [(number, 0, 0, b"x") for number in range(1, 2_001)])
    hundreds = []
    connection.set_progress_handler(lambda: hundreds.append(1), 100)

    removal.remove(connection, [1_000])

    connection.set_progress_handler(None, 0)
    assert len(hundreds) < 20


def test_the_check_sees_a_scan_and_a_sort(filled: sqlite3.Connection) -> None:
    """A query without an index is told by its plan: the tests above could fail."""
    steps = plans(filled, lambda c: c.execute("SELECT id FROM alert_groups AS g WHERE title = '' ORDER BY title"))

    assert any(step.startswith("SCAN g") for step in steps)
    assert plans(filled, lambda c: c.execute("SELECT id FROM alert_groups ORDER BY heard"))[-1].endswith("ORDER BY")
