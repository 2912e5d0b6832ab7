"""Filters and pages of OnCall's list of alert groups."""

from datetime import timedelta
from typing import Any
from urllib.parse import quote

import grpc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from oncall_client import Rest
from oncall_daemon import OncallDaemon, State, fits, stamp


def asked(daemon: OncallDaemon) -> str:
    """The filter that reached the daemon."""
    (request,) = daemon.requests("ListAlertGroups")
    return str(request.filter)


@pytest.fixture
def groups(daemon: OncallDaemon) -> OncallDaemon:
    """A daemon with groups that differ."""
    daemon.add_group(1, labels={"severity": "critical", "some.key": 'a "b" \\'})
    daemon.add_group(2, State.ACKNOWLEDGED, labels={"severity": "critical", "job": "node"})
    daemon.add_group(3, State.SILENCED, integration="integrations/two", labels={"job": "node"})
    daemon.add_group(4, State.RESOLVED, integration="integrations/two", labels={"url": "a:b"})
    return daemon


@pytest.mark.parametrize(
    ("query", "text", "found"),
    [
        ("", "", ["4", "3", "2", "1"]),
        ("state=new", "state = FIRING", ["1"]),
        ("state=Acknowledged", "state = ACKNOWLEDGED", ["2"]),
        ("state=silenced", "state = SILENCED", ["3"]),
        ("state=RESOLVED", "state = RESOLVED", ["4"]),
        ("state=new&state=resolved", "state = RESOLVED", ["4"]),
        ("integration_id=two", 'integration = "integrations/two"', ["4", "3"]),
        ("route_id=two-default", 'route = "integrations/two/routes/default"', ["4", "3"]),
        ("route_id=two-default&integration_id=two", 'route = "integrations/two/routes/default"', ["4", "3"]),
        ("route_id=two-r1", 'route = "integrations/two/routes/r1"', []),
        ("label=severity:critical", 'labels.severity = "critical"', ["2", "1"]),
        ("label=severity:critical&label=job:node", 'labels.severity = "critical" AND labels.job = "node"', ["2"]),
        ("label=job:node&label=job:other", 'labels.job = "node" AND labels.job = "other"', []),
        ("label=some.key%3Aa%20%22b%22%20%5C", r'labels."some.key" = "a \"b\" \\"', ["1"]),
        ("label=nonsense&label=a:b:c&label=job:node", 'labels.job = "node"', ["3", "2"]),
        ("team_id=null&team_id=", "", ["4", "3", "2", "1"]),
        ("state=&integration_id=&route_id=&started_at=&id=&nonsense=1", "", ["4", "3", "2", "1"]),
        (
            "started_at=2026-03-01T12:01:00_2026-03-01T12:02:00",
            'create_time >= "2026-03-01T12:01:00Z" AND create_time < "2026-03-01T12:02:00.000001Z"',
            ["3", "2"],
        ),
        ("started_at=2026-03-01T12:01:30_2026-03-01T12:01:59", None, []),
        ("state=new&integration_id=one&label=severity:critical", None, ["1"]),
    ],
)
def test_a_filter_becomes_the_daemons(
    rest: Rest, groups: OncallDaemon, query: str, text: str | None, found: list[str]
) -> None:
    """Each of OnCall's parameters becomes a part of the daemon's filter, and all of them hold together."""
    assert rest.numbers(f"alert_groups/?{query}") == found
    if text is not None:
        assert asked(groups) == text


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("id=1", ["1"]),
        ("id=1&state=new&integration_id=one&route_id=one-default&label=severity:critical", ["1"]),
        ("id=1&started_at=2026-03-01T12:00:00_2026-03-01T12:00:00", ["1"]),
        ("id=1&page=7", ["1"]),
        ("id=1&state=resolved", []),
        ("id=1&integration_id=two", []),
        ("id=1&route_id=one-r1", []),
        ("id=1&label=severity:warning", []),
        ("id=1&label=none:warning", []),
        ("id=1&started_at=2026-03-01T12:00:01_2026-03-01T12:00:02", []),
        ("id=2&started_at=2026-03-01T12:00:00_2026-03-01T12:00:59", []),
        ("id=9", []),
        ("id=I68T24C13IFW1", []),
        ("id=1&id=2", ["2"]),
    ],
)
def test_a_group_can_be_looked_for_by_its_id(rest: Rest, groups: OncallDaemon, query: str, found: list[str]) -> None:
    """The id is one filter among the others."""
    told = rest("GET", f"alert_groups/?{query}")

    assert [group["id"] for group in told.body["results"]] == found
    assert (told.body["count"], told.body["total_pages"]) == (len(found), 1)
    assert (told.body["next"], told.body["previous"]) == (None, None)


