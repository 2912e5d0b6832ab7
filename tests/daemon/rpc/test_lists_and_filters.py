"""Lists and filters together: the pages of a list against the predicate that watches use."""

import dataclasses
import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from fake_clock import START
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from notices import notice
from running_daemon import RunningDaemon

from tocsin.v1 import alert_groups_pb2
from tocsind.domain.alert_group import AlertGroup, EventKind, ResolveReason, Source, State
from tocsind.domain.group_filter import matches
from tocsind.domain.route import ConditionKind, Route
from tocsind.rpc.group_filter import parse
from tocsind.sqlite import alert_groups, group_list, routes

# Few texts, so that they meet; among them what JSON, LIKE and Unicode's letters make difficult.
_SIGNS = [*'aAbkK"\\{}:,%_/éÉİß🔥', "\u212a", "\u2028", "\0", "\1", "\2", "\n"]
_WORDS = ["", "a b", "some.key", '\\"', 'a":"b', ',"a":"b', '","', "a,", ":a", "a\0", "a\0b", "\\u0061"]
TEXTS = st.sampled_from(_SIGNS + _WORDS) | st.text('a",:\\{}\0\1é', max_size=5)
TITLES = st.lists(TEXTS, max_size=3).map("".join)


@dataclass
class Described:
    """A group to store; times are microseconds after the start."""

    state: State
    source: Source
    integration: int
    created: int
    state_since: int
    received: int
    title: str
    labels: dict[str, str]
    route: int = 0


GROUPS = st.lists(
    st.builds(
        Described,
        state=st.sampled_from(State),
        source=st.sampled_from(Source),
        integration=st.integers(0, 1),
        created=st.integers(0, 5),
        state_since=st.integers(0, 5),
        received=st.integers(0, 5),
        title=TITLES,
        labels=st.dictionaries(TEXTS, TEXTS, max_size=3),
        route=st.integers(0, 4),
    ),
    max_size=30,
)


def quoted(text: str) -> str:
    """A text as it stands in a filter."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def written(nanoseconds: int, offset: int) -> str:
    """A time, given in nanoseconds after the start, as RFC 3339 with an offset in minutes."""
    seconds, rest = divmod(START * 1_000 + nanoseconds, 10**9)
    moment = datetime.fromtimestamp(seconds, UTC).astimezone(timezone(timedelta(minutes=offset)))
    text = moment.strftime("%Y-%m-%dT%H:%M:%S%z")
    return f"{text[:-5]}.{rest:09d}{text[-5:-2]}:{text[-2:]}"


NAMES = TEXTS.filter(lambda name: name not in group_list.AMBIGUOUS_NAMES)
MOMENTS = st.builds(lambda whole, rest: whole * 1_000 + rest, st.integers(-1, 6), st.sampled_from([0, 0, 1, 999]))
TIMES = st.builds(
    "{} {} {}".format,
    st.sampled_from(["create_time", "create_time", "resolve_time", "last_notification_time"]),
    st.sampled_from(["<", "<=", ">", ">="]),
    st.builds(written, MOMENTS, st.integers(-1_439, 1_439)).map(quoted),
)
CONDITIONS = (
    st.builds("state {} {}".format, st.sampled_from(["=", "!=", "!="]), st.sampled_from([s.name for s in State]))
    | st.sampled_from([f"source = {source.name}" for source in Source])
    | st.sampled_from(["integration = @0", "route = @0/routes/default", "route = @1/routes/default"])
    | st.sampled_from(["route = @1/routes/r1", "route = @1/routes/r2"])
    | st.builds("labels.{} = {}".format, NAMES.map(quoted), TEXTS.map(quoted))
    | st.builds("labels.{} != {}".format, NAMES.map(quoted), TEXTS.map(quoted))
    | st.builds("labels:{}".format, NAMES.map(quoted))
    | st.builds("title:{}".format, TEXTS.map(quoted))
    | TIMES
    | TIMES
    | TIMES
)
FILTERS = st.lists(CONDITIONS, max_size=4).map(" AND ".join)


def store(daemon: RunningDaemon, integrations: list[int], described: list[Described]) -> None:
    """Puts these groups, numbered from 1, in the place of all others."""
    rows = []
    for number, one in enumerate(described, 1):
        group = AlertGroup(
            id=number,
            integration_id=integrations[one.integration],
            source=one.source,
            state=one.state,
            created=START + one.created,
            state_since=START + one.state_since,
            state_event=EventKind.OPENED,
            resolve_reason=ResolveReason.SOURCE if one.state is State.RESOLVED else None,
            last_received=START + one.received,
            # Those that are there are the second integration's.
            route_id=one.route if one.integration or one.route not in (1, 2) else 0,
        )
        rows.append(
            (group, number.to_bytes(32, "big"), dataclasses.replace(notice("a"), title=one.title, labels=one.labels))
        )

    def job(transaction: Any, memory: Any) -> None:
        transaction.connection.execute("DELETE FROM alert_groups")
        alert_groups.insert(transaction.connection, rows)

    daemon.engine.change(job)


def add_routes(transaction: Any, memory: Any) -> None:
    """Gives the newest integration the routes with the ids 1 and 2."""
    owner = transaction.connection.execute("SELECT max(id) FROM integrations").fetchone()[0]
    for number in (1, 2):
        routes.insert(transaction.connection, Route(0, owner, f"r{number}", number - 1, ConditionKind.MATCHERS, "a=b"))


def walk(daemon: RunningDaemon, **request: Any) -> list[alert_groups_pb2.ListAlertGroupsResponse]:
    """Every page of a list."""
    pages = [daemon.groups.ListAlertGroups(alert_groups_pb2.ListAlertGroupsRequest(**request))]
    while pages[-1].next_page_token:
        request["page_token"] = pages[-1].next_page_token
        pages.append(daemon.groups.ListAlertGroups(alert_groups_pb2.ListAlertGroupsRequest(**request)))
        assert len(pages) < 100
    return pages


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=300)
@given(
    data=st.data(), described=GROUPS, newest_first=st.booleans(), looked_at=st.sampled_from([(2, 5), (1_000, 20_000)])
)
def test_all_pages_together_are_what_the_predicate_says(
    daemon: RunningDaemon,
    data: st.DataObject,
    described: list[Described],
    newest_first: bool,
    looked_at: tuple[int, int],
) -> None:
    """Whatever the groups, the filter, the order, the size of the pages and how much is looked at for each: every group
    that matches once, in order, and no other; and the total is their number."""
    ours = daemon.sql("SELECT id, public_id FROM integrations WHERE type = 'alertmanager' ORDER BY id")
    if not ours:
        daemon.integration("one")
        daemon.integration("other")
        # Two of the four that groups may have taken; the others are gone.
        daemon.engine.change(add_routes)
        ours = daemon.sql("SELECT id, public_id FROM integrations WHERE type = 'alertmanager' ORDER BY id")
    store(daemon, [row[0] for row in ours], described)
    names = [f"integrations/{row[1]}" for row in ours]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(group_list, "_FIRST_LOOK", looked_at[0])
        patch.setattr(group_list, "LOOKED_AT", looked_at[1])
        for _ in range(5):
            text = data.draw(FILTERS).replace("@0", names[0]).replace("@1", names[1])
            size = data.draw(st.integers(1, 6))
            wanted = parse(text)
            with daemon.engine.store.reading() as connection:
                rows = [alert_groups.one(connection, number) for number in range(1, len(described) + 1)]
            expected = [row.group for row in rows if row is not None and matches(wanted, row)]
            expected.sort(key=lambda group: (group.created, group.id), reverse=newest_first)
            order = data.draw(st.sampled_from(["", "create_time desc"])) if newest_first else "create_time"

            pages = walk(daemon, filter=text, page_size=size, order_by=order, include_total_size=True)

            assert [group.number for page in pages for group in page.alert_groups] == [group.id for group in expected]
            assert all(len(page.alert_groups) <= size for page in pages)
            assert {page.total_size for page in pages} == {len(expected)}


@pytest.fixture
def many(daemon: RunningDaemon) -> RunningDaemon:
    """A daemon with 300 groups of two labels; every hundredth has a third."""
    daemon.integration()
    rare = {"a": "1", "b": "2"}
    store(
        daemon,
        [daemon.sql("SELECT max(id) FROM integrations")[0][0]] * 2,
        [
            Described(
                State(1 + n % 4), Source.ALERTMANAGER, 0, n, n, n, f"t{n}", rare | ({"c": "3"} if n % 100 == 0 else {})
            )
            for n in range(300)
        ],
    )
    return daemon


def test_a_short_page_goes_on_where_it_stopped_looking(many: RunningDaemon, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where few groups match, a page ends after a fixed number of rows, with a token even if it is empty."""
    monkeypatch.setattr(group_list, "_FIRST_LOOK", 10)
    monkeypatch.setattr(group_list, "LOOKED_AT", 70)

    pages = walk(many, filter="labels:c", page_size=50)

    assert [[group.number for group in page.alert_groups] for page in pages] == [[], [201], [101], [], [1]]