@pytest.mark.parametrize(
    "query",
    [
        "integration_id=IMPOSSIBLE",
        "integration_id=" + "a" * 33,
        "route_id=impossible",
        "route_id=-default",
        "route_id=one-default-default",
        "route_id=one-default&integration_id=two",
        "label=severity:",
        "label=:critical",
    ],
)
def test_what_nothing_can_be_finds_nothing(rest: Rest, groups: OncallDaemon, query: str) -> None:
    """A filter that nothing can match is an empty list, as in OnCall; the daemon looks at the token all the same."""
    told = rest("GET", f"alert_groups/?{query}")

    assert told.status == 200
    assert told.body == {
        "count": 0,
        "next": None,
        "previous": None,
        "results": [],
        "page_size": 50,
        "current_page_number": 1,
        "total_pages": 1,
    }
    assert rest("GET", f"alert_groups/?{query}", token="wrong").status == 403


def test_an_unknown_integration_finds_nothing(rest: Rest, groups: OncallDaemon) -> None:
    """The daemon says that there is no such integration; OnCall shows an empty list."""
    groups.failures["ListAlertGroups"] = (grpc.StatusCode.NOT_FOUND, "integrations/three does not exist")

    assert rest.numbers("alert_groups/?integration_id=three") == []


@pytest.mark.parametrize(
    ("query", "body"),
    [
        ("state=unknown", {"state": "Must be one of the following: new, acknowledged, resolved, silenced"}),
        ("state=firing", {"state": "Must be one of the following: new, acknowledged, resolved, silenced"}),
        ("team_id=T1", {"team_id": ["There is no such team: there are no teams, only null."]}),
        ("started_at=yesterday", {"detail": "Invalid range value"}),
        ("started_at=2026-03-01T12:00:00", {"detail": "Invalid range value"}),
        ("started_at=2026-03-01T12:00:00_", {"detail": "Invalid range value"}),
        ("started_at=2026-03-01_2026-03-02", {"detail": "Invalid range value"}),
        ("started_at=2026-03-01T12:00:01_2026-03-01T12:00:00", {"detail": "Invalid range value"}),
        ("started_at=2026-03-01T12:00:00_2026-03-01T12:00:01_", {"detail": "Invalid range value"}),
        ("started_at=2026-03-01T12:00:00Z_2026-03-01T12:00:01Z", {"detail": "Invalid range value"}),
    ],
)
def test_a_wrong_filter_is_refused(rest: Rest, groups: OncallDaemon, query: str, body: Any) -> None:
    """What OnCall refuses is refused in its shape, once the daemon has seen the token."""
    told = rest("GET", f"alert_groups/?{query}")
    assert (told.status, told.body) == (400, body)
    assert rest("GET", f"alert_groups/?{query}", token="wrong").status == 403


def test_a_filter_that_the_daemon_refuses_is_refused(rest: Rest, groups: OncallDaemon) -> None:
    """What the daemon says about a filter is passed on, in one line."""
    groups.failures["ListAlertGroups"] = (grpc.StatusCode.INVALID_ARGUMENT, "filter: must be\nshorter")

    told = rest("GET", "alert_groups/?label=a:b")

    assert (told.status, told.body) == (400, {"detail": "filter: must be shorter"})


# Each example begins with an empty daemon.
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(
        st.text(st.characters(exclude_characters=":", codec="utf-8"), min_size=1, max_size=8),
        st.text(st.characters(exclude_characters=":", codec="utf-8"), min_size=1, max_size=8),
        min_size=1,
        max_size=3,
    )
)
def test_any_label_can_be_looked_for(rest: Rest, daemon: OncallDaemon, labels: dict[str, str]) -> None:
    """Whatever is in a label, the filter that reaches the daemon means exactly that."""
    daemon.reset()
    daemon.add_group(1, labels=labels)
    daemon.add_group(2, labels={key: value + "x" for key, value in labels.items()})

    query = "&".join(f"label={quote(f'{key}:{value}', safe='')}" for key, value in labels.items())

    assert rest.numbers(f"alert_groups/?{query}") == ["1"]
    assert fits(daemon.groups[1], asked(daemon))


def pages(rest: Rest, path: str) -> list[dict[str, Any]]:
    """All pages, one after another, by their links."""
    found = [rest("GET", path).body]
    while found[-1]["next"]:
        found.append(rest("GET", found[-1]["next"]).body)
    return found


def test_a_list_is_read_page_by_page(rest: Rest, daemon: OncallDaemon) -> None:
    """The links lead through all pages, each group once, and every page but the first costs one call."""
    daemon.add_groups(230)

    found = pages(rest, "alert_groups/?state=new")

    assert [int(group["id"]) for page in found for group in page["results"]] == list(range(230, 0, -1))
    assert [len(page["results"]) for page in found] == [50, 50, 50, 50, 30]
    assert [page["current_page_number"] for page in found] == [1, 2, 3, 4, 5]
    assert {(page["count"], page["page_size"], page["total_pages"]) for page in found} == {(230, 50, 5)}
    base = f"http://127.0.0.1:{rest.gateway.port}/api/v1/alert_groups/?state=new"
    assert [page["next"] for page in found] == [f"{base}&page={number}" for number in (2, 3, 4, 5)] + [None]
    assert [page["previous"] for page in found] == [None, base, *(f"{base}&page={number}" for number in (2, 3, 4))]
    assert [request.page_size for request in daemon.requests("ListAlertGroups")] == [50] * 5