def test_one_call_reads_no_more_rows_than_it_may(many: RunningDaemon, monkeypatch: pytest.MonkeyPatch) -> None:
    """However few groups match, and whatever the number of states: counted by a function in the condition itself."""
    monkeypatch.setattr(group_list, "_FIRST_LOOK", 10)
    monkeypatch.setattr(group_list, "LOOKED_AT", 60)
    monkeypatch.setattr(group_list, "COUNTED", 80)
    seen: list[int] = []
    connection = sqlite3.connect(many.engine.store.path)
    connection.create_function("seen", 2, lambda number, found: seen.append(number) or found)
    has = group_list._LABEL_TESTS
    monkeypatch.setattr(group_list, "_LABEL_TESTS", {test: f"seen(g.id, {sql})" for test, sql in has.items()})
    try:
        for newest_first in (True, False):
            for text in ("labels:nobody", "labels:nobody AND state != RESOLVED", "labels:nobody AND state = FIRING"):
                listed = group_list.GroupList(parse(text), None, newest_first)
                seen.clear()
                page = listed.page(connection, None, 50)
                assert len(seen) == len(set(seen)) == 60
                assert page.next is not None
                page = listed.page(connection, page.next, 50)
                assert len(seen) == len(set(seen)) == min(120, 75 if "FIRING" in text else 120)
                seen.clear()
                assert listed.count(connection) == 0
                assert len(seen) == min(80, 75 if "FIRING" in text else 80)
    finally:
        connection.close()


def test_a_total_is_exact_up_to_a_limit(many: RunningDaemon, monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit means that many or more; with conditions that no index knows it is how many are looked at."""
    for filter, looked_at, total in (
        ("", 301, 300),
        ("", 300, 300),
        ("", 299, 299),
        ("state = FIRING", 76, 75),
        ("state = FIRING", 20, 20),
        ("labels:c", 301, 3),
        ("labels:c", 100, 1),
    ):
        monkeypatch.setattr(group_list, "COUNTED", looked_at)
        assert (
            many.groups.ListAlertGroups(
                alert_groups_pb2.ListAlertGroupsRequest(filter=filter, page_size=1, include_total_size=True)
            ).total_size
            == total
        )
    assert not walk(many, page_size=200)[0].total_size