@pytest.mark.parametrize(
    ("query", "number", "size", "ids"),
    [
        ("", 1, 50, (120, 71)),
        ("page=2", 2, 50, (70, 21)),
        ("page=3", 3, 50, (20, 1)),
        ("page=4", 3, 50, (20, 1)),
        ("page=" + "9" * 400, 3, 50, (20, 1)),
        ("page=0", 1, 50, (120, 71)),
        ("page=-1", 1, 50, (120, 71)),
        ("page=last", 1, 50, (120, 71)),
        ("page=", 1, 50, (120, 71)),
        ("page=3&perpage=7", 3, 7, (106, 100)),
        ("perpage=100", 1, 100, (120, 21)),
        ("perpage=1000", 1, 100, (120, 21)),
        ("perpage=100&page=2", 2, 100, (20, 1)),
        ("perpage=0", 1, 50, (120, 71)),
        ("perpage=many", 1, 50, (120, 71)),
        ("perpage=1&page=120", 120, 1, (1, 1)),
    ],
)
def test_pages_have_numbers(
    rest: Rest, daemon: OncallDaemon, query: str, number: int, size: int, ids: tuple[int, int]
) -> None:
    """Any page can be asked for; one behind the last is the last, and what is no number is the first."""
    daemon.add_groups(120)

    body = rest("GET", f"alert_groups/?{query}").body

    assert (body["current_page_number"], body["page_size"], body["count"]) == (number, size, 120)
    assert body["total_pages"] == -(-120 // size)
    assert [int(group["id"]) for group in body["results"]] == list(range(ids[0], ids[1] - 1, -1))


def test_short_and_empty_pages_of_the_daemon_do_not_show(rest: Rest, daemon: OncallDaemon) -> None:
    """The daemon may return less than was asked for, even nothing, and have more: our pages are full all the same."""
    daemon.add_groups(33)
    daemon.most_in_a_page = 4
    daemon.empty_pages = True

    found = pages(rest, "alert_groups/?perpage=10")

    assert [int(group["id"]) for page in found for group in page["results"]] == list(range(33, 0, -1))
    assert [len(page["results"]) for page in found] == [10, 10, 10, 3]
    assert rest.numbers("alert_groups/?perpage=3&page=9&state=new") == ["9", "8", "7"]


def test_a_list_does_not_end_where_counting_does(rest: Rest, daemon: OncallDaemon) -> None:
    """The daemon counts up to a limit; who reads on finds the groups behind it all the same."""
    daemon.add_groups(47)
    daemon.most_counted = 20

    found = pages(rest, "alert_groups/?perpage=10")

    assert [int(group["id"]) for page in found for group in page["results"]] == list(range(47, 0, -1))
    assert [page["count"] for page in found] == [20, 21, 31, 41, 47]


def test_nothing_is_shown_twice_when_groups_open_meanwhile(rest: Rest, daemon: OncallDaemon) -> None:
    """Who reads on sees each group once, whatever happened in front of it; who begins anew sees what is new."""
    daemon.add_groups(60)
    first = rest("GET", "alert_groups/?perpage=20").body
    for number in range(61, 80):
        daemon.add_group(number)

    second = rest("GET", first["next"]).body

    assert [int(group["id"]) for group in second["results"]] == list(range(40, 20, -1))
    assert second["count"] == 60
    assert rest("GET", "alert_groups/?perpage=20").body["count"] == 79
    assert rest.numbers("alert_groups/?perpage=20&page=2")[0] == "59"


def test_larger_pages_of_a_list_that_was_begun_with_smaller_ones(rest: Rest, daemon: OncallDaemon) -> None:
    """What was page 2 can be part of page 1, which is then the last."""
    daemon.add_groups(8)
    rest("GET", "alert_groups/?perpage=5")

    body = rest("GET", "alert_groups/?perpage=10&page=2").body

    assert [group["id"] for group in body["results"]] == [str(number) for number in range(8, 0, -1)]
    assert (body["current_page_number"], body["total_pages"]) == (1, 1)


def test_groups_that_vanish_leave_shorter_pages(rest: Rest, daemon: OncallDaemon) -> None:
    """Where the list has become shorter than it was at page 1, its end is reached earlier."""
    daemon.add_groups(60)
    first = rest("GET", "alert_groups/?perpage=20").body
    for number in range(1, 31):
        del daemon.groups[number]

    second = rest("GET", first["next"]).body
    third = rest("GET", second["next"]).body

    assert [len(page["results"]) for page in (second, third)] == [10, 0]


def test_each_caller_and_each_filter_has_pages_of_its_own(rest: Rest, daemon: OncallDaemon) -> None:
    """Reading one list does not move another."""
    daemon.add_groups(30)
    for number in range(1, 31, 2):
        daemon.groups[number].state = State.RESOLVED

    assert rest.numbers("alert_groups/?perpage=5")[0] == "30"
    assert rest.numbers("alert_groups/?perpage=5&state=resolved")[0] == "29"
    assert rest.numbers("alert_groups/?perpage=5&state=resolved&page=2")[0] == "19"
    assert rest.numbers("alert_groups/?perpage=5&page=2")[0] == "25"
    assert rest("GET", "alert_groups/?perpage=5&page=2", token="wrong").status == 403


def test_an_empty_list_is_one_page(rest: Rest, daemon: OncallDaemon) -> None:
    """Nothing is a page too."""
    body = rest("GET", "alert_groups/?page=3").body

    assert (body["count"], body["total_pages"], body["current_page_number"], body["results"]) == (0, 1, 1, [])


def test_links_keep_the_query_and_the_callers_address(rest: Rest, daemon: OncallDaemon) -> None:
    """A link has the address by which the caller came, a proxy's included, and all that he asked for."""
    daemon.add_groups(3)
    query = "perpage=1&label=a%20b%26:c&page=1&label=d:e:f&team_id="
    for number in (1, 2, 3):
        daemon.groups[number].labels["a b&"] = "c"

    headers = {"X_Forwarded_Proto": "https", "X_Forwarded_Host": "oncall.example"}
    link = rest("GET", f"alert_groups?{query}", **headers).body["next"]

    rest_of_it = "perpage=1&label=a+b%26%3Ac&label=d%3Ae%3Af&team_id=&page=2"
    assert link == f"https://oncall.example/api/v1/alert_groups/?{rest_of_it}"
    assert rest.numbers(f"alert_groups/?{rest_of_it}") == ["2"]


def test_times_are_compared_to_the_microsecond(rest: Rest, daemon: OncallDaemon) -> None:
    """The end of a range is the beginning of its second, as in OnCall."""
    group = daemon.add_group(1)
    end = group.create_time.ToDatetime().replace(tzinfo=None)
    query = f"started_at=2026-01-01T00:00:00_{end:%Y-%m-%dT%H:%M:%S}"

    assert rest.numbers(f"alert_groups/?{query}") == ["1"]
    group.create_time.CopyFrom(stamp(end + timedelta(microseconds=1)))
    assert rest.numbers(f"alert_groups/?{query}") == []
    assert rest.numbers(f"alert_groups/?id=1&{query}") == []
